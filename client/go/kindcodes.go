package pointsman

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strconv"
	"strings"

	"connectrpc.com/connect"
)

const (
	// streamErrorText is before the JSON of an error event in the errors of OpenAI's and Anthropic's SDKs.
	streamErrorText = "received error while streaming: "
	// modelStreamError is Bedrock's: the model failed while it answered, and another provider may do better.
	modelStreamError = 424
	internalError    = 500
	digitsOfStatus   = 3
)

// codeFields hold a code in the errors of OpenAI's SDK (Code, Type) and of Google's (Status).
var codeFields = []string{"Code", "Type", "Status"}

// codedStatus is the HTTP status of an error's own code: of a method or field, or of the provider's body, which comes
// alone inside a stream that began with 200. 0 if there is none.
func codedStatus(err error) int {
	for _, code := range codesOf(err) {
		if status := statusOfText(code); status != 0 {
			return status
		}
	}
	return 0
}

// codesOf lists an error's codes, the most specific first; those before a method of the error that panics.
func codesOf(err error) (codes []string) {
	defer func() { _ = recover() }() // Anthropic's text of an error without a request does
	if aws, ok := err.(interface{ ErrorCode() string }); ok {
		codes = append(codes, aws.ErrorCode())
	}
	if structure := structOf(err); structure.IsValid() {
		for _, name := range codeFields {
			if field := fieldOf(structure, name); field.IsValid() && field.Kind() == reflect.String {
				codes = append(codes, codeIn(name, field.String()))
			}
		}
	}
	if body, ok := err.(interface{ RawJSON() string }); ok {
		codes = append(codes, codesIn(body.RawJSON())...)
	}
	if _, event, ok := strings.Cut(err.Error(), streamErrorText); ok {
		codes = append(codes, codesIn(event)...)
	}
	return append(codes, rpcCode(err))
}

// codesIn lists the codes in a provider's body or in an event of a stream.
func codesIn(text string) []string {
	var body map[string]any
	// A decoder, since a text may follow.
	if json.NewDecoder(strings.NewReader(text)).Decode(&body) != nil {
		return nil
	}
	var codes []string
	for _, part := range []any{body["error"], body["Error"], body} {
		switch part := part.(type) {
		case string:
			codes = append(codes, part)
		case map[string]any:
			for _, name := range []string{"code", "type", "status", "Code"} {
				if value, there := part[name]; there && value != nil {
					codes = append(codes, codeIn(name, fmt.Sprint(value)))
				}
			}
		}
	}
	return codes
}

// codeIn is the code in that field. Connect writes gRPC's statuses in small letters, as the code alone: they are as the
// table has them then.
func codeIn(field, code string) string {
	inCapitals := strings.ToUpper(code)
	if _, known := statusOfGrpc[inCapitals]; known && strings.EqualFold(field, "code") && code == strings.ToLower(code) {
		return inCapitals
	}
	return code
}

// rpcCode is the code of Connect's errors and of gRPC's, whose package is not imported for it; as the table has it.
func rpcCode(err error) string {
	if failed, ok := err.(*connect.Error); ok {
		return codeIn("code", failed.Code().String())
	}
	method := reflect.ValueOf(err).MethodByName("GRPCStatus")
	if !method.IsValid() || method.Type().NumIn() != 0 || method.Type().NumOut() != 1 {
		return ""
	}
	status, ok := method.Call(nil)[0].Interface().(interface{ String() string })
	if !ok {
		return ""
	}
	// "rpc error: code = Unavailable desc = ..."
	_, text, _ := strings.Cut(status.String(), "code = ")
	code, _, _ := strings.Cut(text, " ")
	return grpcNames[code]
}

// statusOfText is the HTTP status of a code: a number, a provider's code, or the name of a gRPC status.
func statusOfText(code string) int {
	if number, err := strconv.Atoi(code); err == nil {
		if len(code) == digitsOfStatus && number >= lowestError && number <= highestError {
			return number
		}
		return 0
	}
	if status, known := statusOfGrpc[code]; known {
		return status
	}
	name := strings.ToLower(code[strings.LastIndex(code, "#")+1:])
	for _, each := range []string{name, strings.TrimSuffix(name, "exception")} {
		if status, known := statusOfCode[each]; known {
			return status
		}
	}
	return 0
}

// grpcNames has the table's name of gRPC's statuses by the one in Go: of `DeadlineExceeded`, `DEADLINE_EXCEEDED`.
var grpcNames = func() map[string]string {
	names := map[string]string{}
	for inTable := range statusOfGrpc {
		var inGo strings.Builder
		for word := range strings.SplitSeq(inTable, "_") {
			inGo.WriteString(word[:1] + strings.ToLower(word[1:]))
		}
		names[inGo.String()] = inTable
	}
	return names
}()
