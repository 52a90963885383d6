"""The fault table: the page and the figures beside it say the same.

A run of some rows writes the others from the figures, so a difference would be undone.
"""

from __future__ import annotations

import json
from pathlib import Path

from chaos.parts.figures import BEGIN, END, table_of

PAGE = Path(__file__).parents[2] / "docs" / "reliability.md"


def test_the_page_has_the_table_of_the_figures() -> None:
    figures = json.loads(PAGE.with_suffix(".json").read_text())
    section = PAGE.read_text().split(BEGIN)[1].partition(END)[0]

    assert section.strip() == f"{figures['machine']}\n\n{table_of(figures['rows'])}"
