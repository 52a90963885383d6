"""What `make bench` shows of a run beside LiteLLM."""

from __future__ import annotations

import json
from dataclasses import asdict

from benchmarks.bars import Busy, Series, bar, table
from benchmarks.beside_litellm import last_measured

SEEN = bar("P12", "what", ">= 10", Series([20.0], controls=[1.0], tried=1, busy=Busy(0.98, 0.1)))


def test_the_last_run_s_rows_are_shown_with_its_date_and_load(tmp_path):
    told = tmp_path / "bench.json"
    told.write_text(json.dumps({"head": "one day, load 7", "bars": [asdict(SEEN), asdict(SEEN)]}))
    here = bar("P1", "what", ">= 1", Series([1.0]))
    lines = table([here, *last_measured(told)]).splitlines()
    assert "| 20.00 | 20.00 | 20.00 | 1.00 | 1 of 1 | 98% | 10% | reached |" in lines[3]
    assert lines[5:] == ["", "P12 was measured by a run of its own: one day, load 7."]


def test_without_a_run_the_table_says_how_to_make_one(tmp_path):
    rows = last_measured(tmp_path / "bench.json")
    assert {row.name for row in rows} == {"P12"}
    assert all(row.verdict == "not measured: `make bench-litellm`" for row in rows)
    assert not any(row.reached for row in rows)
