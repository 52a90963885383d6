"""The report of what a real server wrote: its own file log, then the command."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from pointsman.v1 import route_decision_pb2 as pb
from support.served import CATALOG, FRONTIER, Starter, policy_text, request

PROMPTS = ("What is 17 * 23?", "Prove that every group of order p^2 is abelian.")
PRICES = {
    name: entry | {"input_price": 1 + at, "output_price": 5 + 5 * at, "size": "large"}
    for at, (name, entry) in enumerate(CATALOG.items())
}
CONVERSATIONS = 60


def asked(session: int) -> Any:
    caller = pb.Caller(user_id="canary-user", session_id=f"canary-session-{session}")
    return request(PROMPTS[session % 2], caller=caller)


def reported(*argv: str) -> Any:
    done = subprocess.run(
        [sys.executable, "-m", "pointsman_server", "report", *argv],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert "canary" not in done.stdout
    return done.stdout


async def test_the_report_of_a_servers_log_has_what_was_asked_of_it(
    start: Starter, tmp_path: Path
) -> None:
    policy = policy_text(catalog=PRICES, flags={"decision_log_sample_rate": 1})
    peer = await start(policy=policy)
    answers = [await peer.decide(asked(at)) for at in range(CONVERSATIONS) for _ in range(2)]
    unknown = request(routing=pb.RoutingContext(auto_model="canary-tier"))
    await peer.decide(unknown)
    await peer.decide(request(dry_run=True))
    await peer.stop()

    prices = tmp_path / "policy-1.yaml"
    argv = (str(peer.log_file), "--policy-file", str(prices))
    text, figures = await asyncio.gather(
        asyncio.to_thread(reported, *argv), asyncio.to_thread(reported, *argv, "--json")
    )
    report = json.loads(figures)
    overall = report["shadow"]["overall"]
    differing = [a for a in answers if a.decision.model != FRONTIER[0]]
    assert report["read"]["decisions"] == report["read"]["lines"] == 2 * CONVERSATIONS + 1
    assert report["serve"] is None
    assert overall["decisions"] == 2 * CONVERSATIONS + 1
    assert overall["skipped"]["reasons"] == {"unknown_tier": 1}
    assert overall["kept"]["decisions"] == sum(a.decision.cached for a in answers) == CONVERSATIONS
    assert overall["engines"] == {"local": 2 * CONVERSATIONS}
    assert overall["differs"]["share"] == round(len(differing) / len(answers), 9)
    assert {t["tier"] for t in report["shadow"]["tiers"]} == {"kilo-auto/frontier", "unlisted"}
    assert overall["cost"]["lines"] == 2 * CONVERSATIONS + 1
    assert (
        report["read"]["policy_versions"]
        == {answers[0].policy_version: 2 * CONVERSATIONS + 1}
        == {report["assumed"]["prices_of"]: 2 * CONVERSATIONS + 1}
    )
    assert overall["cost"]["verdict"]["text"] in " ".join(text.split())
