package pointsman

import (
	"context"
	"fmt"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	pb "example.com/pointsman/gen/pointsman/v1"
)

const (
	batchSize  = 256     // the contract's limit of a batch
	batchBytes = 3 << 20 // below the service's limit of a message
)

// Answer is the result of one request of RouteMany; one of the fields is set.
type Answer struct {
	Response *pb.RouteDecisionResponse
	Err      *Error
}

// DecideMany is Decide for many requests, in few calls: the models to serve, in the order of the requests.
// The slowest decision of a call delays the others.
func (c *Client) DecideMany(ctx context.Context, requests []*pb.RouteDecisionRequest) []Choice {
	choices := make([]Choice, len(requests))
	for at, answer := range c.routeMany(ctx, c.decideTimeout, requests) {
		static := requests[at].GetRouting().GetResolvedModel()
		if answer.Err != nil {
			choices[at] = fallback(answer.Err, static)
		} else {
			choices[at] = answered(answer.Response, static)
		}
	}
	return choices
}

// RouteMany is Route for many requests, in few calls: an answer or an error for each, in the order of the
// requests.
func (c *Client) RouteMany(ctx context.Context, requests []*pb.RouteDecisionRequest) []Answer {
	return c.routeMany(ctx, c.timeout, requests)
}

func (c *Client) routeMany(ctx context.Context, timeout time.Duration, requests []*pb.RouteDecisionRequest) []Answer {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	answers := make([]Answer, len(requests))
	bounded := make([]*pb.RouteDecisionRequest, len(requests))
	open := make([]int, 0, len(requests))
	for at, request := range requests {
		var err error
		if bounded[at], err = requestOf(request); err != nil {
			answers[at].Err = errorOf(err)
			continue
		}
		open = append(open, at)
	}
	for failures := 0; len(open) > 0; failures++ {
		c.sendBatches(ctx, timeout, open, bounded, answers)
		open = c.overloaded(ctx, open, answers, failures)
	}
	return answers
}

// sendBatches sends the requests at the positions `open` concurrently, and stores their answers.
func (c *Client) sendBatches(
	ctx context.Context, timeout time.Duration, open []int, requests []*pb.RouteDecisionRequest, answers []Answer,
) {
	var calls sync.WaitGroup
	for _, batch := range batches(open, requests) {
		calls.Go(func() {
			message := &pb.BatchRouteDecisionsRequest{}
			for _, at := range batch {
				message.Requests = append(message.Requests, requests[at])
			}
			found, err := call(ctx, c, timeout, message, c.rpc.BatchRouteDecisions)
			if err == nil && len(found.GetResults()) != len(batch) {
				err = &Error{Kind: ServiceFault, message: fmt.Sprintf("%d results for %d requests", len(found.GetResults()), len(batch))}
			}
			for number, at := range batch {
				if err != nil {
					answers[at] = Answer{Err: errorOf(err)}
					continue
				}
				result := found.GetResults()[number]
				answers[at] = answerOf(result.GetResponse(), result.GetStatus(), requests[at])
			}
		})
	}
	calls.Wait()
}

// batches divides positions by the limits of a call.
func batches(open []int, requests []*pb.RouteDecisionRequest) [][]int {
	var divided [][]int
	start, size := 0, 0
	for number, at := range open {
		length := proto.Size(requests[at])
		if number-start == batchSize || number > start && size+length > batchBytes {
			divided = append(divided, open[start:number])
			start, size = number, 0
		}
		size += length
	}
	return append(divided, open[start:])
}

// overloaded waits as long as the service says, and returns the positions to send again.
func (c *Client) overloaded(ctx context.Context, open []int, answers []Answer, failures int) []int {
	var again []int
	var longest time.Duration
	for _, at := range open {
		failed := answers[at].Err
		if failed == nil || failed.Kind != Overloaded || failed.Reason == "" {
			continue
		}
		if pause, yes := c.retries.pause(failed, failures); yes && fits(ctx, pause) {
			again = append(again, at)
			longest = max(longest, pause)
		}
	}
	if len(again) > 0 && !sleep(ctx, longest) {
		return nil
	}
	return again
}

// answerOf is the answer to one decision of a batch or of a stream.
func answerOf(response *pb.RouteDecisionResponse, status *pb.CallStatus, request *pb.RouteDecisionRequest) Answer {
	switch {
	case status != nil:
		return Answer{Err: errorOfStatus(status)}
	case response == nil:
		return Answer{Err: &Error{Kind: ServiceFault, message: "an answer has neither response nor status"}}
	}
	if err := checkOffered(response, request); err != nil {
		return Answer{Err: errorOf(err)}
	}
	return Answer{Response: response}
}
