package pointsman

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/protobuf/proto"

	pb "example.com/pointsman/gen/pointsman/v1"
)

// Kind is the reason for a missing answer; Decide reports it as `fallback:<kind>`.
type Kind string

// The kinds of errors.
const (
	Invalid      Kind = "invalid"
	Denied       Kind = "denied"
	NotFound     Kind = "not_found"
	Overloaded   Kind = "overloaded"
	Unavailable  Kind = "unavailable"
	Deadline     Kind = "deadline"
	Unsupported  Kind = "unsupported"
	ServiceFault Kind = "service_fault"
	Closed       Kind = "closed"
	ClientFault  Kind = "client_fault"
)

// Violation is one bad field: its path in the request (`caller.user_id`) and the error.
type Violation struct {
	Field       string
	Description string
}

// Error is any failure without an answer.
type Error struct {
	Kind Kind
	// Status is the name of the gRPC status, for example `INVALID_ARGUMENT`; empty if the error arose in
	// the client.
	Status string
	// Reason is an ErrorReason of the contract without its prefix, for example `INVALID_FIELD`.
	Reason string
	// Violations are the bad fields.
	Violations []Violation
	// RetryAfter is the time to wait before the next call; 0: unknown.
	RetryAfter time.Duration

	message string
	cause   error
}

func (e *Error) Error() string {
	fields := make([]string, 0, len(e.Violations))
	for _, violation := range e.Violations {
		fields = append(fields, violation.Field+": "+violation.Description)
	}
	text := fmt.Sprintf("pointsman: %s: %s", e.Kind, e.message)
	if len(fields) > 0 {
		text += ": " + strings.Join(fields, "; ")
	}
	return text
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.cause }

// Retryable reports whether the same request may succeed a moment later.
func (e *Error) Retryable() bool {
	return e.Kind == Overloaded || e.Kind == Unavailable || e.Kind == Deadline
}

var kinds = map[connect.Code]Kind{
	connect.CodeCanceled:           Unavailable,
	connect.CodeUnknown:            ServiceFault,
	connect.CodeInvalidArgument:    Invalid,
	connect.CodeDeadlineExceeded:   Deadline,
	connect.CodeNotFound:           NotFound,
	connect.CodeAlreadyExists:      ServiceFault,
	connect.CodePermissionDenied:   Denied,
	connect.CodeResourceExhausted:  Overloaded,
	connect.CodeFailedPrecondition: ServiceFault,
	connect.CodeAborted:            Unavailable,
	connect.CodeOutOfRange:         Invalid,
	connect.CodeUnimplemented:      Unsupported,
	connect.CodeInternal:           ServiceFault,
	connect.CodeUnavailable:        Unavailable,
	connect.CodeDataLoss:           ServiceFault,
	connect.CodeUnauthenticated:    Denied,
}

// errorOf returns any failure of a call as an *Error.
func errorOf(err error) *Error {
	if own, ok := errors.AsType[*Error](err); ok {
		return own
	}
	refusal, ok := errors.AsType[*connect.Error](err)
	if !ok {
		kind := ClientFault
		if errors.Is(err, context.DeadlineExceeded) {
			kind = Deadline
		}
		return &Error{Kind: kind, message: "the call failed in the client", cause: err}
	}
	found := &Error{Kind: kinds[refusal.Code()], Status: statusName(refusal.Code()), message: refusal.Message(), cause: err}
	// An answer that ends in the middle of a message is INVALID_ARGUMENT to connect-go, not to the service.
	if found.Kind == "" || found.Kind == Invalid && !connect.IsWireError(err) {
		found.Kind = ServiceFault
	}
	for _, detail := range refusal.Details() {
		found.read(detail)
	}
	return found
}

// errorOfStatus returns the refusal of one decision of a batch or of a stream.
func errorOfStatus(status *pb.CallStatus) *Error {
	code := connect.Code(max(status.GetCode(), 0))
	found := &Error{Kind: kinds[code], Status: statusName(code), message: status.GetMessage()}
	if found.Kind == "" {
		found.Kind = ServiceFault
	}
	for _, detail := range status.GetDetails() {
		if message, err := detail.UnmarshalNew(); err == nil {
			found.readMessage(message)
		}
	}
	return found
}

// errorOfContext returns the end of a context as an *Error, like that of a call.
func errorOfContext(ctx context.Context) *Error {
	code := connect.CodeCanceled
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		code = connect.CodeDeadlineExceeded
	}
	return errorOf(connect.NewError(code, ctx.Err()))
}

func (e *Error) read(detail *connect.ErrorDetail) {
	if message, err := detail.Value(); err == nil { // else a detail of a newer service
		e.readMessage(message)
	}
}

func (e *Error) readMessage(message proto.Message) {
	switch message := message.(type) {
	case *errdetails.ErrorInfo:
		e.Reason = message.GetReason()
	case *errdetails.RetryInfo:
		e.RetryAfter = message.GetRetryDelay().AsDuration()
	case *errdetails.BadRequest:
		for _, each := range message.GetFieldViolations() {
			e.Violations = append(e.Violations, Violation{Field: each.GetField(), Description: each.GetDescription()})
		}
	}
}

// statusName is the name that gRPC gives a code of Connect.
func statusName(code connect.Code) string {
	if code == connect.CodeCanceled {
		return "CANCELLED"
	}
	return strings.ToUpper(code.String())
}
