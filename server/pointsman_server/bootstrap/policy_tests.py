"""Run the tests of a policy file: each request is decided in this process, without a network."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from google.protobuf import json_format
from pointsman.v1 import route_decision_pb2 as pb

from pointsman_server.bootstrap.runtime import Runtime
from pointsman_server.bootstrap.system import SystemResources
from pointsman_server.core.errors import InvalidRequest
from pointsman_server.core.model import Outcome
from pointsman_server.policies.config import PolicyConfig
from pointsman_server.policies.test_file import Expectation, Moved, PolicyTest
from pointsman_server.telemetry import build_telemetry
from pointsman_server.transport.decode import to_request

OFFLINE: Final = ("engines.order=[local]", "cache.url=memory://", "mode=serve", "serve_percent=100")
"""Set over the policy file: the embedded engine decides, and what it decides is served."""
_CALLER: Final = "policy-test"


@dataclass(frozen=True, slots=True, kw_only=True)
class TestResult:
    """How one test went; without `failures` it passed."""

    name: str
    failures: tuple[str, ...] = ()


@asynccontextmanager
async def policy_under_test(
    path: Path | None, *, assignments: Sequence[str] = ()
) -> AsyncIterator[Runtime]:
    """The policy file, in force in this process. Raises `PolicyInvalid`."""
    loaded = PolicyConfig(path, assignments=[*OFFLINE, *assignments]).load()
    log = replace(loaded.policy_file.log, stdout=False, file=None)
    ambient = SystemResources(environment={})
    telemetry = await build_telemetry(environment={"OTEL_SDK_DISABLED": "true"}, log=log)
    runtime = Runtime(
        ambient=ambient,
        telemetry=telemetry,
        hash_key=secrets.token_bytes(16),
        hash_key_is_shared=False,
    )
    try:
        await runtime.apply(loaded)
        yield runtime
    finally:
        await runtime.aclose()
        await telemetry.aclose()


async def run_test(runtime: Runtime, test: PolicyTest) -> TestResult:
    """Decide for each prompt of `test`, and compare."""
    failures: list[str] = []
    moved = 0
    for prompt in test.all_prompts:
        try:
            outcome = await runtime.service().decider.decide(to_request(_message(test, prompt)))
        except (InvalidRequest, json_format.ParseError) as error:
            return TestResult(name=test.name, failures=(f"the request is invalid: {error}",))
        moved += _is_moved(outcome, test)
        which = "" if test.prompts is None else f"{_short(prompt)}: "
        failures += [f"{which}{each}" for each in _compare(test.expect, outcome, test)]
    share = test.expect.moved
    if isinstance(share, Moved):
        found = moved / len(test.all_prompts)
        if not share.at_least <= found <= share.at_most:
            bounds = f"{share.at_least:.0%} to {share.at_most:.0%}"
            failures.append(f"{found:.0%} of the prompts move, wanted {bounds}")
    return TestResult(name=test.name, failures=tuple(failures))


def _message(test: PolicyTest, prompt: str | None) -> pb.RouteDecisionRequest:
    """The request: the short form, then the fields of `request` over it."""
    message = pb.RouteDecisionRequest(dry_run=True, caller=pb.Caller(user_id=_CALLER))
    message.prompt.SetInParent()
    if prompt is not None:
        message.prompt.latest_user_prompt_prefix = prompt
    if test.organization is not None:
        message.caller.organization_id = test.organization
    if test.tier is not None:
        message.routing.auto_model = test.tier
        message.routing.candidate_models.extend(test.candidates)
        if test.static_pick is not None:
            message.routing.resolved_model = test.static_pick
    message.MergeFrom(json_format.ParseDict(test.request, pb.RouteDecisionRequest()))
    return message


def _is_moved(outcome: Outcome, test: PolicyTest) -> bool:
    return outcome.decision is not None and outcome.decision.answer.model != test.static_pick


def _compare(expect: Expectation, outcome: Outcome, test: PolicyTest) -> Iterator[str]:
    answer = outcome.decision.answer if outcome.decision else None
    found: dict[str, Any] = {
        "outcome": str(outcome.verdict),
        "reason": str(outcome.reason) if outcome.reason else None,
        "model": answer.model if answer else None,
        "serve": outcome.serve_model,
        "difficulty": answer.difficulty if answer else None,
        "domain": answer.domain if answer else None,
    }
    why = f" ({answer.explanation})" if answer and answer.explanation else ""
    for name, value in found.items():
        wanted = getattr(expect, name)
        if wanted is not None and not _matches(value, wanted):
            yield f"{name} is {value}, wanted {_named(wanted)}{why}"
    if expect.not_model is not None and _matches(found["model"], expect.not_model):
        yield f"model is {found['model']}, wanted another{why}"
    if isinstance(expect.moved, bool) and _is_moved(outcome, test) is not expect.moved:
        wanted = "another than" if expect.moved else "the same as"
        yield f"model is {found['model']}, wanted {wanted} the static pick{why}"


def _matches(value: str | None, wanted: str | list[str]) -> bool:
    allowed = [wanted] if isinstance(wanted, str) else wanted
    return value is not None and value.lower() in [each.lower() for each in allowed]


def _named(wanted: str | list[str]) -> str:
    return wanted if isinstance(wanted, str) else f"one of {', '.join(wanted)}"


def _short(prompt: str | None) -> str:
    text = " ".join((prompt or "").split())
    return repr(text if len(text) <= 40 else f"{text[:37]}...")  # noqa: PLR2004
