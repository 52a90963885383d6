"""The headers of a request: its API, its caller and its trace."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from pointsman_client import Identity, identify, usable_id

from pointsman_extproc.encodings import Encoding, encoding_named
from pointsman_extproc.paths import Purpose, Target, read_path
from pointsman_extproc.settings import Settings
from pointsman_extproc.wire.external_processor_pb2 import HttpHeaders

_TRACE = ("traceparent", "tracestate")
_READ = frozenset({":method", ":path", "content-type", "content-encoding", "content-length"})
_REQUEST_ID = "x-request-id"
_DIGITS = 18
_NO_JSON = ("multipart/", "application/octet-stream", "audio/", "image/", "video/")


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """The facts in the headers. Ids are `None` if there is none that can be sent."""

    target: Target
    identity: Identity = field(default_factory=Identity)
    client_request_id: str | None = None
    trace: Mapping[str, str] = field(default_factory=dict)
    """W3C trace context, by header."""
    body_bytes: int | None = None
    """The announced length; `None`: not announced."""
    encoding: Encoding = Encoding.IDENTITY


def read_head(
    headers: HttpHeaders, *, settings: Settings, metadata: Iterable[tuple[str, str | bytes]] = ()
) -> Head | None:
    """Read the headers; `None` where the body that follows is not to be looked at.

    With `serves` that is every body that may be JSON and name a tier; otherwise only turns of a
    conversation. An Envoy that traces puts its span into the `metadata` of the stream, and the
    decision belongs below it; otherwise it belongs to the trace of the request.
    """
    said = _said(headers, settings=settings)
    if said.get(":method") != "POST" or headers.end_of_stream:
        return None
    target = read_path(said.get(":path", ""), ends=settings.paths)
    encoding = encoding_named(said.get("content-encoding"))
    media = said.get("content-type", "").partition(";")[0].strip().lower()
    if not _is_looked_at(target, encoding=encoding, media=media, serves=settings.serves):
        return None
    length = said.get("content-length", "")
    return Head(
        target=target,
        identity=identify(None, headers=said, sources=settings.sources),
        client_request_id=usable_id(said.get(_REQUEST_ID)),
        trace=_trace(dict(metadata)) or _trace(said),
        body_bytes=int(length[:_DIGITS]) if length.isdecimal() else None,
        encoding=encoding,
    )


def _said(headers: HttpHeaders, *, settings: Settings) -> dict[str, str]:
    sources = settings.sources
    wanted = _READ.union(
        sources.user_headers,
        sources.session_headers,
        sources.organization_headers,
        sources.agent_headers,
        (_REQUEST_ID, *_TRACE),
    )
    return {each.key: _text(each.raw_value, each.value) for each in headers.headers.headers
            if each.key in wanted}  # fmt: skip


def _is_looked_at(target: Target, *, encoding: Encoding, media: str, serves: bool) -> bool:
    if media.startswith(_NO_JSON):
        return False
    if not serves:
        return target.purpose is Purpose.TURN and encoding is not Encoding.OTHER
    if target.purpose is not Purpose.UNKNOWN or target.path_model is not None:
        return True
    return media in ("", "application/json") or media.endswith("+json")


def _text(raw: bytes, value: str) -> str:
    return raw.decode("utf-8", "replace") if raw else value


def _trace(said: Mapping[str, object]) -> dict[str, str]:
    return {name: str(said[name]) for name in _TRACE if name in said}
