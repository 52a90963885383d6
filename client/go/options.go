package pointsman

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"connectrpc.com/connect"
)

const (
	dialTimeout    = 2 * time.Second
	idleTimeout    = 90 * time.Second
	idlePerService = 64
)

// Options are the settings of a client; the zero value of each is its default.
type Options struct {
	// TLS turns TLS on: roots, client certificates and the server's name. Nil: plaintext for NewGRPC,
	// the system's roots for an https URL of NewHTTP.
	TLS *tls.Config
	// Token is called before every call.
	Token TokenSource
	// Timeout is the deadline of Route, Resolve and Describe. Default: 2 s.
	Timeout time.Duration
	// DecideTimeout is the deadline of Decide, which delays a completion. Default: 500 ms.
	DecideTimeout time.Duration
	// Retries is the number of further attempts while the service is unavailable, within the deadline.
	// Default: 2; negative: none.
	Retries int
	// Stream sends all decisions of Route, Decide and Mirror over one long stream, which is opened again when
	// it breaks: for gateways with hundreds of decisions a second. Only NewGRPC has it. Each decision has the
	// traceparent and tracestate of Headers; the token and other headers are read when a stream is opened.
	Stream bool
	// Mirror bounds the mirrored requests.
	Mirror MirrorLimits
	// Headers returns the headers of a call, for example the W3C trace context that an OpenTelemetry
	// propagator injects.
	Headers func(context.Context) http.Header
	// Interceptors see every call, for example those of otelconnect.
	Interceptors []connect.Interceptor
}

// NewGRPC returns a client over gRPC; address is `host:port`. It connects at the first call.
func NewGRPC(address string, options Options) (*Client, error) {
	if _, _, err := net.SplitHostPort(address); err != nil {
		return nil, fmt.Errorf("pointsman: the address of a gRPC client is host:port: %w", err)
	}
	if err := options.check(); err != nil {
		return nil, err
	}
	transport := newTransport(options.TLS)
	transport.Protocols = new(http.Protocols)
	scheme := "http"
	if options.TLS != nil {
		scheme = "https"
		transport.Protocols.SetHTTP2(true)
	} else {
		transport.Protocols.SetUnencryptedHTTP2(true)
	}
	return newClient(scheme+"://"+address, transport, options, connect.WithGRPC()), nil
}

// NewHTTP returns a client of the HTTP listener over the Connect protocol; base is `http://host:port` or
// `https://host:port`.
func NewHTTP(base string, options Options) (*Client, error) {
	parsed, err := url.Parse(base)
	if err != nil || parsed.Host == "" || (parsed.Scheme != "http" && parsed.Scheme != "https") {
		return nil, fmt.Errorf("pointsman: the base URL must be http://host:port or https://host:port")
	}
	if options.TLS != nil && parsed.Scheme == "http" {
		return nil, fmt.Errorf("pointsman: TLS needs a base URL with https")
	}
	if options.Stream {
		return nil, fmt.Errorf("pointsman: Options.Stream needs gRPC: use NewGRPC")
	}
	if err := options.check(); err != nil {
		return nil, err
	}
	return newClient(strings.TrimSuffix(base, "/"), newTransport(options.TLS), options), nil
}

func (o Options) check() error {
	numbers := map[string]int64{
		"Timeout":        int64(o.Timeout),
		"DecideTimeout":  int64(o.DecideTimeout),
		"Mirror.Waiting": int64(o.Mirror.Waiting),
		"Mirror.Workers": int64(o.Mirror.Workers),
		"Mirror.Timeout": int64(o.Mirror.Timeout),
		"Mirror.Drain":   int64(o.Mirror.Drain),
	}
	for name, number := range numbers {
		if number < 0 {
			return fmt.Errorf("pointsman: Options.%s is negative", name)
		}
	}
	return nil
}

func newTransport(config *tls.Config) *http.Transport {
	return &http.Transport{
		DialContext:         (&net.Dialer{Timeout: dialTimeout}).DialContext,
		TLSClientConfig:     config.Clone(),
		TLSHandshakeTimeout: dialTimeout,
		IdleConnTimeout:     idleTimeout,
		MaxIdleConnsPerHost: idlePerService,
		ForceAttemptHTTP2:   true,
	}
}
