package pointsman

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/durationpb"

	pb "example.com/pointsman/gen/pointsman/v1"
	"example.com/pointsman/gen/pointsman/v1/pointsmanv1connect"
)

type serverStream = *connect.BidiStream[streamRequest, streamResponse]

// manyService scripts streams and batches.
type manyService struct {
	pointsmanv1connect.UnimplementedRoutingServiceHandler
	stream func(context.Context, serverStream) error
	batch  func([]*pb.RouteDecisionRequest) ([]*pb.BatchRouteDecisionsResult, error)
}

func (s manyService) StreamRouteDecisions(ctx context.Context, stream serverStream) error {
	return s.stream(ctx, stream)
}

func (s manyService) BatchRouteDecisions(
	_ context.Context, request *connect.Request[pb.BatchRouteDecisionsRequest],
) (*connect.Response[pb.BatchRouteDecisionsResponse], error) {
	results, err := s.batch(request.Msg.GetRequests())
	if err != nil {
		return nil, err
	}
	return connect.NewResponse(&pb.BatchRouteDecisionsResponse{Results: results}), nil
}

// scriptedGRPC is a gRPC client of a scripted service on a real socket.
func scriptedGRPC(t *testing.T, scripted manyService, options Options) *Client {
	t.Helper()
	_, handler := pointsmanv1connect.NewRoutingServiceHandler(scripted)
	server := httptest.NewUnstartedServer(handler)
	server.Config.Protocols = new(http.Protocols)
	server.Config.Protocols.SetUnencryptedHTTP2(true)
	server.Start()
	t.Cleanup(server.CloseClientConnections)
	options.Timeout, options.DecideTimeout = orPatience(options.Timeout), orPatience(options.DecideTimeout)
	client, err := NewGRPC(strings.TrimPrefix(server.URL, "http://"), options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return client
}

func streamed(t *testing.T, script func(context.Context, serverStream) error, options Options) *Client {
	t.Helper()
	options.Stream = true
	return scriptedGRPC(t, manyService{stream: script}, options)
}

func item(asked *streamRequest, answer *pb.RouteDecisionResponse) *streamResponse {
	return &streamResponse{
		CorrelationId: asked.GetCorrelationId(),
		Result:        &pb.StreamRouteDecisionsResponse_Response{Response: answer},
	}
}

func of(user string) *pb.RouteDecisionRequest {
	request := question()
	request.Caller.UserId = user
	request.Routing.CandidateModels = []string{"vendor/a", user}
	return request
}

// echo answers every request with its user as the model.
func echo(_ context.Context, stream serverStream) error {
	for {
		asked, err := stream.Receive()
		if err != nil {
			return nil
		}
		if err := stream.Send(item(asked, routed(asked.GetRequest().GetCaller().GetUserId()))); err != nil {
			return err
		}
	}
}

// decideAll decides for each user at the same time.
func decideAll(ctx context.Context, client *Client, users ...string) map[string]Choice {
	var mutex sync.Mutex
	var calls sync.WaitGroup
	found := map[string]Choice{}
	for _, user := range users {
		calls.Go(func() {
			choice := client.Decide(ctx, of(user))
			mutex.Lock()
			defer mutex.Unlock()
			found[user] = choice
		})
	}
	calls.Wait()
	return found
}

func TestAnswersOfAStreamFindTheirDecisionsInAnyOrder(t *testing.T) {
	var streams atomic.Int64
	client := streamed(t, func(_ context.Context, stream serverStream) error {
		streams.Add(1)
		var asked []*streamRequest
		for len(asked) < 3 {
			next, err := stream.Receive()
			if err != nil {
				return err
			}
			asked = append(asked, next)
		}
		for at := len(asked) - 1; at >= 0; at-- {
			if err := stream.Send(item(asked[at], routed(asked[at].GetRequest().GetCaller().GetUserId()))); err != nil {
				return err
			}
		}
		<-time.After(patience)
		return nil
	}, Options{})
	for user, choice := range decideAll(t.Context(), client, "x", "y", "z") {
		wantChoice(t, choice, user, "routed")
	}
	if streams.Load() != 1 {
		t.Errorf("%d streams", streams.Load())
	}
}

func TestABrokenStreamIsOpenedAgainAndTheUnansweredAreSentAgain(t *testing.T) {
	var streams atomic.Int64
	client := streamed(t, func(ctx context.Context, stream serverStream) error {
		if streams.Add(1) > 1 {
			return echo(ctx, stream)
		}
		for number := range 2 {
			asked, err := stream.Receive()
			if err != nil {
				return err
			}
			if number == 0 {
				_ = stream.Send(item(asked, routed(asked.GetRequest().GetCaller().GetUserId())))
			}
		}
		return connect.NewError(connect.CodeUnavailable, errors.New("broken"))
	}, Options{Retries: -1})
	for user, choice := range decideAll(t.Context(), client, "x", "y") {
		wantChoice(t, choice, user, "routed")
	}
	if streams.Load() != 2 {
		t.Errorf("%d streams", streams.Load())
	}
}

func TestAStreamThatTheServiceEndsIsOpenedAgain(t *testing.T) {
	var streams atomic.Int64
	client := streamed(t, func(ctx context.Context, stream serverStream) error {
		if streams.Add(1) > 2 {
			return echo(ctx, stream)
		}
		if _, err := stream.Receive(); err != nil {
			return err
		}
		ended := connect.NewError(connect.CodeUnavailable, errors.New("this stream ends: open another"))
		detail, _ := connect.NewErrorDetail(&errdetails.ErrorInfo{Reason: streamEnded, Domain: "pointsman"})
		ended.AddDetail(detail)
		return ended
	}, Options{Retries: -1})
	wantChoice(t, client.Decide(t.Context(), of("x")), "x", "routed")
}

func TestAStreamThatAnswersNothingIsRetriedAndThenTheStaticPickServes(t *testing.T) {
	var streams atomic.Int64
	broken := func(context.Context, serverStream) error {
		streams.Add(1)
		return connect.NewError(connect.CodeUnavailable, errors.New("down"))
	}
	wantChoice(t, streamed(t, broken, Options{}).Decide(t.Context(), of("x")), "vendor/a", "fallback:unavailable")
	if streams.Load() != 3 {
		t.Errorf("%d streams", streams.Load())
	}
	streams.Store(0)
	wantChoice(t, streamed(t, broken, Options{Retries: -1}).Decide(t.Context(), of("x")), "vendor/a", "fallback:unavailable")
	if streams.Load() != 1 {
		t.Errorf("%d streams", streams.Load())
	}
}

func TestAnAnswerThatEndsInTheMiddleIsNoRefusal(t *testing.T) {
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/grpc+proto")
		_, _ = w.Write([]byte{0, 0, 0})
	}))
	server.Config.Protocols = new(http.Protocols)
	server.Config.Protocols.SetUnencryptedHTTP2(true)
	server.Start()
	t.Cleanup(server.Close)
	for why, stream := range map[string]bool{"fallback:service_fault": false, "fallback:unavailable": true} {
		client, err := NewGRPC(strings.TrimPrefix(server.URL, "http://"), Options{DecideTimeout: patience, Stream: stream})
		if err != nil {
			t.Fatal(err)
		}
		wantChoice(t, client.Decide(t.Context(), of("x")), "vendor/a", why)
		client.Close()
	}
}

