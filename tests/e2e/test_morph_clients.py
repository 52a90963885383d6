"""Morph's own npm packages, unmodified, against `pointsman morph-api`: every method."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from e2e.parts.cache import cached
from e2e.parts.pointsman import MORPH_KEY, morph_api, policy_document
from e2e.parts.toolchain import find, need, run

pytestmark = [pytest.mark.part("Morph's npm packages"), pytest.mark.timeout(900)]

SDK, ROUTER = "0.2.196", "0.1.21"
PROGRAM = Path(__file__).parent / "parts" / "morph_clients.mjs"
EASY = "What is the capital of Portugal?"
HARD = (
    "Refactor the billing service into an event-sourced architecture: migrate forty tables without"
    " downtime, keep exactly-once semantics across three regions, design the rollback plan, and"
    " prove that no invoice can be counted twice under concurrent retries."
)
EFFORTS = ["low", "medium", "high"]


def _install(folder: Path) -> None:
    (folder / "package.json").write_text('{"private": true}\n')
    packages = (f"@morphllm/morphsdk@{SDK}", f"@morphllm/morphrouter@{ROUTER}")
    options = ("--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error")
    run(["npm", "install", *options, *packages], directory=folder)


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """What each method answered."""
    need("node", "npm")
    scratch = tmp_path_factory.mktemp("morph-clients")
    packages = cached(f"morph-clients-{SDK}-{ROUTER}", _install)
    policy = policy_document()
    policy["catalog"]["openai/gpt-5.5"]["reasoning_efforts"] = EFFORTS
    file = scratch / "policy.yaml"
    file.write_text(yaml.safe_dump(policy, sort_keys=False))
    with morph_api(scratch, policy=file) as endpoint:
        node = find("node")
        assert node is not None
        done = subprocess.run(
            [node, PROGRAM, packages, endpoint.url, MORPH_KEY, scratch, EASY, HARD],
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        yield json.loads(done.stdout)


@pytest.mark.parametrize("mode", ["balanced", "aggressive"])
@pytest.mark.parametrize(
    ("router", "beginning"),
    [("OpenAIRouter", "gpt-5.5-"), ("AnthropicRouter", "claude-"), ("GeminiRouter", "gemini-")],
)
def test_a_router_selects_a_model_of_its_provider(
    found: dict[str, Any], router: str, beginning: str, mode: str
) -> None:
    for kind in ("easy", "hard"):
        assert found[f"{router} {mode} {kind}"]["model"].startswith(beginning)


def test_an_easy_and_a_hard_prompt_get_different_efforts(found: dict[str, Any]) -> None:
    easy, hard = (found[f"OpenAIRouter balanced {kind}"]["model"] for kind in ("easy", "hard"))
    assert easy == "gpt-5.5-low"
    assert hard in {"gpt-5.5-medium", "gpt-5.5-high"}


def test_an_easy_and_a_hard_prompt_get_different_models(found: dict[str, Any]) -> None:
    easy, hard = (found[f"AnthropicRouter balanced {kind}"]["model"] for kind in ("easy", "hard"))
    assert easy != hard
    assert found["AnthropicRouter aggressive hard"]["model"] == "claude-opus-4-8"


def test_the_raw_router_tells_the_difficulty(found: dict[str, Any]) -> None:
    assert found["RawRouter easy"] == {"difficulty": "easy"}
    assert found["RawRouter hard"]["difficulty"] in {"medium", "hard"}


def test_the_classifier_gives_all_heads_or_those_that_are_asked_for(found: dict[str, Any]) -> None:
    for kind in ("easy", "hard"):
        heads = found[f"RouterClassifier {kind}"]
        assert set(heads) == {"difficulty", "ambiguity", "domain"}
        for head in heads.values():
            assert set(head) == {"class_id", "label", "confidence", "meets_threshold"}
        assert set(found[f"RouterClassifier domain {kind}"]) == {"domain"}
    assert found["RouterClassifier easy"]["difficulty"]["meets_threshold"] is True


def test_the_whole_client_works_by_its_base_url(found: dict[str, Any]) -> None:
    for kind in ("easy", "hard"):
        expected = found[f"AnthropicRouter balanced {kind}"]
        assert found[f"MorphAPIClient {kind}"] == expected
        assert found[f"MorphClient {kind}"] == expected


def test_the_sdk_retries_429_and_503_and_gives_up_with_an_error_that_it_can_read(
    found: dict[str, Any],
) -> None:
    assert found["retries"] == {"difficulty": "easy"}
    assert [said.partition(":")[0] for said in found["retried"][:2]] == ["HTTP 429", "HTTP 503"]
    assert found["gives up"] == {"error": "Router API error (503): this fault was asked for"}


def test_the_sdk_reads_this_services_errors(found: dict[str, Any]) -> None:
    assert found["wrong key"]["error"].startswith("Router API error (401): send a valid key")
    assert found["blank input"]["error"].endswith("(422): these fields are not acceptable: input")
    assert found["unknown mode"]["error"].endswith("(422): these fields are not acceptable: mode")


def test_morphrouter_routes_by_its_matrix(found: dict[str, Any]) -> None:
    easy, hard = found["morphrouter easy"], found["morphrouter hard"]
    assert (easy["model"], easy["reason"]) == ("haiku", "matrix_match")
    assert hard["model"] in {"sonnet", "opus"}
