"""Names and codes that tell the kind of an error: facts about providers and client libraries.

Sources, as of November 2026: Anthropic's and OpenAI's API error pages, Google's
`google.rpc.Code`, the AWS Bedrock runtime API reference, and the exception modules of httpx,
aiohttp, requests, urllib3, botocore, http.client, h11 and grpcio.
"""

from __future__ import annotations

import errno
from typing import Final

from pointsman_client.error_kinds.codes import STATUS_OF_CODE, STATUS_OF_GRPC

__all__ = [
    "CONNECTION_ERRNOS",
    "CONNECTION_NAMES",
    "MODEL_STREAM_ERROR",
    "OWN_MISTAKES",
    "STATUS_OF_CODE",
    "STATUS_OF_GRPC",
    "TIMEOUT_NAMES",
    "UNUSABLE_NAMES",
]

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

MODEL_STREAM_ERROR: Final = 424
"""Bedrock: the model failed while it answered. Counts as 5xx: another provider may do better."""
