package pointsman

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	pb "example.com/pointsman/gen/pointsman/v1"
)

const (
	staticPick = "anthropic/claude-sonnet-4.6"
	decided    = "openai/gpt-5.5" // the scripted router's answer
)

func asked() *pb.RouteDecisionRequest {
	return &pb.RouteDecisionRequest{
		Prompt: &pb.Prompt{UserPromptPrefix: new("Please guard this accessor against null.")},
		Caller: &pb.Caller{UserId: "user-1"},
		Routing: &pb.RoutingContext{
			AutoModel:       "kilo-auto/frontier",
			CandidateModels: []string{"anthropic/claude-opus-4.8", staticPick, decided},
			ResolvedModel:   new(staticPick),
		},
	}
}

// options leads to the service that the environment names.
func options(t *testing.T) Options {
	t.Helper()
	settings := Options{Timeout: patience, DecideTimeout: patience}
	if token := os.Getenv("POINTSMAN_TOKEN"); token != "" {
		settings.Token = StaticToken(token)
	}
	if file := os.Getenv("POINTSMAN_CA"); file != "" {
		authority, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		pair, err := tls.LoadX509KeyPair(os.Getenv("POINTSMAN_CERT"), os.Getenv("POINTSMAN_KEY"))
		if err != nil {
			t.Fatal(err)
		}
		roots := x509.NewCertPool()
		roots.AppendCertsFromPEM(authority)
		settings.TLS = &tls.Config{RootCAs: roots, Certificates: []tls.Certificate{pair}}
	}
	return settings
}

func live(t *testing.T, test func(*testing.T, func(Options) *Client)) {
	openers := map[string]func(string, Options) (*Client, error){
		"POINTSMAN_ADDRESS": NewGRPC,
		"POINTSMAN_HTTP":    NewHTTP,
	}
	for variable, open := range openers {
		t.Run(variable, func(t *testing.T) {
			where := os.Getenv(variable)
			if where == "" {
				t.Skipf("%s names no service", variable)
			}
			test(t, func(settings Options) *Client {
				client, err := open(where, settings)
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(client.Close)
				return client
			})
		})
	}
}

func TestLiveDecisions(t *testing.T) {
	live(t, func(t *testing.T, open func(Options) *Client) {
		client := open(options(t))
		choice := client.Decide(t.Context(), asked())
		wantChoice(t, choice, decided, "routed")
		if model := choice.Result.GetDecision().GetRouterModel(); model != "gpt-5.5" {
			t.Errorf("the router's model is %q", model)
		}
		unknown := asked()
		unknown.Routing.AutoModel = "nobody/knows"
		wantChoice(t, client.Decide(t.Context(), unknown), staticPick, "skipped:unknown_tier")
	})
}

func TestLiveRefusals(t *testing.T) {
	live(t, func(t *testing.T, open func(Options) *Client) {
		client := open(options(t))
		bad := asked()
		bad.Caller = &pb.Caller{UserId: " ", SessionId: new(strings.Repeat("x", 300))}
		_, err := client.Route(t.Context(), bad)
		failed, ok := errors.AsType[*Error](err)
		if !ok || failed.Kind != Invalid || failed.Reason != "INVALID_FIELD" {
			t.Fatalf("got %v", err)
		}
		fields := []string{}
		for _, violation := range failed.Violations {
			fields = append(fields, violation.Field)
		}
		slices.Sort(fields)
		if !slices.Equal(fields, []string{"caller.session_id", "caller.user_id"}) {
			t.Errorf("got %v", fields)
		}
		wantChoice(t, client.Decide(t.Context(), bad), staticPick, "fallback:invalid")

		_, err = client.Resolve(t.Context(), &pb.ResolveRouteRequest{Purpose: "nobody_knows", RunId: "run-1"})
		if failed, ok := errors.AsType[*Error](err); !ok || failed.Reason != "UNKNOWN_PURPOSE" {
			t.Errorf("got %v", err)
		}
	})
}

