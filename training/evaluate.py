"""Measure an artefact on held-out prompts: `python -m training.evaluate --data DIR [--out DIR]`.

Prints the table and writes `benchmark.json`, `benchmark.md` and one SVG for each set of curves.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path

import threadpoolctl
from pointsman_server.core.model import PROMPT_CODE_POINTS
from pointsman_server.engines.local import artefact as files

from training import render
from training.bench import Row, llm_router_rows, mmlu_pro_rows, pair_rows
from training.dedicated import half_to_half, subjects_out
from training.labels_bench import calibration_rows, domain_rows, vague_rows
from training.samples import Samples, samples
from training.sources import llm_router_prices

PAIRS = ("mmlu", "gsm8k", "mt_bench")


def all_rows(
    artefact: files.Artefact, found: Samples, data: Path, *, bootstrap: bool = True
) -> list[Row]:
    """Every row of the benchmark."""
    quick = {"bootstrap": bootstrap}
    rows = [row for name in PAIRS for row in pair_rows(artefact, found, name, **quick)]
    for name in ("mmlu", "gsm8k"):
        rows += half_to_half(artefact, found, name, **quick)
    rows.append(subjects_out(found, **quick))
    rows += mmlu_pro_rows(artefact, found, **quick)
    rows += llm_router_rows(artefact, found, prices=llm_router_prices(data), **quick)
    rows += domain_rows(artefact, data) + vague_rows(artefact, data)
    rows += calibration_rows(artefact, found)
    for name in ("mmlu", "gsm8k"):
        rows += pair_rows(artefact, found, name, code_points=PROMPT_CODE_POINTS, **quick)
    return rows


def write(rows: list[Row], *, artefact: files.Artefact, out: Path) -> str:
    """Write the files; gives the Markdown."""
    out.mkdir(parents=True, exist_ok=True)
    table = {"artefact": artefact.version, "rows": [asdict(row) for row in rows]}
    (out / "benchmark.json").write_text(json.dumps(table, indent=1) + "\n", encoding="utf-8")
    text = render.markdown(rows, title=f"Engine local, artefact {artefact.version}")
    (out / "benchmark.md").write_text(text, encoding="utf-8")
    for name in dict.fromkeys(row.test for row in rows if row.curve):
        pair = name.split(",")[0] in PAIRS
        label = "share of calls to the strong model" if pair else "cost of a thousand requests, $"
        drawn = [row for row in rows if row.test == name and row.router != "oracle"]
        svg = render.plot(drawn, title=f"{name}: quality", x_label=label)
        stem = name.replace(" ", "_").replace(",", "")
        (out / f"{stem}.svg").write_text(svg, encoding="utf-8")
    return text


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of the public data sets")
    parser.add_argument("--artefact", type=Path, help="default: the shipped one")
    parser.add_argument("--out", type=Path, default=Path("build/benchmark"))
    arguments = parser.parse_args()
    artefact = files.load(arguments.artefact)
    with threadpoolctl.threadpool_limits(1):
        rows = all_rows(artefact, samples(arguments.data), arguments.data)
    print(write(rows, artefact=artefact, out=arguments.out))


if __name__ == "__main__":
    main()
