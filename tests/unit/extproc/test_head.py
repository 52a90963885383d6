"""Which requests are looked at, and what their headers say."""

from __future__ import annotations

import pytest
from pointsman_client import ApiKind
from pointsman_extproc.head import Head, read_head
from pointsman_extproc.settings import CallerHeaders, Settings
from pointsman_extproc.wire.external_processor_pb2 import HeaderMap, HeaderValue, HttpHeaders

USUAL = {":method": "POST", ":path": "/v1/chat/completions", "content-type": "application/json"}


def head_of(
    headers: dict[str, str],
    *,
    settings: Settings | None = None,
    raw: bool = True,
    end: bool = False,
) -> Head | None:
    values = [
        HeaderValue(key=key, raw_value=value.encode()) if raw else HeaderValue(key=key, value=value)
        for key, value in headers.items()
    ]
    message = HttpHeaders(headers=HeaderMap(headers=values), end_of_stream=end)
    return read_head(message, settings=settings or Settings(tiers={}))


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/v1/chat/completions", ApiKind.CHAT_COMPLETIONS),
        ("/openai/deployments/d/chat/completions?api-version=1", ApiKind.CHAT_COMPLETIONS),
        ("/v1/responses", ApiKind.RESPONSES),
        ("/v1/responses?x=/v1/messages", ApiKind.RESPONSES),
        ("/anthropic/v1/messages", ApiKind.MESSAGES),
        ("/v1/messages/count_tokens", None),
        ("/v1/messages/batches", None),
        ("/v1/threads/t/messages", None),
        ("/v1/embeddings?next=/v1/messages", None),
        ("", None),
    ],
)
def test_the_end_of_the_path_says_which_api(path: str, kind: ApiKind | None) -> None:
    head = head_of(USUAL | {":path": path})
    assert (head and head.kind) == kind


@pytest.mark.parametrize(
    ("changed", "read"),
    [
        ({"content-type": "application/json; charset=utf-8"}, True),
        ({"content-type": "application/vnd.api+json"}, True),
        ({"content-type": "multipart/form-data; boundary=x"}, False),
        ({"content-encoding": "identity"}, True),
        ({"content-encoding": "gzip"}, False),
        ({":method": "GET"}, False),
    ],
)
def test_only_readable_posts_are_read(changed: dict[str, str], read: bool) -> None:
    assert (head_of(USUAL | changed) is not None) is read


def test_a_request_without_a_body_is_not_read() -> None:
    assert head_of(USUAL, end=True) is None


@pytest.mark.parametrize("raw", [True, False])
def test_headers_say_who_asks_in_which_trace(raw: bool) -> None:
    head = head_of(
        USUAL
        | {
            "x-user-id": " user-1 ",
            "x-session-id": "session-1",
            "x-organization-id": "o-1",
            "x-request-id": "r-1",
            "traceparent": "00-1-2-01",
            "tracestate": "a=b",
            "content-length": "12",
            "authorization": "Bearer secret-of-the-client",
        },
        raw=raw,
    )
    assert head == Head(
        kind=ApiKind.CHAT_COMPLETIONS,
        user_id="user-1",
        session_id="session-1",
        organization_id="o-1",
        client_request_id="r-1",
        trace={"traceparent": "00-1-2-01", "tracestate": "a=b"},
        body_bytes=12,
    )


def test_ids_that_the_service_refuses_are_none() -> None:
    head = head_of(USUAL | {"x-user-id": "  ", "x-session-id": "s" * 257, "content-length": "-1"})
    assert head == Head(kind=ApiKind.CHAT_COMPLETIONS)


def test_paths_and_headers_are_settings() -> None:
    settings = Settings(
        tiers={},
        paths={"/ask": ApiKind.MESSAGES},
        headers=CallerHeaders(user="X-Tenant-User"),
    )
    head = head_of({":method": "POST", ":path": "/ask", "x-tenant-user": "u"}, settings=settings)
    assert head == Head(kind=ApiKind.MESSAGES, user_id="u")
    assert head_of(USUAL, settings=settings) is None


@pytest.mark.parametrize("name", ["Authorization", "x-api-key", "cookie", " "])
def test_no_credential_is_an_id(name: str) -> None:
    with pytest.raises(ValueError, match="holds no id of a session"):
        CallerHeaders(session=name)


def test_the_trace_of_an_envoy_that_traces_wins() -> None:
    values = [HeaderValue(key=k, value=v) for k, v in (USUAL | {"traceparent": "client's"}).items()]
    message = HttpHeaders(headers=HeaderMap(headers=values))
    metadata = (("traceparent", "envoy's"), ("user-agent", "envoy"))
    head = read_head(message, settings=Settings(tiers={}), metadata=metadata)
    assert head is not None
    assert head.trace == {"traceparent": "envoy's"}
