"""Plays one fault step over the socket of one request."""

from __future__ import annotations

import asyncio
import json
import socket
import struct
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass

from aiohttp import web

from pointsman_server.fault_injection.script import FaultStep
from pointsman_server.http_api.errors import Refused

CHUNK = 64 * 1024
OK = 200
_INTERIM = b"HTTP/1.1 100 Continue\r\n\r\n" * 1_000
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)

Answer = Callable[[], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True)
class _Scripted:
    status: int
    body: bytes
    headers: dict[str, str]


class FaultPlayer:
    """Play steps until `stop`, which releases all waiting steps at once."""

    def __init__(self) -> None:
        self._stopping = asyncio.Event()

    def stop(self) -> None:
        """Let no step hold up the server's end."""
        self._stopping.set()

    async def play(
        self, step: FaultStep, *, request: web.Request, answer: Answer
    ) -> web.StreamResponse:
        """Answer `request` as `step` says; `answer` gives the real answer."""
        await self._pause(step.delay_ms / 1000)
        if step.reset or step.endless_interim:
            return _reset(request) if step.reset else await self._endless_interim(request)
        scripted = await _scripted(step, answer)
        if step.broken_body:
            return await _broken(request, scripted)
        if step.stall_body:
            return await self._stalled(request, scripted)
        if step.slow_body_ms_per_byte:
            return await self._slow(request, scripted, step.slow_body_ms_per_byte / 1000)
        if step.huge_body_bytes:
            return await _huge(request, scripted, step.huge_body_bytes)
        return web.Response(status=scripted.status, body=scripted.body, headers=scripted.headers)

    async def _pause(self, seconds: float | None) -> None:
        if seconds != 0:
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._stopping.wait()

    async def _stalled(self, request: web.Request, scripted: _Scripted) -> web.StreamResponse:
        """Headers that promise a body, and nothing after them."""
        response = await _begun(request, scripted, length=len(scripted.body) + 1)
        await self._pause(None)
        _hang_up(request)
        return response

    async def _endless_interim(self, request: web.Request) -> web.StreamResponse:
        """Interim responses until the client leaves, and never a final one."""
        transport, protocol = request.transport, request.protocol
        while transport is not None and not transport.is_closing() and not self._stopping.is_set():
            transport.write(_INTERIM)
            await protocol._drain_helper()  # noqa: SLF001  (aiohttp has no public way to wait)
            await asyncio.sleep(0)
        _hang_up(request)
        return web.Response()

    async def _slow(
        self, request: web.Request, scripted: _Scripted, seconds_a_byte: float
    ) -> web.StreamResponse:
        response = await _begun(request, scripted, length=len(scripted.body))
        for i in range(len(scripted.body)):
            await self._pause(seconds_a_byte)
            await response.write(scripted.body[i : i + 1])
        return response


async def _scripted(step: FaultStep, answer: Answer) -> _Scripted:
    headers = {"Content-Type": "application/json; charset=utf-8"}
    if step.redirect is not None:
        return _Scripted(step.status or 307, b"", {**headers, "Location": step.redirect})
    if step.literal is not None:
        return _Scripted(step.status or 200, step.literal, headers)
    if step.status not in (None, OK) and step.wrong_model is None:
        refused = Refused(
            step.status or OK, code="scripted_fault", message="this fault was asked for"
        )
        return _Scripted(refused.status, json.dumps(refused.body(request_id="")).encode(), headers)
    real = await answer()
    body = real.body if isinstance(real, web.Response) and isinstance(real.body, bytes) else b""
    if step.wrong_model is not None:
        body = _with_model(body, step.wrong_model)
    return _Scripted(step.status or real.status, body, headers)


def _with_model(body: bytes, model: str) -> bytes:
    answer = json.loads(body)
    if "model" in answer:
        answer["model"] = model
    return json.dumps(answer).encode()


async def _begun(
    request: web.Request, scripted: _Scripted, *, length: int | None
) -> web.StreamResponse:
    """The response with its headers on the way; `length` `None`: chunked."""
    response = web.StreamResponse(status=scripted.status, headers=scripted.headers)
    if length is None:
        response.enable_chunked_encoding()
    else:
        response.content_length = length
    await response.prepare(request)
    return response


async def _broken(request: web.Request, scripted: _Scripted) -> web.StreamResponse:
    """Send half of the announced body, then close the connection."""
    response = await _begun(request, scripted, length=len(scripted.body) + 1)
    await response.write(scripted.body[: len(scripted.body) // 2])
    _hang_up(request)
    return response


async def _huge(request: web.Request, scripted: _Scripted, size: int) -> web.StreamResponse:
    """The answer, then blanks: still JSON, so only a bound on its size can refuse it.

    It is chunked, so no header tells the size beforehand.
    """
    response = await _begun(request, scripted, length=None)
    await response.write(scripted.body)
    for sent in range(len(scripted.body), size, CHUNK):
        await response.write(b" " * min(CHUNK, size - sent))
    return response


def _reset(request: web.Request) -> web.StreamResponse:
    """No answer, and a TCP reset for a goodbye."""
    if request.transport is not None:
        connection = request.transport.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        request.transport.abort()
    return web.Response()


def _hang_up(request: web.Request) -> None:
    if request.transport is not None:
        request.transport.close()
