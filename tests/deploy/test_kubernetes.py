"""The manifests: valid for the Kubernetes versions of today, and locked down."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml
from pointsman_server.policies.check import check
from pointsman_server.settings import Settings

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "deploy" / "kubernetes"
KUSTOMIZATION: dict[str, Any] = yaml.safe_load((FOLDER / "kustomization.yaml").read_text())
MANIFESTS: dict[str, dict[str, Any]] = {
    name: yaml.safe_load((FOLDER / name).read_text()) for name in KUSTOMIZATION["resources"]
}
VERSIONS = ("1.33", "1.35", "1.37")
LABELS = {"app.kubernetes.io/name": "pointsman"}

DEPLOYMENT = MANIFESTS["deployment.yaml"]["spec"]
POD = DEPLOYMENT["template"]["spec"]
(CONTAINER,) = POD["containers"]
ENVIRONMENT = {each["name"]: each.get("value") for each in CONTAINER["env"]}
MOUNTS = {each["name"]: each["mountPath"] for each in CONTAINER["volumeMounts"]}
PROBES = ("startupProbe", "readinessProbe", "livenessProbe")


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("name", MANIFESTS)
def test_a_manifest_is_valid(name: str, version: str):
    kubernetes_validate.validate(MANIFESTS[name], version, strict=True)


def test_the_validator_finds_what_is_wrong():
    wrong = yaml.safe_load((FOLDER / "service.yaml").read_text())
    wrong["spec"]["ports"][0]["prot"] = "TCP"
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(wrong, VERSIONS[-1], strict=True)


def test_every_file_of_the_folder_is_applied():
    named = {*MANIFESTS, *KUSTOMIZATION["configMapGenerator"][0]["files"]}
    inputs = {"kustomization.yaml", "values.yaml"}
    assert named | inputs == {path.name for path in FOLDER.iterdir()}


def test_everything_selects_the_pods():
    assert DEPLOYMENT["template"]["metadata"]["labels"] == LABELS
    assert DEPLOYMENT["selector"]["matchLabels"] == LABELS
    assert MANIFESTS["service.yaml"]["spec"]["selector"] == LABELS
    assert MANIFESTS["poddisruptionbudget.yaml"]["spec"]["selector"]["matchLabels"] == LABELS
    assert MANIFESTS["networkpolicy.yaml"]["spec"]["podSelector"]["matchLabels"] == LABELS
    for spread in POD["topologySpreadConstraints"]:
        assert spread["labelSelector"]["matchLabels"] == LABELS
    target = MANIFESTS["horizontalpodautoscaler.yaml"]["spec"]["scaleTargetRef"]
    assert target["name"] == MANIFESTS["deployment.yaml"]["metadata"]["name"]


def test_the_pod_has_no_rights():
    assert POD["securityContext"]["runAsNonRoot"] is True
    assert POD["securityContext"]["runAsUser"] == 65532, "the image's user"
    assert POD["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert CONTAINER["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "privileged": False,
        "readOnlyRootFilesystem": True,
    }
    assert POD["automountServiceAccountToken"] is False
    assert MANIFESTS["serviceaccount.yaml"]["automountServiceAccountToken"] is False
    assert not POD.keys() & {"hostNetwork", "hostPID", "hostIPC"}
    labels = MANIFESTS["namespace.yaml"]["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"


def test_a_stopping_pod_has_time_for_its_drain_and_its_calls():
    needed = float(ENVIRONMENT["POINTSMAN_DRAIN"]) + float(ENVIRONMENT["POINTSMAN_GRACE"])
    assert float(ENVIRONMENT["POINTSMAN_DRAIN"]) > 0
    # Flushing telemetry comes after the calls.
    assert POD["terminationGracePeriodSeconds"] >= needed + 5


@pytest.mark.parametrize("probe", PROBES)
def test_a_probe_asks_over_tls_and_gives_an_interpreter_time_to_start(probe: str):
    command = CONTAINER[probe]["exec"]["command"]
    assert command[:2] == ["pointsman", "health"]
    assert command[command.index("--ca") + 1].startswith(MOUNTS["tls"])
    assert CONTAINER[probe]["timeoutSeconds"] >= 5


def test_only_metrics_are_in_plaintext():
    assert ENVIRONMENT["POINTSMAN_PLAINTEXT_BEYOND_LOOPBACK"] == "metrics"
    for name in ("CERT", "KEY"):
        assert ENVIRONMENT[f"POINTSMAN_TLS_{name}_FILE"].startswith(MOUNTS["tls"] + "/")


def test_secrets_come_from_files_that_can_change():
    volumes = {each["name"]: each for each in POD["volumes"]}
    assert not any("secretKeyRef" in str(each) for each in CONTAINER["env"])
    assert "envFrom" not in CONTAINER
    for name in ("HASH_KEY", "TOKENS"):
        assert ENVIRONMENT[f"POINTSMAN_{name}_FILE"].startswith(MOUNTS["secrets"] + "/")
    policy = yaml.safe_load((FOLDER / "policy.yaml").read_text())
    assert policy["engines"]["morph"]["key_file"].startswith(MOUNTS["secrets"] + "/")
    assert policy["cache"]["password_file"].startswith(MOUNTS["secrets"] + "/")
    for mount in CONTAINER["volumeMounts"]:
        assert mount["readOnly"] is True
        assert "subPath" not in mount, "a file that is mounted alone never changes"
        volume = volumes[mount["name"]]
        assert "secret" not in volume or volume["secret"]["defaultMode"] == 0o440


def test_every_setting_is_one_of_the_service():
    names = {f"POINTSMAN_{field.upper()}" for field in Settings.model_fields}
    assert {each for each in ENVIRONMENT if each.startswith("POINTSMAN_")} <= names


def test_the_ports_are_where_it_listens():
    ports = {each["name"]: each["containerPort"] for each in CONTAINER["ports"]}
    assert ENVIRONMENT["POINTSMAN_LISTEN"] == f"0.0.0.0:{ports['grpc']}"
    assert ENVIRONMENT["POINTSMAN_METRICS_LISTEN"] == f"0.0.0.0:{ports['metrics']}"
    service = MANIFESTS["service.yaml"]["spec"]
    assert service["clusterIP"] == "None", "clients balance over pods that they can see"
    assert [each["targetPort"] for each in service["ports"]] == ["grpc"]


def test_an_eviction_never_takes_all_and_a_rollout_takes_none():
    assert MANIFESTS["poddisruptionbudget.yaml"]["spec"]["maxUnavailable"] == 1
    assert MANIFESTS["horizontalpodautoscaler.yaml"]["spec"]["minReplicas"] >= 2
    assert DEPLOYMENT["strategy"]["rollingUpdate"]["maxUnavailable"] == 0
    assert "replicas" not in DEPLOYMENT, "the autoscaler's decision"
    # The autoscaler divides by the request.
    assert CONTAINER["resources"]["requests"].keys() == {"cpu", "memory"}
    assert "memory" in CONTAINER["resources"]["limits"]


def test_nobody_reaches_it_but_gateways_and_monitoring_and_it_reaches_what_it_needs():
    policy = MANIFESTS["networkpolicy.yaml"]["spec"]
    assert policy["policyTypes"] == ["Ingress", "Egress"]
    into = {port["port"]: rule["from"] for rule in policy["ingress"] for port in rule["ports"]}
    assert into.keys() == {50051, 9464}
    assert all("podSelector" in peer for peer in into[50051])
    assert all(peer["namespaceSelector"]["matchLabels"] for peer in into[9464])
    out = {port["port"]: rule["to"] for rule in policy["egress"] for port in rule["ports"]}
    assert out.keys() == {53, 6379, 4317, 443}
    (internet,) = out[443]
    assert {"10.0.0.0/8", "169.254.0.0/16"} <= set(internet["ipBlock"]["except"])
    assert not any("ipBlock" in peer for port in (53, 6379, 4317) for peer in out[port])


def test_its_policy_file_is_the_built_in_one_but_for_where_things_are():
    built_in = ROOT / "server" / "pointsman_server" / "policies" / "default.yaml"
    ours, theirs = (yaml.safe_load(path.read_text()) for path in (FOLDER / "policy.yaml", built_in))
    for document in (ours, theirs):
        for name in ("url", "ca_file", "password_file"):
            document["cache"].pop(name, None)
        for name in ("key_env", "key_file"):
            document["engines"]["morph"].pop(name, None)
        document["flags"].pop("sources")
    assert ours == theirs


def test_its_policy_file_passes_the_check_without_a_warning():
    report = check(FOLDER / "policy.yaml", assignments=[])
    assert report.ok
    assert not [line for line in report.lines() if line.startswith("warning")]


def test_the_runbook_looks_at_the_pods_as_they_are_set_up():
    page = (ROOT / "docs" / "runbook.md").read_text()
    _, _, look = page.partition("kubectl -n pointsman port-forward pod/POD ")
    admin = Settings().admin_listen.rpartition(":")[2]
    assert "POINTSMAN_ADMIN_LISTEN" not in ENVIRONMENT, "it is on the pod's loopback, as by default"
    assert look.startswith(f"{admin}:{admin} ")
    health = CONTAINER["readinessProbe"]["exec"]["command"]
    named = health[health.index("--server-name") + 1]
    assert f"grpcurl -cacert ca.crt -authority {named} -H " in look
    assert f"localhost:{admin} pointsman.v1.RoutingService/DescribeRouting\n" in look
    assert f"exec POD -- {' '.join(health)}\n" in look
