package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"

	"example.com/pointsman"
)

// secrets reads TLS and the token of the service from `POINTSMAN_*`: plaintext and no token by default.
func secrets() (pointsman.Options, error) {
	options := pointsman.Options{}
	if os.Getenv("POINTSMAN_TLS") == "true" || os.Getenv("POINTSMAN_CA_FILE") != "" {
		config, err := tlsConfig()
		if err != nil {
			return options, err
		}
		options.TLS = config
	}
	if file := os.Getenv("POINTSMAN_TOKEN_FILE"); file != "" {
		// The client calls it before every call, so that a rotated token is used at once.
		options.Token = func(context.Context) (string, error) {
			token, err := os.ReadFile(file)
			return string(token), err
		}
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
