package pointsman

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"net"
	"net/http/httptest"
	"net/url"
	"os"
	"slices"
	"testing"
	"time"

	"connectrpc.com/connect"

	pb "example.com/pointsman/gen/pointsman/v1"
	"example.com/pointsman/gen/pointsman/v1/pointsmanv1connect"
)

type purposes struct {
	pointsmanv1connect.UnimplementedRoutingServiceHandler
	err error
}

func (p purposes) ResolveRoute(
	_ context.Context, request *connect.Request[pb.ResolveRouteRequest],
) (*connect.Response[pb.ResolveRouteResponse], error) {
	return connect.NewResponse(&pb.ResolveRouteResponse{
		Purpose:        request.Msg.GetPurpose(),
		RunId:          request.Msg.GetRunId(),
		Attempts:       []*pb.Attempt{{Profile: "one"}, {Profile: "two"}, {Profile: "three"}},
		EligibleErrors: []string{"timeout", "http_5xx", "unusable_response"},
	}), p.err
}

func purposeClient(t *testing.T, err error) *Client {
	t.Helper()
	_, handler := pointsmanv1connect.NewRoutingServiceHandler(purposes{err: err})
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	client, opened := NewHTTP(server.URL, Options{Timeout: patience})
	if opened != nil {
		t.Fatal(opened)
	}
	t.Cleanup(client.Close)
	return client
}

func purposeOf(runID string) Purpose {
	return Purpose{Request: &pb.ResolveRouteRequest{Purpose: "main_loop", RunId: runID}}
}

// providers answers its profile, or the error that is scripted for it.
type providers struct {
	fails map[string]error
	tried []string
}

func (p *providers) complete(_ context.Context, attempt *pb.Attempt) (string, error) {
	p.tried = append(p.tried, attempt.GetProfile())
	return attempt.GetProfile(), p.fails[attempt.GetProfile()]
}

func TestAttemptsAreMadeWhileTheErrorsAreEligible(t *testing.T) {
	client := purposeClient(t, nil)
	busy := &providers{fails: map[string]error{"one": &HTTPStatusError{503}}}
	answer, err := RunWithFallback(t.Context(), client, purposeOf("run-1"), busy.complete)
	if err != nil || answer != "two" {
		t.Fatalf("got %q, %v", answer, err)
	}
	// The run stays with the attempt that served.
	if _, err := RunWithFallback(t.Context(), client, purposeOf("run-1"), busy.complete); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(busy.tried, []string{"one", "two", "two"}) {
		t.Errorf("tried %v", busy.tried)
	}

	mistaken := &providers{fails: map[string]error{"one": &HTTPStatusError{400}}}
	_, err = RunWithFallback(t.Context(), client, purposeOf("run-2"), mistaken.complete)
	failed, ok := errors.AsType[*AttemptsError](err)
	if !ok || len(failed.Failed) != 1 || failed.Failed[0].Kind != "http_400" || !errors.Is(err, mistaken.fails["one"]) {
		t.Errorf("got %v", err)
	}

	down := &providers{fails: map[string]error{
		"one": &HTTPStatusError{500}, "two": ErrUnusableResponse, "three": context.DeadlineExceeded,
	}}
	_, err = RunWithFallback(t.Context(), client, purposeOf("run-3"), down.complete)
	if failed, ok := errors.AsType[*AttemptsError](err); !ok || len(failed.Failed) != 3 || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
}

