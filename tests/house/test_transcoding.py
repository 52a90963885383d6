"""What deploy/envoy makes of HTTP requests is made from the contract and its HTTP rules."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest
import yaml
from google.api import annotations_pb2, http_pb2
from google.protobuf.descriptor_pb2 import FileDescriptorSet
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.json_format import ParseDict
from pointsman.v1 import routing_service_pb2

ROOT = Path(__file__).resolve().parents[2]
SERVICE = "pointsman.v1.RoutingService"
UNARY = ("RouteDecision", "BatchRouteDecisions", "ResolveRoute", "DescribeRouting")


@pytest.fixture(scope="module")
def transcoding() -> ModuleType:
    spec = importlib.util.spec_from_file_location("transcoding", ROOT / "tools" / "transcoding.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def committed() -> FileDescriptorSet:
    bytes_ = (ROOT / "deploy" / "envoy" / "pointsman.binpb").read_bytes()
    return FileDescriptorSet.FromString(bytes_)


def rules(*selectors: str) -> http_pb2.Http:
    methods = [{"selector": f"{SERVICE}.{name}", "get": f"/{name}"} for name in selectors]
    return ParseDict({"rules": methods}, http_pb2.Http())


def test_what_is_committed_is_what_the_contract_and_the_rules_give(
    transcoding: ModuleType, committed: FileDescriptorSet
) -> None:
    assert committed == transcoding.descriptors(transcoding.read_rules(transcoding.RULES))


def test_every_method_but_a_stream_has_the_path_of_its_rule(
    committed: FileDescriptorSet,
) -> None:
    text = (ROOT / "deploy" / "envoy" / "http.yaml").read_text()
    wanted = {rule["selector"]: rule for rule in yaml.safe_load(text)["http"]["rules"]}
    [service] = [service for file in committed.file for service in file.service]
    rules_of = {
        f"{SERVICE}.{method.name}": method.options.Extensions[annotations_pb2.http]
        for method in service.method
    }
    found = {name: rule for name, rule in rules_of.items() if rule.WhichOneof("pattern")}
    assert rules_of.keys() - found.keys() == {f"{SERVICE}.StreamRouteDecisions"}
    assert found.keys() == wanted.keys()
    for name, rule in found.items():
        assert (rule.get or rule.post) == wanted[name].get("get", wanted[name].get("post"))


def test_files_stand_after_those_that_they_import_and_have_what_details_are_made_of(
    committed: FileDescriptorSet,
) -> None:
    pool = DescriptorPool()
    for file in committed.file:
        pool.Add(file)  # raises where an import is missing
    for name in ("google.rpc.BadRequest", "google.rpc.ErrorInfo", "google.rpc.RetryInfo"):
        assert pool.FindMessageTypeByName(name).fields


@pytest.mark.parametrize(
    ("named", "culprit"),
    [
        (UNARY[1:], UNARY[0]),
        ((*UNARY, "Reroute"), "Reroute"),
        ((*UNARY, "StreamRouteDecisions"), "StreamRouteDecisions"),
    ],
)
def test_a_rule_and_its_method_must_both_exist(
    transcoding: ModuleType, named: tuple[str, ...], culprit: str
) -> None:
    with pytest.raises(LookupError, match=f"exist: {SERVICE}.{culprit}$"):
        transcoding.descriptors(rules(*named))


def test_the_contract_itself_knows_nothing_of_http() -> None:
    for method in routing_service_pb2.DESCRIPTOR.services_by_name["RoutingService"].methods:
        assert not method.GetOptions().HasExtension(annotations_pb2.http)
