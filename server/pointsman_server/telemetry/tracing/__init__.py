"""Spans: sampling, recording and export over OTLP."""
