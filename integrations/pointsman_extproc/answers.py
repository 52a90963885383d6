"""What Envoy is told to do next."""

from __future__ import annotations

from pointsman_extproc.wire import external_processor_pb2 as pb

MODEL_HEADER = "x-pointsman-model"
WHY_HEADER = "x-pointsman-why"

_OURS = pb.HeaderMutation(remove_headers=(MODEL_HEADER, WHY_HEADER))


def pass_on(phase: str) -> pb.ProcessingResponse:
    """Go on, whatever the phase; nothing more of this request is of interest."""
    if phase == "request_headers":
        return _head_answer(body=pb.ProcessingMode.NONE)
    answer = pb.ProcessingResponse()
    getattr(answer, phase).SetInParent()  # the phases have the same names on both ways
    return answer


def send_body(*, announced: bool) -> pb.ProcessingResponse:
    """Go on, and send the body in one piece; `announced`: its length is known and in bounds.

    Only where Envoy buffers the whole body may its announced length be changed. Where none was
    announced Envoy sends what its buffer holds, since it refuses a longer body with 413 otherwise.
    """
    mode = pb.ProcessingMode
    return _head_answer(body=mode.BUFFERED if announced else mode.BUFFERED_PARTIAL)


def serve(model: str, *, why: str, body: bytes) -> pb.ProcessingResponse:
    """Take this body, say its model and the reason in headers, and choose the route by them."""
    headers = {MODEL_HEADER: model, WHY_HEADER: why, "content-length": str(len(body))}
    return pb.ProcessingResponse(
        request_body=pb.BodyResponse(
            response=pb.CommonResponse(
                header_mutation=_set(headers),
                body_mutation=pb.BodyMutation(body=body),
                clear_route_cache=True,
            )
        )
    )


def _head_answer(*, body: pb.ProcessingMode.BodySendMode) -> pb.ProcessingResponse:
    # Only this processor says what Pointsman decided: a client's own word is taken away.
    common = pb.CommonResponse(header_mutation=_OURS)
    return pb.ProcessingResponse(
        request_headers=pb.HeadersResponse(response=common),
        mode_override=pb.ProcessingMode(
            response_header_mode=pb.ProcessingMode.SKIP,
            request_body_mode=body,
            request_trailer_mode=pb.ProcessingMode.SKIP,
            response_trailer_mode=pb.ProcessingMode.SKIP,
        ),
    )


def _set(headers: dict[str, str]) -> pb.HeaderMutation:
    overwrite = pb.HeaderValueOption.OVERWRITE_IF_EXISTS_OR_ADD
    return pb.HeaderMutation(
        set_headers=(
            pb.HeaderValueOption(
                header=pb.HeaderValue(key=name, raw_value=value.encode()), append_action=overwrite
            )
            for name, value in headers.items()
        )
    )