func TestLiveOtherCalls(t *testing.T) {
	live(t, func(t *testing.T, open func(Options) *Client) {
		client := open(options(t))
		resolved, err := client.Resolve(t.Context(), &pb.ResolveRouteRequest{Purpose: "main_loop", RunId: "run-1"})
		if err != nil || len(resolved.GetAttempts()) == 0 {
			t.Errorf("got %v, %v", resolved, err)
		}
		inForce, err := client.Describe(t.Context())
		if err != nil || !slices.ContainsFunc(inForce.GetTiers(), func(tier *pb.TierDescription) bool {
			return tier.GetName() == "kilo-auto/frontier"
		}) {
			t.Errorf("got %v, %v", inForce, err)
		}
	})
}

func TestLiveMirror(t *testing.T) {
	live(t, func(t *testing.T, open func(Options) *Client) {
		settings := options(t)
		settings.Mirror.Drain = patience
		client := open(settings)
		if !client.Mirror(t.Context(), asked()) {
			t.Error("dropped")
		}
		client.Close()
		if counts := client.Mirrored(); counts.Sent != 1 {
			t.Errorf("got %+v", counts)
		}
	})
}

func TestLiveMany(t *testing.T) {
	live(t, func(t *testing.T, open func(Options) *Client) {
		client := open(options(t))
		bad := asked()
		bad.Caller.UserId = " "
		choices := client.DecideMany(t.Context(), []*pb.RouteDecisionRequest{asked(), bad, asked()})
		wantChoice(t, choices[0], decided, "routed")
		wantChoice(t, choices[1], staticPick, "fallback:invalid")
		wantChoice(t, choices[2], decided, "routed")
		if fields := choices[1].Err.Violations; len(fields) != 1 || fields[0].Field != "caller.user_id" {
			t.Errorf("got %v", fields)
		}
	})
}

func TestLiveStream(t *testing.T) {
	where := os.Getenv("POINTSMAN_ADDRESS")
	if where == "" {
		t.Skip("POINTSMAN_ADDRESS names no service")
	}
	settings := options(t)
	settings.Stream = true
	client, err := NewGRPC(where, settings)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	var calls sync.WaitGroup
	for number := range 50 {
		calls.Go(func() {
			request, model, why := asked(), decided, "routed"
			if number%10 == 0 {
				request.Caller.UserId, model, why = " ", staticPick, "fallback:invalid"
			}
			wantChoice(t, client.Decide(t.Context(), request), model, why)
		})
	}
	calls.Wait()
	if token := settings.Token; token != nil {
		settings.Token = StaticToken("wrong")
		stranger, err := NewGRPC(where, settings)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(stranger.Close)
		wantChoice(t, stranger.Decide(t.Context(), asked()), staticPick, "fallback:denied")
	}
}

func TestLiveWrongToken(t *testing.T) {
	live(t, func(t *testing.T, open func(Options) *Client) {
		if os.Getenv("POINTSMAN_TOKEN") == "" {
			t.Skip("the service needs no token")
		}
		settings := options(t)
		settings.Token = StaticToken("wrong")
		wantChoice(t, open(settings).Decide(t.Context(), asked()), staticPick, "fallback:denied")
	})
}

func TestAPortWithoutAServiceGivesTheStaticPickAtOnce(t *testing.T) {
	overGRPC, err := NewGRPC("127.0.0.1:1", Options{DecideTimeout: patience})
	if err != nil {
		t.Fatal(err)
	}
	overHTTP, err := NewHTTP("http://127.0.0.1:1", Options{DecideTimeout: patience})
	if err != nil {
		t.Fatal(err)
	}
	for _, client := range []*Client{overGRPC, overHTTP} {
		start := time.Now()
		wantChoice(t, client.Decide(t.Context(), asked()), staticPick, "fallback:unavailable")
		if took := time.Since(start); took > 2*time.Second {
			t.Errorf("took %s", took)
		}
		client.Close()
	}
}
