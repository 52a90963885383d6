"""Build the input of Envoy's transcoder: the contract's descriptors with the HTTP rules.

The rules are in a separate file, so that the contract imports no annotations and generated
clients need no package of Google's for them. `--check` only reports a stale file.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import yaml
from google.api import annotations_pb2, http_pb2
from google.protobuf.descriptor import FileDescriptor
from google.protobuf.descriptor_pb2 import FileDescriptorSet, MethodDescriptorProto
from google.protobuf.json_format import ParseDict
from google.rpc import error_details_pb2, status_pb2
from pointsman.v1 import routing_service_pb2

ROOT = Path(__file__).resolve().parents[1]
RULES = ROOT / "deploy" / "envoy" / "http.yaml"
DESCRIPTORS = ROOT / "deploy" / "envoy" / "pointsman.binpb"

ERRORS = (status_pb2.DESCRIPTOR, error_details_pb2.DESCRIPTOR)
"""The messages of a refusal's details: without them the transcoder cannot write them as JSON."""


def read_rules(path: Path) -> http_pb2.Http:
    """The rules of a gRPC API configuration. Raises `ParseError` for an invalid rule."""
    return ParseDict(yaml.safe_load(path.read_text())["http"], http_pb2.Http())


def descriptors(rules: http_pb2.Http) -> FileDescriptorSet:
    """The contract and all it depends on, each method that is no stream with its rule.

    Raises `LookupError` for a rule without such a method and for such a method without a rule.
    """
    found = FileDescriptorSet()
    for file in _with_dependencies([routing_service_pb2.DESCRIPTOR, *ERRORS]):
        file.CopyToProto(found.file.add())
    methods = dict(_methods(found))
    rule_of = {rule.selector: rule for rule in rules.rules}
    if unmatched := sorted(methods.keys() ^ rule_of.keys()):
        raise LookupError(f"a method and its HTTP rule must both exist: {', '.join(unmatched)}")
    for name, method in methods.items():
        method.options.Extensions[annotations_pb2.http].CopyFrom(rule_of[name])
    return found


def build() -> bytes:
    """The file's bytes; the same for the same contract and rules."""
    return descriptors(read_rules(RULES)).SerializeToString(deterministic=True)


def _with_dependencies(files: Iterable[FileDescriptor]) -> Iterator[FileDescriptor]:
    """Every file once, after those that it imports."""
    seen: set[str] = set()

    def visit(file: FileDescriptor) -> Iterator[FileDescriptor]:
        if file.name in seen:
            return
        seen.add(file.name)
        for imported in file.dependencies:
            yield from visit(imported)
        yield file

    for file in files:
        yield from visit(file)


def _methods(found: FileDescriptorSet) -> Iterator[tuple[str, MethodDescriptorProto]]:
    for file in found.file:
        for service in file.service:
            for method in service.method:
                if not (method.client_streaming or method.server_streaming):
                    yield f"{file.package}.{service.name}.{method.name}", method


if __name__ == "__main__":
    if "--check" not in sys.argv:
        DESCRIPTORS.write_bytes(build())
    elif not DESCRIPTORS.exists() or DESCRIPTORS.read_bytes() != build():
        sys.exit(f"stale (run `make stubs`): {DESCRIPTORS.relative_to(ROOT)}")