func TestAnAttemptIsBoundedAndTheCallersEndIsFinal(t *testing.T) {
	client := purposeClient(t, nil)
	purpose := purposeOf("run-1")
	purpose.AttemptTimeout = 20 * time.Millisecond
	hangsFirst := func(ctx context.Context, attempt *pb.Attempt) (string, error) {
		if attempt.GetProfile() == "one" {
			<-ctx.Done()
			return "", ctx.Err()
		}
		return attempt.GetProfile(), nil
	}
	if answer, err := RunWithFallback(t.Context(), client, purpose, hangsFirst); err != nil || answer != "two" {
		t.Errorf("got %q, %v", answer, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	calls := 0
	_, err := RunWithFallback(ctx, client, purposeOf("run-2"), func(context.Context, *pb.Attempt) (string, error) {
		calls++
		cancel()
		return "", &HTTPStatusError{503}
	})
	if err == nil || calls != 1 {
		t.Errorf("%d calls, %v", calls, err)
	}
}

func TestOtherAttemptsStandInForAServiceThatIsAway(t *testing.T) {
	purpose := purposeOf("run-1")
	purpose.Otherwise = []*pb.Attempt{{Model: "stand-in"}}
	call := func(_ context.Context, attempt *pb.Attempt) (string, error) { return attempt.GetModel(), nil }
	away := purposeClient(t, connect.NewError(connect.CodeUnimplemented, errors.New("old")))
	if answer, err := RunWithFallback(t.Context(), away, purpose, call); err != nil || answer != "stand-in" {
		t.Errorf("got %q, %v", answer, err)
	}
	unknown := purposeClient(t, connect.NewError(connect.CodeNotFound, errors.New("unknown")))
	if _, err := RunWithFallback(t.Context(), unknown, purpose, call); err == nil {
		t.Error("an unknown purpose was hidden")
	}
}

// chunks yields the profile and a digit for each chunk; the script may fail before or after chunks.
func chunks(before map[string]error, after map[string]error, number int) func(context.Context, *pb.Attempt) iter.Seq2[string, error] {
	return func(_ context.Context, attempt *pb.Attempt) iter.Seq2[string, error] {
		return func(yield func(string, error) bool) {
			name := attempt.GetProfile()
			if err := before[name]; err != nil {
				yield("", err)
				return
			}
			for at := range number {
				if !yield(fmt.Sprintf("%s-%d", name, at), nil) {
					return
				}
			}
			if err := after[name]; err != nil {
				yield("", err)
			}
		}
	}
}

func read(stream iter.Seq2[string, error]) (chunks []string, err error) {
	for chunk, failed := range stream {
		if failed != nil {
			return chunks, failed
		}
		chunks = append(chunks, chunk)
	}
	return chunks, nil
}

func TestAStreamFallsBackUntilItsFirstChunk(t *testing.T) {
	client := purposeClient(t, nil)
	busy := map[string]error{"one": &HTTPStatusError{503}}
	got, err := read(StreamWithFallback(t.Context(), client, purposeOf("run-1"), chunks(busy, nil, 2)))
	if err != nil || !slices.Equal(got, []string{"two-0", "two-1"}) {
		t.Errorf("got %v, %v", got, err)
	}
	broken := map[string]error{"one": &HTTPStatusError{503}}
	got, err = read(StreamWithFallback(t.Context(), client, purposeOf("run-2"), chunks(nil, broken, 1)))
	if !slices.Equal(got, []string{"one-0"}) || !errors.Is(err, broken["one"]) {
		t.Errorf("got %v, %v", got, err)
	}
	got, err = read(StreamWithFallback(t.Context(), client, purposeOf("run-3"), chunks(nil, nil, 0)))
	if failed, ok := errors.AsType[*AttemptsError](err); !ok || len(failed.Failed) != 3 || len(got) != 0 {
		t.Errorf("got %v, %v", got, err)
	}
}

func TestAStreamWithoutAFirstChunkInTimeFallsBackAndLeavingEndsIt(t *testing.T) {
	client := purposeClient(t, nil)
	purpose := purposeOf("run-1")
	purpose.AttemptTimeout = 20 * time.Millisecond
	var used context.Context
	stream := StreamWithFallback(t.Context(), client, purpose, func(ctx context.Context, attempt *pb.Attempt) iter.Seq2[int, error] {
		return func(yield func(int, error) bool) {
			if attempt.GetProfile() == "one" {
				<-ctx.Done()
				yield(0, ctx.Err())
				return
			}
			used = ctx
			for at := 0; yield(at, nil); at++ {
				time.Sleep(5 * time.Millisecond) // longer than the time-out, which only the first chunk has
			}
		}
	})
	last := 0
	for chunk, err := range stream {
		if err != nil {
			t.Fatal(err)
		}
		if last = chunk; chunk == 10 {
			break
		}
	}
	if last != 10 || used.Err() == nil {
		t.Errorf("last %d, context %v", last, used.Err())
	}
}

type sdkError struct{ StatusCode int }

func (e sdkError) Error() string { return "sdk" }

type slow struct{ error }

func (slow) Timeout() bool { return true }

func TestErrorsOfLLMCallsHaveKinds(t *testing.T) {
	var number int
	for _, want := range []struct {
		err  error
		kind string
	}{
		{&HTTPStatusError{429}, "http_429"},
		{fmt.Errorf("call: %w", sdkError{529}), "http_529"},
		{errors.Join(errors.New("a"), sdkError{500}), "http_500"},
		{sdkError{200}, ""},
		{context.DeadlineExceeded, "timeout"},
		{&url.Error{Op: "Post", Err: slow{errors.New("slow")}}, "timeout"},
		{context.Canceled, ""},
		{&net.OpError{Op: "dial", Err: errors.New("refused")}, "connection"},
		{fmt.Errorf("%w: empty", ErrUnusableResponse), "unusable_response"},
		{json.Unmarshal([]byte("{"), &number), "unusable_response"},
		{json.Unmarshal([]byte(`"x"`), &number), "unusable_response"},
		{errors.New("other"), ""},
		{nil, ""},
	} {
		if kind := KindOf(want.err); kind != want.kind {
			t.Errorf("%v is %q, want %q", want.err, kind, want.kind)
		}
	}
	if !Eligible("http_503", []string{"http_5xx"}) || Eligible("http_404", []string{"http_5xx"}) || Eligible("", []string{""}) {
		t.Error("classes of statuses")
	}
}

type bodyError struct{ raw string }

func (bodyError) Error() string     { panic("no request") }
func (e bodyError) RawJSON() string { return e.raw }

type codedError struct{ Code, Type, Status string }

func (codedError) Error() string { return "coded" }

type awsError struct{ code string }

func (awsError) Error() string       { return "aws" }
func (e awsError) ErrorCode() string { return e.code }

type rpcError struct{ text string }

func (rpcError) Error() string           { return "rpc" }
func (e rpcError) GRPCStatus() rpcStatus { return rpcStatus(e) }

type rpcStatus struct{ text string }

func (s rpcStatus) String() string { return s.text }

func TestCodesOfProvidersHaveKinds(t *testing.T) {
	read, err := os.ReadFile("../error_cases.json")
	if err != nil {
		t.Fatal(err)
	}
	var cases []struct {
		From, Kind string
		Body       json.RawMessage
	}
	if err := json.Unmarshal(read, &cases); err != nil {
		t.Fatal(err)
	}
	for _, each := range cases {
		text := string(each.Body)
		for _, err := range []error{
			fmt.Errorf("call: %w", bodyError{text}),
			fmt.Errorf("received error while streaming: %s (request 1)", text),
		} {
			if kind := KindOf(err); kind != each.Kind {
				t.Errorf("%s is %q, want %q", each.From, kind, each.Kind)
			}
		}
	}
}

func TestCodesOfErrorsHaveKinds(t *testing.T) {
	for _, want := range []struct {
		err  error
		kind string
	}{
		{codedError{Code: "rate_limit_exceeded", Type: "server_error"}, "http_429"},
		{&codedError{Type: "server_error"}, "http_500"},
		{codedError{Status: "UNAVAILABLE"}, "http_503"},
		{codedError{Code: "7"}, ""},
		{codedError{Code: "unavailable", Type: "unknown"}, "http_503"},
		{codedError{Type: "unknown", Status: "unavailable"}, ""},
		{awsError{"unavailable"}, ""},
		{awsError{"ModelTimeoutException"}, "http_408"},
		{awsError{"ModelStreamErrorException"}, "http_500"},
		{fmt.Errorf("call: %w", rpcError{"rpc error: code = DeadlineExceeded desc = slow"}), "http_504"},
		{rpcError{"rpc error: code = Unavailable desc = down"}, "http_503"},
		{connect.NewError(connect.CodeResourceExhausted, errors.New("full")), "http_429"},
		{errors.New(`{"error": {"code": "overloaded"}}`), ""}, // nobody says that a provider sent it
	} {
		if kind := KindOf(want.err); kind != want.kind {
			t.Errorf("%v is %q, want %q", want.err, kind, want.kind)
		}
	}
}

func TestTheOldestRunIsForgotten(t *testing.T) {
	remembered := newRuns(2)
	attempts := []*pb.Attempt{{Profile: "one"}, {Model: "two"}}
	for _, id := range []string{"a", "b", "a", "c"} {
		remembered.keep(run{"p", id}, attempts[1])
	}
	for id, first := range map[string]string{"a": "two", "b": "one", "c": "two"} {
		if got := attemptName(remembered.sorted(run{"p", id}, attempts)[0]); got != first {
			t.Errorf("run %s begins with %s", id, got)
		}
	}
}
