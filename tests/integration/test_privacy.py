"""What leaves the process, and what never does."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from collections.abc import AsyncIterator
from typing import Any

import grpc
import httpx
import pytest
from pointsman.v1 import route_decision_pb2 as pb
from support.morph import ScriptedMorph
from support.otlp_sink import OtlpSink, grpc_collector
from support.served import FRONTIER, Peer, Starter, policy_text, request

CANARIES = {
    name: f"canary{number:02d}{name.replace('_', '')}zq"
    for number, name in enumerate(
        (
            "first", "latest", "system", "user", "session", "machine", "client_request", "mode",
            "agent", "organization", "tier", "candidate", "static_pick", "denied", "requested",
            "token", "morph_key",
        )
    )
}  # fmt: skip


@contextlib.asynccontextmanager
async def listening_socket() -> AsyncIterator[tuple[int, list[bytes]]]:
    """A port that notes every connection and every byte."""
    seen: list[bytes] = []

    async def note(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(b"connected")
        seen.append(await reader.read(64))
        writer.close()

    server = await asyncio.start_server(note, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1], seen


@pytest.mark.parametrize("flag", [None, "", "TRUE", "1", "yes", '"true"', "false"])
async def test_with_the_flag_off_not_one_byte_reaches_morph(
    start: Starter, flag: str | None
) -> None:
    async with listening_socket() as (port, seen):
        engines = {"order": ["morph", "local"], "morph": {"url": f"http://127.0.0.1:{port}"}}
        environment = {"MORPH_API_KEY": "key"}
        if flag is not None:
            environment["POINTSMAN_MORPH_ROUTER_ENABLED"] = flag
        peer = await start(policy=policy_text(engines=engines), environment=environment)
        for n in range(5):
            caller = pb.Caller(user_id="user-1", session_id=f"s{n}")
            answer = await peer.decide(request(caller=caller, classify=True))
            assert answer.decision.source == pb.SOURCE_LOCAL
        assert seen == []


@pytest.mark.parametrize(
    "fields",
    [
        {"data_policy": pb.DATA_POLICY_THIRD_PARTY_DENIED},
        {"caller": pb.Caller(organization_id="org-1")},
    ],
)
async def test_a_prompt_that_may_not_leave_does_not(start: Starter, fields: Any) -> None:
    async with listening_socket() as (port, seen):
        engines = {"order": ["morph", "local"], "morph": {"url": f"http://127.0.0.1:{port}"}}
        peer = await start(
            policy=policy_text(engines=engines, organizations="local_only"),
            environment={"MORPH_API_KEY": "key", "POINTSMAN_MORPH_ROUTER_ENABLED": "true"},
        )
        answer = await peer.decide(request(**fields))
        assert answer.decision.source == pb.SOURCE_LOCAL
        assert seen == []


def canary_request(*, known: bool) -> Any:
    """A request whose every text is a canary; with `known` routable, so that it is decided."""
    c = CANARIES
    return pb.RouteDecisionRequest(
        prompt=pb.Prompt(
            user_prompt_prefix=c["first"],
            latest_user_prompt_prefix=c["latest"],
            system_prompt_prefix=c["system"],
        ),
        caller=pb.Caller(
            user_id=c["user"],
            session_id=c["session"],
            machine_id=c["machine"],
            client_request_id=c["client_request"],
            mode=c["mode"],
            user_agent=c["agent"],
            organization_id=c["organization"],
        ),
        routing=pb.RoutingContext(
            auto_model="kilo-auto/frontier" if known else c["tier"],
            candidate_models=[*FRONTIER, c["candidate"]],
            resolved_model=c["static_pick"],
        ),
        constraints=pb.Constraints(denied_models=[c["denied"]]),
        requested_model=c["requested"],
        classify=True,
    )


async def test_no_canary_comes_out_anywhere(
    start: Starter, tmp_path: Any, caplog: Any, capfd: Any
) -> None:
    caplog.set_level(logging.DEBUG, "pointsman_server")
    sink = OtlpSink()
    async with ScriptedMorph(keys=(CANARIES["morph_key"],)) as morph, grpc_collector(sink) as url:
        peer = await start(
            policy=policy_text(
                engines={"order": ["morph", "local"], "morph": {"url": morph.url}},
                organizations="allowed",
                flags={"decision_log_sample_rate": 1},
            ),
            environment={
                "MORPH_API_KEY": CANARIES["morph_key"],
                "POINTSMAN_MORPH_ROUTER_ENABLED": "true",
                "OTEL_EXPORTER_OTLP_ENDPOINT": url,
                "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc",
                "OTEL_METRIC_EXPORT_INTERVAL": "100",
            },
            tokens_file=_tokens(tmp_path),
        )
        await _everything(peer, morph)
        metrics_port = peer.running.metrics_port
        async with httpx.AsyncClient() as client:
            page = (await client.get(f"http://127.0.0.1:{metrics_port}/metrics")).text
        kept = _cache_contents(peer)
        errors = await _error_texts(peer)
        bodies = json.dumps([call.body for call in morph.calls])
        await peer.stop()
        spans, metrics = str(sink.spans), str(sink.metrics)
    lines = peer.log_file.read_text()
    assert "pointsman.outcome" in spans
    assert "pointsman.decisions" in metrics
    assert '"status":"routed"' in lines.replace(" ", "")
    output = capfd.readouterr()
    everywhere = {
        "decision log": lines,
        "service log": caplog.text,
        "stdout": output.out,
        "stderr": output.err,
        "spans": spans,
        "metrics over OTLP": metrics,
        "metrics page": page,
        "cache": kept,
        "errors": errors,
    }
    for place, text in everywhere.items():
        assert not [n for n, canary in CANARIES.items() if canary in text], place
    # The prompt that engines see is the one exception, and only at the engine.
    assert CANARIES["latest"] in bodies
    assert not [n for n, c in CANARIES.items() if n != "latest" and c in bodies]


async def _everything(peer: Peer, morph: ScriptedMorph) -> None:
    """Decided, cached, by the fallback, skipped for its tier; each with a token."""
    metadata = [("authorization", f"Bearer {CANARIES['token']}")]
    steps: list[dict[str, Any] | None] = [
        None,
        {"status": 503},
        {"body": "<html>"},
        {"reset": True},
    ]
    for step in steps:
        morph.script(step)
        message = canary_request(known=True)
        message.caller.session_id += str(step)
        await peer.decide(message, metadata=metadata)
    morph.script()
    for _ in range(2):
        answer = await peer.decide(canary_request(known=True), metadata=metadata)
    assert answer.decision.cached
    answer = await peer.decide(canary_request(known=False), metadata=metadata)
    assert answer.reason == pb.REASON_UNKNOWN_TIER


def _cache_contents(peer: Peer) -> str:
    parts = peer.running.runtime.parts
    assert parts is not None
    cache = parts.cache.cache.backend  # type: ignore[attr-defined]
    assert len(cache)
    return repr(cache._sets)


async def _error_texts(peer: Peer) -> str:
    texts = []
    for metadata, message in (
        ([("authorization", f"Bearer wrong{CANARIES['token']}")], canary_request(known=True)),
        ([("authorization", f"Bearer {CANARIES['token']}")], _too_long()),
    ):
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await peer.decide(message, metadata=metadata)
        trailers = refused.value.trailing_metadata()
        texts.append(f"{refused.value.details()} {list(trailers or ())}")
    return "\n".join(texts)


def _too_long() -> Any:
    message = canary_request(known=True)
    message.caller.session_id = CANARIES["session"] * 40
    message.caller.mode = " "
    message.routing.candidate_models.append(CANARIES["candidate"] * 40)
    return message


def _tokens(folder: Any) -> Any:
    from hashlib import sha256

    path = folder / "tokens"
    path.write_text(f"gateway {sha256(CANARIES['token'].encode()).hexdigest()}\n")
    return path
