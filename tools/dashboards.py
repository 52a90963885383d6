"""Writes the Grafana dashboards from deploy/grafana/panels.yaml, with Grafana's own typed builders.

python tools/dashboards.py [--check]
"""

from __future__ import annotations

import argparse
import itertools
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml
from grafana_foundation_sdk.builders import dashboard, prometheus, stat, table, timeseries
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import (
    DashboardCursorSync,
    DataSourceRef,
    VariableHide,
    VariableOption,
    VariableRefresh,
)
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

GRAFANA = Path(__file__).parents[1] / "deploy" / "grafana"
SOURCE = DataSourceRef(type_val="prometheus", uid="${source}")
WIDTHS = {"stat": 4, "lines": 8, "table": 12}
HEIGHTS = {"stat": 4, "lines": 8, "table": 6}
LETTERS = "ABCDEFGH"


def rendered() -> Iterator[tuple[Path, str]]:
    """Each dashboard's file and text."""
    for document in yaml.safe_load((GRAFANA / "panels.yaml").read_text()):
        path = GRAFANA / "dashboards" / f"{document['file']}.json"
        yield path, JSONEncoder(sort_keys=True, indent=2).encode(board(document)) + "\n"


def board(document: Mapping[str, Any]) -> Any:
    """One dashboard; a row an entry of `rows`."""
    built = (
        dashboard.Dashboard(document["title"])
        .uid(f"pointsman-{document['file']}")
        .description(document["description"])
        .tags(["pointsman"])
        .refresh("30s")
        .time("now-1h", "now")
        .timezone("browser")
        .tooltip(DashboardCursorSync.CROSSHAIR)
        .readonly()
        .with_variable(
            dashboard.DatasourceVariable("source").label("Data source").type("prometheus")
        )
        .with_variable(
            dashboard.QueryVariable("instance")
            .label("Instance")
            .datasource(SOURCE)
            .query("label_values(pointsman_build_info, instance)")
            .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
            .hide(VariableHide.DONT_HIDE)
            .multi(True)  # noqa: FBT003  # the builder's signature
            .include_all(True)  # noqa: FBT003
            .all_value(".*")
            .current(VariableOption(text="All", value="$__all"))
        )
    )
    ids = itertools.count(1)
    for row in document["rows"]:
        built = built.with_row(dashboard.Row(row["title"]).id(next(ids)))
        for each in row["panels"]:
            built = built.with_panel(panel(each).id(next(ids)))
    return built.build()


def panel(given: Mapping[str, Any]) -> Any:
    """One panel of the kind that `given` names."""
    kind = given["kind"]
    built = {"stat": stat.Panel, "lines": timeseries.Panel, "table": table.Panel}[kind]()
    built = (
        built.title(given["title"])
        .description(given["says"])
        .datasource(SOURCE)
        .unit(given["unit"])
        .span(WIDTHS[kind])
        .height(HEIGHTS[kind])
    )
    if kind == "lines":
        built = built.min(0).fill_opacity(10)
    for letter, (legend, expression) in zip(LETTERS, given["queries"].items(), strict=False):
        target = prometheus.Dataquery().ref_id(letter).expr(expression).legend_format(legend)
        if kind == "table":
            target = target.instant().format(PromQueryFormat.TABLE)
        built = built.with_target(target)
    return built


def main() -> int:
    """Write the files, or say which differ; the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing, list stale files")
    check = parser.parse_args().check
    stale = 0
    for path, text in rendered():
        if path.exists() and path.read_text() == text:
            continue
        stale += 1
        if check:
            sys.stderr.write(f"{path}: stale; run `make dashboards`\n")
        else:
            path.write_text(text)
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
