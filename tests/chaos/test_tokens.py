"""The tokens file changes under load: who keeps a token notices nothing."""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from chaos.parts.callers import DEADLINE, RAW, RawCaller
from chaos.parts.figures import Ledger, Pace, Row
from chaos.parts.judge import asking
from chaos.parts.serving import policy
from chaos.parts.trial import acts, trial
from e2e.parts.pointsman import Service, pointsman_serve
from pointsman.v1 import stream_route_decisions_pb2 as stream_pb
from support.eventually import eventually

KEPT, TAKEN = "token-that-is-kept", "token-that-is-taken-away"
LOOK = {"POINTSMAN_RELOAD_INTERVAL": "0.1"}


def _line(name: str, token: str) -> str:
    return f"{name} {hashlib.sha256(token.encode()).hexdigest()}\n"


GOOD = _line("kept", KEPT) + _line("taken", TAKEN)


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    with pointsman_serve(tmp_path, policy=policy(), token=KEPT, environment=LOOK) as running:
        yield running


@pytest.fixture
async def caller(service: Service) -> AsyncIterator[RawCaller]:
    async with RawCaller(service.address, token=KEPT) as caller:
        _put(service.tokens, GOOD)
        yield caller


def _put(path: Path, text: str) -> None:
    fresh = path.with_suffix(".new")
    fresh.write_text(text)
    fresh.replace(path)


def _fifo(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def _device(path: Path) -> None:
    path.unlink()
    path.symlink_to("/dev/zero")


SPOILT: dict[str, Callable[[Path], Any]] = {
    "replaced by garbage": lambda path: _put(path, "\x00\x01{]: no tokens\n" * 50),
    "deleted": Path.unlink,
    "replaced by a FIFO": _fifo,
    "replaced by /dev/zero": _device,
    "replaced by the hash of nothing": lambda path: _put(path, _line("kept", "")),
}


@pytest.mark.parametrize("fault", SPOILT)
async def test_a_spoilt_tokens_file_leaves_the_last_good_one_in_force(
    fault: str, service: Service, caller: RawCaller, ledger: Ledger, pace: Pace
) -> None:
    def refused() -> bool:
        return "keeping the tokens read last" in service.program.tail()

    async def spoil() -> None:
        SPOILT[fault](service.tokens)
        await eventually(refused)

    def mend() -> None:
        if not service.tokens.is_file():
            service.tokens.unlink(missing_ok=True)
        _put(service.tokens, GOOD)

    phases = await trial(caller.ask, pace=pace, fault=acts(spoil, mend))
    ledger.add(
        Row(
            fault=f"tokens file {fault}",
            done="until it was refused, and longer; then repaired",
            load=f"{RAW}, a token",
            phases=phases,
            besides="the last good one held",
        )
    )


async def test_a_token_that_is_taken_away_ends_its_streams_alone(
    service: Service, caller: RawCaller, ledger: Ledger, pace: Pace
) -> None:
    async with RawCaller(service.address, token=KEPT) as other:
        metadata = [("authorization", f"Bearer {TAKEN}")]

        async def let_in() -> bool:
            try:
                await other.stub.RouteDecision(asking("taken"), metadata=metadata, timeout=DEADLINE)
            except grpc.aio.AioRpcError as error:
                return error.code() is not grpc.StatusCode.UNAUTHENTICATED
            return True

        async def shut_out() -> bool:
            return not await let_in()

        await eventually(let_in)
        stream = other.stub.StreamRouteDecisions(metadata=metadata)
        item = stream_pb.StreamRouteDecisionsRequest(correlation_id="1", request=asking("taken"))
        await stream.write(item)
        assert await asyncio.wait_for(stream.read(), DEADLINE)

        async def take() -> None:
            _put(service.tokens, _line("kept", KEPT))
            await eventually(shut_out)
            await stream.write(item)

        phases = await trial(
            caller.ask, pace=pace, fault=acts(take, lambda: _put(service.tokens, GOOD))
        )
        ended = await asyncio.wait_for(stream.code(), DEADLINE)
    ledger.add(
        Row(
            fault="token taken away",
            done="its line removed, then put back; a stream of it is open",
            load=f"{RAW}, another token",
            phases=phases,
            besides=f"new calls and the open stream end with {ended.name}",
        )
    )
    assert ended is grpc.StatusCode.UNAUTHENTICATED
