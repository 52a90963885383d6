"""Decisions a second beside LiteLLM's proxy, which has an endpoint that decides without calling.

`POST /auto_router/test_routing` (litellm 1.106.2, `management_endpoints/auto_router_endpoints.py`)
says where its complexity router would send a request; with `classifier_type: heuristic` it calls
no model. It caches nothing, so it is compared with cached decisions and with uncached
ones. Both sides have one core, the same prompts, and 64 requests in flight.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import yaml

from benchmarks import load, servers
from benchmarks.bars import Bar, Series, bar, least_sure, unmeasured
from benchmarks.rounds import Rounds
from benchmarks.side import SERVER_CORE, Costs, Side, limited_by

PATH = "/auto_router/test_routing"
KEY = "sk-benchmark"
CONNECTIONS = 64
"""LiteLLM speaks HTTP/1.1: one request in flight on each."""
TIERS = dict(zip(("SIMPLE", "MEDIUM", "COMPLEX", "REASONING"), load.CANDIDATES, strict=True))
PROMPTS = {
    "short": "What is the capital of France?",
    "medium": "Prove that every group of order p^2 is abelian, step by step. " * 3,
    "long": load.PROMPT,
}
SIDES = 4 * len(PROMPTS)
"""Of all comparisons below."""
LIMIT = ">= 10"
_PREVIEW = "LiteLLM's preview endpoint, decisions a second"
KEPT, MADE = f"cached / {_PREVIEW}", f"decided by engine local / {_PREVIEW}"


def measure(rounds: Rounds, program: Path, costs: Costs) -> list[Bar]:
    """P12, over all prompts. `program`: the `litellm` of an environment that has its proxy."""
    with (
        litellm(program) as other,
        servers.pointsman("pointsman", core=SERVER_CORE) as ours,
    ):
        kept, made = [], []
        for name, prompt in PROMPTS.items():
            theirs = Side(other, 128, 1, body=_preview(prompt), clients=CONNECTIONS)
            keeps = Side(ours, 3_000, body=_ours(prompt))
            makes = Side(ours, 1_000, body=_ours(prompt, dry_run=True))
            for side in (theirs, keeps, makes):
                side.run()
            seen = rounds.play(
                [keeps.per_second, theirs.per_second, makes.per_second, keeps.per_second]
            )
            costs[f"LiteLLM's preview, {name} prompt"] = theirs.costs[1:]
            kept.append(limited_by(seen.over(0, 1), keeps, theirs))
            made.append(limited_by(seen.over(2, 1), makes, theirs))
    return [bar("P12", KEPT, LIMIT, _joined(kept)), bar("P12", MADE, LIMIT, _joined(made))]


def last_measured(told: Path) -> list[Bar]:
    """P12 from the last run beside LiteLLM, in JSON; rows without values if there is none.

    LiteLLM has a separate environment, and so a separate run.
    """
    if not told.exists():
        return [unmeasured("P12", what, LIMIT, "`make bench-litellm`") for what in (KEPT, MADE)]
    facts = json.loads(told.read_text())
    return [replace(Bar(**row), run=facts["head"]) for row in facts["bars"]]


def _joined(each: list[Series]) -> Series:
    return Series(
        [value for series in each for value in series.values],
        controls=[value for series in each for value in series.controls],
        tried=sum(series.tried for series in each),
        busy=least_sure(series.busy for series in each if series.busy),
    )


def _ours(prompt: str, *, dry_run: bool = False) -> load.Body:
    message = load.request()
    message.prompt.user_prompt_prefix = prompt
    message.dry_run = dry_run
    return load.call(message)


def _preview(prompt: str) -> load.Body:
    asked = load.request().prompt
    body = {
        "messages": [
            {"role": "system", "content": asked.system_prompt_prefix},
            {"role": "user", "content": prompt},
        ],
        "complexity_router_config": {
            "classifier_type": "heuristic",
            "tiers": {tier: [model] for tier, model in TIERS.items()},
        },
    }
    headers = ("content-type: application/json", f"authorization: Bearer {KEY}")
    return load.Body(PATH, json.dumps(body).encode(), headers=headers, http1=True)


@contextmanager
def litellm(program: Path) -> Iterator[servers.Running]:
    """LiteLLM's proxy as it comes, without a database, on one core."""
    port = servers.free_port()
    models = [
        {
            "model_name": model,
            "litellm_params": {"model": f"openai/{model}", "api_key": "none"},
        }
        for model in TIERS.values()
    ]
    settings = {"model_list": models, "general_settings": {"master_key": KEY}}
    environment = {
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        "LITELLM_MODE": "PRODUCTION",  # or it reads a file of the working folder's parents
        "LITELLM_LOG": "ERROR",
    }
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "config.yaml"
        config.write_text(yaml.safe_dump(settings))
        command = [
            str(program), "--config", str(config), "--host", "127.0.0.1", "--port", str(port),
        ]  # fmt: skip
        with servers.started(
            "litellm", command, port=port, core=SERVER_CORE, environment=environment, patience=120.0
        ) as running:
            yield running
