"""What docs/client.md says of errors. That its examples run is the matter of tests/docs."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import grpc
from pointsman_client import errors
from pointsman_client.errors import RoutingError
from pointsman_client.statuses import ERRORS

PAGE = (Path(__file__).parents[3] / "docs" / "client.md").read_text(encoding="utf-8")


def test_the_table_of_errors_is_the_table() -> None:
    rows = re.findall(r"^\| (`[A-Z].*?) \| (.*?) \|$", PAGE, re.MULTILINE)
    said = {
        status: getattr(errors, re.findall(r"`(\w+)`", names)[0])
        for names, statuses in rows
        for status in re.findall(r"\b[A-Z_]{5,}\b", statuses)
    }
    assert said == {code.name: error for code, error in ERRORS.items()}
    assert grpc.StatusCode.OK.name not in said
    named = {name for names, _ in rows for name in re.findall(r"`(\w+)`", names)}
    everything = {
        name
        for name, value in vars(errors).items()
        if inspect.isclass(value) and issubclass(value, RoutingError) and value is not RoutingError
    }
    assert everything <= named
