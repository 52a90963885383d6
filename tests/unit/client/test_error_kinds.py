"""Which error of an LLM call counts as what: real errors of httpx, and the shapes of others."""

from __future__ import annotations

import json
import socket
from http import HTTPStatus
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from pointsman_client import UnusableResponse
from pointsman_client.error_kinds import is_eligible, kind_of
from pointsman_client.routes import ELIGIBLE_ERRORS

BODIES = json.loads((Path(__file__).parents[3] / "client" / "error_cases.json").read_text())
REQUEST = httpx.Request("POST", "https://llm.example/v1/chat/completions")


def http_status(status: int) -> httpx.HTTPStatusError:
    response = httpx.Response(status, request=REQUEST)
    return httpx.HTTPStatusError("x", request=REQUEST, response=response)


def family() -> dict[str, type[Exception]]:
    """The tree that the clients of openai and anthropic share, by name and by attributes."""

    class APIError(Exception):
        pass

    class APIStatusError(APIError):
        def __init__(self, status: int) -> None:
            self.status_code = status
            self.response = SimpleNamespace(status_code=status)

    class APIConnectionError(APIError):
        pass

    return {
        "APIStatusError": APIStatusError,
        "RateLimitError": type("RateLimitError", (APIStatusError,), {}),
        "APIConnectionError": APIConnectionError,
        "APITimeoutError": type("APITimeoutError", (APIConnectionError,), {}),
        "APIResponseValidationError": type("APIResponseValidationError", (APIStatusError,), {}),
        "APIError": APIError,
    }


SDK = family()


class OnItsOwn(Exception):
    def __init__(self, **facts: Any) -> None:
        vars(self).update(facts)


CASES = [
    (http_status(429), "http_429"),
    (http_status(503), "http_503"),
    (http_status(400), "http_400"),
    (httpx.ConnectTimeout("x"), "timeout"),
    (httpx.ReadTimeout("x"), "timeout"),
    (httpx.PoolTimeout("x"), "timeout"),
    (httpx.ConnectError("x"), "connection"),
    (httpx.ReadError("x"), "connection"),
    (httpx.RemoteProtocolError("x"), "connection"),
    (httpx.ProxyError("x"), "connection"),
    (httpx.DecodingError("x"), "unusable_response"),
    (httpx.UnsupportedProtocol("x"), None),
    (httpx.LocalProtocolError("x"), None),
    (httpx.InvalidURL("x"), None),
    (SDK["RateLimitError"](429), "http_429"),
    (SDK["APIStatusError"](529), "http_529"),
    (SDK["APIStatusError"](401), "http_401"),
    (SDK["APIConnectionError"](), "connection"),
    (SDK["APITimeoutError"](), "timeout"),
    (SDK["APIResponseValidationError"](200), "unusable_response"),
    (SDK["APIError"](), None),
    (TimeoutError(), "timeout"),
    (ConnectionRefusedError(), "connection"),
    (ConnectionResetError(), "connection"),
    (socket.gaierror(), "connection"),
    (json.JSONDecodeError("x", "", 0), "unusable_response"),
    (UnusableResponse("empty"), "unusable_response"),
    (OnItsOwn(status=502), "http_502"),
    (OnItsOwn(code=504), "http_504"),
    (OnItsOwn(status_code=HTTPStatus.TOO_MANY_REQUESTS), "http_429"),
    (OnItsOwn(response=SimpleNamespace(status=500)), "http_500"),
    (OnItsOwn(status_code="429"), "http_429"),
    (OnItsOwn(status_code=True), None),
    (OnItsOwn(code=7), None),
    (ValueError("x"), None),
    (FileNotFoundError(), None),
    (KeyError(), None),
]


@pytest.mark.parametrize(
    ("error", "kind"), CASES, ids=lambda c: c if isinstance(c, str) else repr(c)
)
def test_an_error_has_a_kind(error: Exception, kind: str | None) -> None:
    assert kind_of(error) == kind


@pytest.mark.parametrize("case", BODIES, ids=[each["from"] for each in BODIES])
def test_a_code_of_a_provider_has_a_kind(case: dict[str, Any]) -> None:
    """The clients of all languages run these cases."""
    body = case["body"]
    for sent in (body, body.get("error") or body, {"ResponseMetadata": {}, **body}):
        facts = {"body": sent} if isinstance(sent, dict) else {"body": {"error": sent}}
        assert kind_of(OnItsOwn(**facts)) == case["kind"]


@pytest.mark.parametrize("status", [408, 409, 425, 429, 500, 502, 503, 504, 529])
def test_these_statuses_are_eligible_by_default(status: int) -> None:
    assert is_eligible(kind_of(http_status(status)), ELIGIBLE_ERRORS)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 422, 402, 413, 302])
def test_these_statuses_are_not(status: int) -> None:
    assert not is_eligible(kind_of(http_status(status)), ELIGIBLE_ERRORS)


def test_a_route_may_say_otherwise() -> None:
    assert is_eligible("http_404", ["http_404"])
    assert is_eligible("http_404", ["http_4xx"])
    assert not is_eligible("http_500", ["http_4xx"])
    assert not is_eligible("timeout", [])
    assert not is_eligible(None, ELIGIBLE_ERRORS)
