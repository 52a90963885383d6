"""The official clients, `openai` and `typesafe-sdk`, against `pointsman decision-api`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from e2e.parts.cache import cached
from e2e.parts.pointsman import MORPH_KEY, morph_api
from e2e.test_morph_clients import EASY, HARD
from e2e.test_sdk_errors import PINNED, _install
from pointsman_server.core.engine_rules import DecisionFormat
from support.remote import decision_model_codec, decision_model_rules

pytestmark = [pytest.mark.part("decision models"), pytest.mark.timeout(900)]

PROGRAM = Path(__file__).parent / "parts" / "decision_clients.py"
QUESTIONS = {"effort", "domain", "needs_info", "turn", "effort_reversed", "domain_reversed"}


def _requests(prompt: str) -> dict[str, Any]:
    """What engine `decision_model` sends for a prompt, by format."""
    found = {}
    for wire in DecisionFormat:
        codec = decision_model_codec(decision_model_rules(format=wire, average_orders=True))
        found[wire.value] = json.loads(codec.encode_prompt(prompt))
    return found


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """What the clients got, after they accepted the engine's requests by their own types."""
    scratch = tmp_path_factory.mktemp("decision-clients")
    requests = scratch / "requests.json"
    requests.write_text(json.dumps({"easy": _requests(EASY), "hard": _requests(HARD)}))
    packages = cached(f"sdks-{sha256(PINNED.read_bytes()).hexdigest()[:12]}", _install)
    with morph_api(scratch, command="decision-api") as endpoint:
        done = subprocess.run(
            [sys.executable, "-S", "-P", PROGRAM, endpoint.url, MORPH_KEY, requests],
            capture_output=True,
            text=True,
            timeout=300,
            env=os.environ | {"PYTHONPATH": str(packages)},
            check=False,
        )
        assert done.returncode == 0, done.stderr
        yield json.loads(done.stdout)


@pytest.mark.parametrize("client", ["openai", "typesafe"])
def test_a_client_reads_every_answer(found: dict[str, Any], client: str) -> None:
    for kind in ("easy", "hard"):
        assert set(found[kind][client]) == QUESTIONS
    easy, hard = (found[kind][client]["effort"]["score"] for kind in ("easy", "hard"))
    assert easy + 1 < hard


def test_both_formats_say_the_same(found: dict[str, Any]) -> None:
    for kind in ("easy", "hard"):
        of_openai, of_typesafe = found[kind]["openai"], found[kind]["typesafe"]
        assert of_openai["turn"]["probability"] == of_typesafe["turn"]["noul"]
        assert of_openai["domain"]["choice"] == of_typesafe["domain"]["choice"]
        assert of_openai["effort"]["score"] == of_typesafe["effort"]["score"]


def test_the_clients_read_this_services_errors(found: dict[str, Any]) -> None:
    assert found["errors"] == {
        "openai": "401 unauthenticated",
        "typesafe": "401 unauthenticated",
    }
