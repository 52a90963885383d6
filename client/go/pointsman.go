// Package pointsman calls Pointsman, which decides which language model should serve a prompt: with a
// deadline, with the static pick as the fallback, and without errors for network failures.
package pointsman

import (
	"cmp"
	"context"
	"net/http"
	"sync"
	"time"

	"connectrpc.com/connect"

	pb "example.com/pointsman/gen/pointsman/v1"
	"example.com/pointsman/gen/pointsman/v1/pointsmanv1connect"
)

const (
	defaultTimeout       = 2 * time.Second
	defaultDecideTimeout = 500 * time.Millisecond
	defaultRetries       = 2
	readMaxBytes         = 4 << 20
)

// Client calls one Pointsman service. Open it once, share it among goroutines, close it.
type Client struct {
	rpc           pointsmanv1connect.RoutingServiceClient
	transport     *http.Transport
	timeout       time.Duration
	decideTimeout time.Duration
	headers       func(context.Context) http.Header
	token         TokenSource
	retries       *retries
	mirror        *mirror
	streaming     *streaming // nil: each decision is a call
	runs          *runs
	open          context.Context // until Close
	stop          context.CancelFunc
	closing       sync.Once
}

func newClient(base string, transport *http.Transport, options Options, protocol ...connect.ClientOption) *Client {
	client := &http.Client{
		Transport: transport,
		// A redirect would carry the token and the prompt to another host.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	settings := append(protocol, connect.WithReadMaxBytes(readMaxBytes), connect.WithInterceptors(options.Interceptors...))
	if options.Token != nil {
		settings = append(settings, connect.WithInterceptors(bearer(options.Token)))
	}
	headers := options.Headers
	if headers == nil {
		headers = func(context.Context) http.Header { return nil }
	}
	opened, stop := context.WithCancel(context.Background())
	made := &Client{
		rpc:           pointsmanv1connect.NewRoutingServiceClient(client, base, settings...),
		transport:     transport,
		timeout:       cmp.Or(options.Timeout, defaultTimeout),
		decideTimeout: cmp.Or(options.DecideTimeout, defaultDecideTimeout),
		headers:       headers,
		token:         options.Token,
		retries:       newRetries(cmp.Or(options.Retries, defaultRetries)),
		mirror:        newMirror(options.Mirror),
		runs:          newRuns(mostRuns),
		open:          opened,
		stop:          stop,
	}
	if options.Stream {
		made.streaming = newStreaming(opened, made.openStream, headers)
	}
	return made
}

// Decide returns the model to serve. Without an answer from the service, also when ctx ends, it is the
// static pick (`routing.resolved_model`), with the reason.
func (c *Client) Decide(ctx context.Context, request *pb.RouteDecisionRequest) Choice {
	static := request.GetRouting().GetResolvedModel()
	result, err := c.route(ctx, c.decideTimeout, request)
	if err != nil {
		return fallback(errorOf(err), static)
	}
	return answered(result, static)
}

// Route returns the answer of the service or an *Error. Outcome FAILED is an answer too.
func (c *Client) Route(ctx context.Context, request *pb.RouteDecisionRequest) (*pb.RouteDecisionResponse, error) {
	return c.route(ctx, c.timeout, request)
}

// Mirror calls in the background, for shadow traffic; false if the request was dropped or is unusable.
// The call keeps the values of ctx, such as its trace, and outlives it.
func (c *Client) Mirror(ctx context.Context, request *pb.RouteDecisionRequest) bool {
	bounded, err := requestOf(request)
	if err != nil {
		return c.mirror.refuse(errorOf(err))
	}
	ctx = context.WithoutCancel(ctx)
	return c.mirror.submit(func(stop context.Context, timeout time.Duration) error {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		defer context.AfterFunc(stop, cancel)()
		_, err := c.route(ctx, timeout, bounded)
		return err
	})
}

// Mirrored counts the mirrored requests so far.
func (c *Client) Mirrored() MirrorCounts { return c.mirror.counts() }

// Resolve returns the LLM configs to try for a purpose, in order, or an *Error.
func (c *Client) Resolve(ctx context.Context, request *pb.ResolveRouteRequest) (*pb.ResolveRouteResponse, error) {
	return call(ctx, c, c.timeout, request, c.rpc.ResolveRoute)
}

// Describe returns the configuration in force, or an *Error.
func (c *Client) Describe(ctx context.Context) (*pb.DescribeRoutingResponse, error) {
	return call(ctx, c, c.timeout, &pb.DescribeRoutingRequest{}, c.rpc.DescribeRouting)
}

// Close gives mirrored requests their time to drain, then closes the connections. Later calls of Decide
// return the static pick.
func (c *Client) Close() {
	c.closing.Do(func() {
		c.mirror.close()
		c.stop()
		c.transport.CloseIdleConnections()
	})
}

func (c *Client) route(
	ctx context.Context, timeout time.Duration, request *pb.RouteDecisionRequest,
) (*pb.RouteDecisionResponse, error) {
	bounded, err := requestOf(request)
	if err != nil {
		return nil, err
	}
	if c.streaming != nil {
		return c.routeOverStream(ctx, timeout, bounded)
	}
	result, err := call(ctx, c, timeout, bounded, c.rpc.RouteDecision)
	if err != nil {
		return nil, err
	}
	if err := checkOffered(result, bounded); err != nil {
		return nil, err
	}
	return result, nil
}

func (c *Client) routeOverStream(
	ctx context.Context, timeout time.Duration, request *pb.RouteDecisionRequest,
) (result *pb.RouteDecisionResponse, err error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	err = c.retries.run(ctx, func() (err error) {
		if c.open.Err() != nil {
			return errClosed()
		}
		result, err = c.streaming.ask(ctx, request)
		return err
	})
	return result, err
}

func errClosed() *Error { return &Error{Kind: Closed, message: "the client is closed"} }

type method[I, O any] func(context.Context, *connect.Request[I]) (*connect.Response[O], error)

// call makes one RPC with its deadline, headers and retries; its error is an *Error.
func call[I, O any](ctx context.Context, c *Client, timeout time.Duration, message *I, rpc method[I, O]) (*O, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	headers := c.headers(ctx)
	var answer *connect.Response[O]
	err := c.retries.run(ctx, func() (err error) {
		if c.open.Err() != nil {
			return errClosed()
		}
		request := connect.NewRequest(message)
		copyHeaders(request.Header(), headers)
		answer, err = rpc(ctx, request)
		return err
	})
	if err != nil {
		return nil, err
	}
	return answer.Msg, nil
}
