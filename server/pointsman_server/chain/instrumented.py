"""A span and a measurement for each call of an engine."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from opentelemetry.trace import SpanKind, StatusCode, Tracer

from pointsman_server.core.errors import EngineFailed
from pointsman_server.core.model import EngineAnswer, EngineQuery
from pointsman_server.core.ports import Clock, DecisionEngine

_HTTP_STAGE = "http_"


class EngineMeter(Protocol):
    """Observer of every call; `stage` is `None` for an answer."""

    def __call__(self, engine: str, *, seconds: float, stage: str | None = None) -> None:
        """Record one call."""
        ...


class Instrumented:
    """Wraps an engine's calls in spans; a remote engine's in client spans with HTTP attributes."""

    def __init__(
        self,
        delegate: DecisionEngine,
        *,
        name: str,
        tracer: Tracer,
        meter: EngineMeter,
        clock: Clock,
        http: Mapping[str, str] | None = None,
    ) -> None:
        self._delegate = delegate
        self._name = name
        self._span_name = f"pointsman.engine {name}"
        self._tracer = tracer
        self._meter = meter
        self._clock = clock
        self._http = http
        self._kind = SpanKind.INTERNAL if http is None else SpanKind.CLIENT
        self._attributes = {"pointsman.engine": name, **(http or {})}

    async def decide(self, query: EngineQuery) -> EngineAnswer:
        """Return the delegate's answer."""
        started = self._clock.monotonic()
        stage: str | None = None
        with self._tracer.start_as_current_span(
            self._span_name,
            kind=self._kind,
            attributes=self._attributes,
            record_exception=False,
            set_status_on_exception=False,
        ) as span:
            try:
                answer = await self._delegate.decide(query)
            except EngineFailed as error:
                stage = error.failure.stage
                span.set_attribute("error.type", stage)
                span.set_status(StatusCode.ERROR, stage)
                if stage.startswith(_HTTP_STAGE):
                    code = int(stage.removeprefix(_HTTP_STAGE))
                    span.set_attribute("http.response.status_code", code)
                raise
            else:
                if self._http is not None:
                    span.set_attribute("http.response.status_code", 200)
                span.set_attribute("pointsman.routed_model", answer.model)
                return answer
            finally:
                self._meter(self._name, seconds=self._clock.monotonic() - started, stage=stage)
