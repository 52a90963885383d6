"""The verdict on a request, and its reason."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from pointsman_extproc.answers import Refusal
from pointsman_extproc.body import Pieces


class Passed(StrEnum):
    """Reasons for a verdict, besides those of the client's `Choice.why`."""

    CONCRETE = "concrete"
    """It asks for a model, not for a tier."""
    UNREADABLE = "unreadable"
    """Its body is no JSON object with one model, or has not the shape of its API."""
    UNKNOWN_API = "unknown_api"
    SLOW = "slow"
    """Its body could not be read in time."""
    TOO_LARGE = "too_large"
    ENCODED = "encoded"
    """Its body has an encoding that is not read."""
    BUSY = "busy"
    """There are so many bodies in the processor that this one would be too much."""
    SIDE = "side"
    """Token counting or compaction: it gets the model of its conversation."""
    MIRRORED = "mirrored"
    """Shadow: the service is called in the background."""
    DROPPED = "dropped"
    """Shadow: too many calls wait already."""
    FAULT = "fault"
    """A bug in the processor; its log has the kind."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The verdict on a request. Without a `model` and a `refusal` it passes unchanged."""

    why: str
    model: str = ""
    body: Pieces | None = None
    path: str | None = None
    decoded: bool = False
    """`body` has no content encoding any more."""
    refusal: Refusal | None = None


def refusal_for(why: str) -> Refusal:
    """Return the answer to a client whose request cannot be served."""
    if why == Passed.TOO_LARGE:
        return Refusal(
            status=413,
            text="request body too large to find its model: put `model` first, or raise "
            "--max-body-bytes",
            headers={},
        )
    if why == Passed.ENCODED:
        return Refusal(
            status=415,
            text="content encoding not supported: send gzip, deflate or identity",
            headers={"accept-encoding": "gzip, deflate, identity"},
        )
    if why in (Passed.UNREADABLE, Passed.SLOW):
        return Refusal(status=400, text="request body cannot be read: send one JSON object "
                       "with one `model`", headers={})  # fmt: skip
    if why == Passed.BUSY:
        return Refusal(
            status=503,
            text="too many request bodies at once: try again",
            headers={"retry-after": "1"},
        )
    return Refusal(
        status=503,
        text="no model for this tier: no decision, and no static pick is configured",
        headers={"retry-after": "1"},
    )
