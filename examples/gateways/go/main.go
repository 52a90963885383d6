// A gateway that serves OpenAI chat completions and asks Pointsman which model a tier means.
package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"time"

	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"

	pb "example.com/pointsman/gen/pointsman/v1"
)

const (
	bodyLimit      = 32 << 20
	headerPatience = 10 * time.Second
	stopPatience   = 10 * time.Second
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := run(ctx); err != nil {
		slog.Error("the gateway ended", "error", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) (err error) {
	flush, err := startTracing(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, flush(context.WithoutCancel(ctx))) }()
	gateway, err := newGateway()
	if err != nil {
		return err
	}
	defer gateway.router.close()
	server := &http.Server{
		Addr:              "127.0.0.1:" + cmp.Or(os.Getenv("PORT"), "8080"),
		Handler:           gateway.routes(),
		ReadHeaderTimeout: headerPatience,
	}
	stopped := make(chan error, 1)
	context.AfterFunc(ctx, func() {
		patience, cancel := context.WithTimeout(context.Background(), stopPatience)
		defer cancel()
		stopped <- server.Shutdown(patience)
	})
	slog.Info("gateway listening on http://" + server.Addr)
	if err := server.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return <-stopped
}

// gateway chooses a model for each request and forwards it.
type gateway struct {
	router *router
	proxy  *httputil.ReverseProxy
	serve  bool
}

func newGateway() (*gateway, error) {
	mode := cmp.Or(os.Getenv("MODE"), "shadow")
	if mode != "shadow" && mode != "serve" {
		return nil, fmt.Errorf("MODE is %q, not shadow or serve", mode)
	}
	upstream, err := url.Parse(os.Getenv("UPSTREAM_URL"))
	if err != nil || upstream.Host == "" {
		return nil, errors.New("UPSTREAM_URL must be a URL such as https://openrouter.ai/api/v1")
	}
	milliseconds, err := strconv.Atoi(cmp.Or(os.Getenv("POINTSMAN_TIMEOUT_MS"), "250"))
	if err != nil {
		return nil, fmt.Errorf("POINTSMAN_TIMEOUT_MS: %w", err)
	}
	address := cmp.Or(os.Getenv("POINTSMAN_ADDRESS"), "127.0.0.1:50051")
	router, err := newRouter(address, time.Duration(milliseconds)*time.Millisecond)
	if err != nil {
		return nil, err
	}
	proxy := &httputil.ReverseProxy{
		Transport: otelhttp.NewTransport(http.DefaultTransport),
		// The provider gets the request's own headers; ids of users and sessions stay here.
		Rewrite: func(r *httputil.ProxyRequest) {
			r.Out.URL = upstream.JoinPath("chat/completions")
			r.Out.Host = ""
			r.Out.Header = http.Header{}
			for _, name := range []string{"Authorization", "Content-Type", "Accept"} {
				if value := r.In.Header.Get(name); value != "" {
					r.Out.Header.Set(name, value)
				}
			}
		},
	}
	return &gateway{router: router, proxy: proxy, serve: mode == "serve"}, nil
}

func (g *gateway) routes() http.Handler {
	routes := http.NewServeMux()
	completions := http.HandlerFunc(g.chatCompletions)
	routes.Handle("POST /v1/chat/completions", otelhttp.NewHandler(completions, "POST /v1/chat/completions"))
	routes.HandleFunc("GET /health", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintln(w, `{"status":"ok"}`)
	})
	return routes
}

func (g *gateway) chatCompletions(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, bodyLimit))
	if err != nil {
		refuse(w, http.StatusRequestEntityTooLarge, "the body is too large")
		return
	}
	var c chat
	if err := json.Unmarshal(body, &c); err != nil {
		refuse(w, http.StatusBadRequest, "the body is not a chat completion request")
		return
	}
	model, why := c.Model, "concrete"
	if name, isTier := tierName(c.Model); isTier {
		rules, known := tiers[name]
		if !known {
			refuse(w, http.StatusNotFound, "no such tier")
			return
		}
		question := ask(c, name, rules.pick(r.Header.Get("X-Mode")), len(body), r.Header)
		model, why = g.choose(r.Context(), question)
		if body, err = withModel(body, model); err != nil {
			refuse(w, http.StatusBadRequest, "the body is not a JSON object")
			return
		}
	}
	w.Header().Set("X-Gateway-Model", model)
	w.Header().Set("X-Gateway-Why", why)
	r.Body = io.NopCloser(bytes.NewReader(body))
	r.ContentLength = int64(len(body))
	g.proxy.ServeHTTP(w, r)
}

// choose serves the decision, or mirrors the question and serves the static pick.
func (g *gateway) choose(ctx context.Context, question *pb.RouteDecisionRequest) (model, why string) {
	if g.serve {
		return g.router.decide(ctx, question)
	}
	g.router.mirror(ctx, question)
	return question.GetRouting().GetResolvedModel(), "shadow"
}

// refuse answers an error in the shape of OpenAI's.
func refuse(w http.ResponseWriter, code int, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	json.NewEncoder(w).Encode(map[string]any{
		"error": map[string]string{"message": message, "type": "invalid_request_error"},
	})
}
