package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
)

// secretOptions reads TLS and the token of the service from `POINTSMAN_*`: plaintext and no token by
// default.
func secretOptions() ([]grpc.DialOption, error) {
	options := []grpc.DialOption{grpc.WithTransportCredentials(insecure.NewCredentials())}
	secure := os.Getenv("POINTSMAN_TLS") == "true" || os.Getenv("POINTSMAN_CA_FILE") != ""
	if secure {
		config, err := tlsConfig()
		if err != nil {
			return nil, err
		}
		options[0] = grpc.WithTransportCredentials(credentials.NewTLS(config))
	}
	if file := os.Getenv("POINTSMAN_TOKEN_FILE"); file != "" {
		options = append(options, grpc.WithPerRPCCredentials(tokenFile{path: file, secure: secure}))
	}
	return options, nil
}

// tlsConfig trusts the system's roots or those of a file, and shows a client certificate if there is one.
func tlsConfig() (*tls.Config, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if file := os.Getenv("POINTSMAN_CA_FILE"); file != "" {
		authority, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("POINTSMAN_CA_FILE: %w", err)
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(authority) {
			return nil, errors.New("POINTSMAN_CA_FILE has no certificate")
		}
	}
	if file := os.Getenv("POINTSMAN_CERT_FILE"); file != "" {
		pair, err := tls.LoadX509KeyPair(file, os.Getenv("POINTSMAN_KEY_FILE"))
		if err != nil {
			return nil, fmt.Errorf("POINTSMAN_CERT_FILE, POINTSMAN_KEY_FILE: %w", err)
		}
		config.Certificates = []tls.Certificate{pair}
	}
	return config, nil
}

// tokenFile reads the bearer token before every call, so that a rotated one is used at once.
type tokenFile struct {
	path   string
	secure bool
}

func (f tokenFile) GetRequestMetadata(context.Context, ...string) (map[string]string, error) {
	token, err := os.ReadFile(f.path)
	if err != nil {
		return nil, err
	}
	return map[string]string{"authorization": "Bearer " + strings.TrimSpace(string(token))}, nil
}

func (f tokenFile) RequireTransportSecurity() bool { return f.secure }
