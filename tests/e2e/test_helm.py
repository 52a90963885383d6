"""The Helm chart: linted and rendered by Helm, valid for Kubernetes, accepted by the service."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml
from e2e.parts.helm import CHART, helm
from pointsman_server.settings import Settings

pytestmark = pytest.mark.timeout(1_600)
VERSIONS = ("1.33", "1.37")
KUBE = ("--kube-version", "1.33")  # a Helm built from its module assumes an old one
PLAIN = ("--set", "tls.secretName=", "--set", "plaintextBeyondLoopback=true")
VARIANTS: dict[str, tuple[str, ...]] = {
    "as it comes": (),
    "plaintext": PLAIN,
    "http": ("--set", "http.enabled=true", "--set", "http.allowedOrigins={https://a.example}"),
    "clients' certificates": ("--set", "tls.clientCertificates=true"),
    "a policy": ("--set-string", "policy=mode: shadow"),
    "secrets that exist": ("--set", "secrets.existing=mine"),
    "no autoscaler": ("--set", "autoscaling.enabled=false", "--set", "replicas=2"),
    "monitoring": ("--set", "podMonitor.enabled=true,prometheusRule.enabled=true"),
}


def rendered(*arguments: str) -> dict[tuple[str, str], dict[str, Any]]:
    done = helm("template", "routing", str(CHART), *KUBE, *arguments)
    assert done.returncode == 0, done.stderr
    objects = [each for each in yaml.safe_load_all(done.stdout) if each]
    return {(each["kind"], each["metadata"]["name"]): each for each in objects}


def container(objects: dict[tuple[str, str], dict[str, Any]]) -> dict[str, Any]:
    (found,) = objects["Deployment", "routing"]["spec"]["template"]["spec"]["containers"]
    assert isinstance(found, dict)
    return found


def environment(objects: dict[tuple[str, str], dict[str, Any]]) -> dict[str, str]:
    return {e["name"]: e["value"] for e in container(objects)["env"] if "value" in e}


def test_helm_finds_nothing_to_lint() -> None:
    done = helm("lint", "--strict", str(CHART))
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("variant", VARIANTS)
def test_every_object_is_valid(variant: str, version: str) -> None:
    for (kind, _), each in rendered(*VARIANTS[variant]).items():
        if kind not in {"PodMonitor", "PrometheusRule"}:  # of the Prometheus operator
            kubernetes_validate.validate(each, version, strict=True)


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_service_takes_the_environment(variant: str, monkeypatch: pytest.MonkeyPatch) -> None:
    found = environment(rendered(*VARIANTS[variant]))
    for name, value in found.items():
        monkeypatch.setenv(name, value)
    settings = Settings()
    known = {f"POINTSMAN_{name.upper()}" for name in Settings.model_fields}
    assert {name for name in found if name.startswith("POINTSMAN_")} <= known
    assert settings.max_connections == 250


def test_pods_are_locked_down() -> None:
    objects = rendered()
    pod = objects["Deployment", "routing"]["spec"]["template"]["spec"]
    security = container(objects)["securityContext"]
    assert pod["securityContext"]["runAsNonRoot"]
    assert security["readOnlyRootFilesystem"]
    assert security["capabilities"] == {"drop": ["ALL"]}
    assert not pod["automountServiceAccountToken"]
    grace = int(environment(objects)["POINTSMAN_DRAIN"]) + int(
        environment(objects)["POINTSMAN_GRACE"]
    )
    assert pod["terminationGracePeriodSeconds"] > grace


def test_plaintext_is_asked_for_in_words() -> None:
    done = helm("template", "routing", str(CHART), *KUBE, "--set", "tls.secretName=")
    assert done.returncode != 0
    assert "plaintextBeyondLoopback=true" in done.stderr


@pytest.mark.parametrize(
    ("wrong", "named"),
    [("replcias=3", "replcias"), ("secrets.hashKey=short", "hashKey"), ("drainSeconds=x", "drain")],
)
def test_a_bad_value_is_named(wrong: str, named: str) -> None:
    done = helm("template", "routing", str(CHART), *KUBE, "--set", wrong)
    assert done.returncode != 0
    assert named in done.stderr


def test_a_hash_key_is_made_and_is_long_enough() -> None:
    secret = rendered()["Secret", "routing"]
    assert len(base64.b64decode(secret["data"]["hash-key"])) >= 16
    assert ("Secret", "routing") not in rendered("--set", "secrets.existing=mine")


def test_the_policy_reaches_the_pods(tmp_path: Path) -> None:
    policy = tmp_path / "policy.yaml"
    policy.write_text("mode: shadow\n# a comment\ntiers: {}\n")
    objects = rendered("--set-file", f"policy={policy}")
    assert objects["ConfigMap", "routing-policy"]["data"]["policy.yaml"] == policy.read_text()
    assert environment(objects)["POINTSMAN_POLICY_FILE"] == "/etc/pointsman/policy/policy.yaml"
    assert "POINTSMAN_POLICY_FILE" not in environment(rendered())


def test_variables_of_values_win() -> None:
    found = environment(
        rendered("--set", "env.POINTSMAN_GRACE=20,env.OTEL_TRACES_SAMPLER=always_on")
    )
    assert (found["POINTSMAN_GRACE"], found["OTEL_TRACES_SAMPLER"]) == ("20", "always_on")
    assert found["POINTSMAN_DRAIN"] == "5"


def test_a_secret_without_tokens_takes_an_empty_variable() -> None:
    arguments = ("--set", "secrets.existing=mine,env.POINTSMAN_TOKENS_FILE=")
    assert environment(rendered(*arguments))["POINTSMAN_TOKENS_FILE"] == ""


def test_alerts_are_those_of_the_repository_with_absolute_runbooks() -> None:
    base = "https://wiki.example/runbook"
    objects = rendered(
        "--set", "prometheusRule.enabled=true", "--set", f"prometheusRule.runbookUrl={base}"
    )
    groups = objects["PrometheusRule", "routing"]["spec"]["groups"]
    source = yaml.safe_load((CHART / "alerts.yml").read_text())["groups"]
    names = [[rule.get("alert") for rule in group["rules"]] for group in groups]
    assert names == [[rule.get("alert") for rule in group["rules"]] for group in source]
    urls = [r["annotations"]["runbook_url"] for g in groups for r in g["rules"] if "alert" in r]
    assert urls
    assert all(url.startswith(f"{base}#") for url in urls)


def test_every_value_is_in_the_schema() -> None:
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    schema = json.loads((CHART / "values.schema.json").read_text())
    assert values.keys() == schema["properties"].keys() - {"global"}
