package pointsman

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"
	"time"

	pb "example.com/pointsman/gen/pointsman/v1"
)

// Purpose is the reason for an LLM call, with the rules of its attempts.
type Purpose struct {
	// Request names the purpose and the run.
	Request *pb.ResolveRouteRequest
	// AttemptTimeout bounds one attempt; of a stream, the time to its first chunk. 0: not bounded.
	AttemptTimeout time.Duration
	// Otherwise are the attempts if the service does not answer.
	Otherwise []*pb.Attempt
}

// FailedAttempt is one attempt without an answer.
type FailedAttempt struct {
	Attempt *pb.Attempt
	Err     error
	// Kind is KindOf(Err).
	Kind string
}

// AttemptsError is the end of a fallback without an answer. It unwraps to the last attempt's error.
type AttemptsError struct{ Failed []FailedAttempt }

func (e *AttemptsError) Error() string {
	tried := make([]string, len(e.Failed))
	for at, failed := range e.Failed {
		kind := failed.Kind
		if kind == "" {
			kind = "unknown"
		}
		tried[at] = fmt.Sprintf("%s (%s)", attemptName(failed.Attempt), kind)
	}
	return fmt.Sprintf("pointsman: no attempt answered: %s: %v", strings.Join(tried, ", "), e.Unwrap())
}

// Unwrap returns the error of the last attempt.
func (e *AttemptsError) Unwrap() error { return e.Failed[len(e.Failed)-1].Err }

// ErrNoAttempts says that the purpose has nothing to try.
var ErrNoAttempts = errors.New("pointsman: the purpose has no attempts")

// RunWithFallback resolves a purpose and makes one attempt after the other while the errors are eligible
// (KindOf). Its error is an *Error if the purpose does not resolve, else an *AttemptsError. Within a run later
// calls begin with the attempt that served the one before. ctx bounds all of it.
func RunWithFallback[T any](
	ctx context.Context, c *Client, purpose Purpose, call func(context.Context, *pb.Attempt) (T, error),
) (T, error) {
	var answer T
	attempted := func(ctx context.Context, attempt *pb.Attempt) (err error) {
		if purpose.AttemptTimeout > 0 {
			limited, cancel := context.WithTimeout(ctx, purpose.AttemptTimeout)
			defer cancel()
			ctx = limited
		}
		answer, err = call(ctx, attempt)
		return err
	}
	if err := c.attempts(ctx, purpose, attempted); err != nil {
		var none T
		return none, err
	}
	return answer, nil
}

// StreamWithFallback is RunWithFallback for streams: an attempt succeeds with its first chunk. Until then an
// error leads to the next attempt, and so does a stream that ends before it (ErrUnusableResponse). Later errors
// are yielded as they are: chunks cannot be taken back. Leaving the loop ends the stream and its context.
func StreamWithFallback[T any](
	ctx context.Context, c *Client, purpose Purpose, call func(context.Context, *pb.Attempt) iter.Seq2[T, error],
) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var none T
		var stream *started[T]
		err := c.attempts(ctx, purpose, func(ctx context.Context, attempt *pb.Attempt) (err error) {
			stream, err = start(ctx, purpose.AttemptTimeout, attempt, call)
			return err
		})
		if err != nil {
			yield(none, err)
			return
		}
		defer stream.close()
		chunk, err, more := stream.first, error(nil), true
		for more && yield(chunk, err) {
			chunk, err, more = stream.next()
		}
	}
}

// attempts makes one attempt after the other until one succeeds.
func (c *Client) attempts(ctx context.Context, purpose Purpose, attempted func(context.Context, *pb.Attempt) error) error {
	route, err := c.routeOf(ctx, purpose)
	if err != nil {
		return err
	}
	of := run{route.GetPurpose(), route.GetRunId()}
	var failed []FailedAttempt
	for _, attempt := range c.runs.sorted(of, route.GetAttempts()) {
		err := attempted(ctx, attempt)
		if err == nil {
			c.runs.keep(of, attempt)
			return nil
		}
		kind := KindOf(err)
		failed = append(failed, FailedAttempt{attempt, err, kind})
		// The end of ctx is the caller's own.
		if ctx.Err() != nil || !Eligible(kind, route.GetEligibleErrors()) {
			break
		}
	}
	if len(failed) == 0 {
		return ErrNoAttempts
	}
	return &AttemptsError{failed}
}

// routeOf resolves the purpose; Otherwise stands in for a service that does not answer.
func (c *Client) routeOf(ctx context.Context, purpose Purpose) (*pb.ResolveRouteResponse, error) {
	route, err := c.Resolve(ctx, purpose.Request)
	if err == nil {
		return route, nil
	}
	// A mistake of the caller or of the policy file, which no fallback should hide.
	if kind := errorOf(err).Kind; kind == Invalid || kind == NotFound || len(purpose.Otherwise) == 0 {
		return nil, err
	}
	return &pb.ResolveRouteResponse{
		Purpose:        purpose.Request.GetPurpose(),
		RunId:          purpose.Request.GetRunId(),
		Attempts:       purpose.Otherwise,
		EligibleErrors: defaultEligible,
	}, nil
}

// started is a stream whose first chunk has arrived.
type started[T any] struct {
	first T
	next  func() (T, error, bool)
	close func()
}

func start[T any](
	ctx context.Context, timeout time.Duration, attempt *pb.Attempt, call func(context.Context, *pb.Attempt) iter.Seq2[T, error],
) (*started[T], error) {
	ctx, cancel := context.WithCancelCause(ctx)
	if timeout > 0 {
		late := time.AfterFunc(timeout, func() { cancel(context.DeadlineExceeded) })
		defer late.Stop()
	}
	next, stop := iter.Pull2(call(ctx, attempt))
	closed := func() { stop(); cancel(nil) }
	first, err, ok := next()
	if !ok {
		err = ErrUnusableResponse
	}
	if cause := context.Cause(ctx); err != nil && errors.Is(cause, context.DeadlineExceeded) {
		err = errors.Join(cause, err)
	}
	if err != nil {
		closed()
		return nil, err
	}
	return &started[T]{first, next, closed}, nil
}
