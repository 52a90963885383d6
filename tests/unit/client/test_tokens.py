"""The bearer token and the trace context: what calls carry besides the message."""

from __future__ import annotations

import asyncio
import importlib
import sys
from pathlib import Path

import pytest
from opentelemetry import baggage
from opentelemetry import trace as otel_trace
from opentelemetry.context import attach, detach
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags
from pointsman_client import (
    DeadlineExceeded,
    Denied,
    Fallback,
    RoutingClient,
    TokenFile,
    in_trace_of,
    trace,
)
from pointsman_client.testing import FakeService, routed
from pointsman_client.tokens import TokenSource


async def _ask(fake: FakeService, token: TokenSource | None) -> str | None:
    fake.answer(routed("vendor/b"))
    async with RoutingClient(fake.target, token=token, timeout=30) as client:
        await client.route("Hi", user_id="u")
    return fake.calls[-1].metadata.get("authorization")


async def _fetch() -> str:
    await asyncio.sleep(0)
    return "fetched"


@pytest.mark.parametrize(
    ("token", "sent"),
    [
        ("secret", "Bearer secret"),
        (" secret\n", "Bearer secret"),
        (lambda: "asked", "Bearer asked"),
        (_fetch, "Bearer fetched"),
        (None, None),
        ("", None),
        (lambda: None, None),
    ],
)
async def test_a_token_is_sent_as_a_bearer(
    fake: FakeService, token: TokenSource | None, sent: str | None
) -> None:
    assert await _ask(fake, token) == sent


async def test_a_token_source_is_asked_before_every_call(fake: FakeService) -> None:
    tokens = iter(["one", "two"])
    fake.always(routed("vendor/b"))
    async with RoutingClient(fake.target, token=lambda: next(tokens), timeout=30) as client:
        await client.route("Hi", user_id="u")
        await client.route("Hi", user_id="u")
    assert [call.metadata["authorization"] for call in fake.calls] == ["Bearer one", "Bearer two"]


def _unreadable() -> str:
    raise OSError("/run/secrets/token")


@pytest.mark.parametrize("token", [_unreadable, lambda: 7, "line\nbreak", "émile"])
async def test_without_a_usable_token_nothing_is_sent(fake: FakeService, token: object) -> None:
    source: TokenSource = token  # type: ignore[assignment]
    async with RoutingClient(fake.target, token=source) as client:
        with pytest.raises(Denied) as caught:
            await client.route("Hi", user_id="u", timeout=30)
        choice = await client.decide("Hi", user_id="u", static_pick="vendor/a", timeout=30)
    assert choice.fallback is Fallback.DENIED
    assert "secrets" not in str(caught.value)
    assert fake.calls == []


async def test_a_token_source_that_hangs_ends_at_the_deadline(fake: FakeService) -> None:
    async def hang() -> str:
        await asyncio.Event().wait()
        raise AssertionError

    async with RoutingClient(fake.target, token=hang) as client:
        with pytest.raises(DeadlineExceeded):
            await client.route("Hi", user_id="u", timeout=0.05)


async def test_a_token_file_is_read_again_when_it_changed(
    fake: FakeService, tmp_path: Path
) -> None:
    path = tmp_path / "token"
    path.write_text("old\n")
    source = TokenFile(path)
    assert await _ask(fake, source) == "Bearer old"
    replacement = tmp_path / "next"
    replacement.write_text("new\n")
    replacement.replace(path)  # as secret stores do it
    assert await _ask(fake, source) == "Bearer new"
    path.unlink()
    with pytest.raises(FileNotFoundError):
        source()


def test_a_token_file_is_read_once_while_it_stays_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "token"
    path.write_text("token")
    source = TokenFile(path)
    assert source() == "token"
    monkeypatch.setattr(Path, "read_text", lambda *_, **__: pytest.fail("read again"))
    assert source() == "token"


# ---------------------------------------------------------------- trace context

SPAN = SpanContext(
    trace_id=0x0AF7651916CD43DD8448EB211C80319C,
    span_id=0xB7AD6B7169203331,
    is_remote=False,
    trace_flags=TraceFlags(1),
)
TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


async def test_the_trace_of_a_requests_headers_travels_with_the_calls_inside(
    fake: FakeService,
) -> None:
    fake.always(routed("vendor/a"))
    async with RoutingClient(fake.target, decide_timeout=30) as client:
        with in_trace_of({"traceparent": TRACEPARENT, "tracestate": "vendor=1"}):
            await client.decide("Hi", user_id="u", tier="t")
        await client.decide("Hi", user_id="u", tier="t")
    inside, outside = fake.calls
    assert inside.metadata["traceparent"] == TRACEPARENT
    assert inside.metadata["tracestate"] == "vendor=1"
    assert "traceparent" not in outside.metadata


async def test_the_current_span_travels_as_traceparent(fake: FakeService) -> None:
    with otel_trace.use_span(NonRecordingSpan(SPAN)):
        await _ask(fake, None)
    assert fake.calls[0].metadata["traceparent"] == TRACEPARENT


async def test_baggage_stays_at_home(fake: FakeService) -> None:
    restore = attach(baggage.set_baggage("customer", "name"))
    try:
        await _ask(fake, None)
    finally:
        detach(restore)
    assert not {"baggage", "traceparent"} & set(fake.calls[0].metadata)


def test_without_opentelemetry_there_is_no_trace_context(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [each for each in sys.modules if each.partition(".")[0] == "opentelemetry"]:
        monkeypatch.setitem(sys.modules, name, None)
    try:
        bare = importlib.reload(trace)
        with bare.in_trace_of({"traceparent": TRACEPARENT}):
            assert bare.trace_metadata() == ()
    finally:
        monkeypatch.undo()
        importlib.reload(trace)
