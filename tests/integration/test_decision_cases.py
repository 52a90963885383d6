"""The decision cases, by each way of asking, over a real socket, against a scripted Morph endpoint.

`tests/data/README.md` says what each key of a case means.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import grpc
import pytest
import yaml
from google.protobuf import json_format
from google.rpc import error_details_pb2
from pointsman.v1 import route_decision_pb2 as pb
from pointsman_server.bootstrap.system import SystemResources
from pointsman_server.core.decision_record import effective_rate
from pointsman_server.core.errors import SourceUnreadable
from pointsman_server.core.model import Classification, Head
from pointsman_server.transport.decode import to_request
from pointsman_server.transport.fast_path.answer_codec import TEMPLATE_KEY_BYTES
from support.details import detail
from support.morph import ScriptedMorph
from support.served import HandClock, Peer, Starter
from support.ways import WAYS, Ask

DATA = Path(__file__).parents[1] / "data"
SUITE = json.loads((DATA / "decision_cases.json").read_text())
BASE = SUITE["base"]


EACH_WAY = [
    pytest.param(case, way, id=f"{case['name']}-{way}")
    for number, case in enumerate(SUITE["cases"])
    # Streams and batches share what is behind them with calls: each takes every other case.
    for way in ("unary", ("stream", "batch")[number % 2])
]


@pytest.mark.parametrize(("case", "way"), EACH_WAY)
async def test_case(case: dict[str, Any], way: str, start: Starter, tmp_path: Path) -> None:
    keys = tuple({step.get("key", "key-1") for step in case["steps"]} | {"key-1"})
    async with ScriptedMorph(keys=keys) as morph:
        runner = Runner(case, morph, tmp_path, ask=WAYS[way])
        await runner.open(start)
        for step in case["steps"]:
            await runner.run(step)


@pytest.mark.parametrize("row", [r for r in SUITE["sample_rates"] if "raw" in r])
def test_sample_rate(row: dict[str, Any]) -> None:
    assert effective_rate(row["raw"]) == row["rate"]


class Scripted:
    """Switches, dice and a classifier, as the step at hand wants them."""

    def __init__(self) -> None:
        self.step: dict[str, Any] = {}

    async def read(self, name: str) -> str | None:
        if name == "decision_log_sample_rate":
            return str(self.step.get("sample_rate", "1"))
        switches = self.step.get("switches", BASE["switches"])
        value = switches[name]
        if isinstance(value, dict):
            raise SourceUnreadable("scripted")
        return None if value is None else str(value)

    def random(self) -> float:
        return float(self.step.get("random", 0.0))

    async def classify(self, _prompt: str) -> Classification:
        how = self.step.get("classifier", "answers")
        if how == "fails":
            raise RuntimeError("scripted")
        if how == "never":
            await asyncio.Event().wait()
        head = Head(label="easy", confidence=0.9, meets_threshold=True)
        return Classification(difficulty=head)


class Runner:
    """One case: its server, its endpoint, its steps."""

    def __init__(
        self, case: dict[str, Any], morph: ScriptedMorph, folder: Path, *, ask: Ask
    ) -> None:
        self.case = case
        self.ask = ask
        self.morph = morph
        self.folder = folder
        self.key_file = folder / "morph-key"
        self.clock = HandClock()
        self.scripted = Scripted()

    async def open(self, start: Starter) -> None:
        policy = yaml.safe_load((DATA / "cases_policy.yaml").read_text())
        policy |= self.case.get("policy_changes", {})
        policy["engines"]["morph"] |= {"url": self._url(), "key_file": str(self.key_file)}
        self.key_file.write_text("key-1")
        token = self.case.get("server_token")
        self.peer: Peer = await start(
            policy=yaml.safe_dump(policy),
            ambient=SystemResources(clock=self.clock, random=self.scripted.random, environment={}),
            tokens_file=self._tokens(token) if token else None,
        )
        parts = self.peer.running.runtime.parts
        assert parts is not None
        parts.switches.source = self.scripted
        parts.decider.classification.local = self.scripted  # type: ignore[attr-defined]
        self.parts = parts

    async def run(self, step: dict[str, Any]) -> None:
        self.scripted.step = step
        self.clock.advance(step.get("advance_seconds", 0))
        self._write_key(step.get("key", "key-1"))
        message = self._message(step)
        undo = await self._prepare_cache(step, message)
        self._script_morph(step.get("morph", BASE["morph"]))
        self.morph.forget()
        expect = step["expect"]
        answer = error = None
        try:
            answer = await self._call(step, message)
        except grpc.aio.AioRpcError as refused:
            error = refused
        undo()
        status = "OK" if error is None else error.code().name
        assert status == expect["status"], error
        if "bad_fields" in expect:
            violations = detail(error, error_details_pb2.BadRequest).field_violations
            assert sorted(v.field for v in violations) == sorted(expect["bad_fields"])
        if answer is not None:
            compare_answer(answer, expect)
        self._compare_morph(expect)
        if "log" in expect:
            await self._compare_log(expect["log"], answer.decision_id if answer else "")

    # ------------------------------------------------------------ before the call

    def _url(self) -> str:
        faults = {s.get("morph", {}).get("fault") for s in self.case["steps"]}
        if "dns" in faults:
            return "http://no-such-host.invalid"
        if "connect" in faults:
            return "http://127.0.0.1:9"
        return self.morph.url

    def _tokens(self, token: str) -> Path:
        path = self.folder / "tokens"
        path.write_text(f"gateway {hashlib.sha256(token.encode()).hexdigest()}\n")
        return path

    def _write_key(self, key: str) -> None:
        if key == "unreadable":
            self.key_file.unlink(missing_ok=True)
        elif not self.key_file.exists() or self.key_file.read_text() != key:
            self.key_file.unlink(missing_ok=True)
            self.key_file.write_text(key)

    def _message(self, step: dict[str, Any]) -> pb.RouteDecisionRequest:
        patched = merge_patch(BASE["request"], step.get("request", {}))
        return json_format.ParseDict(patched, pb.RouteDecisionRequest())

    async def _prepare_cache(
        self, step: dict[str, Any], message: pb.RouteDecisionRequest
    ) -> Callable[[], None]:
        cache = step.get("cache", {})
        backend = self.parts.cache.cache.backend  # type: ignore[attr-defined]
        if "entry" in cache or "entry_text" in cache:
            prepared = await self.parts.decider.prepare(to_request(message))
            entry = cache.get("entry")
            value = kept_entry(entry) if entry else cache["entry_text"].encode()
            await backend.set(prepared.key, value, ttl=1800)
        broken = [
            name
            for fault, names in (("read_fault", ("get",)), ("write_fault", ("add", "set")))
            if cache.get(fault)
            for name in names
        ]

        async def fail(*_: Any, **__: Any) -> Any:
            raise OSError("scripted")

        for name in broken:
            setattr(backend, name, fail)
        return lambda: [delattr(backend, name) for name in broken] and None

    def _script_morph(self, morph: dict[str, Any]) -> None:
        faults: dict[str, dict[str, Any]] = {
            "timeout": {"delay_ms": 60_000},
            "timeout_during_body": {"stall_body": True},
            "broken_body": {"broken_body": True},
            "reset": {"reset": True},
            "connect": {},
            "dns": {},
        }
        step = dict(faults[morph["fault"]]) if "fault" in morph else {}
        if "answer" in morph:
            step["json"] = morph["answer"]
        if "raw" in morph:
            step["body"] = morph["raw"]
        if morph.get("redirect"):
            step["redirect"] = self.morph.url + "/v1/router/multimodel"
        for name in ("status", "delay_ms", "slow_body_ms_per_byte", "huge_body_bytes"):
            if name in morph:
                step[name] = morph[name]
        self.morph.script(step or None)

    async def _call(self, step: dict[str, Any], message: pb.RouteDecisionRequest) -> Any:
        metadata = [("authorization", step["authorization"])] if step.get("authorization") else None
        wire = message.SerializeToString() + bytes.fromhex(step.get("append_wire_hex", ""))
        return await self.ask(self.peer.channel, wire, timeout=30, metadata=metadata)

    # ------------------------------------------------------------ after the call

    def _compare_morph(self, expect: dict[str, Any]) -> None:
        calls = self.morph.calls
        reachable = self._url() == self.morph.url
        assert len(calls) == (expect["morph_calls"] if reachable else 0)
        if "morph_body" in expect:
            assert calls[0].body == expect["morph_body"]
        if "morph_key" in expect:
            digest = hashlib.sha256(expect["morph_key"].encode()).hexdigest()
            assert digest.startswith(calls[0].key_fingerprint or "-")
        for text in expect.get("morph_must_not_contain", ()):
            assert all(text not in f"{c.headers} {c.body}" for c in calls)

    async def _compare_log(self, expect: dict[str, Any], decision_id: str) -> None:
        writer = self.peer.running.telemetry.parts.decision_log.writer
        while writer._queue:  # noqa: ASYNC110  (another thread empties it)
            await asyncio.sleep(0.005)
        await asyncio.sleep(0.02)
        text = self.peer.log_file.read_text() if self.peer.log_file.exists() else ""
        lines = [t for t in text.splitlines() if json.loads(t)["decision_id"] == decision_id]
        assert len(lines) == int(expect["line"])
        if not lines:
            return
        [line] = lines
        record = json.loads(line)
        for name in ("status", "level", "sampled"):
            if name in expect:
                assert record[name] == expect[name]
        assert set(expect.get("fields", ())) <= record.keys()
        for name, value in expect.get("values", {}).items():
            assert record[name] == value, name
        for text in expect.get("must_not_contain", ()):
            assert text not in line


def compare_answer(answer: pb.RouteDecisionResponse, expect: dict[str, Any]) -> None:
    assert pb.Outcome.Name(answer.outcome) == f"OUTCOME_{expect['outcome']}"
    assert pb.Reason.Name(answer.reason) == f"REASON_{expect['reason'] or 'UNSPECIFIED'}"
    if "serve_model" in expect:
        assert answer.serve_model == (expect["serve_model"] or "")
    if "shadow" in expect:
        assert answer.shadow == expect["shadow"]
    failures = [{"engine": f.engine, "stage": f.stage} for f in answer.failures]
    assert failures == expect["failures"]
    assert answer.HasField("decision") == (expect["decision"] is not None)
    if expect["decision"] is not None:
        compare_decision(answer.decision, expect["decision"])
    if "dropped" in expect:
        assert dropped(answer.dropped) == in_order(expect["dropped"])
    if "classification" in expect:
        assert answer.HasField("classification") == expect["classification"]


def compare_decision(decision: pb.Decision, expect: dict[str, Any]) -> None:
    for name, value in expect.items():
        if name == "dropped":
            assert dropped(decision.dropped) == in_order(value)
        elif name in {"source", "conversation_source", "switch_reason"}:
            field = decision.DESCRIPTOR.fields_by_name[name]
            short = field.enum_type.values_by_number[getattr(decision, name)].name
            assert short.endswith(f"_{value or 'UNSPECIFIED'}"), name
        elif value is None:
            assert not decision.HasField(name), name
        elif isinstance(value, list):
            assert list(getattr(decision, name)) == value, name
        else:
            assert getattr(decision, name) == value, name


def dropped(messages: Any) -> list[tuple[str, str]]:
    return sorted((d.model, pb.DropReason.Name(d.reason)) for d in messages)


def in_order(expected: list[dict[str, str]]) -> list[tuple[str, str]]:
    return sorted((d["model"], f"DROP_REASON_{d['reason']}") for d in expected)


def merge_patch(target: Any, patch: Any) -> Any:
    """RFC 7396."""
    if not isinstance(patch, dict):
        return patch
    result = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = merge_patch(result.get(name), value)
    return result


def kept_entry(entry: dict[str, Any]) -> bytes:
    """A cache entry with these values, as `transport.kept` writes them."""
    sources = {"morph": pb.SOURCE_MORPH, "local": pb.SOURCE_LOCAL}
    values = {k: v for k, v in entry.items() if k != "source" and v is not None}
    kept = pb.Decision(source=sources.get(entry["source"], 99), **values)
    return bytes(TEMPLATE_KEY_BYTES) + kept.SerializeToString()
