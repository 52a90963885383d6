package pointsman

import (
	"context"
	"crypto/tls"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	pb "example.com/pointsman/gen/pointsman/v1"
	"example.com/pointsman/gen/pointsman/v1/pointsmanv1connect"
)

const patience = 10 * time.Second // a busy machine answers in less

type script func(context.Context, *connect.Request[pb.RouteDecisionRequest]) (*pb.RouteDecisionResponse, error)

type service struct {
	pointsmanv1connect.UnimplementedRoutingServiceHandler
	script script
}

func (s service) RouteDecision(
	ctx context.Context, request *connect.Request[pb.RouteDecisionRequest],
) (*connect.Response[pb.RouteDecisionResponse], error) {
	answer, err := s.script(ctx, request)
	if err != nil {
		return nil, err
	}
	return connect.NewResponse(answer), nil
}

// scripted is a client of a scripted service on a real socket.
func scripted(t *testing.T, script script, options Options) *Client {
	t.Helper()
	_, handler := pointsmanv1connect.NewRoutingServiceHandler(service{script: script})
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	options.Timeout, options.DecideTimeout = orPatience(options.Timeout), orPatience(options.DecideTimeout)
	client, err := NewHTTP(server.URL, options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return client
}

func orPatience(timeout time.Duration) time.Duration {
	if timeout == 0 {
		return patience
	}
	return timeout
}

func question() *pb.RouteDecisionRequest {
	return &pb.RouteDecisionRequest{
		Prompt: &pb.Prompt{UserPromptPrefix: new("Design a schema.")},
		Caller: &pb.Caller{UserId: "user-1"},
		Routing: &pb.RoutingContext{
			AutoModel:       "kilo-auto/frontier",
			CandidateModels: []string{"vendor/a", "vendor/b"},
			ResolvedModel:   new("vendor/a"),
		},
	}
}

func routed(model string) *pb.RouteDecisionResponse {
	return &pb.RouteDecisionResponse{Outcome: pb.Outcome_OUTCOME_ROUTED, ServeModel: model}
}

func answers(answer *pb.RouteDecisionResponse) script {
	return func(context.Context, *connect.Request[pb.RouteDecisionRequest]) (*pb.RouteDecisionResponse, error) {
		return answer, nil
	}
}

func refuses(err error) script {
	return func(context.Context, *connect.Request[pb.RouteDecisionRequest]) (*pb.RouteDecisionResponse, error) {
		return nil, err
	}
}

func hangs(ctx context.Context, _ *connect.Request[pb.RouteDecisionRequest]) (*pb.RouteDecisionResponse, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

func wantChoice(t *testing.T, choice Choice, model, why string) {
	t.Helper()
	if choice.Model != model || choice.Why != why {
		t.Errorf("got %s (%s, %v), want %s (%s)", choice.Model, choice.Why, choice.Err, model, why)
	}
}

func TestAnAnswerIsServedWithItsReason(t *testing.T) {
	for _, want := range []struct {
		answer     *pb.RouteDecisionResponse
		model, why string
	}{
		{routed("vendor/b"), "vendor/b", "routed"},
		{&pb.RouteDecisionResponse{Outcome: pb.Outcome_OUTCOME_ROUTED, ServeModel: "vendor/a", Shadow: true}, "vendor/a", "shadow"},
		{&pb.RouteDecisionResponse{Outcome: pb.Outcome_OUTCOME_SKIPPED, Reason: pb.Reason_REASON_NO_PROMPT}, "vendor/a", "skipped:no_prompt"},
		{&pb.RouteDecisionResponse{Outcome: 99, Reason: 99, ServeModel: "vendor/b"}, "vendor/b", "unrecognised:unrecognised"},
	} {
		client := scripted(t, answers(want.answer), Options{})
		wantChoice(t, client.Decide(t.Context(), question()), want.model, want.why)
	}
}

func TestEveryFailureOfTheServiceGivesTheStaticPick(t *testing.T) {
	for code, kind := range kinds {
		client := scripted(t, refuses(connect.NewError(code, errors.New("refused"))), Options{})
		wantChoice(t, client.Decide(t.Context(), question()), "vendor/a", "fallback:"+string(kind))
	}
}

func TestAServiceThatHangsCostsTheDeadline(t *testing.T) {
	client := scripted(t, hangs, Options{DecideTimeout: 50 * time.Millisecond})
	start := time.Now()
	wantChoice(t, client.Decide(t.Context(), question()), "vendor/a", "fallback:deadline")
	if took := time.Since(start); took > 2*time.Second {
		t.Errorf("took %s", took)
	}
}

func TestACancelledCallGivesTheStaticPick(t *testing.T) {
	client := scripted(t, hangs, Options{})
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	time.AfterFunc(10*time.Millisecond, cancel)
	choice := client.Decide(ctx, question())
	if choice.Model != "vendor/a" || choice.Err == nil || !errors.Is(choice.Err, context.Canceled) {
		t.Errorf("got %+v", choice)
	}
}

func TestAPageInsteadOfTheServiceGivesTheStaticPick(t *testing.T) {
	for _, status := range []int{http.StatusOK, http.StatusTemporaryRedirect, http.StatusNotFound, http.StatusBadGateway} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", "https://elsewhere.invalid/")
			w.WriteHeader(status)
			_, _ = w.Write([]byte("<html>"))
		}))
		client, err := NewHTTP(server.URL, Options{DecideTimeout: patience})
		if err != nil {
			t.Fatal(err)
		}
		choice := client.Decide(t.Context(), question())
		if choice.Model != "vendor/a" || choice.Err == nil {
			t.Errorf("%d: %+v", status, choice)
		}
		client.Close()
		server.Close()
	}
}

