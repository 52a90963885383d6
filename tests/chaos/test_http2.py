"""Peers that abuse HTTP/2: others are served meanwhile, memory stays within what the limits allow,
and nothing stays behind.

Each row has a service of its own, so that what one leaves hides no other's growth.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import struct
import subprocess
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import grpc
import pytest
from chaos.parts import frames as h2
from chaos.parts.abuses import ABUSES, AROUND, CONNECTIONS, MESSAGE, PER_STREAM, Sent
from chaos.parts.callers import DEADLINE, RAW, UNTIL_STARTED, RawCaller
from chaos.parts.figures import Ledger, Pace, Row
from chaos.parts.processes import MB, Peak, connections
from chaos.parts.serving import policy
from chaos.parts.trial import trial
from e2e.parts.pointsman import Service, pointsman_serve
from pointsman_server.transport.channel_args import MESSAGE_BYTES
from support.eventually import eventually
from support.machine import program

SILENCE = 2
"""Seconds that a client waits for an answer which does not come."""
MESSAGES = 4
LIES = 250
"""Calls of a connection at most that never end."""


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    with pointsman_serve(tmp_path, policy=policy()) as running:
        yield running


async def _held_against(
    name: str,
    attack: Callable[[contextlib.ExitStack], tuple[str, str, int]],
    service: Service,
    pace: Pace,
) -> Row:
    """Load while `attack` goes on and what it opened is held; then count what it left behind.

    An attack says what it did, what came of it, and how many bytes that may cost.
    """
    pid, port = service.program.child.pid, int(service.address.rpartition(":")[2])
    async with (
        RawCaller(service.address) as caller,
        RawCaller(service.address, deadline=UNTIL_STARTED) as last,
    ):
        result: list[tuple[str, str, int]] = []
        peaks: list[Peak] = []

        @contextlib.asynccontextmanager
        async def attacked() -> AsyncIterator[None]:
            peaks.append(Peak(pid))
            with contextlib.ExitStack() as held:
                result.append(await asyncio.to_thread(attack, held))
                # Calls are taken in turn: once this one is answered those of the attack are in.
                await last.decide("behind it all")
                yield

        phases = await trial(caller.ask, pace=pace, fault=attacked())
        # Every connection of the attack is gone; these callers' own are left.
        await eventually(lambda: connections(port) == 2)
        await asyncio.sleep(pace.afterwards)
    done, outcome, bound = result[0]
    grown, left = peaks[0].growth, peaks[0].left
    besides = (
        f"{outcome}; RSS {grown / MB:+.1f} MB at its peak, at most {bound / MB:.0f} MB allowed,"
        f" {left / MB:+.1f} MB in the end; all connections closed"
    )
    assert grown < bound, besides
    return Row(fault=f"HTTP/2: {name}", done=done, load=RAW, phases=phases, besides=besides)


@pytest.mark.parametrize("abuse", ABUSES)
async def test_abuse_leaves_the_service_serving(
    abuse: str, service: Service, ledger: Ledger, pace: Pace
) -> None:
    port = int(service.address.rpartition(":")[2])

    def attack(held: contextlib.ExitStack) -> tuple[str, str, int]:
        sent = ABUSES[abuse].does(port, pace.streams, held)
        thrown_out = f"{sent.thrown_out} connections closed by the server"
        return str(sent), thrown_out, sent.may_cost(ABUSES[abuse].each)

    ledger.add(await _held_against(abuse, attack, service, pace))


@pytest.mark.needs("h2load")
async def test_lying_grpc_frames_leave_the_service_serving(
    tmp_path: Path, service: Service, ledger: Ledger, pace: Pace
) -> None:
    lie = tmp_path / "frame"
    # Promises a gigabyte.
    lie.write_bytes(b"\0" + struct.pack(">I", 1 << 30) + MESSAGE)
    # gRPC answers no call that ends in the middle of its message: those that are begun remain, no
    # further one is begun, and h2load has to leave.
    taken = h2.most_streams(int(service.address.rpartition(":")[2]))
    at_once = min(taken, LIES)
    command = [
        program("h2load", package="nghttp2-client"), "-n", str(CONNECTIONS * at_once),
        "-c", str(CONNECTIONS), "-m", str(at_once), "-d", str(lie),
        "-N", str(SILENCE), "-T", str(SILENCE),
        "-H", "content-type: application/grpc", "-H", "te: trailers",
        f"http://{service.address}{h2.PATH}",
    ]  # fmt: skip

    def attack(_: contextlib.ExitStack) -> tuple[str, str, int]:
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
        said = next(line for line in done.stdout.splitlines() if line.startswith("requests:"))
        started = re.search(r"(\d+) started", said)
        assert started is not None, said
        things = "calls whose body promises a gigabyte, by h2load,"
        sent = Sent(things=things, count=int(started[1]), at_once=taken)
        assert sent.count
        return str(sent), said, sent.may_cost(PER_STREAM)

    ledger.add(await _held_against("lying gRPC frames", attack, service, pace))


async def test_messages_over_the_limit_leave_the_service_serving(
    service: Service, ledger: Ledger, pace: Pace
) -> None:
    # gRPC reads a message whole before it looks at its size; the second copy is being put together.
    message = bytes(MESSAGE_BYTES + 1)
    bound = AROUND + 2 * MESSAGE_BYTES

    def attack(_: contextlib.ExitStack) -> tuple[str, str, int]:
        codes: Counter[str] = Counter()
        options = [("grpc.max_send_message_length", -1), ("grpc.use_local_subchannel_pool", 1)]
        with grpc.insecure_channel(service.address, options=options) as channel:
            for _ in range(MESSAGES):
                with pytest.raises(grpc.RpcError) as refused:
                    channel.unary_unary(h2.PATH)(message, timeout=DEADLINE)
                codes[refused.value.code().name] += 1  # type: ignore[attr-defined]
        assert set(codes) == {"RESOURCE_EXHAUSTED"}
        done = f"{codes.total()} of {len(message) / MB:.0f} MiB, one after the other"
        return done, f"all {codes.total()} RESOURCE_EXHAUSTED", bound

    ledger.add(await _held_against("messages over the limit", attack, service, pace))
