"""Morph's certificate is not to be trusted for a while: not a byte of a prompt goes there."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from pathlib import Path

from chaos.parts.callers import RAW, RawCaller
from chaos.parts.figures import Ledger, Pace, Row
from chaos.parts.serving import policy
from chaos.parts.trial import acts, trial
from chaos.parts.wire import Wire
from e2e.parts.pointsman import MORPH_KEY, pointsman_serve
from support.certificates import Authority
from support.eventually import eventually
from support.morph import ScriptedMorph
from support.ports import free_port


async def test_a_morph_with_a_foreign_certificate_is_not_talked_to(
    tmp_path: Path, ledger: Ledger, pace: Pace
) -> None:
    known, foreign = Authority(tmp_path, "known"), Authority(tmp_path, "foreign")
    port = free_port()
    async with contextlib.AsyncExitStack() as stack:
        morph = await stack.enter_async_context(ScriptedMorph(keys=(MORPH_KEY,)))
        wire = Wire(port, int(morph.url.rpartition(":")[2]), tls=_context(known))
        await stack.enter_async_context(wire)
        served = pointsman_serve(
            tmp_path,
            policy=policy(f"https://127.0.0.1:{port}"),
            environment={"SSL_CERT_FILE": str(known.certificate)},
        )
        service = await asyncio.to_thread(stack.enter_context, served)
        caller = await stack.enter_async_context(RawCaller(service.address))

        async def swap() -> None:
            await wire.cut()
            morph.forget()
            await wire.mend(tls=_context(foreign))

        async def swap_back() -> None:
            assert morph.calls == ()
            await wire.cut()
            await wire.mend(tls=_context(known))

        await eventually(caller.asks_morph)
        phases = await trial(caller.ask, pace=pace, fault=acts(swap, swap_back))
        stages = ", ".join(f"{stage} {count}" for stage, count in caller.judge.stages.items())
        ledger.add(
            Row(
                fault="Morph TLS error",
                done="a certificate of an unknown CA",
                load=RAW,
                phases=phases,
                besides=stages,
            )
        )
        assert "morph fetch" in caller.judge.stages
        await eventually(caller.asks_morph)


def _context(of: Authority) -> ssl.SSLContext:
    pair = of.issue(names="IP:127.0.0.1")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(pair.certificate, pair.key)
    return context
