"""Request bodies of four APIs: a prompt that the service takes, or an error that names the field.

An input that is JSON is the body; any other is a recipe for one, of words that bodies have.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator

from pointsman_client import (
    ApiKind,
    InvalidRequest,
    ResponseChains,
    RouteRequest,
    UnusableBody,
    identify,
    normalise,
    read_generate_content,
)
from pointsman_client.bodies.normalise import read_body
from pointsman_client.encode import to_message
from pointsman_client.model import PREFIX_CODE_POINTS
from pointsman_server.transport.decode import to_request

from fuzz.targets.target import DATA, Target, plain

KINDS = {
    ord("c"): ApiKind.CHAT_COMPLETIONS,
    ord("r"): ApiKind.RESPONSES,
    ord("m"): ApiKind.MESSAGES,
}
WORDS = (
    *("messages", "input", "instructions", "system", "tools", "functions", "model", "stream"),
    *("role", "user", "assistant", "content", "text", "type", "tool_result", "function_call"),
    *("image_url", "input_text", "document", "source", "data", "thinking", "signature"),
    *("redacted_thinking", "reasoning", "encrypted_content", "reasoning_details", "tool_use"),
    *("max_tokens", "provider", "data_collection", "deny", "zdr", "arguments", "parameters"),
    *("<task>", "</task>", "<environment_details>", "</environment_details>", "<file path='a'>"),
    *("previous_response_id", "conversation", "metadata", "user_id", "session_id", "reasoning"),
    *("contents", "parts", "inlineData", "mimeType", "functionResponse", "thoughtSignature"),
    *("extra_content", "provider_specific_fields", "thought_signature", "developer", "message"),
    *('{"session_id": "s"}', "user_x_account__session_y", "compaction", "item_reference"),
    *("<system-reminder>", "</system-reminder>", "<user_query>", "</user_query>", "<context>"),
    *(
        "# AGENTS.md instructions",
        "</INSTRUCTIONS>",
        "<feedback>",
        "</feedback>",
        "<image name='a'>",
    ),
    *("This session is being continued from a previous", "Caveat: The messages below were\n"),
    *("[a for 'b'] Result:", "[ERROR]", "<path>", "\ud800", "\ufeff", "word ", "\x00", " ", ""),
)
DEEPEST = 100


def read(data: bytes) -> None:
    kind = KINDS.get(data[0] if data else 0, ApiKind.CHAT_COMPLETIONS)
    body = _body(data[1:])
    with contextlib.suppress(UnusableBody):
        read_generate_content(body, model="m")
    usable = normalise(body, kind)
    try:
        prompt = read_body(body, kind)
    except UnusableBody as error:
        assert usable is None
        assert error.facts.violations, "unusable without a field"
        assert all(v.field.startswith("body") for v in error.facts.violations)
        return
    assert prompt == usable
    prefixes = (
        prompt.user_prompt_prefix,
        prompt.latest_user_prompt_prefix,
        prompt.system_prompt_prefix,
    )
    found = identify(body, chains=ResponseChains(), prompt=prompt)
    for each in (found.user_id, found.session_id):
        assert each is None or 0 < len(each) <= 256
    for prefix in prefixes:
        assert prefix is None or 0 < len(prefix) <= PREFIX_CODE_POINTS
    try:
        message = to_message(RouteRequest(prompt=prompt, user_id="user-1"))
    except InvalidRequest as error:
        assert error.facts.violations, "refused without a field"
    else:
        to_request(message)


def _body(data: bytes) -> object:
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        return {"model": "a/b", "messages": (made := _made(iter(data), 0)), "input": made}


def _made(recipe: Iterator[int], depth: int) -> object:
    """A value: of each byte, the lower bits say what kind and the upper ones which or how many."""
    step = next(recipe, 0)
    kind, number = step % 4, step // 4
    if kind == 0 or depth >= DEEPEST:
        return (None, True, False, 0, -1, 1e308, 2**70)[number % 7]
    if kind == 1:
        return WORDS[number % len(WORDS)]
    if kind == 2:
        return [_made(recipe, depth + 1) for _ in range(number % 8)]
    return {
        WORDS[next(recipe, 0) % len(WORDS)]: _made(recipe, depth + 1) for _ in range(number % 8)
    }


def seeds() -> Iterator[bytes]:
    cases = json.loads((DATA / "normalise_cases.json").read_text())
    for case in cases["normalise"]:
        yield case["api_kind"][:1].encode() + json.dumps(case["body"]).encode()
    for case in json.loads((DATA / "agent_bodies.json").read_text())["bodies"]:
        yield case["api_kind"][:1].encode() + json.dumps(case["body"]).encode()
    yield bytes((ord("c"), 0xFF, *range(64)))


TARGET = Target(opened=plain(read), seeds=seeds, mutations=400)
