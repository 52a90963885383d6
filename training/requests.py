"""Prompts without outcomes, for the heads that label them: topic, domain, vagueness."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from training.seeds import LINES
from training.sources import json_lines, rows


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One prompt with the labels of its set; `None`: no label."""

    source: str
    text: str
    topic: str | None = None
    domain: str | None = None
    vague: bool | None = None


def _arena(data: Path) -> Iterator[Request]:
    known = {
        "coding": ("code_request", "coding"),
        "math": ("competition_math", "general"),
        "creative": ("creative_writing", "general"),
    }
    for row in json_lines(data / "domain/arena_hard/question_v2.0.jsonl"):
        name = row["subcategory"] if row["subcategory"] in known else row["category"]
        topic, domain = next(
            (value for key, value in known.items() if key in name), ("open_request", "general")
        )
        yield Request(source="arena_hard_v2", text=row["prompt"], topic=topic, domain=domain)


def _sql(data: Path) -> Iterator[Request]:
    for row in rows(data / "domain/data_sql/sql_eval_questions.csv.gz"):
        yield Request(
            source="sql_eval", text=row["question"], topic="database_question", domain="data"
        )
    for entry in json_lines(data / "domain/spider2/spider2-lite.jsonl"):
        yield Request(
            source="spider2", text=entry["question"], topic="database_question", domain="data"
        )
    for entry in json_lines(data / "domain/infiagent_da/da-dev-questions.jsonl"):
        text = f"{entry['question']}\n{entry['constraints']}"
        yield Request(source="infiagent", text=text, topic="data_analysis", domain="data")


_DESIGN_ACTS = {"ui", "ux", "designer", "design", "logo", "svg", "interior"}
_DESIGN_PROJECTS = {"svg", "svg-chart", "svg-solar", "tailwind", "unocss", "sass", "less", "stylus"}
_CODE_WORDS = {"python", "code", "program", "sql", "html", "function", "algorithm", "script"}


def _prompts_chat(data: Path) -> Iterator[Request]:
    for row in rows(data / "domain/prompts_chat/prompts.csv.gz"):
        words = set(row["act"].lower().replace("/", " ").split())
        if row["type"] == "STRUCTURED":
            continue
        if row["type"] == "IMAGE" or words & _DESIGN_ACTS:
            domain = "design"
        else:
            domain = "coding" if row["for_devs"] == "True" else "general"
        yield Request(source="prompts_chat", text=row["prompt"], domain=domain)


def _assistants(data: Path) -> Iterator[Request]:
    for row in rows(data / "domain/clinc150/train.csv.gz"):
        yield Request(
            source="clinc150", text=row["text"], topic="assistant_command", domain="general"
        )
    for row in rows(data / "domain/self_instruct/t0_summary_vs_general.csv.gz"):
        summary = row["label"] == "summary"
        topic = "summary_request" if summary else "reading_task"
        yield Request(source="t0", text=row["text"], topic=topic, domain=row["label"])
    for entry in json_lines(data / "domain/self_instruct/seed_tasks.jsonl"):
        text = "\n".join((entry["instruction"], entry["instances"][0]["input"])).strip()
        plain = not _CODE_WORDS & set(text.lower().split())
        yield Request(
            source="self_instruct_seeds",
            text=text,
            topic="open_request",
            domain="general" if plain else None,
        )


def _code(data: Path) -> Iterator[Request]:
    for row in rows(data / "coding/leetcode_difficulty.csv.gz"):
        if row["split"] == "train":
            yield Request(
                source="leetcode", text=row["text"], topic="algorithm_puzzle", domain="coding"
            )
    for row in rows(data / "coding/swebench_lite/issues_quality.csv.gz"):
        yield Request(
            source="swebench_lite",
            text=row["problem_statement"],
            topic="software_issue",
            domain="coding",
            vague=row["description quality"] == "Not enough info",
        )
    for row in rows(data / "coding/web_bench/tasks.csv.gz"):
        domain = "design" if row["project"] in _DESIGN_PROJECTS else "coding"
        yield Request(
            source="web_bench", text=row["description"], topic="web_feature", domain=domain
        )
    with gzip.open(data / "coding/gpteacher/codegen-instruct.json.gz", "rt") as lines:
        for entry in json.load(lines):
            text = "\n".join((entry["instruction"], entry["input"])).strip()
            yield Request(source="gpteacher", text=text, topic="code_request", domain="coding")


def _vague(data: Path) -> Iterator[Request]:
    for entry in json_lines(data / "ambiguity/in3/train.jsonl.gz"):
        yield Request(source="in3", text=entry["task"], vague=bool(entry["vague"]))


_SEED_TOPIC = {"coding": "code_request", "data": "data_analysis", "summary": "summary_request"}


def _seeds(_data: Path) -> Iterator[Request]:
    for domain, lines in LINES.items():
        for line in lines.strip().splitlines():
            yield Request(source="seeds", text=line, topic=_SEED_TOPIC.get(domain), domain=domain)


def requests(data: Path) -> list[Request]:
    """All of them, in a fixed order, without those that one set labels in two ways."""
    found = [
        request
        for source in (_arena, _sql, _prompts_chat, _assistants, _code, _vague, _seeds)
        for request in source(data)
        if request.text.strip()
    ]
    labels: dict[tuple[str, str], set[str | None]] = {}
    for request in found:
        labels.setdefault((request.source, request.text), set()).add(request.domain)
    return [r for r in found if len(labels[r.source, r.text]) == 1]
