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
	"google.golang.org/protobuf/proto"

	"example.com/pointsman"
	pb "example.com/pointsman/gen/pointsman/v1"
)

const (
	timeout  = time.Minute
	longLine = 16 << 20
)

type question struct {
	Address string `json:"address"`
	HTTP    string `json:"http"`
	Way     string `json:"way"`
	Wire    []byte `json:"wire"`
	Token   string `json:"token"`
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
	var client *pointsman.Client
	var of question // whose client it is
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, longLine)
	for lines.Scan() {
		var line question
		if err := json.Unmarshal(lines.Bytes(), &line); err != nil {
			return err
		}
		if client == nil || line.Address != of.Address || line.Way != of.Way || line.Token != of.Token {
			if client != nil {
				client.Close()
			}
			opened, err := open(line)
			if err != nil {
				return err
			}
			client, of = opened, line
		}
		found, err := answer(client, line)
		if err != nil {
			return err
		}
		if err := json.NewEncoder(os.Stdout).Encode(found); err != nil {
			return err
		}
	}
	return lines.Err()
}

func open(line question) (*pointsman.Client, error) {
	options := pointsman.Options{Timeout: timeout}
	if line.Token != "" {
		options.Token = pointsman.StaticToken(line.Token)
	}
	if line.Way == "stream" {
		options.Stream = true
		return pointsman.NewGRPC(line.Address, options)
	}
	return pointsman.NewHTTP(line.HTTP, options)
}

func answer(client *pointsman.Client, line question) (result, error) {
	request := &pb.RouteDecisionRequest{}
	if err := proto.Unmarshal(line.Wire, request); err != nil {
		return result{}, err
	}
	var response *pb.RouteDecisionResponse
	var err error
	if line.Way == "batch" {
		found := client.RouteMany(context.Background(), []*pb.RouteDecisionRequest{request})[0]
		if response = found.Response; found.Err != nil {
			err = found.Err
		}
	} else {
		response, err = client.Route(context.Background(), request)
	}
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
