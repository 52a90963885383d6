"""The documentation names all that is emitted, and nothing else."""

import ast
import asyncio
import re
from pathlib import Path

from pointsman_server.core.policy_file import LogRules
from pointsman_server.telemetry import attributes, build_telemetry
from pointsman_server.telemetry.attributes import decision_attributes, resolution_attributes
from pointsman_server.telemetry.decision_log.entry import LogEntry, ResolutionEntry, line_fields
from pointsman_server.telemetry.metrics import catalog as instruments
from pointsman_server.telemetry.metrics.instrument import Instrument, Kind
from support.records import failed, resolved, routed, switched

ROOT = Path(__file__).parents[3]
SERVER = ROOT / "server" / "pointsman_server"
KINDS = {
    Kind.COUNTER: "counter",
    Kind.UP_DOWN: "up-down counter",
    Kind.GAUGE: "gauge",
    Kind.HISTOGRAM: "histogram",
}


ASGI_MESSAGES = {
    "http.request", "http.disconnect", "http.response.start", "http.response.body",
}  # fmt: skip
"""Names of ASGI's messages, which look like those of attributes."""


def rows(page: str, heading: str) -> list[list[str]]:
    """The cells of the table below a heading, without its head."""
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    section = text.split(f"{heading}\n", 1)[1].split("\n## ")[0].split("\n### ")[0]
    lines = [line for line in section.splitlines() if line.startswith("| `")]
    return [[cell.strip() for cell in line.strip("| ").split(" | ")] for line in lines]


def names(cell: str) -> set[str]:
    return set(re.findall(r"`([^`]+)`", cell))


def all_instruments() -> list[Instrument]:
    return [value for value in vars(instruments).values() if isinstance(value, Instrument)]


def test_every_instrument_is_documented_with_kind_unit_and_attributes() -> None:
    documented = {
        row[0].strip("`"): (row[1], row[2].strip("`"), names(row[3]))
        for row in rows("metrics.md", "## Instruments")
    }

    assert documented == {
        i.name: (KINDS[i.kind], i.unit, set(i.attributes)) for i in all_instruments()
    }


async def test_every_instrument_can_be_read() -> None:
    built = await build_telemetry(environment={}, log=LogRules(stdout=False))
    built.watch_cache_size(lambda: 0)
    built.watch_circuits(dict)
    built.watch_engine_calls(dict)
    built.watch_certificates(expiry=lambda: 0, reloads=lambda: {"taken": 0}, reloaded=lambda: True)
    built.watch_tokens(lambda: {"taken": 0}, reloaded=lambda: True)
    built.watch_policy_file(lambda: False)
    built.watch_loop(asyncio.get_running_loop())

    readings = list(built.metrics.collect())
    await built.aclose(bound=1.0)

    assert {r.instrument for r in readings} == set(all_instruments())


def test_every_attribute_of_a_decisions_span_is_documented() -> None:
    documented = {
        row[0].strip("`") for row in rows("tracing.md", "### Attributes of the server span")
    }
    emitted = {
        key for record in (routed(), failed(), switched()) for key in decision_attributes(record)
    }

    assert {name for name in documented if name.startswith("pointsman.")} == emitted


def literals(*rooms: str) -> set[str]:
    """Text in the code of rooms that looks like the name of an attribute or a span."""
    shape = re.compile(r"(pointsman|rpc|http|server|url|error)(\.[a-z_]+)+")
    found: set[str] = set()
    for room in rooms:
        for path in (SERVER / room).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Constant) and isinstance(node.value, str):
                    found |= {node.value} if shape.fullmatch(node.value) else set()
    return found


def test_every_name_that_other_rooms_put_on_spans_is_documented() -> None:
    page = (ROOT / "docs" / "tracing.md").read_text(encoding="utf-8")
    emitted = literals("transport", "chain", "bootstrap") - ASGI_MESSAGES

    assert {name for name in emitted if f"`{name}`" not in page} == set()
    assert "rpc.response.status_code" in emitted


def test_every_constant_is_documented() -> None:
    pages = "".join(
        (ROOT / "docs" / page).read_text(encoding="utf-8") for page in ("tracing.md", "metrics.md")
    )
    constants = {
        value
        for name, value in vars(attributes).items()
        if name.isupper() and isinstance(value, str)
    }

    assert len(constants) > 20
    assert {value for value in constants if f"`{value}`" not in pages} == set()


def test_every_field_of_the_decision_log_is_documented_in_its_order() -> None:
    documented = [row[0].strip("`") for row in rows("decision-log.md", "## Fields")]
    entry = LogEntry(record=routed(), sampled=True, sample_rate=1.0, trace_id=None)

    assert documented == list(line_fields(entry))


def test_every_field_of_a_resolutions_line_is_documented_in_its_order() -> None:
    documented = [row[0].strip("`") for row in rows("decision-log.md", "## Lines of resolutions")]
    entry = ResolutionEntry(record=resolved(), sample_rate=1.0, trace_id=None)

    assert documented == list(entry.fields())


def test_every_attribute_of_a_resolutions_span_is_documented() -> None:
    documented = rows("tracing.md", "### Attributes of a resolution's span")

    assert {row[0].strip("`") for row in documented} == set(resolution_attributes(resolved()))


def test_the_bounds_of_histograms_are_documented() -> None:
    text = " ".join((ROOT / "docs" / "metrics.md").read_text(encoding="utf-8").split())
    listed = re.search(r"have the bounds (.*?) seconds", text)

    assert listed is not None
    numbers = [float(n) for n in re.findall(r"\d+(?:\.\d+)?", listed[1])]
    assert tuple(numbers) == instruments.DURATION_BOUNDS
