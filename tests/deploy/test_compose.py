"""The compose file: valid, reachable from this machine only, and its parts fit together."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from pointsman_server.policies.check import check
from pointsman_server.settings import Settings
from support.machine import program

DEPLOY = Path(__file__).parents[2] / "deploy"
COMPOSE: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
ENVIRONMENT: dict[str, str] = SERVICES["pointsman"]["environment"]
PROVISIONED = DEPLOY / "grafana" / "provisioning"


def test_it_is_a_valid_compose_file():
    subprocess.run(
        [program("check-jsonschema"), "--builtin-schema", "vendor.compose-spec", "compose.yaml"],
        cwd=DEPLOY, check=True, capture_output=True,
    )  # fmt: skip


@pytest.mark.parametrize("name", SERVICES)
def test_no_port_is_published_beyond_this_machine(name: str):
    assert all(port.startswith("127.0.0.1:") for port in SERVICES[name].get("ports", []))


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_gains_no_rights_and_an_image_has_a_version(name: str):
    service = SERVICES[name]
    assert "no-new-privileges:true" in service["security_opt"]
    assert "build" in service or service["image"].partition(":")[2] not in {"", "latest"}


def test_pointsman_runs_as_locked_down_as_in_production():
    pointsman = SERVICES["pointsman"]
    assert pointsman["read_only"] is True
    assert pointsman["cap_drop"] == ["ALL"]


def test_every_setting_is_one_of_the_service():
    fields = {f"POINTSMAN_{name.upper()}" for name in Settings.model_fields}
    ours = {name for name in ENVIRONMENT if name.startswith("POINTSMAN_")}
    rest = {name for name in ours - fields if not name.startswith("POINTSMAN_POLICY__")}
    assert rest <= {"POINTSMAN_MORPH_ROUTER_ENABLED"}


def test_what_is_set_over_the_policy_file_passes_the_check():
    start = "POINTSMAN_POLICY__"
    over = [
        f"{name.removeprefix(start).lower().replace('__', '.')}={value}"
        for name, value in ENVIRONMENT.items()
        if name.startswith(start)
    ]
    assert over
    assert check(None, assignments=over).ok


def test_addresses_name_services():
    named = [
        ENVIRONMENT["POINTSMAN_POLICY__CACHE__URL"],
        ENVIRONMENT["OTEL_EXPORTER_OTLP_ENDPOINT"],
    ]
    named += [source["url"] for source in _sources()]
    prometheus = yaml.safe_load((DEPLOY / "prometheus" / "prometheus.yml").read_text())
    (job,) = prometheus["scrape_configs"]
    named += [f"http://{target}" for target in job["static_configs"][0]["targets"]]
    assert {url.partition("://")[2].partition(":")[0] for url in named} == {
        "jaeger", "pointsman", "prometheus", "redis",
    }  # fmt: skip


def test_what_is_mounted_is_there():
    for service in SERVICES.values():
        for volume in service.get("volumes", []):
            source = volume.partition(":")[0]
            assert source in COMPOSE["volumes"] or (DEPLOY / source).is_dir()


def test_grafana_finds_its_dashboards_where_they_are_mounted():
    (provider,) = _provisioned("dashboards")["providers"]
    mounts = dict(each.split(":")[:2] for each in SERVICES["grafana"]["volumes"])
    assert mounts["./grafana/dashboards"] == provider["options"]["path"]
    home = SERVICES["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    assert (DEPLOY / "grafana" / "dashboards" / Path(home).name).is_file()


def test_grafana_has_metrics_and_traces():
    assert {source["type"] for source in _sources()} == {"prometheus", "jaeger"}


def _sources() -> list[dict[str, Any]]:
    sources: list[dict[str, Any]] = _provisioned("datasources")["datasources"]
    return sources


def _provisioned(kind: str) -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((PROVISIONED / kind / f"{kind}.yaml").read_text())
    return loaded
