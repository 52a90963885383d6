package pointsman

import (
	"container/list"
	"sync"

	pb "example.com/pointsman/gen/pointsman/v1"
)

const mostRuns = 10_000

type run struct{ purpose, id string }

// runs remembers which attempt served a run last: later calls of the run begin with it.
type runs struct {
	most  int
	mutex sync.Mutex
	order *list.List // of run, the oldest first
	on    map[run]kept
}

type kept struct {
	name  string
	place *list.Element
}

func newRuns(most int) *runs { return &runs{most: most, order: list.New(), on: map[run]kept{}} }

// sorted returns the attempts from the one that the run is on; those before it come last.
func (r *runs) sorted(of run, attempts []*pb.Attempt) []*pb.Attempt {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	for at, attempt := range attempts {
		if kept, ok := r.on[of]; ok && attemptName(attempt) == kept.name {
			return append(append([]*pb.Attempt{}, attempts[at:]...), attempts[:at]...)
		}
	}
	return attempts
}

// keep notes that an attempt served the run.
func (r *runs) keep(of run, attempt *pb.Attempt) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	if before, ok := r.on[of]; ok {
		r.order.Remove(before.place)
	}
	r.on[of] = kept{attemptName(attempt), r.order.PushBack(of)}
	if oldest := r.order.Front(); len(r.on) > r.most {
		delete(r.on, r.order.Remove(oldest).(run))
	}
}

// attemptName is the profile, or the model of a tier's candidate without one.
func attemptName(attempt *pb.Attempt) string {
	if attempt.GetProfile() != "" {
		return attempt.GetProfile()
	}
	return attempt.GetModel()
}
