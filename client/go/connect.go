package pointsman

import (
	"cmp"
	"context"
	"net/http"
	"slices"
	"strings"
)

// openStream opens StreamRouteDecisions with the token and the headers of the moment, but without a trace:
// each decision has its own.
func (c *Client) openStream(ctx context.Context) (streamCall, error) {
	headers := http.Header{}
	copyHeaders(headers, c.headers(ctx))
	for _, name := range []string{headerTraceparent, headerTracestate} {
		headers.Del(name)
	}
	if c.token != nil {
		limited, cancel := context.WithTimeout(ctx, streamTokenLimit)
		defer cancel()
		authorization, err := authorizationOf(limited, c.token)
		if err != nil {
			return nil, err
		}
		headers.Set("Authorization", authorization)
	}
	call := c.rpc.StreamRouteDecisions(ctx)
	copyHeaders(call.RequestHeader(), headers)
	return call, nil
}

func copyHeaders(to, from http.Header) {
	for name, values := range from {
		to[http.CanonicalHeaderKey(name)] = values
	}
}

// headerOf reads a header that a function of the caller may have written in lower case.
func headerOf(headers http.Header, name string) string {
	if value := headers.Get(name); value != "" {
		return value
	}
	if values := headers[strings.ToLower(name)]; len(values) > 0 {
		return values[0]
	}
	return ""
}

func sortByNumber(decisions []*pendingDecision) {
	slices.SortFunc(decisions, func(one, other *pendingDecision) int { return cmp.Compare(one.number, other.number) })
}
