package pointsman

import (
	"cmp"
	"context"
	"maps"
	"sync"
	"time"
)

// MirrorLimits are the bounds of mirroring; the zero value of each is its default.
type MirrorLimits struct {
	// Waiting is the length of the queue; further requests are dropped. Default: 1,000.
	Waiting int
	// Workers is the number of requests in flight. Default: 4.
	Workers int
	// Timeout is the deadline of each. Default: 5 s.
	Timeout time.Duration
	// Drain is the time for the queue at the end. Default: 2 s.
	Drain time.Duration
}

// MirrorCounts are the numbers of mirrored requests, by result.
type MirrorCounts struct {
	Submitted, Sent, Dropped, Queued, InFlight int
	// Failed counts by the kind of the error.
	Failed map[Kind]int
}

type mirrored func(stop context.Context, timeout time.Duration) error

// mirror is a bounded queue of calls. It never waits and never fails.
type mirror struct {
	limits  MirrorLimits
	queue   chan mirrored
	stop    context.Context
	cancel  context.CancelFunc
	workers sync.WaitGroup
	started bool

	mutex  sync.Mutex
	closed bool
	number MirrorCounts
}

func newMirror(limits MirrorLimits) *mirror {
	limits.Waiting = cmp.Or(limits.Waiting, 1000)
	limits.Workers = cmp.Or(limits.Workers, 4)
	limits.Timeout = cmp.Or(limits.Timeout, 5*time.Second)
	limits.Drain = cmp.Or(limits.Drain, 2*time.Second)
	m := &mirror{limits: limits, queue: make(chan mirrored, limits.Waiting)}
	m.stop, m.cancel = context.WithCancel(context.Background())
	m.number.Failed = map[Kind]int{}
	return m
}

// submit queues a call; false if it was dropped.
func (m *mirror) submit(call mirrored) bool {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	m.number.Submitted++
	if !m.closed {
		m.start()
		select {
		case m.queue <- call:
			return true
		default:
		}
	}
	m.number.Dropped++
	return false
}

// refuse counts a request that no message can carry.
func (m *mirror) refuse(err *Error) bool {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	m.number.Submitted++
	m.number.Failed[err.Kind]++
	return false
}

func (m *mirror) start() {
	if m.started {
		return
	}
	m.started = true
	for range m.limits.Workers {
		m.workers.Go(m.work)
	}
}

func (m *mirror) work() {
	for call := range m.queue {
		if m.stop.Err() != nil {
			m.count(func(number *MirrorCounts) { number.Dropped++ })
			continue
		}
		m.count(func(number *MirrorCounts) { number.InFlight++ })
		err := call(m.stop, m.limits.Timeout)
		m.count(func(number *MirrorCounts) {
			number.InFlight--
			if err == nil {
				number.Sent++
			} else {
				number.Failed[errorOf(err).Kind]++
			}
		})
	}
}

// close waits for the queue, at most `drain`; the rest is dropped.
func (m *mirror) close() {
	m.mutex.Lock()
	m.closed = true
	close(m.queue)
	m.mutex.Unlock()
	late := time.AfterFunc(m.limits.Drain, m.cancel)
	m.workers.Wait()
	late.Stop()
	m.cancel()
}

func (m *mirror) count(change func(*MirrorCounts)) {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	change(&m.number)
}

func (m *mirror) counts() MirrorCounts {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	counts := m.number
	counts.Queued = len(m.queue)
	counts.Failed = maps.Clone(m.number.Failed)
	return counts
}
