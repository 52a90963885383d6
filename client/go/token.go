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

// bearer sends the token with every call.
func bearer(source TokenSource) connect.Interceptor {
	return connect.UnaryInterceptorFunc(func(next connect.UnaryFunc) connect.UnaryFunc {
		return func(ctx context.Context, request connect.AnyRequest) (connect.AnyResponse, error) {
			authorization, err := authorizationOf(ctx, source)
			if err != nil {
				return nil, err
			}
			request.Header().Set("Authorization", authorization)
			return next(ctx, request)
		}
	})
}

// authorizationOf returns the header; a source that fails, or no usable token, is Denied.
func authorizationOf(ctx context.Context, source TokenSource) (string, error) {
	token, err := source(ctx)
	if err != nil {
		return "", &Error{Kind: Denied, message: "the token source failed: nothing was sent", cause: err}
	}
	token = strings.TrimSpace(token)
	if token == "" || strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return "", &Error{Kind: Denied, message: "the token is empty or no header value: nothing was sent"}
	}
	return "Bearer " + token, nil
}
