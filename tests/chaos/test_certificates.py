"""The service's own certificate is swapped, or expires, under load."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path

import grpc
import pytest
from chaos.parts.callers import RAW, RawCaller
from chaos.parts.figures import Ledger, Pace, Row
from chaos.parts.trial import acts, trial
from support.certificates import Authority, Pair
from support.served import Peer, Starter, policy_text

SWAPS = 5
_CONNECTED = 10.0


class Secured:
    """A service with TLS whose certificate files can be replaced while it serves."""

    def __init__(self, peer: Peer, authority: Authority, files: Pair) -> None:
        self.address = f"localhost:{peer.running.port}"
        self.credentials = grpc.ssl_channel_credentials(authority.certificate.read_bytes())
        self._authority = authority
        self._folder = files.certificate.parent

    def put(self, days: int) -> None:
        """Replace the certificate by one that ends in `days`."""
        self._authority.issue(days=days).put(self._folder)

    def caller(self) -> RawCaller:
        """A connection of its own."""
        return RawCaller(self.address, self.credentials)

    async def lets_in(self) -> bool:
        """Whether somebody who comes now trusts the certificate."""
        channel = grpc.aio.secure_channel(
            self.address, self.credentials, options=[("grpc.use_local_subchannel_pool", 1)]
        )
        async with channel:
            state = channel.get_state(try_to_connect=True)
            waiting = {grpc.ChannelConnectivity.IDLE, grpc.ChannelConnectivity.CONNECTING}
            async with asyncio.timeout(_CONNECTED):
                while state in waiting:
                    await channel.wait_for_state_change(state)
                    state = channel.get_state()
        return state is grpc.ChannelConnectivity.READY


@pytest.fixture
async def secured(start: Starter, tmp_path: Path) -> Secured:
    authority = Authority(tmp_path)
    folder = tmp_path / "tls"
    folder.mkdir()
    files = authority.issue().put(folder)
    peer = await start(
        policy=policy_text(mode="serve", serve_percent=100),
        tls_cert_file=files.certificate,
        tls_key_file=files.key,
    )
    return Secured(peer, authority, files)


@pytest.mark.needs("openssl")
async def test_a_swapped_certificate_costs_no_call(
    secured: Secured, ledger: Ledger, pace: Pace
) -> None:
    newcomers = 0

    async def swap() -> None:
        nonlocal newcomers
        for days in range(3, 3 + SWAPS):
            await asyncio.to_thread(secured.put, days)
            newcomers += await secured.lets_in()

    async with secured.caller() as caller:
        phases = await trial(caller.ask, pace=pace, fault=acts(swap))
    ledger.add(
        Row(
            fault="certificate swapped",
            done=f"{SWAPS} times",
            load=f"{RAW}, TLS",
            phases=phases,
            besides=f"{newcomers} of {SWAPS} newcomers let in",
        )
    )
    assert newcomers == SWAPS


@pytest.mark.needs("openssl")
async def test_an_expired_certificate_stops_newcomers_alone_until_it_is_renewed(
    secured: Secured, ledger: Ledger, pace: Pace
) -> None:
    async def expire() -> None:
        await asyncio.to_thread(secured.put, -1)
        assert not await secured.lets_in()

    async def renew() -> None:
        await asyncio.to_thread(secured.put, 3)
        assert await secured.lets_in()

    async with contextlib.AsyncExitStack() as stack:
        caller = await stack.enter_async_context(secured.caller())
        phases = await trial(caller.ask, pace=pace, fault=acts(expire, renew))
    ledger.add(
        Row(
            fault="certificate expired",
            done="replaced by one of yesterday, then renewed",
            load=f"{RAW}, TLS",
            phases=phases,
            besides="newcomers refuse it until it is renewed; open connections stay",
        )
    )
