"""The hook, with nothing of LiteLLM but the class that it derives from."""

from __future__ import annotations

import importlib
import sys
import types
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
import yaml
from pointsman_client import RoutingClient
from pointsman_client.testing import FOREVER, FakeService, Refusal, routed

ROOT = Path(__file__).parents[3]
TIER = "kilo-auto/frontier"
PICK = "vendor/static"
DECIDED = "vendor/decided"
CANARY = "canary-of-the-prompt"
TRACE = "0af7651916cd43dd8448eb211c80319c"


@dataclass
class Key:
    """What LiteLLM knows of a caller."""

    user_id: str | None = "owner"
    end_user_id: str | None = None
    org_id: str | None = None


@pytest.fixture
def hook_class(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Any]]:
    logger: Any = types.ModuleType("litellm.integrations.custom_logger")
    logger.CustomLogger = type("CustomLogger", (), {})
    for name in ("litellm", "litellm.integrations"):
        monkeypatch.setitem(sys.modules, name, types.ModuleType(name))
    monkeypatch.setitem(sys.modules, logger.__name__, logger)
    module = importlib.import_module("pointsman_litellm.hook")
    yield module.PointsmanHook
    del sys.modules["pointsman_litellm.hook"]


@pytest.fixture
async def fake() -> AsyncIterator[FakeService]:
    async with FakeService() as service:
        yield service


def chat(**fields: Any) -> dict[str, Any]:
    return {"model": TIER, "messages": [{"role": "user", "content": CANARY}]} | fields


async def called(
    hook_class: Callable[..., Any],
    fake: FakeService,
    data: dict[str, Any],
    *,
    key: Any = None,
    call_type: str = "acompletion",
    patience: float = 30.0,
    **settings: Any,
) -> dict[str, Any]:
    """What the hook makes of one call."""
    fields: dict[str, Any] = {"tiers": {TIER: PICK}, "serves": True, **settings}
    async with RoutingClient(fake.target, decide_timeout=patience, retries=0) as routing:
        hook = hook_class(routing, **fields)
        made: dict[str, Any] = await hook.async_pre_call_hook(key or Key(), None, data, call_type)
    return made


@pytest.mark.parametrize(
    ("call_type", "body"),
    [
        ("acompletion", chat()),
        ("completion", chat(model=" Kilo-Auto/Frontier ")),
        ("aresponses", {"model": TIER, "input": CANARY}),
        ("anthropic_messages", chat()),
    ],
)
async def test_a_tier_becomes_the_decided_model(
    call_type: str, body: dict[str, Any], hook_class: Any, fake: FakeService
) -> None:
    fake.answer(routed(DECIDED))
    assert await called(hook_class, fake, dict(body), call_type=call_type) == body | {
        "model": DECIDED
    }
    [call] = fake.calls
    assert (call.request.routing.auto_model, call.request.routing.resolved_model) == (TIER, PICK)
    assert call.request.prompt.user_prompt_prefix == CANARY


@pytest.mark.parametrize(
    ("key", "user"),
    [
        (Key(end_user_id="customer"), "customer"),
        (Key(), "owner"),
        (Key(user_id=" "), "anonymous"),
        (Key(user_id="x" * 257), "anonymous"),
    ],
)
async def test_the_customer_asks_or_else_the_keys_owner(
    key: Key, user: str, hook_class: Any, fake: FakeService
) -> None:
    fake.answer(routed(DECIDED))
    await called(hook_class, fake, chat(), key=key)
    assert fake.calls[0].request.caller.user_id == user


async def test_session_organisation_and_trace_go_with_the_question(
    hook_class: Any, fake: FakeService
) -> None:
    fake.answer(routed(DECIDED))
    headers = {"Traceparent": f"00-{TRACE}-b7ad6b7169203331-01"}
    data = chat(litellm_session_id="s-1", proxy_server_request={"headers": headers})
    await called(hook_class, fake, data, key=Key(org_id="o-1"))
    [call] = fake.calls
    assert call.request.caller.session_id == "s-1"
    assert call.request.caller.organization_id == "o-1"
    assert call.metadata["traceparent"].split("-")[1] == TRACE


async def test_without_an_answer_the_static_pick_is_called(
    hook_class: Any, fake: FakeService
) -> None:
    fake.answer(Refusal(status="UNAVAILABLE"))
    fake.answer(routed(DECIDED), delay=FOREVER)
    assert (await called(hook_class, fake, chat()))["model"] == PICK
    assert (await called(hook_class, fake, chat(), patience=0.05))["model"] == PICK


async def test_without_an_answer_and_a_static_pick_the_call_passes_as_it_came(
    hook_class: Any, fake: FakeService
) -> None:
    fake.answer(Refusal(status="UNAVAILABLE"))
    assert await called(hook_class, fake, chat(), tiers={TIER: None}) == chat()


async def test_shadow_asks_beside_the_call(hook_class: Any, fake: FakeService) -> None:
    fake.answer(routed(DECIDED))
    assert await called(hook_class, fake, chat(), serves=False) == chat()
    await fake.asked(1)


@pytest.mark.parametrize(
    ("data", "call_type"),
    [
        (chat(model="vendor/other"), "acompletion"),
        (chat(model=7), "acompletion"),
        ({}, "acompletion"),
        (chat(), "aembedding"),
    ],
)
async def test_other_calls_are_not_asked_about(
    data: dict[str, Any], call_type: str, hook_class: Any, fake: FakeService
) -> None:
    assert await called(hook_class, fake, dict(data), call_type=call_type) == data
    assert not fake.calls


async def test_a_bug_in_here_lets_the_call_on_and_tells_no_text(
    hook_class: Any, fake: FakeService, caplog: pytest.LogCaptureFixture
) -> None:
    class Broken:
        @property
        def end_user_id(self) -> str:
            raise LookupError(CANARY)

    assert await called(hook_class, fake, chat(), key=Broken()) == chat()
    assert "LookupError" in caplog.text
    assert CANARY not in caplog.text


async def test_a_served_call_is_logged_without_its_content(
    hook_class: Any, fake: FakeService, caplog: pytest.LogCaptureFixture
) -> None:
    fake.answer(routed(DECIDED))
    with caplog.at_level("INFO", logger="pointsman_litellm"):
        await called(hook_class, fake, chat())
    [line] = [r.getMessage() for r in caplog.records if r.name == "pointsman_litellm"]
    assert line == f"{TIER}: {DECIDED} (routed)"


@pytest.mark.parametrize("source", ["page", "example"])
async def test_the_documented_file_makes_a_hook(source: str, hook_class: Any) -> None:
    page = (ROOT / "docs" / "litellm.md").read_text(encoding="utf-8")
    example = (ROOT / "examples" / "litellm" / "pointsman_hook.py").read_text(encoding="utf-8")
    code = page.partition("```python\n")[2].partition("```")[0] if source == "page" else example
    names: dict[str, Any] = {}
    exec(compile(code, source, "exec"), names)
    assert isinstance(names["hook"], hook_class)


def test_the_tiers_of_the_example_are_names_that_the_example_can_serve() -> None:
    config = yaml.safe_load((ROOT / "examples" / "litellm" / "config.yaml").read_text())
    served = {model["model_name"] for model in config["model_list"]}
    policy = yaml.safe_load(
        files("pointsman_server.policies").joinpath("default.yaml").read_text(encoding="utf-8")
    )
    for tier, model in config["router_settings"]["model_group_alias"].items():
        assert {model, *policy["tiers"][tier]["candidates"]} <= served
