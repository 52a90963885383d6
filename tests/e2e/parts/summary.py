"""The table at the end of a run: which language or part, which scenario, how it went.

A test belongs to the part that its marker `part` names, or else its file; what it shows is what
its marker `scenario` says, or else its own name and its parameters.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

_HEADINGS = ("language or part", "scenario", "result")


@dataclass
class SummaryTable:
    """A pytest plugin that collects one row a test."""

    rows: dict[str, tuple[str, str, str]] = field(default_factory=dict)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> pytest.TestReport:
        """Keep the worst of what set-up, call and tear-down came to."""
        report: pytest.TestReport = yield  # type: ignore[misc]
        before = self.rows.get(item.nodeid, ("", "", ""))[2]
        if result := _result(report, before):
            self.rows[item.nodeid] = (_part(item), _scenario(item), result)
        return report

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Print the rows in the order in which they ran."""
        if not self.rows:
            return
        table = [_HEADINGS, *self.rows.values()]
        widths = [max(len(row[column]) for row in table) for column in (0, 1)]
        terminalreporter.section("end to end")
        for part, scenario, result in table:
            line = f"{part:<{widths[0]}} | {scenario:<{widths[1]}} | {result}"
            terminalreporter.write_line(line)


def _result(report: pytest.TestReport, before: str) -> str | None:
    if report.skipped and isinstance(report.longrepr, tuple):
        return f"skipped: {report.longrepr[2].removeprefix('Skipped: ')}"
    if report.failed:
        return "FAILED" if report.when == "call" else f"FAILED in {report.when}"
    if report.when == "call" and not before:
        return "passed"
    return None


def _part(item: pytest.Item) -> str:
    marker = item.get_closest_marker("part")
    return str(marker.args[0]) if marker else item.path.stem.removeprefix("test_")


def _scenario(item: pytest.Item) -> str:
    if marker := item.get_closest_marker("scenario"):
        return str(marker.args[0])
    name = str(getattr(item, "originalname", item.name))
    return name.removeprefix("test_").replace("_", " ")
