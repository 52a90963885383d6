"""The program of docs/conformance.md for the Python client: a request a line, its answer a line.

    python tools/conformance.py --client "python client/conformance.py"

Requests go through the client's typed values, and their answers come out of them. A few requests
are wrong in a way that those values exclude, such as an enum value that does not exist: their
messages go through the client's transport, below the values.
"""

from __future__ import annotations

import asyncio
import base64
import json
import sys
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from enum import StrEnum
from typing import Any

from pointsman.v1 import route_decision_pb2 as pb
from pointsman_client import (
    ApiKind,
    Constraints,
    DataPolicy,
    InvalidRequest,
    Modality,
    NormalisedPrompt,
    RouteRequest,
    RoutingClient,
    RoutingError,
)
from pointsman_client.decode import to_result
from pointsman_client.encode import to_message

TIMEOUT = 60.0
PREFIXES = {
    ("outcome",): "OUTCOME_",
    ("reason",): "REASON_",
    ("dropped", "reason"): "DROP_REASON_",
    ("decision", "dropped", "reason"): "DROP_REASON_",
    ("decision", "source"): "SOURCE_",
    ("decision", "switch_reason"): "SWITCH_REASON_",
    ("decision", "conversation_source"): "CONVERSATION_SOURCE_",
}


def typed(message: pb.RouteDecisionRequest) -> RouteRequest | None:
    """The message as a value of the client; `None` if no value makes this message."""
    try:
        value = _value(message)
    except (KeyError, ValueError):  # an enum value that the client does not have
        return None
    made = to_message(value)
    if not message.HasField("constraints"):
        made.ClearField("constraints")
    return value if made == message else None


def _value(message: pb.RouteDecisionRequest) -> RouteRequest:
    prompt, caller, routing = message.prompt, message.caller, message.routing
    wanted = message.constraints
    return RouteRequest(
        prompt=NormalisedPrompt(
            **_present(prompt, "user_prompt_prefix", "latest_user_prompt_prefix"),
            **_present(prompt, "system_prompt_prefix", "message_count", "max_output_tokens"),
            api_kind=_enum(ApiKind, pb.ApiKind, "API_KIND_", prompt.api_kind),
            has_tools=prompt.has_tools,
            stream=prompt.stream,
            context_reset=prompt.context_reset,
        ),
        user_id=caller.user_id,
        **_present(caller, "session_id", "machine_id", "client_request_id", "mode", "user_agent"),
        **_present(caller, "organization_id", "agent_id"),
        tier=routing.auto_model if message.HasField("routing") else None,
        candidates=tuple(routing.candidate_models),
        static_pick=routing.resolved_model if routing.HasField("resolved_model") else None,
        **_present(routing, "incumbent_model"),
        constraints=Constraints(
            required_inputs=frozenset(
                _enum(Modality, pb.Modality, "MODALITY_", each) for each in wanted.required_inputs
            ),
            **_present(wanted, "prompt_tokens_estimate"),
            requires_tools=wanted.requires_tools,
            denied_models=tuple(wanted.denied_models),
            keep_provider=wanted.keep_provider,
        ),
        data_policy=_enum(DataPolicy, pb.DataPolicy, "DATA_POLICY_", message.data_policy),
        requested_model=message.requested_model or None,
        body_bytes=message.body_bytes,
        classify=message.classify,
        dry_run=message.dry_run,
    )


def _present(message: Any, *names: str) -> dict[str, Any]:
    return {name: getattr(message, name) for name in names if message.HasField(name)}


def _enum(kind: Any, enum: Any, prefix: str, number: int) -> Any:
    return kind[enum.Name(number).removeprefix(prefix)]


def response_json(value: Any, path: tuple[str, ...] = ()) -> Any:
    """A result of the client as proto3 JSON, with the field names of the proto file."""
    if isinstance(value, StrEnum):
        return PREFIXES[path] + value.name
    if is_dataclass(value):
        named = {f.name: getattr(value, f.name) for f in fields(value)}
        return {k: response_json(v, (*path, k)) for k, v in named.items() if v is not None}
    if isinstance(value, tuple):
        return [response_json(each, path) for each in value]
    return value


async def answer(client: RoutingClient, message: pb.RouteDecisionRequest) -> Mapping[str, Any]:
    """The answer to a request as a line of the output."""
    request = typed(message)
    try:
        if request is not None:
            result = await client.route(request)
        else:
            transport = client._sessions.current().transport  # noqa: SLF001
            result = to_result(await transport.ask(message, timeout=TIMEOUT))
    except InvalidRequest as refused:
        bad = [violation.field for violation in refused.violations]
        return {"status": refused.status, "bad_fields": bad}
    except RoutingError as refused:
        return {"status": refused.status, "bad_fields": []}
    return {"response": response_json(result)}


async def main() -> None:
    """Answer each line of the standard input; one client for each address, way and token."""
    client, of = None, None
    while text := await asyncio.to_thread(sys.stdin.readline):
        line = json.loads(text)
        wanted = (line["address"], line["way"], line.get("token"))
        if client is None or wanted != of:
            if client is not None:
                await client.aclose()
            address, way, token = of = wanted
            client = RoutingClient(address, transport=way, token=token, timeout=TIMEOUT)
        message = pb.RouteDecisionRequest.FromString(base64.b64decode(line["wire"]))
        print(json.dumps(await answer(client, message)), flush=True)
    if client is not None:
        await client.aclose()


if __name__ == "__main__":
    asyncio.run(main())
