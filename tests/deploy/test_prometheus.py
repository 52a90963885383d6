"""Alerts and dashboards against the metrics of a real run, in a real Prometheus.

One service shares a Redis that goes away; another has nothing but an engine that is down; a third
has a certificate that ends soon. Between them, everything that is counted happens.
"""

from __future__ import annotations

import asyncio
import json
import math
import re
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from e2e.parts.pointsman import Service, pointsman_serve, policy_document
from e2e.parts.processes import until
from pointsman_client import RoutingClient
from support.certificates import Authority
from support.machine import program
from support.ports import free_port
from support.prometheus_server import Prometheus, prometheus
from support.redis_server import RealServer

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
ALERTS: list[dict[str, Any]] = yaml.safe_load((DEPLOY / "prometheus/alerts.yml").read_text())[
    "groups"
][0]["rules"]
ALERT_NAMES = [rule["alert"] for rule in ALERTS]
BOARDS = sorted((DEPLOY / "grafana" / "dashboards").glob("*.json"))
FRONTIER = "kilo-auto/frontier"
OPUS, SONNET, GPT = "anthropic/claude-opus-4.8", "anthropic/claude-sonnet-4.6", "openai/gpt-5.5"
LLM = {"provider": "openai", "model": "gpt-5.4", "routes": {"plan_create": "default"}}


def panels() -> Iterator[Any]:
    """(expression) of every target of every panel, named for the panel."""
    for path in BOARDS:
        for panel in json.loads(path.read_text())["panels"]:
            for target in panel.get("targets", []):
                name = f"{path.stem}: {panel['title']}: {target['legendFormat']}"
                yield pytest.param(target["expr"], id=name)


PANELS = list(panels())


def as_prometheus_asks(expression: str) -> str:
    """With what Grafana fills in."""
    return expression.replace("$__rate_interval", "5m").replace("$instance", ".*")


async def drive(address: str) -> None:
    """One of everything that a caller can make happen."""
    run = secrets.token_hex(4)
    async with RoutingClient(address, timeout=20) as client:

        async def ask(prompt: str, *, session: str, **fields: Any) -> Any:
            given = {"tier": FRONTIER, "static_pick": OPUS, "user_id": "u"} | fields
            return await client.route(prompt, session_id=f"{run}-{session}", **given)

        for number in range(5):
            await ask(f"Rename variable {number}.", session=str(number))
            await ask(f"Rename variable {number}.", session=str(number))
        crowd = (ask("Sort these imports by name.", session=f"crowd-{n}") for n in range(8))
        await asyncio.gather(*crowd)
        first = await ask("Translate 'good morning'.", session="s", candidates=[OPUS, SONNET, GPT])
        if first.decision is not None:
            left = [each for each in (OPUS, SONNET, GPT) if each != first.decision.model]
            await ask("Translate 'good night'.", session="s", candidates=left)
        await ask("Sort the list.", session="dropped", candidates=[OPUS, SONNET, "nobody/knows"])
        await ask("Sort the list.", session="unknown", tier="no/such-tier")
        await ask("Sort the list.", session="dry", dry_run=True)
        await client.resolve("plan_create", run)