func TestARefusedDecisionOfAStreamDisturbsNoOther(t *testing.T) {
	details, err := anypb.New(&errdetails.BadRequest{FieldViolations: []*errdetails.BadRequest_FieldViolation{
		{Field: "caller.user_id", Description: "is blank"},
	}})
	if err != nil {
		t.Fatal(err)
	}
	client := streamed(t, func(_ context.Context, stream serverStream) error {
		for {
			asked, err := stream.Receive()
			if err != nil {
				return nil
			}
			user := asked.GetRequest().GetCaller().GetUserId()
			answer := item(asked, routed(user))
			if user == "bad" {
				status := &pb.CallStatus{Code: int32(connect.CodeInvalidArgument), Message: "no", Details: []*anypb.Any{details}}
				answer.Result = &pb.StreamRouteDecisionsResponse_Status{Status: status}
			}
			if err := stream.Send(answer); err != nil {
				return err
			}
		}
	}, Options{})
	found := decideAll(t.Context(), client, "bad", "good")
	wantChoice(t, found["good"], "good", "routed")
	wantChoice(t, found["bad"], "vendor/a", "fallback:invalid")
	if found["bad"].Err.Violations[0].Field != "caller.user_id" || found["bad"].Err.Status != "INVALID_ARGUMENT" {
		t.Errorf("got %+v", found["bad"].Err)
	}
}

