"""What spans, metrics, logs and errors say of `ResolveRoute`, and that no secret is among it."""

from __future__ import annotations

import json
from typing import Any

import grpc
import httpx
import pytest
import yaml
from google.protobuf.json_format import MessageToDict
from pointsman.v1 import describe_routing_pb2
from support.otlp_sink import OtlpSink, grpc_collector
from support.purposes import LLM, ask, policy, resolve, tiered, until
from support.served import Starter


async def test_a_resolution_is_on_a_span_in_the_metrics_and_in_the_log(start: Starter) -> None:
    sink = OtlpSink()
    async with grpc_collector(sink) as url:
        peer = await start(
            policy=policy(),
            environment={
                "OTEL_EXPORTER_OTLP_ENDPOINT": url,
                "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc",
            },
        )
        await resolve(peer, ask("plan_create", "the-run"))
        await resolve(peer, tiered("the-run"))
        async with httpx.AsyncClient() as client:
            page = (await client.get(f"http://127.0.0.1:{peer.running.metrics_port}/metrics")).text
        await peer.stop()
        spans = str(sink.spans)
    lines = [json.loads(line) for line in peer.log_file.read_text().splitlines()]
    first, second = [line for line in lines if line["event"] == "llm_route_resolved"]

    assert (first["purpose"], first["profile"], first["attempts"]) == (
        "plan_create",
        "reasoning",
        1,
    )
    assert (second["purpose"], second["tier"]) == ("review", "kilo-auto/frontier")
    assert second["decision_id"] in {line.get("decision_id") for line in lines if line != second}
    assert first["run_hash"] == second["run_hash"]
    assert "RoutingService/ResolveRoute" in spans
    assert "pointsman.purpose" in spans
    counted = [
        line for line in page.splitlines() if line.startswith("pointsman_resolutions_total{")
    ]
    assert any('purpose="plan_create"' in line for line in counted)
    assert any('purpose="review"' in line for line in counted)
    assert "pointsman_resolution_duration" in page
    assert "the-run" not in spans + page + peer.log_file.read_text()


CANARIES = {
    name: f"canary{number:02d}{name.lower().replace('_', '')}zq"
    for number, name in enumerate(
        ("OPENAI_API_KEY", "CLAUDE_API_KEY", "GATEWAY_TOKEN", "AWS_SECRET", "RUN", "PURPOSE",
         "PROFILE", "LITERAL")
    )
}  # fmt: skip


async def test_no_secret_comes_out_anywhere(start: Starter, caplog: Any, capfd: Any) -> None:
    """The variables hold secrets, here; and no answer, log, span, metric or error has one."""
    caplog.set_level("DEBUG")
    secrets = {k: v for k, v in CANARIES.items() if k not in {"RUN", "PURPOSE", "PROFILE"}}
    llm = {
        **LLM,
        "headers": {"Authorization": "Bearer ${GATEWAY_TOKEN}"},
        "bedrock": {"aws_secret": "${AWS_SECRET}"},
    }
    sink = OtlpSink()
    async with grpc_collector(sink) as url:
        peer = await start(
            policy=policy(llm=llm),
            environment={
                **secrets,
                "OTEL_EXPORTER_OTLP_ENDPOINT": url,
                "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc",
                "OTEL_METRIC_EXPORT_INTERVAL": "100",
            },
            reload_interval=0.02,
        )
        answers, errors = [], []
        for purpose in ("plan_create", "addressing", "main_loop", "heartbeat"):
            await resolve(peer, ask(purpose, CANARIES["RUN"]))
            full = await resolve(peer, ask(purpose))
            answers.append(str(full) + str(MessageToDict(full)))
        answers.append(str(await peer.stub.DescribeRouting(
            describe_routing_pb2.DescribeRoutingRequest()
        )))  # fmt: skip
        for bad in (
            ask(CANARIES["PURPOSE"]),
            ask("main_loop", profile_override=CANARIES["PROFILE"]),
            ask("x" * 300, CANARIES["RUN"]),
        ):
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await resolve(peer, bad)
            errors.append(f"{refused.value.details()} {refused.value.trailing_metadata()}")
        path = peer.running.config.path
        assert path is not None
        document = yaml.safe_load(path.read_text())
        document["llm"]["api_key"] = CANARIES["LITERAL"]
        document["llm"]["model"] = "${CLAUDE_API_KEY}"
        path.write_text(yaml.safe_dump(document))
        await until(lambda: peer.running.watcher.state.last_problems)
        problems = str(peer.running.watcher.state.last_problems)
        answers.append(str(await peer.stub.DescribeRouting(
            describe_routing_pb2.DescribeRoutingRequest()
        )))  # fmt: skip
        async with httpx.AsyncClient() as client:
            page = (await client.get(f"http://127.0.0.1:{peer.running.metrics_port}/metrics")).text
        await peer.stop()
        spans, metrics = str(sink.spans), str(sink.metrics)
    output = capfd.readouterr()
    everywhere = {
        "answers": "\n".join(answers),
        "errors": "\n".join(errors),
        "problems": problems,
        "log": peer.log_file.read_text(),
        "service log": caplog.text,
        "stdout": output.out,
        "stderr": output.err,
        "spans": spans,
        "metrics": metrics + page,
    }
    assert "env:CLAUDE_API_KEY" in everywhere["answers"]
    assert "Bearer ${GATEWAY_TOKEN}" in everywhere["answers"]
    assert "llm.api_key" in problems
    assert "llm_route_resolved" in everywhere["log"]
    assert "pointsman.purpose" in spans
    for place, text in everywhere.items():
        assert not [name for name, canary in CANARIES.items() if canary in text], place