func TestAnAnswerOutsideOfTheOfferIsRefused(t *testing.T) {
	client := scripted(t, answers(routed("vendor/other")), Options{})
	wantChoice(t, client.Decide(t.Context(), question()), "vendor/a", "fallback:service_fault")
	if _, err := client.Route(t.Context(), question()); err == nil {
		t.Error("no error")
	}
	padded := question() // the service trims ids
	padded.Routing.CandidateModels, padded.Routing.ResolvedModel = []string{" vendor/other "}, new(" vendor/a ")
	wantChoice(t, client.Decide(t.Context(), padded), "vendor/other", "routed")
	open := question()
	open.Routing.CandidateModels = nil
	wantChoice(t, client.Decide(t.Context(), open), "vendor/other", "routed")
}

func TestAnErrorHasItsStatusReasonFieldsAndDelay(t *testing.T) {
	refusal := connect.NewError(connect.CodeInvalidArgument, errors.New("refused"))
	for _, message := range []proto.Message{
		&errdetails.ErrorInfo{Reason: "INVALID_FIELD", Domain: "pointsman"},
		&errdetails.RetryInfo{RetryDelay: durationpb.New(1500 * time.Millisecond)},
		&errdetails.BadRequest{FieldViolations: []*errdetails.BadRequest_FieldViolation{
			{Field: "caller.user_id", Description: "is blank"},
		}},
	} {
		detail, err := connect.NewErrorDetail(message)
		if err != nil {
			t.Fatal(err)
		}
		refusal.AddDetail(detail)
	}
	_, err := scripted(t, refuses(refusal), Options{}).Route(t.Context(), question())
	failed, ok := errors.AsType[*Error](err)
	if !ok {
		t.Fatalf("got %v", err)
	}
	if failed.Kind != Invalid || failed.Status != "INVALID_ARGUMENT" || failed.Reason != "INVALID_FIELD" ||
		failed.RetryAfter != 1500*time.Millisecond || failed.Retryable() {
		t.Errorf("got %+v", failed)
	}
	if !slices.Equal(failed.Violations, []Violation{{"caller.user_id", "is blank"}}) {
		t.Errorf("got %v", failed.Violations)
	}
}

func TestAnUnavailableServiceIsCalledAgainAndTheBudgetEndsThat(t *testing.T) {
	var calls atomic.Int64
	unavailable := connect.NewError(connect.CodeUnavailable, errors.New("starting"))
	recovering := scripted(t, func(context.Context, *connect.Request[pb.RouteDecisionRequest]) (*pb.RouteDecisionResponse, error) {
		if calls.Add(1) < 3 {
			return nil, unavailable
		}
		return routed("vendor/b"), nil
	}, Options{})
	wantChoice(t, recovering.Decide(t.Context(), question()), "vendor/b", "routed")
	if calls.Load() != 3 {
		t.Errorf("%d calls", calls.Load())
	}

	calls.Store(0)
	down := scripted(t, func(context.Context, *connect.Request[pb.RouteDecisionRequest]) (*pb.RouteDecisionResponse, error) {
		calls.Add(1)
		return nil, unavailable
	}, Options{})
	for range 20 {
		down.Decide(t.Context(), question())
	}
	if calls.Load() >= 26 {
		t.Errorf("%d calls", calls.Load())
	}
}

func TestThePromptIsBoundedAndTheCallersRequestStays(t *testing.T) {
	seen := make(chan *pb.RouteDecisionRequest, 1)
	client := scripted(t, func(_ context.Context, request *connect.Request[pb.RouteDecisionRequest]) (*pb.RouteDecisionResponse, error) {
		seen <- request.Msg
		return routed("vendor/b"), nil
	}, Options{})
	long := " " + strings.Repeat("😀", 2000) + "\xff"
	request := question()
	request.Prompt.UserPromptPrefix = &long
	wantChoice(t, client.Decide(t.Context(), request), "vendor/b", "routed")
	if sent := (<-seen).GetPrompt().GetUserPromptPrefix(); sent != strings.Repeat("😀", PrefixLimit) {
		t.Errorf("%d bytes arrived", len(sent))
	}
	if request.GetPrompt().GetUserPromptPrefix() != long {
		t.Error("the caller's request was changed")
	}
}

