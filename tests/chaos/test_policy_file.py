"""The policy file is spoilt, deleted, swapped under load: an answer is of one version whole."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import yaml
from chaos.parts.callers import DEADLINE, RAW, RawCaller
from chaos.parts.figures import Ledger, Pace, Row
from chaos.parts.serving import policy
from chaos.parts.trial import acts, trial
from e2e.parts.pointsman import Service, pointsman_serve
from pointsman.v1 import describe_routing_pb2 as describe_pb
from pointsman.v1 import route_decision_pb2 as pb
from support.eventually import eventually

LOOK = 0.1
"""Seconds between two looks at the file."""
PIECES = 10


class Versions:
    """One server whose file has two good versions: one serves its decisions, one only records."""

    def __init__(self, service: Service) -> None:
        self.path = service.policy
        self.address = service.address
        log = {"stdout": False, "file": str(service.decision_log)}
        self.text = {
            mode: yaml.safe_dump({**policy(), "mode": mode, "decision_log": log}, sort_keys=False)
            for mode in ("serve", "shadow")
        }

    def replace(self, text: str) -> None:
        """As `mv` does it."""
        fresh = self.path.with_suffix(".new")
        fresh.write_text(text)
        fresh.replace(self.path)


@pytest.fixture(scope="module")
def versions(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Versions]:
    environment = {"POINTSMAN_RELOAD_INTERVAL": str(LOOK)}
    folder = tmp_path_factory.mktemp("policy-file")
    with pointsman_serve(folder, policy=policy(), environment=environment) as service:
        yield Versions(service)


class Reader(RawCaller):
    """Learns which version serves and which records, and holds each answer against its own."""

    def __init__(self, target: str) -> None:
        super().__init__(target)
        self.version_of: dict[str, str] = {}
        self.seen: set[str] = set()

    async def ask(self, number: int) -> str | None:
        session = self.judge.session(number)
        answer = await self.decide(session)
        mode = self.version_of.get(answer.policy_version)
        self.seen.add(mode or "unknown")
        if mode is None:
            return f"{session}: policy version {answer.policy_version} was never good"
        if answer.shadow != (mode == "shadow"):
            return f"{session}: shadow {answer.shadow} under the version of mode {mode}"
        if mode == "serve":
            return self.judge.wrong(answer, session)
        return None if answer.outcome == pb.OUTCOME_ROUTED else f"{session}: not routed"

    async def in_force(self) -> describe_pb.DescribeRoutingResponse:
        request = describe_pb.DescribeRoutingRequest()
        answer: describe_pb.DescribeRoutingResponse = await self.stub.DescribeRouting(
            request, timeout=DEADLINE
        )
        return answer

    async def take(self, versions: Versions, mode: str) -> None:
        """Put a version in force and learn its name."""
        versions.replace(versions.text[mode])
        shadow = mode == "shadow"

        async def taken() -> bool:
            answer = await self.decide("of-the-policy-file")
            if answer.shadow == shadow:
                self.version_of[answer.policy_version] = mode
            return answer.shadow == shadow

        await eventually(taken)

    async def refused(self) -> bool:
        return bool((await self.in_force()).reload_problems)

    async def taken(self) -> bool:
        return not (await self.in_force()).reload_problems


@pytest.fixture
async def reader(versions: Versions) -> AsyncIterator[Reader]:
    async with Reader(versions.address) as reader:
        await reader.take(versions, "shadow")
        await reader.take(versions, "serve")
        yield reader


def _garbage(versions: Versions) -> None:
    versions.replace("\x00\x01{]: not a policy\n" * 50)


def _truncate(versions: Versions) -> None:
    """A writer that died in the middle of a line, in place."""
    text = versions.text["serve"]
    versions.path.write_text(text[: text.index("output_price") + 6])


def _delete(versions: Versions) -> None:
    versions.path.unlink()


SPOILT = {
    "replaced by garbage": _garbage,
    "truncated in mid-write": _truncate,
    "deleted": _delete,
}


@pytest.mark.parametrize("fault", SPOILT)
async def test_a_spoilt_policy_file_leaves_the_last_good_one_in_force(
    fault: str, versions: Versions, reader: Reader, ledger: Ledger, pace: Pace
) -> None:
    async def spoil() -> None:
        SPOILT[fault](versions)
        await eventually(reader.refused)
        reader.seen.clear()

    async def mend() -> None:
        assert reader.seen == {"serve"}
        versions.replace(versions.text["serve"])
        await eventually(reader.taken)

    phases = await trial(reader.ask, pace=pace, fault=acts(spoil, mend))
    ledger.add(
        Row(
            fault=f"policy file {fault}",
            done="until it was refused, and longer; then repaired",
            load=RAW,
            phases=phases,
            besides="the last good one held",
        )
    )


async def test_a_slow_writer_is_waited_for(
    versions: Versions, reader: Reader, ledger: Ledger, pace: Pace
) -> None:
    text = versions.text["shadow"]
    step = -(-len(text) // PIECES)

    async def write() -> None:
        with versions.path.open("w") as file:
            for start in range(0, len(text), step):
                file.write(text[start : start + step])
                file.flush()
                await asyncio.sleep(LOOK / 5)

    phases = await trial(
        reader.ask, pace=pace, fault=acts(write, lambda: reader.take(versions, "shadow"))
    )
    done = f"in {PIECES} pieces, {LOOK / 5:g} s apart"
    row = Row(fault="policy file written slowly", done=done, load=RAW, phases=phases)
    ledger.add(row)
    assert reader.seen == {"serve", "shadow"}


@contextlib.asynccontextmanager
async def _swapping(versions: Versions, reader: Reader, folder: Path) -> AsyncIterator[None]:
    """As Kubernetes mounts a ConfigMap: the file is a link to `..data`, and that is swapped.

    It goes on until both versions were seen in force.
    """
    for mode, text in versions.text.items():
        (folder / mode).mkdir()
        (folder / mode / "policy.yaml").write_text(text)
    (folder / "..data").symlink_to("serve")
    versions.path.unlink()
    versions.path.symlink_to(folder / "..data" / "policy.yaml")

    async def swap() -> None:
        while True:
            for mode in ("shadow", "serve"):
                await asyncio.sleep(3 * LOOK)
                (folder / "..fresh").symlink_to(mode)
                os.rename(folder / "..fresh", folder / "..data")  # noqa: PTH104  (atomically)

    swapping = asyncio.create_task(swap())
    try:
        yield
        await eventually(lambda: reader.seen == {"serve", "shadow"})
    finally:
        swapping.cancel()
        await asyncio.wait({swapping})


async def test_a_swapped_link_is_followed(
    versions: Versions, reader: Reader, tmp_path: Path, ledger: Ledger, pace: Pace
) -> None:
    phases = await trial(reader.ask, pace=pace, fault=_swapping(versions, reader, tmp_path))
    row = Row(
        fault="policy file symlink-swapped",
        done="as Kubernetes does, every 0.3 s",
        load=RAW,
        phases=phases,
        besides="both versions seen, each whole",
    )
    ledger.add(row)
    await reader.take(versions, "serve")
