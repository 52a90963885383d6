package pointsman

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"reflect"
	"slices"
	"strings"
	"syscall"
)

// ErrUnusableResponse is for an answer that cannot be used: empty, truncated, or off the subject. Wrap it.
var ErrUnusableResponse = errors.New("the model's answer cannot be used")

// HTTPStatusError is for an answer of a provider with an HTTP status that is an error.
type HTTPStatusError struct{ StatusCode int }

func (e *HTTPStatusError) Error() string { return fmt.Sprintf("HTTP status %d", e.StatusCode) }

const (
	lowestError, highestError = 400, 599
	deepestCause              = 16
)

// defaultEligible are the errors after which Purpose.Otherwise goes on: the default of the policy file.
var defaultEligible = []string{
	"timeout", "connection", "http_408", "http_409", "http_425", "http_429", "http_5xx", "unusable_response",
}

// statusFields hold the status in the errors of OpenAI's and Anthropic's SDKs, and of Google's.
var statusFields = []string{"StatusCode", "Code"}

var connectionErrors = []error{
	io.EOF, io.ErrUnexpectedEOF, net.ErrClosed, syscall.ECONNREFUSED, syscall.ECONNRESET, syscall.ECONNABORTED,
	syscall.EPIPE, syscall.EHOSTUNREACH, syscall.ENETUNREACH,
}

// KindOf is the kind of a failed LLM call in the terms of `eligible_errors`: `http_<status>`, `timeout`,
// `connection` or `unusable_response`; empty if it is unknown. It reads the status from a field `StatusCode` or
// `Code`, or a method `HTTPStatusCode`, as the errors of the OpenAI, Anthropic, Google and AWS SDKs have it; else the
// status of the provider's error code, also inside a stream that began with 200, or of a gRPC status.
// context.Canceled is the caller's own and has no kind.
func KindOf(err error) string {
	status := statusOf(err, deepestCause)
	if status == modelStreamError {
		status = internalError
	}
	if status != 0 {
		return fmt.Sprintf("http_%d", status)
	}
	var timeout interface{ Timeout() bool }
	var syntax *json.SyntaxError
	var shape *json.UnmarshalTypeError
	var network *net.OpError
	var name *net.DNSError
	switch {
	case err == nil:
		return ""
	case errors.Is(err, ErrUnusableResponse), errors.As(err, &syntax), errors.As(err, &shape):
		return "unusable_response"
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded),
		errors.As(err, &timeout) && timeout.Timeout():
		return "timeout"
	case errors.Is(err, context.Canceled):
		return ""
	case errors.As(err, &network), errors.As(err, &name),
		slices.ContainsFunc(connectionErrors, func(each error) bool { return errors.Is(err, each) }):
		return "connection"
	default:
		return ""
	}
}

// Eligible reports whether an error of that kind leads to the next attempt: `http_503` is also of `http_5xx`.
func Eligible(kind string, eligible []string) bool {
	if kind == "" {
		return false
	}
	class := kind
	if strings.HasPrefix(kind, "http_") {
		class = kind[:len("http_5")] + "xx"
	}
	return slices.Contains(eligible, kind) || slices.Contains(eligible, class)
}

// statusOf is the HTTP status of an error or of a cause; 0 if there is none.
func statusOf(err error, depth int) int {
	if err == nil || depth == 0 {
		return 0
	}
	if status := ownStatus(err); status >= lowestError && status <= highestError {
		return status
	}
	if status := codedStatus(err); status != 0 {
		return status
	}
	switch wrapped := err.(type) {
	case interface{ Unwrap() error }:
		return statusOf(wrapped.Unwrap(), depth-1)
	case interface{ Unwrap() []error }:
		for _, each := range wrapped.Unwrap() {
			if status := statusOf(each, depth-1); status != 0 {
				return status
			}
		}
	}
	return 0
}

func ownStatus(err error) int {
	if aws, ok := err.(interface{ HTTPStatusCode() int }); ok {
		return aws.HTTPStatusCode()
	}
	structure := structOf(err)
	if !structure.IsValid() {
		return 0
	}
	for _, name := range statusFields {
		if field := fieldOf(structure, name); field.IsValid() && field.CanInt() {
			return int(field.Int())
		}
	}
	return 0
}

// structOf is the struct that an error is or points to; not valid if there is none.
func structOf(err error) reflect.Value {
	value := reflect.ValueOf(err)
	for value.Kind() == reflect.Pointer && !value.IsNil() {
		value = value.Elem()
	}
	if value.Kind() != reflect.Struct {
		return reflect.Value{}
	}
	return value
}

// fieldOf is the field of that name; not valid if there is none, or none that can be reached.
func fieldOf(structure reflect.Value, name string) reflect.Value {
	field, ok := structure.Type().FieldByName(name)
	if !ok {
		return reflect.Value{}
	}
	value, err := structure.FieldByIndexErr(field.Index)
	if err != nil {
		return reflect.Value{}
	}
	return value
}