def dead_end() -> str:
    return f"http://127.0.0.1:{free_port()}"


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Service]]:
    folder = tmp_path_factory.mktemp("services")
    alone = policy_document(llm=LLM)
    collector = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": dead_end(),
        "OTEL_EXPORTER_OTLP_TIMEOUT": "500",
        "OTEL_BSP_SCHEDULE_DELAY": "200",
        "OTEL_METRIC_EXPORT_INTERVAL": "300",
    }
    # Whoever connects to it waits: nobody accepts.
    with RealServer() as redis, socket.create_server(("127.0.0.1", 0)) as silent:
        shared = policy_document(dead_end(), llm=LLM)
        shared["cache"]["url"] = redis.url
        # Probed all the time, and never closed.
        shared["engines"]["morph"]["breaker"] = {"failures": 2, "pause": "100ms"}
        alone["engines"] = {"order": ["morph"], "morph": alone["engines"]["morph"] | {
            "url": f"http://127.0.0.1:{silent.getsockname()[1]}", "timeout": "100ms",
            "max_in_flight": 1, "breaker": {"failures": 1000},
        }}  # fmt: skip
        with (
            pointsman_serve(folder, policy=shared, environment=collector) as one,
            pointsman_serve(folder, policy=alone) as other,
        ):
            for service in (one, other):
                asyncio.run(drive(service.address))
            one.decision()
            # A folder where the decision log was: its lines are lost from now on.
            one.decision_log.unlink()
            one.decision_log.mkdir()
            redis.kill()
            yield [one, other]


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service with tokens and a certificate, which was renewed while it ran."""
    folder = tmp_path_factory.mktemp("secured")
    authority = Authority(folder)
    tls = authority.issue("pointsman", names="DNS:pointsman,DNS:localhost").put(folder)
    given = {"policy": policy_document(llm=LLM), "tls": tls, "token": secrets.token_hex(8)}
    with pointsman_serve(folder, **given) as service:
        authority.issue("pointsman", names="DNS:pointsman,DNS:localhost").put(folder)
        yield service


def read(server: Prometheus, *, times: int) -> None:
    """Wait until each of so many services was read after this moment."""
    since = time.time()
    until(
        lambda: len(server.query(f"timestamp(up == 1) > {since}")) == times,
        what="every service to be read",
    )


@pytest.fixture(scope="module")
def watched(
    services: list[Service], secured: Service, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Prometheus]:
    """Prometheus, after everything has happened, once before it looked and once while it did."""
    everyone = [*services, secured]
    targets = [re.sub(r"^http://|/metrics$", "", each.metrics_url) for each in everyone]
    with prometheus(tmp_path_factory.mktemp("prometheus"), targets=targets) as server:
        read(server, times=len(everyone))
        for service in services:
            asyncio.run(drive(service.address))
        read(server, times=len(everyone))
        refused = services[0]
        refused.policy.write_text("mode: nonsense\n")
        secured.tokens.write_text("nonsense\n")
        for what in ("policy", "tokens"):
            series = f'pointsman_{what}_reloads_total{{pointsman_reload_result="refused"}}'
            until(
                lambda asked=f"sum({series})": server.number(asked) >= 1,
                what=f"a file to be refused: {what}",
            )
        yield server


@pytest.mark.parametrize("expression", PANELS)
def test_a_panel_shows_numbers_of_a_real_run(watched: Prometheus, expression: str):
    asked = as_prometheus_asks(expression)

    def numbers() -> list[float]:
        found = [float(each["value"][1]) for each in watched.query(asked)]
        return [each for each in found if not math.isnan(each)]

    until(numbers, what=f"numbers of {asked}")


@pytest.mark.parametrize("rule", ALERTS, ids=ALERT_NAMES)
def test_what_an_alert_looks_at_exists(watched: Prometheus, rule: dict[str, Any]):
    selectors = re.findall(r"\b(?:pointsman_\w+|up)\b(?:\{[^}]*\})?(?=[\[\s)]|$)", rule["expr"])
    selectors = [each for each in selectors if not _is_label(each, rule["expr"])]
    assert selectors
    for selector in selectors:
        until(lambda each=selector: watched.series(each), what=f"series of {selector}")


def test_prometheus_evaluates_every_alert(watched: Prometheus):
    until(
        lambda: {rule["health"] for rule in watched.rules()} == {"ok"},
        what=lambda: f"health of {watched.rules()}",
    )
    assert [rule["name"] for rule in watched.rules()] == ALERT_NAMES


def test_alerts_see_what_happened(watched: Prometheus):
    """Those of a run like this one begin to fire; the others keep quiet."""
    expected = {
        "PointsmanDecisionsFailing",
        "PointsmanEngineFailing",
        "PointsmanSharedCacheAway",
        "PointsmanPolicyRefused",
        "PointsmanTokensRefused",
        "PointsmanCertificateExpiring",
        "PointsmanPoliciesDiffer",
        "PointsmanDecisionLogLosing",
        "PointsmanTelemetryLosing",
    }

    def active() -> set[str]:
        return {rule["name"] for rule in watched.rules() if rule["alerts"]}

    until(lambda: expected <= active(), what=lambda: f"{expected - active()}")
    assert not active() & {"PointsmanDown", "PointsmanAbsent", "PointsmanShedding"}


def test_promtool_finds_nothing_wrong_with_the_configuration():
    done = _promtool("check", "config", "prometheus.yml")
    assert done.returncode == 0, done.stdout + done.stderr


def test_alerts_fire_when_they_should_and_not_before():
    done = _promtool("test", "rules", "alerts_test.yml")
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_alert_has_a_test_that_sees_it_fire_and_one_that_does_not():
    cases = yaml.safe_load((DEPLOY / "prometheus/alerts_test.yml").read_text())["tests"]
    seen = {(case["alertname"], bool(case["exp_alerts"]))
            for each in cases for case in each["alert_rule_test"]}  # fmt: skip
    assert {name for name, fires in seen if fires} == set(ALERT_NAMES)
    assert {name for name, fires in seen if not fires} == set(ALERT_NAMES)


def test_every_alert_has_its_section_in_the_runbook():
    runbook = (ROOT / "docs" / "runbook.md").read_text()
    sections = re.split(r"^## ", runbook, flags=re.MULTILINE)[1:]
    described = {each.partition("\n")[0]: each for each in sections}
    alerts = {name: text for name, text in described.items() if name.startswith("Pointsman")}
    assert list(alerts) == ALERT_NAMES, "each, in the order of the file"
    for rule in ALERTS:
        assert rule["annotations"]["runbook_url"] == f"docs/runbook.md#{rule['alert'].lower()}"
        assert rule["labels"]["severity"] in {"page", "ticket"}
        text = alerts[rule["alert"]]
        for part in ("**Means**", "**Look**", "**Do**"):
            assert part in text, f"{rule['alert']}: {part}"


def test_dashboards_are_what_the_table_of_panels_makes():
    done = subprocess.run(
        [sys.executable, "tools/dashboards.py", "--check"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def test_every_metric_that_the_service_has_is_on_a_dashboard(watched: Prometheus):
    shown = " ".join(str(each.values[0]) for each in PANELS)
    served = {each["__name__"] for each in watched.series('{__name__=~"pointsman_.+"}')}
    families = {re.sub("_(bucket|count|sum)$", "", name) for name in served}
    assert {name for name in families if name not in shown} == set()


def _promtool(*words: str) -> subprocess.CompletedProcess[str]:
    command = [program("promtool", package="prometheus"), *words]
    folder = DEPLOY / "prometheus"
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def _is_label(name: str, expression: str) -> bool:
    """Whether a word that looks like a metric is one that series are grouped by."""
    return any(name in group for group in re.findall(r"by \(([^)]*)\)", expression))
