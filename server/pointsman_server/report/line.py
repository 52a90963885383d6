"""One line of the decision log as a value; `docs/decision-log.md` explains the fields."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2b
from typing import Final

from pointsman_server.core.model import Mode, Verdict
from pointsman_server.report.fields import (
    Unreadable,
    flag,
    moment,
    number,
    optional_flag,
    optional_text,
    text,
)

EVENT: Final = "auto_routing_router_decision"
GROUPS: Final = 1024
"""Lines are put into so many groups by conversation, so that one stays together in few bytes."""
LOWEST_RATE: Final = 1e-9
"""A sampled line that stands for more than a billion decisions is an error."""
_VERDICTS: Final = {
    "routed": Verdict.ROUTED,
    "skipped": Verdict.SKIPPED,
    "router_error": Verdict.FAILED,
    "off": Verdict.OFF,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionLine:
    """The fields of one decision that the report uses, without ids and hashes."""

    time: datetime
    mode: Mode
    policy_version: str
    tier: str
    verdict: Verdict
    reason: str | None
    """The reason for skipping it, or for not serving a routed decision."""
    weight: float
    """The number of decisions that it stands for: 1 / sample rate; 0 for an unsampled line."""
    group: int
    """Alike for all lines of one conversation; 0 to `GROUPS` - 1."""
    session: bool
    """Whether the request said which conversation it is of."""
    shadow: bool
    static_pick: str | None
    served_model: str | None
    routed_model: str | None
    agreement: bool | None
    source: str | None
    kept: bool
    """Without an engine call: the answer, or the conversation's model, was cached."""
    switch_reason: str | None
    failures: tuple[str, ...]
    """`<engine> <stage>` of each engine that failed."""
    router_ms: float
    duration_ms: float
    body_bytes: float

    @property
    def would_serve(self) -> str | None:
        """The model that serving would give: the static pick wherever a decision is held back."""
        chosen = self.verdict is Verdict.ROUTED and self.reason is None
        return self.routed_model if chosen else self.static_pick


def parse(raw: bytes) -> DecisionLine | None:
    """Read one line; `None`: another event's. Raises `Unreadable`."""
    try:
        fields = json.loads(raw)
    except (ValueError, RecursionError):
        # Includes invalid UTF-8.
        raise Unreadable("not JSON") from None
    if not isinstance(fields, dict):
        raise Unreadable("not a JSON object")
    return _decision(fields) if text(fields, "event") == EVENT else None


def _decision(fields: Mapping[str, object]) -> DecisionLine:
    verdict, detail = _status(fields)
    return DecisionLine(
        time=moment(fields, "time"),
        mode=_mode(fields),
        policy_version=text(fields, "policy_version"),
        tier=optional_text(fields, "auto_model") or "(none)",
        verdict=verdict,
        reason=detail if verdict is Verdict.SKIPPED else optional_text(fields, "reason"),
        weight=_weight(fields),
        group=_group(fields),
        session=isinstance(fields.get("session_hash"), str),
        shadow=flag(fields, "shadow"),
        static_pick=optional_text(fields, "resolved_model"),
        served_model=optional_text(fields, "served_model"),
        routed_model=(text if verdict is Verdict.ROUTED else optional_text)(fields, "routed_model"),
        agreement=optional_flag(fields, "agreement"),
        source=(text if verdict is Verdict.ROUTED else optional_text)(fields, "source"),
        kept=flag(fields, "cache_hit") or bool(optional_flag(fields, "sticky")),
        switch_reason=optional_text(fields, "switch_reason"),
        failures=_failures(fields),
        router_ms=number(fields, "router_duration_ms"),
        duration_ms=number(fields, "duration_ms"),
        body_bytes=number(fields, "body_bytes"),
    )


def _status(fields: Mapping[str, object]) -> tuple[Verdict, str]:
    word, _, detail = text(fields, "status").partition(":")
    verdict = _VERDICTS.get(word)
    if verdict is None or (detail == "") != (verdict is Verdict.ROUTED):
        raise Unreadable("status: not one of the decision log")
    return verdict, detail


def _mode(fields: Mapping[str, object]) -> Mode:
    try:
        return Mode(text(fields, "routing_mode"))
    except ValueError:
        raise Unreadable("routing_mode: not off, shadow or serve") from None


def _weight(fields: Mapping[str, object]) -> float:
    rate = number(fields, "sample_rate")
    # A rate of 0 on a sampled line: it was set to 0 during the decision.
    if not flag(fields, "sampled") or rate == 0:
        return 0.0
    if not LOWEST_RATE <= rate <= 1:
        raise Unreadable("sample_rate: not a share")
    return 1 / rate


def _group(fields: Mapping[str, object]) -> int:
    """Of the session where the request had one, else of the user."""
    session, user = fields.get("session_hash"), fields.get("user_hash")
    whose = session if isinstance(session, str) else user if isinstance(user, str) else ""
    # Not a checksum: of ids that follow one another it would spread unevenly.
    digest = blake2b(whose.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "big") % GROUPS


def _failures(fields: Mapping[str, object]) -> tuple[str, ...]:
    failures = fields.get("failures")
    if not isinstance(failures, list) or not all(isinstance(f, dict) for f in failures):
        raise Unreadable("failures: not a list of objects")
    return tuple(f"{text(each, 'engine')} {text(each, 'stage')}" for each in failures)
