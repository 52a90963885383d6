"""From the headers of a request: which API it is for, who asks, in which trace."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from pointsman_client import ApiKind, usable_id

from pointsman_extproc.settings import Settings
from pointsman_extproc.wire.external_processor_pb2 import HttpHeaders

_TRACE = ("traceparent", "tracestate")
_READ = frozenset({":method", ":path", "content-type", "content-encoding", "content-length"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """What the headers say. Ids are `None` where there is none that can be sent."""

    kind: ApiKind
    user_id: str | None = None
    session_id: str | None = None
    organization_id: str | None = None
    client_request_id: str | None = None
    trace: Mapping[str, str] = field(default_factory=dict)
    """W3C trace context, by header."""
    body_bytes: int | None = None
    """The announced length; `None`: not announced."""


def read_head(
    headers: HttpHeaders, *, settings: Settings, metadata: Iterable[tuple[str, str | bytes]] = ()
) -> Head | None:
    """What they say; `None` where no readable request of one of the three APIs follows.

    An Envoy that traces puts its own span into the `metadata` of the stream, below which the
    decision belongs; otherwise it belongs to the trace of the request.
    """
    named = settings.headers
    ids = (named.user, named.session, named.organization, "x-request-id")
    wanted = _READ | {*ids, *_TRACE}
    said = {each.key: _text(each.raw_value, each.value) for each in headers.headers.headers
            if each.key in wanted}  # fmt: skip
    kind = _kind(said.get(":path", ""), paths=settings.paths)
    if kind is None or said.get(":method") != "POST" or headers.end_of_stream or not _is_json(said):
        return None
    length = said.get("content-length", "")
    user, session, organization, request = (usable_id(said.get(name)) for name in ids)
    return Head(
        kind=kind,
        user_id=user,
        session_id=session,
        organization_id=organization,
        client_request_id=request,
        trace=_trace(dict(metadata)) or _trace(said),
        body_bytes=int(length) if length.isdecimal() else None,
    )


def _text(raw: bytes, value: str) -> str:
    return raw.decode("utf-8", "replace") if raw else value


def _trace(said: Mapping[str, object]) -> dict[str, str]:
    return {name: str(said[name]) for name in _TRACE if name in said}


def _kind(path: str, *, paths: Mapping[str, ApiKind]) -> ApiKind | None:
    bare = path.partition("?")[0]
    return next((kind for end, kind in paths.items() if bare.endswith(end)), None)


def _is_json(said: Mapping[str, str]) -> bool:
    """Whether the body can be read as it comes; one that is compressed cannot."""
    if said.get("content-encoding", "identity").strip().lower() != "identity":
        return False
    media = said.get("content-type", "application/json").partition(";")[0].strip().lower()
    return media == "application/json" or media.endswith("+json")
