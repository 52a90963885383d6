package pointsman

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"strconv"
	"sync"
	"time"

	"connectrpc.com/connect"

	pb "example.com/pointsman/gen/pointsman/v1"
)

const (
	mostWaiting       = 10_000 // decisions that may wait for an answer; further ones are Overloaded
	streamEnded       = "STREAM_ENDED"
	streamPause       = 50 * time.Millisecond
	streamPauseMost   = 200 * time.Millisecond
	streamTokenLimit  = 5 * time.Second
	headerTraceparent = "Traceparent"
	headerTracestate  = "Tracestate"
)

type (
	streamRequest  = pb.StreamRouteDecisionsRequest
	streamResponse = pb.StreamRouteDecisionsResponse
	streamCall     = *connect.BidiStreamForClient[streamRequest, streamResponse]
)

// streaming sends decisions over one long stream, which the first one opens.
//
// When a stream breaks, unanswered decisions are sent again on the next one: deciding twice is harmless.
// After a stream that answered nothing, they fail as Unavailable instead, and Options.Retries says whether
// each is sent again.
type streaming struct {
	open    func(context.Context) (streamCall, error)
	headers func(context.Context) http.Header
	stop    context.Context

	mutex    sync.Mutex
	last     uint64
	pending  map[string]*pendingDecision
	unsent   []*pendingDecision // on the present stream, in order
	more     chan struct{}
	running  bool
	answered uint64
}

// pendingDecision is one decision that somebody waits for.
type pendingDecision struct {
	number   uint64
	request  *pb.RouteDecisionRequest
	deadline time.Time
	trace    http.Header
	answer   chan Answer
}

func newStreaming(
	stop context.Context, open func(context.Context) (streamCall, error), headers func(context.Context) http.Header,
) *streaming {
	return &streaming{
		open:    open,
		headers: headers,
		stop:    stop,
		pending: map[string]*pendingDecision{},
		more:    make(chan struct{}, 1),
	}
}

// ask sends one decision and waits for its answer; ctx has a deadline.
func (s *streaming) ask(ctx context.Context, request *pb.RouteDecisionRequest) (*pb.RouteDecisionResponse, error) {
	deadline, _ := ctx.Deadline()
	asked := &pendingDecision{request: request, deadline: deadline, trace: s.headers(ctx), answer: make(chan Answer, 1)}
	id, err := s.enqueue(asked)
	if err != nil {
		return nil, err
	}
	defer s.forget(id)
	select {
	case answer := <-asked.answer:
		if answer.Err != nil {
			return nil, answer.Err
		}
		return answer.Response, nil
	case <-ctx.Done():
		return nil, errorOfContext(ctx)
	case <-s.stop.Done():
		return nil, &Error{Kind: Closed, message: "the client was closed during the call"}
	}
}

func (s *streaming) enqueue(asked *pendingDecision) (string, error) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if len(s.pending) >= mostWaiting {
		return "", &Error{Kind: Overloaded, message: fmt.Sprintf("%d decisions wait for an answer already", mostWaiting)}
	}
	s.last++
	asked.number = s.last
	id := strconv.FormatUint(asked.number, 10)
	s.pending[id] = asked
	s.unsent = append(s.unsent, asked)
	if !s.running {
		s.running = true
		go s.keep()
	}
	select {
	case s.more <- struct{}{}:
	default:
	}
	return id, nil
}

func (s *streaming) forget(id string) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	delete(s.pending, id)
}

// keep opens one stream after the other, as long as somebody waits for an answer.
func (s *streaming) keep() {
	var pause time.Duration
	for s.resend() && sleep(s.stop, pause) {
		before := s.count()
		failed := asBreak(errorOf(s.stream()))
		if s.count() > before {
			pause = 0
			continue
		}
		pause = min(max(2*pause, streamPause), streamPauseMost)
		if failed.Reason != streamEnded {
			s.fail(failed)
		}
	}
}

// resend queues every unanswered decision for the next stream; false if there is none.
func (s *streaming) resend() bool {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.unsent = s.unsent[:0]
	for number := range s.pending {
		if asked := s.pending[number]; len(asked.answer) == 0 {
			s.unsent = append(s.unsent, asked)
		}
	}
	sortByNumber(s.unsent)
	s.running = len(s.unsent) > 0 && s.stop.Err() == nil
	return s.running
}

// stream opens one and receives until it ends, which is an error.
func (s *streaming) stream() error {
	ctx, cancel := context.WithCancelCause(s.stop)
	defer cancel(nil)
	call, err := s.open(ctx)
	if err != nil {
		return err
	}
	defer call.CloseResponse()
	go func() {
		// A sender that fails on a stream which is well would leave everybody waiting. io.EOF says that the
		// stream has ended: the receiver knows why.
		if err := s.send(ctx, call); err != nil && !errors.Is(err, io.EOF) {
			cancel(err)
		}
	}()
	for {
		answer, err := call.Receive()
		if errors.Is(err, io.EOF) {
			return &Error{Kind: Unavailable, message: "the service closed the stream"}
		}
		if cause := context.Cause(ctx); err != nil && cause != nil {
			return cause
		}
		if err != nil {
			return err
		}
		s.settle(answer)
	}
}

// send writes unsent and new decisions; it waits while the service does not read.
func (s *streaming) send(ctx context.Context, call streamCall) error {
	for {
		for asked := s.pop(); asked != nil; asked = s.pop() {
			if left := time.Until(asked.deadline); left > 0 {
				if err := call.Send(itemOf(asked, left)); err != nil {
					return err
				}
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-s.more:
		}
	}
}

func (s *streaming) pop() *pendingDecision {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if len(s.unsent) == 0 {
		return nil
	}
	first := s.unsent[0]
	s.unsent = s.unsent[1:]
	return first
}

func (s *streaming) settle(found *streamResponse) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.answered++
	if asked := s.pending[found.GetCorrelationId()]; asked != nil {
		asked.settle(answerOf(found.GetResponse(), found.GetStatus(), asked.request))
	}
}

func (s *streaming) fail(err *Error) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	for _, asked := range s.pending {
		asked.settle(Answer{Err: err})
	}
}

func (s *streaming) count() uint64 {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return s.answered
}

// settle hands over the first answer; later ones are dropped.
func (p *pendingDecision) settle(answer Answer) {
	select {
	case p.answer <- answer:
	default:
	}
}

func itemOf(asked *pendingDecision, left time.Duration) *streamRequest {
	item := &streamRequest{
		CorrelationId: strconv.FormatUint(asked.number, 10),
		Request:       asked.request,
		TimeoutMs:     new(uint32(min(max(left.Milliseconds(), 1), math.MaxUint32))),
	}
	if parent := headerOf(asked.trace, headerTraceparent); parent != "" {
		item.Traceparent = &parent
		if state := headerOf(asked.trace, headerTracestate); state != "" {
			item.Tracestate = &state
		}
	}
	return item
}

// asBreak returns an error as the end of a stream. A fault of the service has its reason; one without is the
// connection that broke.
func asBreak(err *Error) *Error {
	if err.Kind != ServiceFault || err.Reason != "" {
		return err
	}
	return &Error{Kind: Unavailable, Status: err.Status, message: err.message, cause: err}
}
