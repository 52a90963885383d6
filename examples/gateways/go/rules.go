package main

import "strings"

// tier is one pseudo-model that users may ask for: the models that may serve it, best first, and
// this gateway's own pick for a client that is planning and for every other.
type tier struct {
	candidates []string
	planning   string
	otherwise  string
}

// tiers is the gateway's static rule table. The gateway calls Pointsman for its tiers,
// and the table is the fallback.
var tiers = map[string]tier{
	"kilo-auto/frontier": {
		candidates: []string{
			"anthropic/claude-opus-4.8",
			"anthropic/claude-sonnet-4.6",
			"openai/gpt-5.5",
			"google/gemini-3.1-pro-preview",
		},
		planning:  "anthropic/claude-opus-4.8",
		otherwise: "anthropic/claude-sonnet-4.6",
	},
	"kilo-auto/balanced": {
		candidates: []string{
			"anthropic/claude-haiku-4.5",
			"google/gemini-3.5-flash",
			"deepseek/deepseek-v4-pro:discounted",
		},
		planning:  "google/gemini-3.5-flash",
		otherwise: "anthropic/claude-haiku-4.5",
	},
}

const tierPrefix = "kilo-auto/"

// tierName is the tier that a requested model names, compared in lower case. Any other model is
// concrete.
func tierName(model string) (name string, isTier bool) {
	name = strings.ToLower(strings.TrimSpace(model))
	return name, strings.HasPrefix(name, tierPrefix)
}

// pick is the gateway's own choice for a client in this mode.
func (t tier) pick(mode string) string {
	switch strings.ToLower(mode) {
	case "plan", "architect":
		return t.planning
	default:
		return t.otherwise
	}
}
