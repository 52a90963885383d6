package main

import (
	"cmp"
	"context"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"go.opentelemetry.io/contrib/instrumentation/google.golang.org/grpc/otelgrpc"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/status"

	pb "example.com/gateway/gen/pointsman/v1"
)

const (
	mirrorTimeout  = 5 * time.Second
	mirrorsAtOnce  = 64
	longestPause   = 5 * time.Second
	firstPause     = 200 * time.Millisecond
	connectTimeout = 2 * time.Second
)

// router asks Pointsman. It never makes a request worse: without an answer in time, the static pick
// serves.
type router struct {
	connection *grpc.ClientConn
	client     pb.RoutingServiceClient
	timeout    time.Duration
	mirrors    chan struct{}
}

func newRouter(address string, timeout time.Duration) (*router, error) {
	pause := backoff.DefaultConfig
	pause.BaseDelay, pause.MaxDelay = firstPause, longestPause
	options, err := secretOptions()
	if err != nil {
		return nil, err
	}
	options = append(
		options,
		grpc.WithStatsHandler(otelgrpc.NewClientHandler()), // passes the W3C trace context on
		grpc.WithConnectParams(grpc.ConnectParams{
			Backoff:           pause,
			MinConnectTimeout: connectTimeout,
		}),
	)
	connection, err := grpc.NewClient(address, options...)
	if err != nil {
		return nil, err
	}
	return &router{
		connection: connection,
		client:     pb.NewRoutingServiceClient(connection),
		timeout:    timeout,
		mirrors:    make(chan struct{}, mirrorsAtOnce),
	}, nil
}

// decide answers the model to serve and whose it is: `routed` by Pointsman, or the static pick with
// (`static`) or without (`fallback`) its word.
func (r *router) decide(ctx context.Context, request *pb.RouteDecisionRequest) (model, why string) {
	static := request.GetRouting().GetResolvedModel()
	ctx, cancel := context.WithTimeout(ctx, r.timeout)
	defer cancel()
	answer, err := r.client.RouteDecision(ctx, request)
	if err != nil {
		slog.WarnContext(ctx, "no decision, the static pick serves", "status", status.Code(err))
		return static, "fallback"
	}
	model = cmp.Or(answer.GetServeModel(), static)
	if d := answer.GetDecision(); d != nil && model == d.GetModel() && !answer.GetShadow() {
		return model, "routed"
	}
	return model, "static"
}

// mirror calls Pointsman in the background; requests beyond the queue are dropped.
func (r *router) mirror(ctx context.Context, request *pb.RouteDecisionRequest) {
	select {
	case r.mirrors <- struct{}{}:
	default:
		slog.WarnContext(ctx, "mirror dropped")
		return
	}
	// Keeps the trace of the request and outlives it.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), mirrorTimeout)
	go func() {
		defer func() { cancel(); <-r.mirrors }()
		if _, err := r.client.RouteDecision(ctx, request); err != nil {
			slog.WarnContext(ctx, "mirror failed", "status", status.Code(err))
		}
	}()
}

func (r *router) close() error { return r.connection.Close() }

// ask is the question about one request.
func ask(c chat, name string, static string, bodySize int, header http.Header) *pb.RouteDecisionRequest {
	prompt := c.prompt()
	prompt.ContextReset = header.Get("X-Context-Reset") == "true"
	return &pb.RouteDecisionRequest{
		Prompt: prompt,
		Caller: &pb.Caller{
			UserId:    cmp.Or(header.Get("X-User-Id"), c.User, "anonymous"),
			SessionId: optional(header.Get("X-Session-Id")),
			AgentId:   optional(header.Get("X-Agent-Id")),
			Mode:      optional(header.Get("X-Mode")),
		},
		Routing: &pb.RoutingContext{
			AutoModel:       name,
			CandidateModels: tiers[name].candidates,
			ResolvedModel:   &static,
			IncumbentModel:  optional(header.Get("X-Incumbent-Model")),
		},
		DataPolicy:     c.dataPolicy(),
		Constraints:    c.constraints(),
		RequestedModel: name,
		BodyBytes:      uint64(bodySize),
	}
}

// optional omits blank values: Pointsman refuses blank ids.
func optional(text string) *string {
	if text = strings.TrimSpace(text); text == "" {
		return nil
	}
	return &text
}
