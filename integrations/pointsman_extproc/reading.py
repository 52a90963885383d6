"""From the bytes of a body to the facts that a decision takes. Pure, for any process."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from pointsman_client import (
    BodySession,
    BodyUser,
    Identity,
    IdentitySources,
    NormalisedPrompt,
    UnusableBody,
    identify,
    read_generate_content,
)
from pointsman_client import read_body as normalised

from pointsman_extproc.body import Body, Pieces, read_body
from pointsman_extproc.paths import Target


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """The facts in a body. `model` is the request's; its value stands at `start` to `end`.

    Only the body of a request for a tier is read further: `prompt` and `identity` are those of
    other bodies too, but empty.
    """

    model: str
    start: int = 0
    end: int = 0
    in_body: bool = True
    """The body names the model; otherwise the path does."""
    prompt: NormalisedPrompt | None = None
    """`None` if the body lacks the shape of its API."""
    identity: Identity = field(default_factory=Identity)

    def with_model(self, raw: Body, model: str) -> Pieces:
        """Return the same body with another model."""
        if not self.in_body:
            return (raw,)
        view = memoryview(raw)
        return view[: self.start], json.dumps(model).encode(), view[self.end :]


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """Instructions for reading one body."""

    target: Target
    tiers: Collection[str]
    users: tuple[BodyUser, ...] = tuple(BodyUser)
    sessions: tuple[BodySession, ...] = tuple(BodySession)


def read(raw: bytes, question: Question) -> Reading | None:
    """Read a body; `None` for one that is not a JSON object with exactly one model."""
    named = question.target.path_model
    body = read_body(raw)
    if body is None:
        return _without_model(raw, question) if named else None
    in_body = named is None or is_tier(body.model, question.tiers)
    start, end = body.span()
    reading = Reading(
        model=body.model if named is None or in_body else named.model,
        start=start,
        end=end,
        in_body=in_body,
    )
    return _with_facts(reading, body.document, question)


def is_tier(model: str, tiers: Collection[str]) -> bool:
    """Whether a model's name is that of a tier, in any case and with any blanks around it."""
    return model.strip().lower() in tiers


def _without_model(raw: bytes, question: Question) -> Reading | None:
    named = question.target.path_model
    try:
        document = json.loads(raw)
    except (ValueError, RecursionError):
        return None
    if named is None or not isinstance(document, dict) or "model" in document:
        return None
    return _with_facts(Reading(model=named.model, in_body=False), document, question)


def _with_facts(reading: Reading, document: Mapping[str, object], question: Question) -> Reading:
    if not is_tier(reading.model, question.tiers):
        return reading
    sources = IdentitySources(body_users=question.users, body_sessions=question.sessions)
    return Reading(
        model=reading.model,
        start=reading.start,
        end=reading.end,
        in_body=reading.in_body,
        prompt=_prompt(document, model=reading.model, target=question.target),
        identity=identify(document, sources=sources),
    )


def _prompt(
    document: Mapping[str, object], *, model: str, target: Target
) -> NormalisedPrompt | None:
    try:
        if target.gemini:
            return read_generate_content(document, model=model, stream=target.stream)
        if target.kind.value == "unspecified":
            return None
        named = document if "model" in document else {**document, "model": model}
        return normalised(named, target.kind)
    except UnusableBody:
        return None
