"""The contract's reference: every service, message, field and enum with the comment it has."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from importlib.resources import files
from pathlib import Path

from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    EnumDescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
    FileDescriptorSet,
    ServiceDescriptorProto,
)
from grpc_tools import protoc

PROTOS = Path(__file__).resolve().parents[1] / "protos"
_PACKAGE = ".pointsman.v1."
# Numbers of fields in descriptor.proto, of which the path to a comment is made.
_MESSAGES, _ENUMS, _SERVICES = 4, 5, 6
_FIELDS, _NESTED, _NESTED_ENUMS, _ONEOFS = 2, 3, 4, 8
_VALUES, _METHODS = 2, 2
_HEAD = """\
# Contract reference

Every service, message, field and enum of the package `pointsman.v1`, from the comments of
[`protos/pointsman/v1`](../../protos/pointsman/v1/route_decision.proto) (`make reference`).
[The contract](../contract.md) explains their use.
"""


def page() -> str:
    """The page, in Markdown."""
    found = [_File(each) for each in described().file]
    services = (line for each in found for line in each.services())
    messages = (line for each in found for line in each.messages())
    enums = (line for each in found for line in each.enums())
    sections = [*services, "## Messages", *messages, "## Enums", *enums]
    return "\n".join([_HEAD, *(f"{section.strip()}\n" for section in sections)])


def described() -> FileDescriptorSet:
    """The contract and its comments."""
    sources = sorted(str(p.relative_to(PROTOS)) for p in PROTOS.rglob("*.proto"))
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "contract.bin"
        include = [f"-I{PROTOS}", f"-I{files('grpc_tools') / '_proto'}"]
        flags = ["--include_source_info", f"--descriptor_set_out={out}"]
        if protoc.main(["protoc", *include, *flags, *sources]) != 0:
            raise SystemExit("protoc failed")
        return FileDescriptorSet.FromString(out.read_bytes())


def comments_of(file: FileDescriptorProto) -> dict[tuple[int, ...], str]:
    """The comments of a file, by the path of the commented element."""
    return {
        tuple(each.path): " ".join(each.leading_comments.split())
        for each in file.source_code_info.location
    }


class _File:
    """One file of the contract and its comments, by the path of the commented element."""

    def __init__(self, file: FileDescriptorProto) -> None:
        self._file = file
        self._comments = comments_of(file)

    def services(self) -> Iterator[str]:
        for i, service in enumerate(self._file.service):
            yield f"## {service.name}"
            yield self._comment(_SERVICES, i)
            yield from self._methods(service, (_SERVICES, i))

    def messages(self) -> Iterator[str]:
        for i, message in enumerate(self._file.message_type):
            yield from self._message(message, (_MESSAGES, i))

    def enums(self) -> Iterator[str]:
        for i, enum in enumerate(self._file.enum_type):
            yield from self._enum(enum, (_ENUMS, i))

    def _message(
        self, message: DescriptorProto, path: Sequence[int], outer: str = ""
    ) -> Iterator[str]:
        name = f"{outer}{message.name}"
        yield f"### {name}"
        yield self._comment(*path)
        if message.field:
            rows = [
                f"| `{field.name}` | {_type(field, message)} | {self._field(message, i, path)} |"
                for i, field in enumerate(message.field)
            ]
            yield _table("| field | type | meaning |", rows)
        for i, nested in enumerate(message.nested_type):
            if not nested.options.map_entry:
                yield from self._message(nested, (*path, _NESTED, i), f"{name}.")
        for i, enum in enumerate(message.enum_type):
            yield from self._enum(enum, (*path, _NESTED_ENUMS, i), f"{name}.")

    def _field(self, message: DescriptorProto, index: int, path: Sequence[int]) -> str:
        """A field's comment; one of a `oneof` says so."""
        field = message.field[index]
        comment = self._comment(*path, _FIELDS, index)
        if field.HasField("oneof_index") and not field.proto3_optional:
            oneof = message.oneof_decl[field.oneof_index].name
            shared = self._comment(*path, _ONEOFS, field.oneof_index)
            comment = f"{comment} One of `{oneof}`. {shared}".strip()
        return comment

    def _enum(
        self, enum: EnumDescriptorProto, path: Sequence[int], outer: str = ""
    ) -> Iterator[str]:
        yield f"### {outer}{enum.name}"
        yield self._comment(*path)
        rows = [
            f"| `{value.name}` | {value.number} | {self._comment(*path, _VALUES, i)} |"
            for i, value in enumerate(enum.value)
        ]
        yield _table("| value | number | meaning |", rows)

    def _methods(self, service: ServiceDescriptorProto, path: Sequence[int]) -> Iterator[str]:
        for i, method in enumerate(service.method):
            yield f"### {method.name}"
            request = f"{'stream of ' * method.client_streaming}{_linked(method.input_type)}"
            answer = f"{'stream of ' * method.server_streaming}{_linked(method.output_type)}"
            yield f"{request} → {answer}"
            yield self._comment(*path, _METHODS, i)

    def _comment(self, *path: int) -> str:
        return self._comments.get(path, "").replace("|", "\\|")


def _type(field: FieldDescriptorProto, message: DescriptorProto) -> str:
    """A field's type in words, with a link where the contract defines it."""
    for nested in message.nested_type:
        if nested.options.map_entry and field.type_name.endswith(f".{nested.name}"):
            key, value = nested.field
            return f"map of {_type(key, nested)} to {_type(value, nested)}"
    name = _linked(field.type_name) if field.type_name else f"`{_scalar(field)}`"
    if field.label == FieldDescriptorProto.LABEL_REPEATED:
        return f"repeated {name}"
    return f"optional {name}" if field.proto3_optional else name


def _scalar(field: FieldDescriptorProto) -> str:
    return FieldDescriptorProto.Type.Name(field.type).removeprefix("TYPE_").lower()


def _linked(type_name: str) -> str:
    if not type_name.startswith(_PACKAGE):
        return f"`{type_name.removeprefix('.')}`"
    name = type_name.removeprefix(_PACKAGE)
    return f"[{name}](#{name.lower().replace('.', '')})"


def _table(head: str, rows: Sequence[str]) -> str:
    rule = "|---" * (head.count("|") - 1) + "|"
    return "\n".join([head, rule, *rows])
