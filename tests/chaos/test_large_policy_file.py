"""A policy file of ten thousand models is put in force under load."""

from __future__ import annotations

import asyncio
from pathlib import Path

import yaml
from chaos.parts.callers import RAW, RawCaller
from chaos.parts.figures import Ledger, Pace, Row
from chaos.parts.processes import MB, Taken
from chaos.parts.serving import policy
from chaos.parts.trial import acts, trial
from e2e.parts.pointsman import pointsman_serve
from support.eventually import eventually

MODELS = 9_900
TIMES = 2
MOST_GROWTH = 192 * MB


def _large(text: str, version: int) -> str:
    document = yaml.safe_load(text)
    more = {f"maker/m{n}": {"router_id": f"m-{n}-{version}"} for n in range(MODELS)}
    document["catalog"] |= more
    return yaml.safe_dump(document, sort_keys=False)


async def test_a_reload_of_ten_thousand_models_costs_no_call(
    tmp_path: Path, ledger: Ledger, pace: Pace
) -> None:
    environment = {"POINTSMAN_RELOAD_INTERVAL": "0.1"}
    with pointsman_serve(tmp_path, policy=policy(), environment=environment) as service:
        small = service.policy.read_text()
        texts = [_large(small, version) for version in range(TIMES)]
        before = Taken.by(service.program.child.pid)
        async with RawCaller(service.address) as caller:

            async def replace(text: str) -> None:
                version = (await caller.decide("version")).policy_version

                async def taken() -> bool:
                    return (await caller.decide("version")).policy_version != version

                fresh = service.policy.with_suffix(".new")
                await asyncio.to_thread(fresh.write_text, text)
                fresh.replace(service.policy)
                await eventually(taken)

            async def grow() -> None:
                for text in texts:
                    await replace(text)

            phases = await trial(caller.ask, pace=pace, fault=acts(grow, lambda: replace(small)))
        growth = Taken.by(service.program.child.pid).rss - before.rss
    ledger.add(
        Row(
            fault="policy file of 10,000 models",
            done=f"put in force {TIMES} times, then the small one again",
            load=RAW,
            phases=phases,
            besides=f"RSS {growth / MB:+.1f} MB",
        )
    )
    assert growth < MOST_GROWTH
