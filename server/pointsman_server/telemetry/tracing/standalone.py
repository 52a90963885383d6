"""Spans alone, for a program that keeps neither metrics nor a decision log."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager

from opentelemetry.trace import Tracer

from pointsman_server.telemetry.config import read_environment
from pointsman_server.telemetry.service_log.library_log import SdkLog
from pointsman_server.telemetry.telemetry import CLOSING
from pointsman_server.telemetry.tracing.head_tracer import HeadTracer
from pointsman_server.telemetry.tracing.provider import Spans, build_resource


@asynccontextmanager
async def tracing(
    environment: Mapping[str, str],
    *,
    service: str,
    dice: Callable[[], float] = random.random,
    bound: float = CLOSING,
) -> AsyncIterator[Tracer]:
    """A tracer from the `OTEL_*` variables; leaving flushes spans, for `bound` seconds.

    `service` is the program's name unless the variables give one.
    """
    rules, log = read_environment(environment, service=service), SdkLog()
    rules.warn()
    log.install()
    spans = Spans(rules, resource=build_resource(rules))
    try:
        yield HeadTracer(spans.tracer, sampler=rules.sampler, random=dice)
    finally:
        await spans.aclose(bound=bound)
        log.remove()
