package pointsman

import (
	"context"
	"strings"

	"connectrpc.com/connect"
)

// TokenSource returns the bearer token of a call.
type TokenSource func(context.Context) (string, error)

// StaticToken is a source of one token.
func StaticToken(token string) TokenSource {
	return func(context.Context) (string, error) { return token, nil }
}

// bearer sends the token with every call. A source that fails, or no usable token, is Denied.
func bearer(source TokenSource) connect.Interceptor {
	return connect.UnaryInterceptorFunc(func(next connect.UnaryFunc) connect.UnaryFunc {
		return func(ctx context.Context, request connect.AnyRequest) (connect.AnyResponse, error) {
			token, err := source(ctx)
			if err != nil {
				return nil, &Error{Kind: Denied, message: "the token source failed: nothing was sent", cause: err}
			}
			token = strings.TrimSpace(token)
			if token == "" || strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r > '~' }) {
				return nil, &Error{Kind: Denied, message: "the token is empty or no header value: nothing was sent"}
			}
			request.Header().Set("Authorization", "Bearer "+token)
			return next(ctx, request)
		}
	})
}