func TestADecisionOfAStreamHasItsOwnDeadlineAndTrace(t *testing.T) {
	seen := make(chan *streamRequest, 1)
	client := streamed(t, func(_ context.Context, stream serverStream) error {
		asked, err := stream.Receive()
		seen <- asked
		if stream.RequestHeader().Get("Traceparent") != "" || stream.RequestHeader().Get("X-Team") != "routing" {
			t.Errorf("got %v", stream.RequestHeader())
		}
		<-time.After(patience)
		return err
	}, Options{
		DecideTimeout: 200 * time.Millisecond,
		Headers: func(context.Context) http.Header {
			return http.Header{"traceparent": {"00-1-2-01"}, "X-Team": {"routing"}}
		},
	})
	wantChoice(t, client.Decide(t.Context(), of("x")), "vendor/a", "fallback:deadline")
	asked := <-seen
	if asked.GetTraceparent() != "00-1-2-01" || asked.GetTimeoutMs() == 0 || asked.GetTimeoutMs() > 200 {
		t.Errorf("got %v", asked)
	}
}

func TestTheTokenOfAStreamIsReadWhenItIsOpened(t *testing.T) {
	seen := make(chan string, 1)
	client := streamed(t, func(ctx context.Context, stream serverStream) error {
		seen <- stream.RequestHeader().Get("Authorization")
		return echo(ctx, stream)
	}, Options{Token: StaticToken("token-1\n")})
	wantChoice(t, client.Decide(t.Context(), of("x")), "x", "routed")
	if got := <-seen; got != "Bearer token-1" {
		t.Errorf("got %q", got)
	}
	failing := streamed(t, echo, Options{Token: func(context.Context) (string, error) { return "", errors.New("vault") }})
	wantChoice(t, failing.Decide(t.Context(), of("x")), "vendor/a", "fallback:denied")
}

func TestCloseEndsTheDecisionsOfAStream(t *testing.T) {
	arrived := make(chan struct{})
	client := streamed(t, func(ctx context.Context, stream serverStream) error {
		_, err := stream.Receive()
		close(arrived)
		<-ctx.Done()
		return err
	}, Options{})
	choice := make(chan Choice)
	go func() { choice <- client.Decide(t.Context(), of("x")) }()
	<-arrived
	client.Close()
	wantChoice(t, <-choice, "vendor/a", "fallback:closed")
	wantChoice(t, client.Decide(t.Context(), of("x")), "vendor/a", "fallback:closed")
}

func TestAStreamNeedsGRPC(t *testing.T) {
	if _, err := NewHTTP("http://localhost", Options{Stream: true}); err == nil {
		t.Error("accepted")
	}
}

func results(requests []*pb.RouteDecisionRequest) []*pb.BatchRouteDecisionsResult {
	found := make([]*pb.BatchRouteDecisionsResult, len(requests))
	for at, request := range requests {
		response := &pb.BatchRouteDecisionsResult_Response{Response: routed(request.GetCaller().GetUserId())}
		found[at] = &pb.BatchRouteDecisionsResult{Result: response}
	}
	return found
}

