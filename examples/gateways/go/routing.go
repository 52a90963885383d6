package main

import (
	"cmp"
	"context"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"example.com/pointsman"
	pb "example.com/pointsman/gen/pointsman/v1"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

const method = "pointsman.v1.RoutingService/RouteDecision"

var tracer = otel.Tracer("gateway")

// router asks Pointsman. It never makes a request worse: without an answer in time, the static pick
// serves.
type router struct{ client *pointsman.Client }

func newRouter(address string, timeout time.Duration) (*router, error) {
	options, err := secrets()
	if err != nil {
		return nil, err
	}
	options.DecideTimeout = timeout
	options.Mirror = pointsman.MirrorLimits{Workers: 16}
	options.Headers = func(ctx context.Context) http.Header { // passes the W3C trace context on
		headers := http.Header{}
		otel.GetTextMapPropagator().Inject(ctx, propagation.HeaderCarrier(headers))
		return headers
	}
	client, err := pointsman.NewGRPC(address, options)
	if err != nil {
		return nil, err
	}
	return &router{client}, nil
}

// decide answers the model to serve and whose it is: `routed` by Pointsman, or the static pick with
// (`static`) or without (`fallback`) its word.
func (r *router) decide(ctx context.Context, request *pb.RouteDecisionRequest) (model, why string) {
	ctx, span := tracer.Start(ctx, method, trace.WithSpanKind(trace.SpanKindClient))
	defer span.End()
	choice := r.client.Decide(ctx, request)
	if choice.Err != nil {
		status := cmp.Or(choice.Err.Status, string(choice.Err.Kind))
		slog.WarnContext(ctx, "no decision, the static pick serves", "status", status)
		return choice.Model, "fallback"
	}
	if d := choice.Result.GetDecision(); d != nil && choice.Model == d.GetModel() && !choice.Result.GetShadow() {
		return choice.Model, "routed"
	}
	return choice.Model, "static"
}

// mirror calls Pointsman in the background; requests beyond the queue are dropped.
func (r *router) mirror(ctx context.Context, request *pb.RouteDecisionRequest) {
	if !r.client.Mirror(ctx, request) {
		slog.WarnContext(ctx, "mirror dropped")
	}
}

func (r *router) close() { r.client.Close() }

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
