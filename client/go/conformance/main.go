// Command conformance is the program of docs/conformance.md: a request a line, its answer a line.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"google.golang.org/protobuf/encoding/protojson"

	"example.com/pointsman"
	pb "example.com/pointsman/gen/pointsman/v1"
)

const (
	timeout  = time.Minute
	longLine = 16 << 20
)

type question struct {
	HTTP    string          `json:"http"`
	Request json.RawMessage `json:"request"`
}

type result struct {
	Response  json.RawMessage `json:"response,omitempty"`
	Status    string          `json:"status,omitempty"`
	BadFields []string        `json:"bad_fields"`
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "conformance:", err)
		os.Exit(1)
	}
}

func run() error {
	clients := map[string]*pointsman.Client{}
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, longLine)
	for lines.Scan() {
		var line question
		if err := json.Unmarshal(lines.Bytes(), &line); err != nil {
			return err
		}
		if clients[line.HTTP] == nil {
			client, err := pointsman.NewHTTP(line.HTTP, pointsman.Options{Timeout: timeout})
			if err != nil {
				return err
			}
			defer client.Close()
			clients[line.HTTP] = client
		}
		found, err := answer(clients[line.HTTP], line.Request)
		if err != nil {
			return err
		}
		if err := json.NewEncoder(os.Stdout).Encode(found); err != nil {
			return err
		}
	}
	return lines.Err()
}

func answer(client *pointsman.Client, document []byte) (result, error) {
	request := &pb.RouteDecisionRequest{}
	if err := protojson.Unmarshal(document, request); err != nil {
		return result{}, err
	}
	response, err := client.Route(context.Background(), request)
	if failed, ok := errors.AsType[*pointsman.Error](err); ok {
		found := result{Status: failed.Status, BadFields: []string{}}
		for _, violation := range failed.Violations {
			found.BadFields = append(found.BadFields, violation.Field)
		}
		return found, nil
	}
	text, err := protojson.Marshal(response)
	return result{Response: text}, err
}
