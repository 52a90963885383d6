package pointsman

import (
	"cmp"
	"slices"
	"strings"

	pb "example.com/pointsman/gen/pointsman/v1"
)

// Choice is the model to serve, with the reason. One of Result and Err is set.
type Choice struct {
	// Model is empty only if the request had no static pick and the service named no model.
	Model string
	// The reason: `routed`, `shadow`, `skipped:no_prompt`, `fallback:deadline`: few distinct values and nothing
	// of the request, so it can label a metric.
	Why string
	// Result is the complete answer of the service.
	Result *pb.RouteDecisionResponse
	// Err is the error behind a fallback.
	Err *Error
}

func answered(result *pb.RouteDecisionResponse, static string) Choice {
	return Choice{Model: cmp.Or(result.GetServeModel(), static), Why: why(result), Result: result}
}

func fallback(err *Error, static string) Choice {
	return Choice{Model: static, Why: "fallback:" + string(err.Kind), Err: err}
}

func why(result *pb.RouteDecisionResponse) string {
	if result.GetShadow() {
		return "shadow"
	}
	outcome := name(pb.Outcome_name[int32(result.GetOutcome())], "OUTCOME_")
	if result.GetReason() == pb.Reason_REASON_UNSPECIFIED {
		return outcome
	}
	return outcome + ":" + name(pb.Reason_name[int32(result.GetReason())], "REASON_")
}

// name is a value of an enum in lower case; one that this client does not know comes from a newer
// service.
func name(value, prefix string) string {
	return cmp.Or(strings.ToLower(strings.TrimPrefix(value, prefix)), "unrecognised")
}

// checkOffered refuses an answer that serves neither a candidate nor the static pick. A request without
// candidates leaves them to the service: then any model is an answer.
func checkOffered(result *pb.RouteDecisionResponse, request *pb.RouteDecisionRequest) error {
	routing, served := request.GetRouting(), result.GetServeModel()
	candidates := routing.GetCandidateModels()
	offered := func(name string) bool { return strings.TrimSpace(name) == served } // the service trims ids
	if served == "" || len(candidates) == 0 || offered(routing.GetResolvedModel()) || slices.ContainsFunc(candidates, offered) {
		return nil
	}
	return &Error{Kind: ServiceFault, message: "the service answered a model that the request did not offer"}
}
