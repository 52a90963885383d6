"""Prometheus metrics of the processor. No label holds anything of a request."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Histogram

_BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)


class Metrics:
    """The metrics of one processor, with a registry."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._requests = Counter(
            "pointsman_ext_proc_requests",
            "Requests that were looked at, by verdict and by whether their model was set.",
            ("why", "model_set"),
            registry=self.registry,
        )
        self._seconds = Histogram(
            "pointsman_ext_proc_seconds",
            "Seconds from a body's arrival to the answer to Envoy.",
            registry=self.registry,
            buckets=_BOUNDS,
        )

    def note(self, why: str, *, model_set: bool = False) -> None:
        """Count one request."""
        self._requests.labels(why=why, model_set=str(model_set).lower()).inc()

    def took(self, seconds: float) -> None:
        """Record how long a body was held."""
        self._seconds.observe(seconds)
