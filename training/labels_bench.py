"""The label heads on held-out prompts: domain, vagueness, calibration of predicted success."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from pointsman_server.core.policy_file import LocalRules
from pointsman_server.engines.local import LocalEngine
from pointsman_server.engines.local.artefact import Artefact

from training.bench import WEAK_COLUMN, Row, accuracy, read
from training.measure import expected_calibration_error
from training.samples import Samples
from training.sources import STRONG, json_lines

RULES = LocalRules(
    quality_loss={
        "capability_heavy": 0.02,
        "balanced": 0.05,
        "cost_efficient": 0.10,
        "domain_skills": 0.0,
    }
)

_CODING_APPS = {
    *("StackOverflow", "Leetcode", "GeeksforGeeks", "Github", "w3schools", "Jira", "Markdown"),
}
_DATA_APPS = {"MS Excel", "Google Sheet", "Google Sheets"}
_AS_GENERAL = {"design": "general", "summary": "general"}
"""No app tells these two domains, so that the truth calls such requests general ("summarise this
mail", for a mail app). Answers are coarsened in the same way; the table says how often."""


def domain_rows(artefact: Artefact, data: Path) -> list[Row]:
    """Self-instruct's user-oriented instructions; the domain is read off the app they are for.

    A secondary test: one prompt in ten is not general, and the app says little of the request.
    """
    engine = LocalEngine(artefact, rules=RULES)
    rows = list(json_lines(data / "domain/self_instruct/user_oriented_instructions.jsonl"))
    truth, said, sure, coarsened = [], [], [], 0
    for row in rows:
        text = "\n".join((row["instruction"], row["instances"][0]["input"])).strip()
        app = row["motivation_app"].strip()
        coding = "coding" if app in _CODING_APPS else "general"
        truth.append("data" if app in _DATA_APPS else coding)
        labels = engine.read(text)
        said.append(_AS_GENERAL.get(labels.domain, labels.domain))
        coarsened += labels.domain in _AS_GENERAL
        sure.append(labels.domain_confidence)
    hit = np.array([a == b for a, b in zip(truth, said, strict=True)], float)
    majority = max(truth.count(name) for name in set(truth)) / len(truth)
    return [
        Row(test="domain (user-oriented)", router="majority", metric="accuracy", value=majority),
        Row(
            test="domain (user-oriented)",
            router="shipped model",
            metric="accuracy",
            value=float(hit.mean()),
            more={
                "ECE": expected_calibration_error(np.array(sure), hit),
                "coding or data found": float(hit[np.array(truth) != "general"].mean()),
                "said design or summary": coarsened / len(rows),
            },
        ),
    ]


def vague_rows(artefact: Artefact, data: Path) -> list[Row]:
    """IN3's test part: the area under the ROC curve of `needs_info`."""
    engine = LocalEngine(artefact, rules=RULES)
    rows = list(json_lines(data / "ambiguity/in3/test.jsonl"))
    truth = np.array([bool(row["vague"]) for row in rows])
    raw = np.array([engine.read(row["task"]).needs_info for row in rows])
    length = np.array([-float(len(row["task"])) for row in rows])
    return [
        Row(test="vague (IN3)", router=name, metric="AUC", value=_auc(score, truth))
        for name, score in (("shorter is vaguer", length), ("shipped model", raw))
    ]


def _auc(score: np.ndarray, truth: np.ndarray) -> float:
    wins = score[truth][:, None] - score[~truth][None]
    return float((wins > 0).mean() + (wins == 0).mean() / 2)


def calibration_rows(artefact: Artefact, samples: Samples) -> list[Row]:
    """Predicted success of RouteLLM's pair on MMLU's half B: Brier score, against a constant."""
    train, test = samples.train["mmlu"], samples.test["mmlu"]
    known = accuracy(artefact, train)
    found = read(artefact, test.texts)
    rows = []
    for name, column in (("weak", WEAK_COLUMN), ("strong", STRONG)):
        hit = test.column(column)
        chance = found.quality(known[[train.models.index(WEAK_COLUMN), train.models.index(STRONG)]])
        said = np.clip(chance[:, 0 if name == "weak" else 1], 0, 1)
        constant = float(train.column(column).mean())
        rows.append(
            Row(
                test=f"success of the {name} model (mmlu)",
                router="shipped model",
                metric="Brier",
                value=float(((said - hit) ** 2).mean()),
                more={
                    "constant": float(((constant - hit) ** 2).mean()),
                    "ECE": expected_calibration_error(said, hit),
                },
            )
        )
    return rows
