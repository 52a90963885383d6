r"""Installable routers on the same held-out prompts, each in a separate environment.

    python -m venv /tmp/peers && /tmp/peers/bin/pip install lc-shift local-llm-router litellm
    python -m training.peers --data DIR --peer lc-shift=/tmp/peers/bin/python \
        --peer local-llm-router=/tmp/peers/bin/python

A peer is never a dependency: its interpreter is started, prompts go in as JSON, scores and the
processor time come out. The higher a score, the sooner the strong model is called; ties are
broken at random. Nothing leaves the machine.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import numpy as np
from pointsman_server.engines.local import artefact as files

from training.bench import WEAK_COLUMN, accuracy, read
from training.effort.evaluate import headers
from training.effort.rows import Row, labelled
from training.effort.scores import table
from training.measure import Floats, apgr, interval
from training.samples import Samples, samples
from training.sources import STRONG, Outcomes

_LITELLM: Final = """
from litellm.router_strategy.complexity_router.complexity_router import ComplexityRouter
config = {"classifier_type": "heuristic_v2"} if V2 else None
router = ComplexityRouter("x", None, complexity_router_config=config, default_model="x")
"""

SCORES: Final = {
    "lc-shift": {
        "lc-shift": "from lc_shift.strategies import compute_complexity as score",
    },
    "local-llm-router": {
        "local-llm-router": (
            "from local_llm_router.complexity import resolve_tier\n"
            "order = {'simple': 0, 'medium': 1, 'complex': 2, 'reasoning': 3}\n"
            "score = lambda prompt: order[resolve_tier(prompt).name.lower()]"
        ),
    },
    "litellm": {
        "LiteLLM, heuristic": (
            f"V2 = False{_LITELLM}score = lambda prompt: router.classify(prompt)[1]"
        ),
        "LiteLLM, heuristic_v2": (
            f"V2 = True{_LITELLM}def score(prompt):\n"
            "    found = router._classify_with_heuristic_v2(prompt).heuristic_v2_forecast\n"
            "    return 1 - found['probabilities']['SIMPLE']"
        ),
    },
}
"""Peer -> router -> code that defines `score(prompt)`, by the peer's own complexity."""

_DRIVER: Final = """
import json, sys, time
prompts = json.load(sys.stdin)
{score}
start = time.process_time()
found = [float(score(prompt)) for prompt in prompts]
print(json.dumps([found, time.process_time() - start]))
"""


def ask(code: str, python: str, prompts: list[str]) -> tuple[Floats, float]:
    """Scores by a peer's `code`, and its processor seconds. Raises `CalledProcessError`."""
    done = subprocess.run(
        [python, "-c", _DRIVER.format(score=code)],
        input=json.dumps(prompts),
        # LiteLLM would fetch its price list; nothing leaves the machine here.
        env={**os.environ, "LITELLM_LOCAL_MODEL_COST_MAP": "True"},
        capture_output=True,
        text=True,
        check=True,
    )
    found, seconds = json.loads(done.stdout.splitlines()[-1])
    return np.array(found), seconds


def row(name: str, score: Floats, seconds: float, table: Outcomes) -> str:
    """One line of the table."""
    weak, strong = table.column(WEAK_COLUMN), table.column(STRONG)
    low, high = interval(
        len(score), lambda at: apgr(score[at], weak=weak[at], strong=strong[at]), rounds=100
    )
    value = apgr(score, weak=weak, strong=strong)
    distinct = len(set(np.round(score, 9).tolist()))
    return (
        f"| {table.name} | {name} | {value:.3f} [{low:.3f}, {high:.3f}] | {distinct} |"
        f" {seconds / len(score) * 1e6:.0f} |"
    )


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of the public data sets")
    parser.add_argument("--peer", action="append", default=[], help="NAME=INTERPRETER")
    arguments = parser.parse_args()
    artefact, found = files.load(), samples(arguments.data)
    outcomes(artefact, found, arguments.peer)
    print()
    requests(labelled(arguments.data), arguments.peer)


def outcomes(artefact: files.Artefact, found: Samples, peers: Sequence[str]) -> None:
    """Print the table on exam outcomes."""
    print("| test | router | APGR [95 %] | distinct scores | CPU, microseconds a prompt |")
    print("|---|---|---|---|---|")
    for name in ("mmlu", "gsm8k"):
        train, test = found.train[name], found.test[name]
        random = np.random.default_rng(0).random(len(test))
        print(row("random", random, 0.0, test))
        print(row("prompt length", np.array([float(len(t)) for t in test.texts]), 0.0, test))
        for peer in peers:
            package, _, python = peer.partition("=")
            for label, code in SCORES[package].items():
                print(row(label, *ask(code, python, test.texts), test))
        start = time.process_time()
        heads = read(artefact, test.texts)
        seconds = time.process_time() - start
        at = [train.models.index(WEAK_COLUMN), train.models.index(STRONG)]
        quality = heads.quality(accuracy(artefact, train)[at])
        print(row("pointsman, shared difficulty", heads.difficulty, seconds, test))
        print(row("pointsman, with topic scores", quality[:, 1] - quality[:, 0], seconds, test))


def requests(rows: list[Row], peers: Sequence[str]) -> None:
    """Print the table on requests of real work, by each router's own complexity.

    This project's readers learnt from these requests. Their figures are those that training took
    from readers that had not seen the sources.
    """
    texts = [row.text for row in rows]
    scores = {"prompt length": np.array([float(len(text)) for text in texts])}
    for peer in peers:
        package, _, python = peer.partition("=")
        scores |= {label: ask(code, python, texts)[0] for label, code in SCORES[package].items()}
    found: dict[str, Mapping[str, float]] = {}
    for name, score in scores.items():
        logits = np.zeros((len(rows), 11))
        logits[:, :4] = (score - score.mean())[:, None] / (score.std() + 1e-9)
        found[name] = table(rows, logits)
    for name, header in headers().items():
        found[f"pointsman, {name}, sources held out"] = header["held_out"]
    print("| router | Spearman | within a source | AUC heavy, light | written | crossed |")
    print("|---|---|---|---|---|---|")
    for name, known in found.items():
        print(f"| {name} | {' | '.join(f'{known[key]:.3f}' for key in _SHOWN)} |")


_SHOWN: Final = ("spearman", "within", "heavy-light", "written", "crossed")


if __name__ == "__main__":
    main()
