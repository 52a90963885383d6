"""The answers to Envoy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pointsman_extproc.body import Pieces
from pointsman_extproc.wire import external_processor_pb2 as pb
from pointsman_extproc.wire_format import varint

MODEL_HEADER = "x-pointsman-model"
WHY_HEADER = "x-pointsman-why"

# The tags around a body, the innermost first: `body` (1) in `body_mutation` (3) in `response` (1)
# in `request_body` (3), each a field with a length.
_BODY_TAGS = (b"\x0a", b"\x1a", b"\x0a", b"\x1a")


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """An answer to the client in place of a request to a provider."""

    status: int
    text: str
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class WithBody:
    """An answer and the body that it sets, which is joined to it on the wire alone.

    A message around a body of 16 MiB costs several copies, and holds up other requests.
    """

    message: pb.ProcessingResponse
    body: Pieces

    def SerializeToString(self) -> bytes:  # noqa: N802  # as messages have it
        """Serialize both. A parser merges the two parts of `request_body`."""
        inner = sum(map(len, self.body))
        heads: list[bytes] = []
        for tag in _BODY_TAGS:
            heads.append(tag + varint(inner))
            inner += len(heads[-1])
        return b"".join((self.message.SerializeToString(), *reversed(heads), *self.body))


Answer = pb.ProcessingResponse | WithBody


def pass_on(phase: str) -> pb.ProcessingResponse:
    """Let the request go on as it came, in any phase, and ask for nothing more of it."""
    if phase == "request_headers":
        return _head_answer(body=pb.ProcessingMode.NONE)
    answer = pb.ProcessingResponse()
    getattr(answer, phase).SetInParent()  # the phases have the same names on both ways
    return answer


def send_body(*, announced: int | None, most: int) -> pb.ProcessingResponse:
    """Ask for the body in one piece; `announced`: its length, if the headers say it.

    For a body longer than `most`, or of unknown length, request as much as Envoy's buffer holds:
    Envoy answers 413 for a body that it must buffer and cannot. Remove the length of such a body
    from the headers, so that its start may be changed.
    """
    mode = pb.ProcessingMode
    if announced is not None and announced <= most:
        return _head_answer(body=mode.BUFFERED)
    remove = () if announced is None else ("content-length",)
    return _head_answer(body=mode.BUFFERED_PARTIAL, remove=remove)


def serve(
    model: str,
    *,
    why: str,
    body: Pieces | None,
    path: str | None = None,
    remove: tuple[str, ...] = (),
    length: bool = True,
) -> Answer:
    """Replace the body and the path, name the model in headers, and choose the route by them.

    `body` and `path` are `None` where they stay as they came. `length`: the body is whole, and
    its length belongs into the headers.
    """
    headers = {MODEL_HEADER: model, WHY_HEADER: why}
    if path is not None:
        headers[":path"] = path
    if body is not None and length:
        headers["content-length"] = str(sum(map(len, body)))
    answer = pb.ProcessingResponse()
    common = answer.request_body.response
    common.clear_route_cache = True
    common.header_mutation.CopyFrom(_set(headers, remove=remove))
    return answer if body is None else WithBody(answer, body)


def refuse(refusal: Refusal, *, why: str) -> pb.ProcessingResponse:
    """Answer the client; the request goes to no provider."""
    headers = {"content-type": "text/plain; charset=utf-8", **refusal.headers, WHY_HEADER: why}
    return pb.ProcessingResponse(
        immediate_response=pb.ImmediateResponse(
            status=pb.HttpStatus(code=refusal.status),
            headers=_set(headers),
            body=f"{refusal.text}\n".encode(),
            details=f"pointsman_{why}",
        )
    )


def _head_answer(
    *, body: pb.ProcessingMode.BodySendMode, remove: tuple[str, ...] = ()
) -> pb.ProcessingResponse:
    # Only this processor names the decided model: a client's own headers are taken away.
    mutation = pb.HeaderMutation(remove_headers=(MODEL_HEADER, WHY_HEADER, *remove))
    common = pb.CommonResponse(header_mutation=mutation)
    return pb.ProcessingResponse(
        request_headers=pb.HeadersResponse(response=common),
        mode_override=pb.ProcessingMode(
            response_header_mode=pb.ProcessingMode.SKIP,
            request_body_mode=body,
            request_trailer_mode=pb.ProcessingMode.SKIP,
            response_trailer_mode=pb.ProcessingMode.SKIP,
        ),
    )


def _set(headers: Mapping[str, str], *, remove: tuple[str, ...] = ()) -> pb.HeaderMutation:
    overwrite = pb.HeaderValueOption.OVERWRITE_IF_EXISTS_OR_ADD
    return pb.HeaderMutation(
        set_headers=(
            pb.HeaderValueOption(
                header=pb.HeaderValue(key=name, raw_value=value.encode()), append_action=overwrite
            )
            for name, value in headers.items()
        ),
        remove_headers=remove,
    )
