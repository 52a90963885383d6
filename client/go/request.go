package pointsman

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"google.golang.org/protobuf/proto"

	pb "example.com/pointsman/gen/pointsman/v1"
)

const (
	// PrefixLimit is the number of code points of a prefix that leave the process.
	PrefixLimit  = 1000
	idLimit      = 256
	requestBytes = 64 << 10
)

// requestOf returns a copy with bounded prefixes, or an *Error for a request that no message can carry.
func requestOf(request *pb.RouteDecisionRequest) (*pb.RouteDecisionRequest, error) {
	if request == nil {
		return nil, &Error{Kind: Invalid, message: "the request is nil"}
	}
	bounded := proto.CloneOf(request)
	if prompt := bounded.GetPrompt(); prompt != nil {
		for _, text := range []*string{
			prompt.UserPromptPrefix, prompt.LatestUserPromptPrefix, prompt.SystemPromptPrefix,
		} {
			if text != nil {
				*text = Prefix(*text)
			}
		}
	}
	wire, err := proto.Marshal(bounded)
	if err != nil {
		return nil, &Error{Kind: Invalid, message: "a value is not valid UTF-8: nothing was sent", cause: err}
	}
	if len(wire) > requestBytes {
		return nil, &Error{Kind: Invalid, message: "nothing was sent", Violations: []Violation{
			{Field: "request", Description: fmt.Sprintf("is over %d bytes", requestBytes)},
		}}
	}
	return bounded, nil
}

// Prefix returns the start of a text without blanks around it, cut between code points.
func Prefix(text string) string {
	text = strings.TrimSpace(text)
	count := 0
	for at := range text {
		if count == PrefixLimit {
			text = text[:at]
			break
		}
		count++
	}
	return strings.TrimSpace(strings.ToValidUTF8(text, "\uFFFD"))
}

// UsableID returns a valid id, or nil: the service refuses blank ids and those over 256 characters.
func UsableID(value string) *string {
	value = strings.TrimSpace(value)
	if value == "" || !utf8.ValidString(value) || utf8.RuneCountInString(value) > idLimit {
		return nil
	}
	return &value
}