func TestAnImpossibleRequestIsInvalidAndNothingIsSent(t *testing.T) {
	client := scripted(t, func(context.Context, *connect.Request[pb.RouteDecisionRequest]) (*pb.RouteDecisionResponse, error) {
		t.Error("sent")
		return routed("vendor/b"), nil
	}, Options{})
	malformed, large := question(), question()
	malformed.Caller.UserId = "\xff"
	large.Routing.CandidateModels = []string{strings.Repeat("x", 70_000)}
	wantChoice(t, client.Decide(t.Context(), malformed), "vendor/a", "fallback:invalid")
	wantChoice(t, client.Decide(t.Context(), large), "vendor/a", "fallback:invalid")
	wantChoice(t, client.Decide(t.Context(), nil), "", "fallback:invalid")
}

func TestTheTokenAndTheHeadersAreReadBeforeEveryCall(t *testing.T) {
	seen := make(chan http.Header, 1)
	client := scripted(t, func(_ context.Context, request *connect.Request[pb.RouteDecisionRequest]) (*pb.RouteDecisionResponse, error) {
		seen <- request.Header()
		return routed("vendor/b"), nil
	}, Options{
		Token:   StaticToken("token-1\n"),
		Headers: func(context.Context) http.Header { return http.Header{"traceparent": {"00-1-2-01"}} },
	})
	client.Decide(t.Context(), question())
	headers := <-seen
	if headers.Get("Authorization") != "Bearer token-1" || headers.Get("Traceparent") != "00-1-2-01" {
		t.Errorf("got %v", headers)
	}
}

func TestATokenThatIsNoneIsDenied(t *testing.T) {
	fails := func(context.Context) (string, error) { return "", errors.New("vault") }
	for _, source := range []TokenSource{StaticToken(""), StaticToken("a\nb"), StaticToken("é"), fails} {
		client := scripted(t, answers(routed("vendor/b")), Options{Token: source})
		wantChoice(t, client.Decide(t.Context(), question()), "vendor/a", "fallback:denied")
	}
}

func TestAMirrorIsBoundedAndCountsItsResults(t *testing.T) {
	release := make(chan struct{})
	entered := make(chan struct{}, 8)
	client := scripted(t, func(context.Context, *connect.Request[pb.RouteDecisionRequest]) (*pb.RouteDecisionResponse, error) {
		entered <- struct{}{}
		<-release
		return routed("vendor/b"), nil
	}, Options{Mirror: MirrorLimits{Workers: 2, Waiting: 3, Drain: patience, Timeout: patience}})
	taken := 0
	for range 2 {
		client.Mirror(t.Context(), question())
		<-entered
		taken++
	}
	for range 5 {
		if client.Mirror(t.Context(), question()) {
			taken++
		}
	}
	client.Mirror(t.Context(), nil)
	close(release)
	client.Close()
	counts := client.Mirrored()
	if taken != 5 || counts.Submitted != 8 || counts.Sent != 5 || counts.Dropped != 2 || counts.Failed[Invalid] != 1 {
		t.Errorf("%d taken, %+v", taken, counts)
	}
}

func TestCloseDoesNotWaitForAServiceThatHangs(t *testing.T) {
	client := scripted(t, hangs, Options{Mirror: MirrorLimits{Workers: 1, Timeout: time.Minute, Drain: 20 * time.Millisecond}})
	for range 2 {
		client.Mirror(t.Context(), question())
	}
	start := time.Now()
	client.Close()
	client.Close()
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("took %s", took)
	}
	if client.Mirror(t.Context(), question()) {
		t.Error("accepted after the end")
	}
	wantChoice(t, client.Decide(t.Context(), question()), "vendor/a", "fallback:closed")
}

func TestSettingsThatCannotWorkAreErrors(t *testing.T) {
	for _, address := range []string{"", "localhost", "http://localhost:1"} {
		if _, err := NewGRPC(address, Options{}); err == nil {
			t.Errorf("%q was accepted", address)
		}
	}
	for _, base := range []string{"", "localhost:50053", "ftp://localhost"} {
		if _, err := NewHTTP(base, Options{}); err == nil {
			t.Errorf("%q was accepted", base)
		}
	}
	if _, err := NewHTTP("http://localhost", Options{TLS: &tls.Config{}}); err == nil {
		t.Error("TLS over http was accepted")
	}
	if _, err := NewGRPC("localhost:1", Options{Mirror: MirrorLimits{Waiting: -1}}); err == nil {
		t.Error("a negative queue was accepted")
	}
}

func TestAnIDIsUsableOrNone(t *testing.T) {
	if id := UsableID(" user-1 "); id == nil || *id != "user-1" {
		t.Errorf("got %v", id)
	}
	for _, none := range []string{"", "  ", "\xff", strings.Repeat("x", 257)} {
		if UsableID(none) != nil {
			t.Errorf("%q is usable", none)
		}
	}
}
