from __future__ import annotations

import math

import numpy as np
import pytest
from pointsman_server.core.errors import TooFewLines
from pointsman_server.engines.local.container import Container, pack, unpack
from pointsman_server.engines.local.readers.default import MAGIC, DefaultReader, content_of
from pointsman_server.engines.local.tuning import LabelledRequest, parse, tune
from pointsman_server.engines.local.tuning.heads import FitSettings, fit, targets
from pointsman_server.engines.local.tuning.tune import heads_of

THINGS = ("invoice", "parcel", "ticket", "contract", "refund", "badge", "meeting", "order")
EASY = ("Where is my {}?", "cancel the {}", "Thank them for the {} in one line.", "rename {}")
HARD = (
    "Reconcile every {} of three ledgers whose rounding differs, and prove that nothing is lost.",
    "Redesign the {} service for two regions with exactly-once delivery and a migration plan.",
)


def requests() -> list[LabelledRequest]:
    """Seventy-two requests of one firm, whose domain is always `data`."""
    return [
        LabelledRequest(
            prompt=form.format(f"{thing} {at}" if at else thing),
            effort=effort,
            difficulty=difficulty,
            domain="data",
        )
        for at in range(2)
        for thing in THINGS
        for forms, effort, difficulty in ((EASY, 1, "easy"), (HARD, 4, "hard"))
        for form in forms
    ]


@pytest.fixture(scope="module")
def shipped() -> Container:
    return unpack(content_of(None), magic=MAGIC)


def test_a_tuned_reader_is_better_on_lines_that_it_did_not_see(shipped: Container) -> None:
    tuned = tune(shipped, requests())
    assert tuned.before.lines == tuned.after.lines > 10
    assert tuned.after.domain_accuracy > max(tuned.before.domain_accuracy, 0.9)
    assert tuned.after.accuracy >= tuned.before.accuracy
    assert tuned.after.calibration_error <= tuned.before.calibration_error + 0.02


def test_its_artefact_is_the_same_each_time_and_can_be_read(shipped: Container) -> None:
    first, second = (pack(tune(shipped, requests()).container, magic=MAGIC) for _ in range(2))
    assert first == second
    reader = DefaultReader(unpack(first, magic=MAGIC))
    assert reader.version != shipped.meta["version"]
    assert reader.meta["tuned_from"] == shipped.meta["version"]


def test_its_header_says_what_it_learnt_from_and_claims_no_figure_of_the_shipped_reader(
    shipped: Container,
) -> None:
    first = tune(shipped, requests())
    meta = first.container.meta
    assert meta["tuned_lines"] == len(requests())
    assert len(meta["tuned_sha256"]) == 64
    assert "held_out" in shipped.meta
    assert not {"held_out", "held_out_folds"} & set(meta)
    assert not first.again
    assert tune(first.container, requests()).again


def test_one_request_many_times_teaches_nothing(shipped: Container) -> None:
    labels = ("easy", "medium", "hard")
    lines = [f'{{"prompt": "What is 2+2?", "difficulty": "{labels[n % 3]}"}}' for n in range(90)]
    with pytest.raises(TooFewLines, match="1 different requests in 90 lines"):
        tune(shipped, parse(lines))


def test_too_few_lines_and_lines_of_one_label_teach_nothing(shipped: Container) -> None:
    with pytest.raises(TooFewLines, match="60 is the fewest"):
        tune(shipped, requests()[:59])
    with pytest.raises(TooFewLines, match="one difficulty"):
        tune(shipped, [r for r in requests() * 2 if r.difficulty == "easy"])


def test_difficulties_alone_leave_open_what_they_do_not_say() -> None:
    found = targets(
        parse(
            f'{{"prompt": "x", "difficulty": "{difficulty}"}}'
            for difficulty in ("easy", "medium", "hard")
        )
    )
    assert found.above.tolist() == [[-1, 0, 0, 0], [1, 1, 0, 0], [1, 1, 1, -1]]
    assert found.domain.tolist() == [-1, -1, -1]


def test_fitting_moves_only_what_labels_speak_of(shipped: Container) -> None:
    start = heads_of(shipped)
    pooled = np.random.default_rng(0).normal(0, 1, (64, start.middle.shape[0])).astype(np.float32)
    wanted = targets(parse(['{"prompt": "x", "difficulty": "easy"}'] * 64))
    found = fit(start, pooled, wanted, settings=FitSettings(epochs=5), seed=0)
    before, after = start.logits(pooled), found.logits(pooled)
    assert after[:, 1].mean() < before[:, 1].mean()
    assert np.array_equal(start.heads[:, 9:], found.heads[:, 9:])
    assert math.isfinite(float(after.sum()))
