package pointsman

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"
)

const (
	firstPause = 20 * time.Millisecond
	fullBudget = 10.0
	perSuccess = 0.1
)

// retries repeats calls that the service did not process. The budget is that of gRPC (proposal A6): a
// failure takes one token, an answer returns a tenth, and below half of ten nothing is repeated, so that a
// service in trouble gets no further load.
type retries struct {
	most   int
	mutex  sync.Mutex
	tokens float64
}

func newRetries(most int) *retries { return &retries{most: most, tokens: fullBudget} }

// run calls attempt until it succeeds, is not to be repeated, or ctx ends; its error is an *Error.
func (r *retries) run(ctx context.Context, attempt func() error) error {
	for failures := 0; ; failures++ {
		err := attempt()
		if err == nil {
			r.add(perSuccess)
			return nil
		}
		failed := errorOf(err)
		pause, again := r.pause(failed, failures)
		if !again || !fits(ctx, pause) || !sleep(ctx, pause) {
			return failed
		}
	}
}

// fits reports whether a pause ends before the deadline.
func fits(ctx context.Context, pause time.Duration) bool {
	deadline, ok := ctx.Deadline()
	return !ok || time.Now().Add(pause).Before(deadline)
}

// sleep reports whether the pause ended before the context.
func sleep(ctx context.Context, pause time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(pause):
		return true
	}
}

// pause returns the time before the next attempt, and whether there is one.
func (r *retries) pause(err *Error, failures int) (time.Duration, bool) {
	switch err.Kind {
	case Overloaded:
		return err.RetryAfter, failures < r.most && err.RetryAfter > 0
	case Unavailable:
		left := r.add(-1)
		jitter := 0.8 + 0.4*rand.Float64()
		pause := time.Duration(float64(firstPause<<min(failures, 8)) * jitter)
		return pause, failures < r.most && left > fullBudget/2
	default:
		return 0, false
	}
}

func (r *retries) add(tokens float64) float64 {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	r.tokens = min(fullBudget, max(0, r.tokens+tokens))
	return r.tokens
}
