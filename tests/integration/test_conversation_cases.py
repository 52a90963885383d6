"""Conversations turn by turn under stickiness `adaptive`, by each RPC, over a real socket.

`tests/data/README.md` says what each key of a case means.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from support.conformance.comparison import Found
from support.conformance.conversations import CASES, ConversationServer, ScriptedLocal, policy_of
from support.morph import ScriptedMorph
from support.served import Starter
from support.ways import WAYS

POLICIES = sorted(set(map(policy_of, CASES)))


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("policy", POLICIES, ids=str)
async def test_conversations(way: str, policy: str, start: Starter, tmp_path: Path) -> None:
    """All conversations under one policy, in one server: each has a session of its own."""
    local = ScriptedLocal()
    async with ScriptedMorph() as morph:
        with local.in_place():
            server = ConversationServer(morph, local, tmp_path)
            peer = await server.open(start, json.loads(policy))
            wrong = {}
            for case in (each for each in CASES if policy_of(each) == policy):
                for number, turn in enumerate(case["turns"]):
                    armed = server.arm(turn, case)
                    found = Found(answer=await WAYS[way](peer.channel, armed.wire))
                    if different := server.check(turn, found):
                        wrong[case["name"], number] = different
    assert not wrong, "\n".join(f"{k}: {v}" for k, v in wrong.items())
