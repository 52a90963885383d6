"""The screen spares the network of asides most sentences, and loses none of its asides."""

from __future__ import annotations

import random

import numpy as np
import pytest
from pointsman_server.engines.local.container import unpack
from pointsman_server.engines.local.readers.asides import Asides
from pointsman_server.engines.local.readers.default import MAGIC, content_of
from pointsman_server.engines.local.readers.pieces import SPECIAL, Pieces
from pointsman_server.engines.local.readers.robustness import TRIGGERS

from training.effort.changes import aside

VOCABULARY = ("hello", "sort", "the", "list", ".", "thanks")
GREETINGS = (
    "Hello!", "Hi there!", "Good morning,", "Hallo,", "Bonjour,", "Guten Tag,", "Thanks!",
    "Thank you so much!", "Many thanks in advance", "Best regards", "Danke", "Merci", "Gracias",
    "Cheers!", "Could you please help me with this?", "Sent from my phone.",
)  # fmt: skip


class Counting(Asides):
    """Counts the sentences that reach the network."""

    reached = 0

    def logits(self, rows: list[list[int]]) -> list[float]:
        self.reached += len(rows)
        return super().logits(rows)


def asides(*, least: float) -> Counting:
    """Takes "hello" and "thanks" for asides, by evidence and by a network of one unit."""
    size = SPECIAL + len(VOCABULARY)
    greets = [SPECIAL + VOCABULARY.index(word) for word in ("hello", "thanks")]
    table, evidence = np.zeros((size, 1), np.int8), np.full(size, -1.0, np.float16)
    table[greets], evidence[greets] = 1, 1.0
    arrays = {
        "table": table,
        "scale": np.ones(size, np.float16),
        "aside_middle": np.array([[1.0], [0.0], [0.0]], np.float32),
        "aside_middle_bias": np.zeros(1, np.float32),
        "aside_head": np.array([10.0, -2.0], np.float32),
        "aside_evidence": evidence,
    }
    meta = {"aside_threshold": 0.0, "aside_least_evidence": least}
    return Counting(arrays, pieces=Pieces(VOCABULARY), meta=meta)


@pytest.mark.parametrize(
    ("text", "left", "reached"),
    [
        ("Sort the list. The list.", "Sort the list. The list.", 0),
        ("Hello. Sort the list.", "Sort the list.", 2),
        ("Sort the list. Thanks.", "Sort the list.", 2),
    ],
)
def test_only_sentences_with_evidence_reach_the_network(text: str, left: str, reached: int) -> None:
    found = asides(least=-0.5)
    assert found.without(text) == left
    assert found.reached == reached


def test_without_a_bound_all_edges_reach_it() -> None:
    found = asides(least=-10.0)
    assert found.without("Sort the list. The list.") == "Sort the list. The list."
    assert found.reached == 2


def test_the_shipped_screen_loses_none_that_the_network_knows() -> None:
    shipped = unpack(content_of(None), magic=MAGIC)
    vocabulary = shipped.arrays["vocabulary"].tobytes().decode().split("\n")
    pieces, threshold = Pieces(vocabulary), float(shipped.meta["aside_threshold"])
    found = Asides(shipped.arrays, pieces=pieces, meta=shipped.meta)
    draw = random.Random(20)
    texts = [*GREETINGS, *TRIGGERS, *(aside(draw) for _ in range(500))]
    known = [rows for rows in map(pieces.encode, texts) if found.logits([rows])[0] > threshold]
    lost = [rows for rows in known if not found.is_possible(rows)]
    assert len(known) > 450
    assert len(lost) <= 0.01 * len(known)
