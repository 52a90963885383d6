"""A report for programs: one JSON object with the names of the figures."""

from __future__ import annotations

import json
from dataclasses import asdict

from pointsman_server.report.figures import Report

_DIGITS = 9


def as_json(report: Report) -> str:
    """Give the report as one line. Floats keep nine digits: the others are rounding."""
    return json.dumps(_rounded(asdict(report)))


def _rounded(value: object) -> object:
    if isinstance(value, float):
        return float(f"{value:.{_DIGITS}g}")
    if isinstance(value, dict):
        return {name: _rounded(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(each) for each in value]
    return value
