"""The public data sets, read into plain rows. Nothing here is ever copied into the repository.

Every reader takes the data folder. A text's stem is its question without options, punctuation and
case: sets that share questions (MMLU-Pro holds MMLU's, LLMRouter's test repeats its training part)
are deduplicated by it, and every split is a hash of it.
"""

from __future__ import annotations

import ast
import csv
import gzip
import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

csv.field_size_limit(10_000_000)

WEAK, STRONG = "mixtral-8x7b-instruct-v0.1", "gpt-4-1106-preview"
"""RouteLLM's pair."""

SAME_MODEL = {
    "llama-3.1-8b-instruct": "Meta-Llama-3_1-8B-Instruct",
    WEAK: "Mixtral-8x7B-Instruct-v0.1",
}
"""Names of one model in two sets."""

_OPTIONS = re.compile(r"\n\s*\(?A[.)]")
_QUOTED = re.compile(r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*\"""", re.DOTALL)
_NOT_ALNUM = re.compile(r"[^a-z0-9]")


def stem(text: str) -> str:
    """The stem of a text: two texts with one stem are the same question."""
    return _NOT_ALNUM.sub("", _OPTIONS.split(text)[0].lower())


def bucket(key: str, count: int) -> int:
    """A fixed place for `key` among `count`, the same on every machine."""
    return int(hashlib.sha1(key.encode(), usedforsecurity=False).hexdigest()[:8], 16) % count


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcomes:
    """Prompts that several models answered. `results` is prompts x models, 0..1, NaN: unknown."""

    name: str
    texts: list[str]
    stems: list[str]
    labels: list[str]
    """The set's own subject, category or task of each prompt."""
    origins: list[str]
    """The origin of each prompt in the set; empty if unknown."""
    models: list[str]
    results: NDArray[np.float64]
    answer_chars: NDArray[np.float64] | None = None
    """Length of each answer, where the set tells; same shape as `results`."""

    def __len__(self) -> int:
        """The number of prompts."""
        return len(self.texts)

    def keep(self, mask: NDArray[np.bool_]) -> Outcomes:
        """The rows for which `mask` is true."""
        at = np.flatnonzero(mask)
        return Outcomes(
            name=self.name,
            texts=[self.texts[i] for i in at],
            stems=[self.stems[i] for i in at],
            labels=[self.labels[i] for i in at],
            origins=[self.origins[i] for i in at],
            models=self.models,
            results=self.results[at],
            answer_chars=None if self.answer_chars is None else self.answer_chars[at],
        )

    def column(self, model: str) -> NDArray[np.float64]:
        """The results of one model."""
        return self.results[:, self.models.index(model)]


def rows(path: Path) -> Iterator[dict[str, str]]:
    """The rows of a packed CSV file."""
    with gzip.open(path, "rt", encoding="utf-8", newline="") as lines:
        yield from csv.DictReader(lines)


def json_lines(path: Path) -> Iterator[dict[str, Any]]:
    """The objects of a JSON lines file, packed or not."""
    content = path.read_bytes()
    text = gzip.decompress(content) if path.suffix == ".gz" else content
    # Not `splitlines`: a JSON string may contain Unicode line ends.
    for line in text.decode("utf-8").split("\n"):
        if line.strip():
            yield json.loads(line)


def _number(text: str) -> float:
    return float(text) if text else float("nan")


def _table(
    name: str,
    found: list[Mapping[str, str]],
    *,
    models: list[str],
    texts: list[str],
    stems: list[str],
    label: str | None,
) -> Outcomes:
    return Outcomes(
        name=name,
        texts=texts,
        stems=stems,
        labels=[row[label] if label else name for row in found],
        origins=[row.get("src", "") for row in found],
        models=[SAME_MODEL.get(model, model) for model in models],
        results=np.array([[_number(row[m]) for m in models] for row in found]),
    )


def _pair(name: str, path: Path, *, label: str | None, scale: float = 1.0) -> Outcomes:
    found: list[Mapping[str, str]] = [row for row in rows(path) if row["contaminated"] == "0"]
    texts = [row["prompt"] for row in found]
    table = _table(
        name,
        found,
        models=[WEAK, STRONG],
        texts=texts,
        stems=[stem(text) for text in texts],
        label=label,
    )
    table.results[:] /= scale
    return table


def mmlu(data: Path) -> Outcomes:
    """RouteLLM's MMLU outcomes; labels are the 57 subjects."""
    return _pair("mmlu", data / "routellm/mmlu_outcomes.csv.gz", label="domain")


def gsm8k(data: Path) -> Outcomes:
    """RouteLLM's GSM8K outcomes."""
    return _pair("gsm8k", data / "routellm/gsm8k_outcomes.csv.gz", label=None)


def mt_bench(data: Path) -> Outcomes:
    """RouteLLM's MT-bench scores, 0..1. For tests only."""
    return _pair("mt_bench", data / "routellm/mtbench_scores.csv.gz", label="category", scale=10.0)


def options_text(options: list[str]) -> str:
    """Answer options as they stand in a prompt."""
    return "\n".join(f"{chr(65 + i)}. {option}" for i, option in enumerate(options))


def _options(text: str) -> list[str]:
    """The options of MMLU-Pro: a printed array of quoted strings, often without commas."""
    return [str(ast.literal_eval(item)) for item in _QUOTED.findall(text)]


def mmlu_pro(data: Path) -> Outcomes:
    """MMLU-Pro with 28 models; labels are the 14 categories. Rows with a missing model go."""
    found: list[Mapping[str, str]] = list(rows(data / "mmlu_pro/outcomes_28_models.csv.gz"))
    known = {"question_id", "question", "options", "answer", "category", "src"}
    models = [name for name in found[0] if name not in known and not name.startswith("out_chars:")]
    found = [row for row in found if all(row[model] for model in models)]
    texts = [f"{row['question']}\n{options_text(_options(row['options']))}" for row in found]
    table = _table(
        "mmlu_pro",
        found,
        models=models,
        texts=texts,
        stems=[stem(row["question"]) for row in found],
        label="category",
    )
    chars = [[_number(row.get(f"out_chars:{m}", "")) for m in models] for row in found]
    return Outcomes(
        name=table.name,
        texts=table.texts,
        stems=table.stems,
        labels=table.labels,
        origins=table.origins,
        models=table.models,
        results=table.results,
        answer_chars=np.array(chars),
    )


def llm_router(data: Path) -> tuple[Outcomes, Outcomes]:
    """LLMRouter's nine models: its training part, and its test part without repeated prompts."""
    found: list[Mapping[str, str]] = list(rows(data / "llmrouter/outcomes_9_models.csv.gz"))
    known = {"prompt", "split", "task", "in_train"}
    texts = [row["prompt"] for row in found]
    table = _table(
        "llm_router",
        found,
        models=[name for name in found[0] if name not in known],
        texts=texts,
        stems=[stem(text) for text in texts],
        label="task",
    )
    train = np.array([row["split"] == "train" for row in found])
    fresh = np.array([row["in_train"] == "0" for row in found])
    return table.keep(train), table.keep(~train & fresh)


def llm_router_prices(data: Path) -> dict[str, tuple[float, float]]:
    """Dollars per million tokens in and out, by the names that `llm_router` uses."""
    with (data / "llmrouter/candidates_prices.json").open(encoding="utf-8") as lines:
        found = json.load(lines)
    return {
        SAME_MODEL.get(name, name): (entry["input_price"], entry["output_price"])
        for name, entry in found.items()
    }
