"""OpenAPI document of the HTTP listener, from the contract and its comments.

Describes the JSON form: names in camel case, enum values by name, 64-bit integers as strings.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import openapi_stream
import yaml
from contract_reference import comments_of, described
from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    EnumDescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
    MethodDescriptorProto,
)

Json = dict[str, Any]

_PACKAGE = ".pointsman.v1."
_SERVICE = "pointsman.v1.RoutingService"
_GETS = ("DescribeRouting",)
"""RPCs that answer GET, too."""
# Numbers of fields in descriptor.proto, of which the path to a comment is made.
_MESSAGES, _ENUMS, _SERVICES, _FIELDS, _METHODS, _VALUES = 4, 5, 6, 2, 2, 2
_UINT32, _INT32 = {"type": "integer", "minimum": 0, "maximum": 2**32 - 1}, {"type": "integer"}
_NUMBER = {"type": "number"}
_LARGE = {"type": ["string", "integer"], "pattern": "^-?[0-9]+$"}
_SCALARS: Mapping[str, Json] = {
    "TYPE_STRING": {"type": "string"},
    "TYPE_BOOL": {"type": "boolean"},
    "TYPE_DOUBLE": _NUMBER,
    "TYPE_FLOAT": _NUMBER,
    "TYPE_INT32": _INT32,
    "TYPE_UINT32": _UINT32,
    "TYPE_INT64": _LARGE,
    "TYPE_UINT64": _LARGE,
}
_WELL_KNOWN: Mapping[str, Json] = {
    ".google.protobuf.Struct": {"type": "object", "additionalProperties": True},
    ".google.protobuf.Any": {
        "type": "object",
        "required": ["@type"],
        "additionalProperties": True,
    },
    ".google.protobuf.Timestamp": {"type": "string", "format": "date-time"},
}
_CODES = (
    "canceled", "unknown", "invalid_argument", "deadline_exceeded", "not_found", "already_exists",
    "permission_denied", "resource_exhausted", "failed_precondition", "aborted", "out_of_range",
    "unimplemented", "internal", "unavailable", "data_loss", "unauthenticated",
)  # fmt: skip
_TEXT: Json = {"type": "string"}
_ERROR: Json = {
    "description": "An error of Connect. `details` are those of gRPC: a google.rpc.ErrorInfo with"
    " an ErrorReason, a google.rpc.BadRequest that names bad fields, a google.rpc.RetryInfo.",
    "type": "object",
    "required": ["code"],
    "properties": {
        "code": {"type": "string", "enum": list(_CODES)},
        "message": _TEXT | {"description": "An English message for people."},
        "details": {"type": "array", "items": {"$ref": "#/components/schemas/ErrorDetail"}},
    },
}
_ERROR_DETAIL: Json = {
    "description": "A protobuf message: its name, and its bytes as base64 without padding.",
    "type": "object",
    "required": ["type", "value"],
    "properties": {"type": _TEXT | {"examples": ["google.rpc.BadRequest"]}, "value": _TEXT},
}
_ERRORS: Mapping[str, str] = {
    "400": "A field is out of bounds, unknown or of a wrong type; `message` and details name it.",
    "401": "A bearer token is required, and this is none.",
    "404": "No such RPC; for ResolveRoute, no such purpose or profile.",
    "429": "Too many calls at once, or a body of more than 4 MiB.",
    "500": "A bug.",
    "503": "The service is starting or shutting down.",
    "504": "The caller's deadline has passed.",
}
_PARAMETERS: Json = {
    name: {"name": name, "in": "header", "description": about, "schema": schema}
    for name, about, schema in (
        ("connect-timeout-ms", "Deadline of the call in milliseconds.", _UINT32),
        ("traceparent", "W3C trace context, which the call's span continues.", _TEXT),
    )
}


def document() -> Json:
    """The document, as an object."""
    files = [_File(file) for file in described().file]
    schemas = {name: schema for file in files for name, schema in file.schemas()}
    [service] = [file.service[0] for file in (each.file for each in files) if file.service]
    _close(schemas, [m.input_type for m in service.method])
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Pointsman",
            "version": "v1",
            "summary": "Decides which language model should serve a prompt.",
            "description": next(file.about for file in files if file.about),
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "http://127.0.0.1:50053", "description": "The default listener."}],
        "security": [{}, {"token": []}],
        "paths": {path: item for file in files for path, item in file.paths()} | _probes(),
        "components": {
            "schemas": {
                "Error": _ERROR,
                "ErrorDetail": _ERROR_DETAIL,
                "StreamEnd": openapi_stream.STREAM_END,
            }
            | dict(sorted(schemas.items())),
            "parameters": _PARAMETERS,
            "responses": {f"Error{code}": _error(text) for code, text in _ERRORS.items()},
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }


def page() -> str:
    """The document, in YAML."""
    head = "# Written by `make reference` from protos/pointsman/v1.\n"
    text: str = yaml.dump(document(), Dumper=_Plain, sort_keys=False, width=100, allow_unicode=True)
    return head + text


def served() -> str:
    """The document as the HTTP listener serves it."""
    return json.dumps(document(), separators=(",", ":")) + "\n"


class _Plain(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002  # readers meet few anchors
        return True

    def represent_str(self, data: str) -> yaml.Node:
        """Write a text of several lines as one, without quotes."""
        style = "|" if "\n" in data else None
        return self.represent_scalar("tag:yaml.org,2002:str", data, style=style)


_Plain.add_representer(str, _Plain.represent_str)


class _File:
    """One file of the contract."""

    def __init__(self, file: FileDescriptorProto) -> None:
        self.file = file
        self._comments = comments_of(file)
        self.about = self._comments.get((_SERVICES, 0), "")

    def schemas(self) -> Iterator[tuple[str, Json]]:
        for i, message in enumerate(self.file.message_type):
            yield message.name, self._message(message, (_MESSAGES, i))
        for i, enum in enumerate(self.file.enum_type):
            yield enum.name, self._enum(enum, (_ENUMS, i))

    def paths(self) -> Iterator[tuple[str, Json]]:
        for service in self.file.service:
            for i, method in enumerate(service.method):
                about = self._comments.get((_SERVICES, 0, _METHODS, i), "")
                yield f"/{_SERVICE}/{method.name}", _path(method, about)

    def _message(self, message: DescriptorProto, path: tuple[int, ...]) -> Json:
        properties = {
            field.json_name: self._field(field, message, (*path, _FIELDS, i))
            for i, field in enumerate(message.field)
        }
        required = [
            field.json_name
            for i, field in enumerate(message.field)
            if self._comments.get((*path, _FIELDS, i), "").startswith("Required")
        ]
        schema: Json = {"description": self._comments.get(path, ""), "type": "object"}
        if properties:
            schema["properties"] = properties
        return schema | ({"required": required} if required else {})

    def _field(
        self, field: FieldDescriptorProto, message: DescriptorProto, path: tuple[int, ...]
    ) -> Json:
        about = {"description": self._comments.get(path, "")}
        entry = next(
            (n for n in message.nested_type if field.type_name.endswith(f".{n.name}")), None
        )
        if entry is not None and entry.options.map_entry:
            return about | {"type": "object", "additionalProperties": _type(entry.field[1])}
        if field.label == FieldDescriptorProto.LABEL_REPEATED:
            return about | {"type": "array", "items": _type(field)}
        return _type(field) | about

    def _enum(self, enum: EnumDescriptorProto, path: tuple[int, ...]) -> Json:
        values = [
            f"* `{value.name}`: {self._comments.get((*path, _VALUES, i), '')}"
            for i, value in enumerate(enum.value)
        ]
        about = "\n".join([self._comments.get(path, ""), "", *values])
        return {"description": about, "type": "string", "enum": [v.name for v in enum.value]}


def _type(field: FieldDescriptorProto) -> Json:
    name = field.type_name
    if name.startswith(_PACKAGE):
        return {"$ref": f"#/components/schemas/{name.removeprefix(_PACKAGE)}"}
    if name:
        return dict(_WELL_KNOWN[name])
    return dict(_SCALARS[FieldDescriptorProto.Type.Name(field.type)])


def _path(method: MethodDescriptorProto, about: str) -> Json:
    name = method.name
    request, response = _reference(method.input_type), _reference(method.output_type)
    call: Json = {"tags": ["RoutingService"], "summary": f"{about.partition('. ')[0].rstrip('.')}."}
    headers = [{"$ref": f"#/components/parameters/{each}"} for each in _PARAMETERS]
    if method.client_streaming:
        call = {"operationId": name, **call, "parameters": headers}
        return {"post": openapi_stream.operation(about, request, response, call)}
    answer = {"schema": response}
    answers = {"200": {"description": "The answer.", "content": {"application/json": answer}}}
    answers |= {code: {"$ref": f"#/components/responses/Error{code}"} for code in _ERRORS}
    call |= {"description": about, "responses": answers}
    body = {"content": {"application/json": {"schema": request}}}
    post = {
        "operationId": name,
        **call,
        "parameters": headers,
        "requestBody": {"required": name not in _GETS, **body},
    }
    if name not in _GETS:
        return {"post": post}
    return {"get": {"operationId": f"{name}ByGet", **call}, "post": post}


def _reference(type_name: str) -> Json:
    return {"$ref": f"#/components/schemas/{type_name.removeprefix(_PACKAGE)}"}


def _error(text: str) -> Json:
    schema = {"$ref": "#/components/schemas/Error"}
    return {"description": text, "content": {"application/json": {"schema": schema}}}


def _probes() -> Json:
    plain = {"content": {"text/plain": {"schema": {"type": "string"}}}}

    def get(operation: str, summary: str, answers: Mapping[str, str], **more: Any) -> Json:
        responses = {code: {"description": text, **plain} for code, text in answers.items()}
        call = {"operationId": operation, "tags": ["Probes"], "summary": summary}
        return {"get": {**call, "responses": responses, **more}}

    draining = {"200": "Calls are served.", "503": "The service drains."}
    return {
        "/healthz": get("healthz", "The process runs.", {"200": "It runs."}, security=[]),
        "/readyz": get("readyz", "Calls are served.", draining, security=[]),
        "/metrics": get("metrics", "The Prometheus page.", {"200": "Metrics."}),
    }


def _close(schemas: Mapping[str, Json], requests: Sequence[str]) -> None:
    """Forbid unknown fields in messages of requests: the service refuses them."""
    waiting = [name.removeprefix(_PACKAGE) for name in requests]
    done: set[str] = set()
    while waiting:
        name = waiting.pop()
        if name in done or schemas[name].get("type") != "object":
            continue
        done.add(name)
        schemas[name]["additionalProperties"] = False
        for field in schemas[name].get("properties", {}).values():
            inner = field.get("items", field).get("$ref")
            waiting += [inner.rpartition("/")[2]] if inner else []
