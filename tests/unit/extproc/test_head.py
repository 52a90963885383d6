"""Which requests are looked at, and what their headers say."""

from __future__ import annotations

import pytest
from pointsman_client import ApiKind, Identity, IdentitySources
from pointsman_extproc.encodings import Encoding
from pointsman_extproc.head import Head, read_head
from pointsman_extproc.paths import Purpose, Target, read_path
from pointsman_extproc.settings import PATHS, Settings
from pointsman_extproc.wire.external_processor_pb2 import HeaderMap, HeaderValue, HttpHeaders

USUAL = {":method": "POST", ":path": "/v1/chat/completions", "content-type": "application/json"}

SERVING = Settings(tiers={}, serves=True)
SHADOW = Settings(tiers={})


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
    return read_head(message, settings=settings or SERVING)


TURN, SIDE, UNKNOWN = Purpose.TURN, Purpose.SIDE, Purpose.UNKNOWN
CHAT, RESPONSES, MESSAGES = ApiKind.CHAT_COMPLETIONS, ApiKind.RESPONSES, ApiKind.MESSAGES


@pytest.mark.parametrize(
    ("path", "kind", "purpose"),
    [
        ("/v1/chat/completions", CHAT, TURN),
        ("/v1/chat/completions/", CHAT, TURN),
        ("/v1/chat/completions/?a=1", CHAT, TURN),
        ("/openai/v1/chat/completions", CHAT, TURN),
        ("/v1/responses", RESPONSES, TURN),
        ("/responses", RESPONSES, TURN),
        ("/responses//", RESPONSES, TURN),
        ("/openai/responses?api-version=1", RESPONSES, TURN),
        ("/openai/v1/responses", RESPONSES, TURN),
        ("/backend-api/codex/responses", RESPONSES, TURN),
        ("/v1/responses?x=/v1/messages", RESPONSES, TURN),
        ("/v1/responses/compact", RESPONSES, SIDE),
        ("/backend-api/codex/responses/compact/", RESPONSES, SIDE),
        ("/v1/responses/input_tokens", RESPONSES, SIDE),
        ("/anthropic/v1/messages", MESSAGES, TURN),
        ("/v1/messages?beta=true", MESSAGES, TURN),
        ("/v1/messages/count_tokens", MESSAGES, SIDE),
        ("/v1/messages/count_tokens/?beta=true", MESSAGES, SIDE),
        ("/v1/messages/batches", ApiKind.UNSPECIFIED, UNKNOWN),
        ("/v1/threads/t/messages", ApiKind.UNSPECIFIED, UNKNOWN),
        ("/v1/embeddings?next=/v1/messages", ApiKind.UNSPECIFIED, UNKNOWN),
        ("/v1/completions", ApiKind.UNSPECIFIED, UNKNOWN),
        ("/compact", ApiKind.UNSPECIFIED, UNKNOWN),
        ("", ApiKind.UNSPECIFIED, UNKNOWN),
    ],
)
def test_the_end_of_the_path_says_which_api(path: str, kind: ApiKind, purpose: Purpose) -> None:
    target = read_path(path, ends=PATHS)
    assert target == Target(kind=kind, purpose=purpose)


@pytest.mark.parametrize(
    ("path", "model", "purpose", "gemini", "changed"),
    [
        ("/v1beta/models/tier:generateContent", "tier", TURN, True,
         "/v1beta/models/v/m-1:generateContent"),
        ("/v1beta/models/a/tier:streamGenerateContent?alt=sse", "a/tier", TURN, True,
         "/v1beta/models/v/m-1:streamGenerateContent?alt=sse"),
        ("/v1beta/models/a%2Ftier:countTokens", "a/tier", SIDE, True,
         "/v1beta/models/v%2Fm-1:countTokens"),
        ("/v1/projects/p/locations/l/publishers/google/models/tier:generateContent", "tier", TURN,
         True, "/v1/projects/p/locations/l/publishers/google/models/v/m-1:generateContent"),
        ("/v1beta/models/tier:embedContent", "tier", UNKNOWN, False,
         "/v1beta/models/v/m-1:embedContent"),
        ("/openai/deployments/tier/chat/completions?api-version=1", "tier", TURN, False,
         "/openai/deployments/v/m-1/chat/completions?api-version=1"),
        ("/openai/deployments/a/tier/responses", "a/tier", TURN, False,
         "/openai/deployments/v/m-1/responses"),
        ("/model/a%2Ftier/converse-stream", "a/tier", UNKNOWN, False,
         "/model/v%2Fm-1/converse-stream"),
    ],
)  # fmt: skip
def test_a_path_may_name_the_model(
    path: str, model: str, purpose: Purpose, gemini: bool, changed: str
) -> None:
    target = read_path(path, ends=PATHS)
    assert target.path_model is not None
    assert (target.path_model.model, target.purpose, target.gemini) == (model, purpose, gemini)
    assert target.path_model.with_model("v/m-1") == changed


