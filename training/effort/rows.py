"""Labelled and unlabelled requests, and the folds that leave whole sources out."""

from __future__ import annotations

import csv
import gzip
import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

LABELLED: Final = "requests/train.jsonl.gz"
UNLABELLED: Final = "requests/unlabelled.jsonl.gz"
QUESTIONS: Final = (
    ("leetcode", "coding/leetcode_difficulty.csv.gz", "text"),
    ("mmlu_pro", "mmlu_pro/outcomes_28_models.csv.gz", "question"),
)
_QUESTIONS: Final = 1_500
OWN: Final = "own"
"""The group of the requests that were written for training."""
SETS: Final = "sets"
"""The group of the sets of requests that were written for training."""
_ONE_LINERS: Final = Path(__file__).with_name("one_liners.tsv")
_SETS: Final = Path(__file__).with_name("sets.jsonl")
_LABELS: Final = Path(__file__).with_name("labels.tsv")
_OWN_FILES: Final = (_ONE_LINERS, _SETS, _LABELS)

FOLDS: Final = 3

CODE_POINTS: Final = 1_000
"""The service sees this much of a prompt."""

_BY_REPOSITORY: Final = ("specstory_misc", "prompt_log")
"""Sources that hold sessions of several repositories; `source:repository-number` are their ids."""

_FAMILIES: Final = (
    "oasst_",
    "mifeval_",
    "swebench_",
    "vigogne_",
    "proofnet",
    "frontier_cs",
    "math_",
)
"""Sources that share an origin stay in one fold."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One labelled request."""

    id: str
    source: str
    text: str
    effort: int
    domain: str
    needs_info: bool
    turn: bool
    lang: str = ""
    kind: str = ""

    @property
    def group(self) -> str:
        """The unit of a fold: a source, a repository or one writer's set."""
        if self.source == "written":
            return self.id.partition(":")[0]
        if self.source in _BY_REPOSITORY:
            return self.id.rpartition("-")[0]
        return next((name for name in _FAMILIES if self.source.startswith(name)), self.source)


def labelled(data: Path) -> list[Row]:
    """All labelled requests in the order of the file."""
    return [_row(line, name=line["id"], source=line["source"]) for line in _lines(data / LABELLED)]


def _row(line: Mapping[str, Any], *, name: str, source: str) -> Row:
    """The row of a line with all labels."""
    return Row(
        id=name,
        source=source,
        text=line["text"].strip()[:CODE_POINTS],
        effort=line["effort"],
        domain=line["domain"],
        needs_info=bool(line["needs_info"]),
        turn=bool(line["turn"]),
        lang=line.get("lang") or "",
        kind=line.get("kind") or "",
    )


def one_liners() -> list[Row]:
    """Short requests that were written for training: each trap from both sides, in many languages.

    They are learnt from and never measured on.
    """
    found = []
    for number, line in enumerate(_ONE_LINERS.read_text(encoding="utf-8").splitlines()):
        effort, domain, mark, lang, text = line.split("\t")
        row = Row(
            id=f"{OWN}:{number}",
            source="written",
            text=text,
            effort=int(effort),
            domain=domain,
            needs_info=mark == "n",
            turn=mark == "t",
            lang=lang,
        )
        found.append(row)
    return found


def sets() -> list[Row]:
    """Requests that were written for training in sets of a dozen.

    Those of a set are alike on the surface and differ in effort. They are learnt from and never
    measured on.
    """
    lines = _SETS.read_text(encoding="utf-8").splitlines()
    return [
        _row(json.loads(line), name=f"{SETS}:{number}", source="written")
        for number, line in enumerate(lines)
    ]


def labelled_here(data: Path) -> list[Row]:
    """Those of the unlabelled requests that were labelled for this project, by the same rubric.

    They are learnt from, and never measured on.
    """
    known = {line["id"]: line for line in _lines(data / UNLABELLED)}
    found = []
    for entry in _LABELS.read_text(encoding="utf-8").splitlines():
        name, effort, domain, needs_info, turn = entry.split("\t")
        found.append(
            Row(
                id=name,
                source=known[name]["source"],
                text=known[name]["text"].strip()[:CODE_POINTS],
                effort=int(effort),
                domain=domain,
                needs_info=needs_info == "1",
                turn=turn == "1",
            )
        )
    return found


def unlabelled(data: Path) -> list[tuple[str, str]]:
    """Source and text of all unlabelled requests."""
    return [
        (line["source"], line["text"].strip()[:CODE_POINTS]) for line in _lines(data / UNLABELLED)
    ]


def questions(data: Path) -> list[tuple[str, str]]:
    """Source and text of contest and exam questions, some of each, without labels."""
    found = []
    for source, path, column in QUESTIONS:
        with gzip.open(data / path, "rt", encoding="utf-8", newline="") as lines:
            texts = [row[column].strip()[:CODE_POINTS] for row in csv.DictReader(lines)]
        every = max(len(texts) // _QUESTIONS, 1)
        found += [(source, text) for text in texts[::every] if text]
    return found


def data_hash(data: Path) -> str:
    """SHA-256 of the files that an artefact is trained on."""
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in _OWN_FILES))
    for name in (LABELLED, UNLABELLED, *(path for _, path, _ in QUESTIONS)):
        digest.update((data / name).read_bytes())
    return digest.hexdigest()


def fold_of(rows: Sequence[Row], *, folds: int = FOLDS) -> dict[str, int]:
    """Group -> fold. The largest group goes first, to the fold with the fewest like rows."""
    groups: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        groups[row.group].append(row)
    held: list[dict[str, float]] = [defaultdict(float) for _ in range(folds)]
    found: dict[str, int] = {}
    for name, members in sorted(groups.items(), key=lambda item: (-len(item[1]), item[0])):
        counts = _counts(members)
        fold = min(range(folds), key=lambda at: (_overlap(held[at], counts), at))
        found[name] = fold
        for key, count in counts.items():
            held[fold][key] += count
    return found


def _counts(rows: Iterable[Row]) -> dict[str, float]:
    """Numbers of rows that are written or real, heavy or ordinary."""
    found: dict[str, float] = defaultdict(float)
    for row in rows:
        found["written" if row.source == "written" else "real"] += 1
        found["heavy" if row.effort >= 4 else "ordinary"] += 1
    return found


def _overlap(held: dict[str, float], counts: dict[str, float]) -> float:
    """The overlap of a group's rows with those of a fold."""
    return sum(held[key] * count for key, count in counts.items()) / sum(counts.values())


def _lines(path: Path) -> Iterable[dict[str, Any]]:
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        for line in lines:
            yield json.loads(line)
