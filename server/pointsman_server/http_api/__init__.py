"""Shared base of the HTTP endpoints: keys, bounds, errors, spans and the server."""