@pytest.mark.parametrize(
    ("changed", "serving", "shadow"),
    [
        ({"content-type": "application/json; charset=utf-8"}, True, True),
        ({"content-type": "application/vnd.api+json"}, True, True),
        ({"content-type": "application/x-www-form-urlencoded"}, True, True),
        ({"content-type": "multipart/form-data; boundary=x"}, False, False),
        ({"content-encoding": "identity"}, True, True),
        ({"content-encoding": "gzip"}, True, True),
        ({"content-encoding": "zstd"}, True, False),
        ({":path": "/v1/messages/count_tokens"}, True, False),
        ({":path": "/v1/embeddings"}, True, False),
        ({":path": "/v1/files", "content-type": "text/plain"}, False, False),
        ({":method": "GET"}, False, False),
    ],
)
def test_every_body_that_may_name_a_tier_is_looked_at(
    changed: dict[str, str], serving: bool, shadow: bool
) -> None:
    assert (head_of(USUAL | changed) is not None) is serving
    assert (head_of(USUAL | changed, settings=SHADOW) is not None) is shadow


@pytest.mark.parametrize(
    ("header", "encoding"),
    [
        ("gzip", Encoding.GZIP),
        (" X-GZIP", Encoding.GZIP),
        ("deflate", Encoding.DEFLATE),
        ("identity", Encoding.IDENTITY),
        ("", Encoding.IDENTITY),
        ("zstd", Encoding.OTHER),
        ("gzip, gzip", Encoding.OTHER),
    ],
)
def test_the_content_encoding_is_read(header: str, encoding: Encoding) -> None:
    head = head_of(USUAL | {"content-encoding": header})
    assert head is not None
    assert head.encoding is encoding


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
            "x-claude-code-agent-id": "agent-1",
            "x-request-id": "r-1",
            "traceparent": "00-1-2-01",
            "tracestate": "a=b",
            "content-length": "12",
            "authorization": "Bearer secret-of-the-client",
        },
        raw=raw,
    )
    assert head == Head(
        target=Target(kind=CHAT, purpose=TURN),
        identity=Identity(
            user_id="user-1",
            session_id="session-1",
            agent_id="agent-1",
            organization_id="o-1",
            session_source="x-session-id",
        ),
        client_request_id="r-1",
        trace={"traceparent": "00-1-2-01", "tracestate": "a=b"},
        body_bytes=12,
    )


@pytest.mark.parametrize(
    "header", ["x-claude-code-session-id", "x-kilocode-taskid", "session_id", "x-session-affinity"]
)
def test_several_headers_may_name_the_session(header: str) -> None:
    head = head_of(USUAL | {header: "s-1"})
    assert head is not None
    assert head.identity.session_id == "s-1"


def test_ids_that_the_service_refuses_are_none() -> None:
    head = head_of(USUAL | {"x-user-id": "  ", "x-session-id": "s" * 257, "content-length": "-1"})
    assert head == Head(target=Target(kind=CHAT, purpose=TURN))


def test_paths_and_headers_are_settings() -> None:
    settings = Settings(
        tiers={},
        paths={"/ask": MESSAGES},
        sources=IdentitySources(user_headers=["X-Tenant-User"]),
    )
    head = head_of({":method": "POST", ":path": "/ask", "x-tenant-user": "u"}, settings=settings)
    assert head == Head(target=Target(kind=MESSAGES, purpose=TURN), identity=Identity(user_id="u"))
    assert head_of(USUAL, settings=settings) is None


@pytest.mark.parametrize("name", ["Authorization", "x-api-key", "cookie", " "])
def test_no_credential_is_an_id(name: str) -> None:
    with pytest.raises(ValueError, match="holds no id of a session"):
        Settings(tiers={}, sources=IdentitySources(session_headers=[name]))


def test_a_static_pick_is_no_tier() -> None:
    with pytest.raises(ValueError, match="is a tier itself"):
        Settings(tiers={"a": "B ", "b": "vendor/m"})


def test_the_trace_of_an_envoy_that_traces_wins() -> None:
    values = [HeaderValue(key=k, value=v) for k, v in (USUAL | {"traceparent": "client's"}).items()]
    message = HttpHeaders(headers=HeaderMap(headers=values))
    metadata = (("traceparent", "envoy's"), ("user-agent", "envoy"))
    head = read_head(message, settings=Settings(tiers={}), metadata=metadata)
    assert head is not None
    assert head.trace == {"traceparent": "envoy's"}
