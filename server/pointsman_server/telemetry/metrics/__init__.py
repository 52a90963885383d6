"""Metrics: their catalog, the recorder and the exporters."""