func TestManyDecisionsShareCallsAndKeepTheirOrder(t *testing.T) {
	var calls atomic.Int64
	var largest atomic.Int64
	client := scriptedGRPC(t, manyService{batch: func(requests []*pb.RouteDecisionRequest) ([]*pb.BatchRouteDecisionsResult, error) {
		calls.Add(1)
		largest.Store(max(largest.Load(), int64(len(requests))))
		return results(requests), nil
	}}, Options{})
	requests := make([]*pb.RouteDecisionRequest, 600)
	for at := range requests {
		requests[at] = of("user-" + strings.Repeat("x", at%7))
	}
	requests[17] = nil
	for at, choice := range client.DecideMany(t.Context(), requests) {
		if at == 17 {
			wantChoice(t, choice, "", "fallback:invalid")
			continue
		}
		wantChoice(t, choice, requests[at].GetCaller().GetUserId(), "routed")
	}
	if calls.Load() != 3 || largest.Load() != batchSize {
		t.Errorf("%d calls, at most %d requests", calls.Load(), largest.Load())
	}
	if len(client.DecideMany(t.Context(), nil)) != 0 {
		t.Error("choices for no requests")
	}
}

func TestLargeRequestsAreDividedBySize(t *testing.T) {
	var calls atomic.Int64
	client := scriptedGRPC(t, manyService{batch: func(requests []*pb.RouteDecisionRequest) ([]*pb.BatchRouteDecisionsResult, error) {
		calls.Add(1)
		return results(requests), nil
	}}, Options{})
	large := of("x")
	large.Routing.CandidateModels = append(large.Routing.CandidateModels, strings.Repeat("y", 60<<10))
	requests := make([]*pb.RouteDecisionRequest, 100)
	for at := range requests {
		requests[at] = large
	}
	for _, choice := range client.DecideMany(t.Context(), requests) {
		wantChoice(t, choice, "x", "routed")
	}
	if calls.Load() != 2 {
		t.Errorf("%d calls", calls.Load())
	}
}

func TestABatchThatFailsGivesEachTheStaticPick(t *testing.T) {
	for why, batch := range map[string]func([]*pb.RouteDecisionRequest) ([]*pb.BatchRouteDecisionsResult, error){
		"fallback:unsupported": func([]*pb.RouteDecisionRequest) ([]*pb.BatchRouteDecisionsResult, error) {
			return nil, connect.NewError(connect.CodeUnimplemented, errors.New("old"))
		},
		"fallback:service_fault": func([]*pb.RouteDecisionRequest) ([]*pb.BatchRouteDecisionsResult, error) {
			return results([]*pb.RouteDecisionRequest{question()}), nil
		},
	} {
		client := scriptedGRPC(t, manyService{batch: batch}, Options{})
		for _, choice := range client.DecideMany(t.Context(), []*pb.RouteDecisionRequest{of("x"), of("y")}) {
			wantChoice(t, choice, "vendor/a", why)
		}
	}
}

func TestADecisionOfABatchThatIsPushedBackIsSentAgain(t *testing.T) {
	refusal := &pb.CallStatus{Code: int32(connect.CodeResourceExhausted), Message: "later"}
	for _, message := range []proto.Message{
		&errdetails.ErrorInfo{Reason: "OVERLOADED", Domain: "pointsman"},
		&errdetails.RetryInfo{RetryDelay: durationpb.New(10 * time.Millisecond)},
	} {
		detail, err := anypb.New(message)
		if err != nil {
			t.Fatal(err)
		}
		refusal.Details = append(refusal.Details, detail)
	}
	sizes := make(chan int, 2)
	client := scriptedGRPC(t, manyService{batch: func(requests []*pb.RouteDecisionRequest) ([]*pb.BatchRouteDecisionsResult, error) {
		found := results(requests)
		if len(requests) == 2 {
			found[1].Result = &pb.BatchRouteDecisionsResult_Status{Status: refusal}
		}
		sizes <- len(requests)
		return found, nil
	}}, Options{})
	for at, choice := range client.DecideMany(t.Context(), []*pb.RouteDecisionRequest{of("x"), of("y")}) {
		wantChoice(t, choice, []string{"x", "y"}[at], "routed")
	}
	if first, second := <-sizes, <-sizes; first != 2 || second != 1 {
		t.Errorf("%d, then %d requests", first, second)
	}
}
