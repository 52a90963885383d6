"""Names and codes that tell the kind of an error: facts about providers and client libraries.

Sources, as of November 2026: Anthropic's and OpenAI's API error pages, Google's
`google.rpc.Code`, the AWS Bedrock runtime API reference, and the exception modules of httpx,
aiohttp, requests, urllib3, botocore, http.client, h11 and grpcio.
"""

from __future__ import annotations

import errno
from typing import Final

TIMEOUT_NAMES: Final = frozenset({
    "APITimeoutError",  # openai, anthropic
    "ConnectTimeoutError",  # botocore, urllib3
    "DeadlineExceeded",  # google.api_core
    "ReadTimeoutError",  # botocore, urllib3
    "ServerTimeoutError",  # aiohttp
    "Timeout",  # requests, litellm
    "TimeoutError",  # urllib3, redis; a namesake of the builtin
    "TimeoutException",  # httpx, httpcore
})  # fmt: skip

CONNECTION_NAMES: Final = frozenset({
    "APIConnectionError",  # openai, anthropic, litellm
    "BadStatusLine",  # http.client
    "ChunkedEncodingError",  # requests
    "ClientConnectionError",  # aiohttp
    "ClientPayloadError",  # aiohttp
    "ConnectionClosed",  # websockets
    "ConnectionError",  # requests; a namesake of the builtin
    "HTTPClientError",  # botocore: the base of its connection errors
    "IncompleteRead",  # http.client, urllib3
    "IncompleteReadError",  # asyncio
    "NetworkError",  # httpx, httpcore
    "NewConnectionError",  # urllib3
    "ProtocolError",  # urllib3
    "RemoteProtocolError",  # httpx, httpcore, h11
    "TransportError",  # httpx, google.auth
    "gaierror",
    "herror",
})  # fmt: skip

UNUSABLE_NAMES: Final = frozenset({
    "APIResponseValidationError",  # openai, anthropic, litellm
    "ContentDecodingError",  # requests
    "ContentTypeError",  # aiohttp
    "DecodingError",  # httpx
    "JSONDecodeError",  # json, requests
    "ResponseParserError",  # botocore
    "UnknownApiResponseError",  # google.genai
    "UnusableResponse",
})  # fmt: skip

OWN_MISTAKES: Final = frozenset({
    "InvalidSchema",  # requests
    "InvalidURL",  # httpx, requests, aiohttp
    "LocalProtocolError",  # httpx, h11
    "MissingSchema",  # requests
    "NonHttpUrlClientError",  # aiohttp
    "UnsupportedProtocol",  # httpx
})  # fmt: skip
"""The caller's own request is wrong: another provider would get the same one."""

CONNECTION_ERRNOS: Final = frozenset({
    errno.ECONNABORTED, errno.ECONNREFUSED, errno.ECONNRESET, errno.EHOSTDOWN,
    errno.EHOSTUNREACH, errno.ENETDOWN, errno.ENETRESET, errno.ENETUNREACH, errno.ENOTCONN,
    errno.EPIPE, errno.ESHUTDOWN, errno.EADDRNOTAVAIL,
})  # fmt: skip

STATUS_OF_CODE: Final = {
    # Anthropic: `error.type`
    "invalid_request_error": 400, "authentication_error": 401, "billing_error": 402,
    "permission_error": 403, "not_found_error": 404, "request_too_large": 413,
    "rate_limit_error": 429, "api_error": 500, "timeout_error": 504, "overloaded_error": 529,
    # OpenAI and those that speak its API: `error.code` and `error.type`
    "rate_limit_exceeded": 429, "insufficient_quota": 429,
    "too_many_requests": 429, "server_error": 500, "internal_error": 500,
    "internal_server_error": 500, "service_unavailable": 503, "service_unavailable_error": 503,
    "server_is_overloaded": 503, "slow_down": 503, "engine_overloaded": 503,
    "overloaded": 503, "model_overloaded": 503, "server_overloaded": 503, "timeout": 504,
    "gateway_timeout": 504, "bad_gateway": 502,
    "vector_store_timeout": 504, "invalid_api_key": 401, "model_not_found": 404,
    "context_length_exceeded": 400, "content_policy_violation": 400, "invalid_prompt": 400,
    # AWS: error codes, with and without `Exception` at the end
    "throttling": 429, "throttled": 429, "request_limit_exceeded": 429, "requestlimitexceeded": 429,
    "toomanyrequests": 429, "provisionedthroughputexceeded": 429, "servicequotaexceeded": 429,
    "throttledrequest": 429, "requestthrottled": 429, "slowdown": 503, "serviceunavailable": 503,
    "internalserver": 500, "internalservererror": 500, "internalfailure": 500,
    "internalerror": 500, "modelnotready": 429, "modeltimeout": 408, "modelstreamerror": 424,
    "modelerror": 424, "requesttimeout": 408, "validation": 400, "accessdenied": 403,
    "resourcenotfound": 404, "unrecognizedclient": 401, "expiredtoken": 401,
}  # fmt: skip
"""The HTTP status that a provider gives an error of this code; keys in lower case.

A provider sends the code alone where the status has left already: inside a stream that began
with 200."""

STATUS_OF_GRPC: Final = {
    "CANCELLED": 499, "UNKNOWN": 500, "INVALID_ARGUMENT": 400, "DEADLINE_EXCEEDED": 504,
    "NOT_FOUND": 404, "ALREADY_EXISTS": 409, "PERMISSION_DENIED": 403, "UNAUTHENTICATED": 401,
    "RESOURCE_EXHAUSTED": 429, "FAILED_PRECONDITION": 400, "ABORTED": 409, "OUT_OF_RANGE": 400,
    "UNIMPLEMENTED": 501, "INTERNAL": 500, "UNAVAILABLE": 503, "DATA_LOSS": 500,
}  # fmt: skip
"""google.rpc.Code: the HTTP status of each gRPC status, which Google's APIs also send as text."""

MODEL_STREAM_ERROR: Final = 424
"""Bedrock: the model failed while it answered. Counts as 5xx: another provider may do better."""
