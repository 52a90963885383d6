"""The server of a decision case: what it asks, and everything behind it as a step wants it."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from google.protobuf import json_format
from pointsman.v1 import route_decision_pb2 as pb
from pointsman_server.bootstrap.system import SystemResources
from pointsman_server.core.errors import SourceUnreadable
from pointsman_server.core.model import Classification, Head
from pointsman_server.transport.decode import to_request
from pointsman_server.transport.fast_path.answer_codec import TEMPLATE_KEY_BYTES

from support.conformance.comparison import Found, differences, merge_patch
from support.morph import ScriptedMorph
from support.served import HandClock, Peer, Starter

DATA = Path(__file__).parents[2] / "data"
SUITE: dict[str, Any] = json.loads((DATA / "decision_cases.json").read_text())
BASE = SUITE["base"]
FAULTS: dict[str, dict[str, Any]] = {
    "timeout": {"delay_ms": 60_000},
    "timeout_during_body": {"stall_body": True},
    "broken_body": {"broken_body": True},
    "reset": {"reset": True},
    "connect": {},
    "dns": {},
}
_MORPH_KEYS = ("status", "delay_ms", "slow_body_ms_per_byte", "huge_body_bytes")


@dataclass(frozen=True, slots=True, kw_only=True)
class Armed:
    """A request to be sent now."""

    wire: bytes
    """The message, with fields that the contract does not have where a step wants them."""
    authorization: str | None = None


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


class DecisionServer:
    """One case: its server, its endpoint, its steps."""

    def __init__(self, case: dict[str, Any], morph: ScriptedMorph, folder: Path) -> None:
        self.case = case
        self.morph = morph
        self.folder = folder
        self.key_file = folder / "morph-key"
        self.clock = HandClock()
        self.scripted = Scripted()
        self._undo: Callable[[], None] = lambda: None

    async def open(self, start: Starter) -> Peer:
        """Start the server."""
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
        return self.peer

    async def arm(self, step: dict[str, Any]) -> Armed:
        """Prepare everything behind the server for a step; the request to send now."""
        self.scripted.step = step
        self.clock.advance(step.get("advance_seconds", 0))
        self._write_key(step.get("key", "key-1"))
        patched = merge_patch(BASE["request"], step.get("request", {}))
        message = json_format.ParseDict(patched, pb.RouteDecisionRequest())
        self._undo = await self._prepare_cache(step, message)
        self.morph.script(self._morph_step(step.get("morph", BASE["morph"])) or None)
        self.morph.forget()
        wire = message.SerializeToString() + bytes.fromhex(step.get("append_wire_hex", ""))
        return Armed(wire=wire, authorization=step.get("authorization"))

    async def check(self, step: dict[str, Any], found: Found) -> list[str]:
        """The differences between the results of a step and the expected ones."""
        self._undo()
        expect = step["expect"]
        wrong = [*differences(found, expect), *self._morph_differences(expect)]
        if "log" in expect:
            decision_id = found.answer.decision_id if found.answer else ""
            wrong += await self._log_differences(expect["log"], decision_id)
        return wrong

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

    async def _prepare_cache(
        self, step: dict[str, Any], message: pb.RouteDecisionRequest
    ) -> Callable[[], None]:
        cache = step.get("cache", {})
        backend = self.parts.cache.cache.backend  # type: ignore[attr-defined]
        if "entry" in cache or "entry_text" in cache:
            prepared = await self.parts.decider.prepare(to_request(message))
            entry = cache.get("entry")
            value = cache_entry(entry) if entry else cache["entry_text"].encode()
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

    def _morph_step(self, morph: dict[str, Any]) -> dict[str, Any]:
        step = dict(FAULTS[morph["fault"]]) if "fault" in morph else {}
        if "answer" in morph:
            step["json"] = morph["answer"]
        if "raw" in morph:
            step["body"] = morph["raw"]
        if morph.get("redirect"):
            step["redirect"] = self.morph.url + "/v1/router/multimodel"
        return step | {name: morph[name] for name in _MORPH_KEYS if name in morph}

    # ------------------------------------------------------------ after the call

    def _morph_differences(self, expect: dict[str, Any]) -> Iterator[str]:
        calls = self.morph.calls
        wanted = expect["morph_calls"] if self._url() == self.morph.url else 0
        if len(calls) != wanted:
            yield f"morph_calls: {len(calls)} instead of {wanted}"
            return
        if "morph_body" in expect and calls[0].body != expect["morph_body"]:
            yield f"morph_body: {calls[0].body} instead of {expect['morph_body']}"
        if "morph_key" in expect:
            digest = hashlib.sha256(expect["morph_key"].encode()).hexdigest()
            if not digest.startswith(calls[0].key_fingerprint or "-"):
                yield f"morph_key: not {expect['morph_key']}"
        for text in expect.get("morph_must_not_contain", ()):
            if any(text in f"{call.headers} {call.body}" for call in calls):
                yield f"morph_must_not_contain: {text!r} arrived"

    async def _log_differences(self, expect: dict[str, Any], decision_id: str) -> list[str]:
        writer = self.peer.running.telemetry.parts.decision_log.writer
        while writer._queue:  # noqa: ASYNC110  (another thread empties it)
            await asyncio.sleep(0.005)
        await asyncio.sleep(0.02)
        text = self.peer.log_file.read_text() if self.peer.log_file.exists() else ""
        lines = [t for t in text.splitlines() if json.loads(t)["decision_id"] == decision_id]
        if len(lines) != int(expect["line"]):
            return [f"log: {len(lines)} lines instead of {int(expect['line'])}"]
        return list(_line_differences(lines[0], expect)) if lines else []


def _line_differences(line: str, expect: dict[str, Any]) -> Iterator[str]:
    record = json.loads(line)
    named = {name: expect[name] for name in ("status", "level", "sampled") if name in expect}
    for name, value in (named | expect.get("values", {})).items():
        if record.get(name) != value:
            yield f"log: {name}: {record.get(name)!r} instead of {value!r}"
    if missing := set(expect.get("fields", ())) - record.keys():
        yield f"log: without {sorted(missing)}"
    for text in expect.get("must_not_contain", ()):
        if text in line:
            yield f"log: must_not_contain: {text!r}"


def cache_entry(entry: dict[str, Any]) -> bytes:
    """A cache entry with these values, as the fast path's codec writes them."""
    sources = {"morph": pb.SOURCE_MORPH, "local": pb.SOURCE_LOCAL}
    values = {k: v for k, v in entry.items() if k != "source" and v is not None}
    kept = pb.Decision(source=sources.get(entry["source"], 99), **values)
    return bytes(TEMPLATE_KEY_BYTES) + kept.SerializeToString()
