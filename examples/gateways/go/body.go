package main

import (
	"cmp"
	"encoding/json"
	"math"
	"strings"

	pb "example.com/pointsman/gen/pointsman/v1"
)

// prefixLimit is how many code points of a prompt leave the gateway.
const prefixLimit = 1000

// chat has the fields of an OpenAI chat completion request that routing needs.
type chat struct {
	Model    string            `json:"model"`
	Messages []message         `json:"messages"`
	Tools    []json.RawMessage `json:"tools"`
	Stream   bool              `json:"stream"`
	User     string            `json:"user"`
	// The newer name wins; a probe of a few tokens decides nothing for its conversation.
	MaxTokens           *float64 `json:"max_tokens"`
	MaxCompletionTokens *float64 `json:"max_completion_tokens"`
	Provider            struct {
		DataCollection string `json:"data_collection"`
	} `json:"provider"`
}

type message struct {
	Role    string  `json:"role"`
	Content content `json:"content"`
}

// content is a string or a list of parts, as OpenAI has it.
type content struct {
	text   string
	images bool
}

// UnmarshalJSON collects the text and notes whether there are images; it is lenient, because the
// provider and not the gateway judges a request.
func (c *content) UnmarshalJSON(raw []byte) error {
	if json.Unmarshal(raw, &c.text) == nil {
		return nil
	}
	var parts []struct {
		Type string `json:"type"`
		Text string `json:"text"`
	}
	if json.Unmarshal(raw, &parts) != nil {
		return nil
	}
	var texts []string
	for _, part := range parts {
		switch part.Type {
		case "text":
			texts = append(texts, part.Text)
		case "image_url":
			c.images = true
		}
	}
	c.text = strings.Join(texts, "\n")
	return nil
}

// prompt is the bounded extract that Pointsman decides from: the first and the latest words of the
// user and the start of the system prompt.
func (c chat) prompt() *pb.Prompt {
	prompt := &pb.Prompt{
		ApiKind:      pb.ApiKind_API_KIND_CHAT_COMPLETIONS,
		MessageCount: new(uint32(len(c.Messages))),
		HasTools:     len(c.Tools) > 0,
		Stream:       c.Stream,
	}
	if most := cmp.Or(c.MaxCompletionTokens, c.MaxTokens); most != nil && *most >= 0 && *most <= math.MaxUint32 {
		prompt.MaxOutputTokens = new(uint32(*most))
	}
	for _, m := range c.Messages {
		text := prefix(m.Content.text)
		if text == "" {
			continue
		}
		switch m.Role {
		case "system", "developer":
			if prompt.SystemPromptPrefix == nil {
				prompt.SystemPromptPrefix = &text
			}
		case "user":
			if prompt.UserPromptPrefix == nil {
				prompt.UserPromptPrefix = &text
			}
			prompt.LatestUserPromptPrefix = &text
		}
	}
	return prompt
}

// constraints are the requirements that a model must meet to serve this request.
func (c chat) constraints() *pb.Constraints {
	constraints := &pb.Constraints{RequiresTools: len(c.Tools) > 0}
	for _, m := range c.Messages {
		if m.Content.images {
			constraints.RequiredInputs = []pb.Modality{pb.Modality_MODALITY_IMAGE}
		}
	}
	return constraints
}

// dataPolicy keeps the prompt of a client that opted out of data collection from third parties.
func (c chat) dataPolicy() pb.DataPolicy {
	if c.Provider.DataCollection == "deny" {
		return pb.DataPolicy_DATA_POLICY_THIRD_PARTY_DENIED
	}
	return pb.DataPolicy_DATA_POLICY_UNSPECIFIED
}

// prefix is the start of a text without blanks around it, cut between code points.
func prefix(text string) string {
	text = strings.TrimSpace(text)
	count := 0
	for at := range text {
		if count == prefixLimit {
			return text[:at]
		}
		count++
	}
	return text
}

// withModel is the body with another model and all else as the client sent it.
func withModel(body []byte, model string) ([]byte, error) {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(body, &fields); err != nil {
		return nil, err
	}
	name, err := json.Marshal(model)
	if err != nil {
		return nil, err
	}
	fields["model"] = name
	return json.Marshal(fields)
}
