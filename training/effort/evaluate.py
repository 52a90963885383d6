"""Table of the readers on held-out sources: `python -m training.effort.evaluate --data DIR`.

The shipped weights have seen all labelled requests, so nothing is measured on those here. The
figures are those of readers that were trained in the same way without whole sources; training
writes them into the headers. Prompt length, which learns nothing, is measured on all requests.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
from pointsman_server.engines.local.readers.default import DefaultReader
from pointsman_server.engines.local.readers.semantic import HEADER

from training.effort.rows import Row, labelled
from training.effort.scores import table

SEMANTIC: Final = Path("packages/pointsman-semantic/pointsman_semantic") / HEADER

NAMES: Final = {
    "spearman": "Spearman with effort",
    "within": "the same within a source, mean",
    "pairs": "pairs of one source in the right order",
    "heavy-light": "AUC, effort 4 and 5 against 1 and 2",
    "moderate-light": "AUC, effort 3 to 5 against 1 and 2",
    "written": "AUC on written requests",
    "crossed": "AUC on crossed pairs (short and hard, long and easy)",
    "light_passed": "light requests below a score that 5 % of the heavy are below",
    "heavy_recall": "heavy requests labelled hard",
    "called_hard": "ordinary requests labelled hard",
    "called_hard_abroad": "the same outside English",
    "heavy_called_easy": "heavy requests labelled easy",
    "accuracy": "difficulty label right",
    "ece": "calibration error of the label",
    "sure": "share of labels with a confidence above 0.9",
    "sure_right": "of which right",
    "domain": "domain right",
    "needs_info": "needs_info, AUC",
    "turn": "turn, AUC",
    "foreign": "Spearman on sources outside English",
}


def length(rows: list[Row]) -> dict[str, float]:
    """The figures of the prompt's length in characters."""
    found = np.zeros((len(rows), 11), np.float32)
    found[:, :4] = np.log1p([len(row.text) for row in rows])[:, None] - 5
    known = table(rows, found)
    return {name: known[name] for name in known if name not in {"domain", "needs_info", "turn"}}


def lines(columns: Mapping[str, Mapping[str, float]]) -> list[str]:
    """The table in Markdown."""
    shown = [f"| | {' | '.join(columns)} |", f"|---|{'---|' * len(columns)}"]
    for name, words in NAMES.items():
        values = (f"{c[name]:.3f}" if name in c else "-" for c in columns.values())
        shown.append(f"| {words} | {' | '.join(values)} |")
    return shown


def headers() -> dict[str, Mapping[str, Any]]:
    """The headers of both readers; the semantic one's where its files are."""
    found: dict[str, Mapping[str, Any]] = {"default reader": DefaultReader.load().meta}
    if SEMANTIC.exists():
        found["semantic reader"] = json.loads(SEMANTIC.read_text(encoding="utf-8"))
    return found


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of the public data sets")
    arguments = parser.parse_args()
    rows = labelled(arguments.data)
    columns = {name: header["held_out"] for name, header in headers().items()}
    print("\n".join(lines({"prompt length": length(rows), **columns})))


if __name__ == "__main__":
    main()
