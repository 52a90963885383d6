"""The hook, with nothing of LiteLLM but the class that it derives from."""

from __future__ import annotations

import importlib
import sys
import types
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
import yaml
from pointsman.v1 import describe_routing_pb2
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
    team_id: str | None = None
    models: list[str] = field(default_factory=list)
    team_models: list[str] = field(default_factory=list)


class Router:
    """The part of LiteLLM's router that is used."""

    def __init__(self, *names: str, modes: dict[str, str] | None = None) -> None:
        self.names = names
        self.modes = modes or {}
        self.default_deployment: object = None
        self.router_general_settings = types.SimpleNamespace(pass_through_all_models=False)
        self.pattern_router = types.SimpleNamespace(route=self._by_wildcard)

    def get_model_names(self, team_id: str | None = None) -> list[str]:
        return [*self.names, *(["team/only"] if team_id == "team-1" else [])]

    def get_model_list(self, model_name: str) -> list[dict[str, Any]]:
        return [{"model_name": model_name, "model_info": {"mode": self.modes.get(model_name)}}]

    def is_recognized_model(self, model: str) -> bool:
        return model in self.names

    def _by_wildcard(self, model: str) -> object:
        starts = [name[:-1] for name in self.names if name.endswith("*")]
        return [1] if model.startswith(tuple(starts)) and starts else None


@pytest.fixture
def proxy(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A function that makes this process a proxy with a router, by LiteLLM's names."""

    def running(router: Router | None, *, rights: bool = True) -> None:
        server: Any = types.ModuleType("litellm.proxy.proxy_server")
        server.llm_router = router
        monkeypatch.setitem(sys.modules, server.__name__, server)
        checks: Any = types.ModuleType("litellm.proxy.auth.auth_checks")
        if rights:
            checks.can_key_call_resolved_model = may_call
        monkeypatch.setitem(sys.modules, checks.__name__, checks)

    async def may_call(*, model: str, valid_token: Key, **_: object) -> None:
        if valid_token.models and model not in valid_token.models:
            raise PermissionError(model)

    return running


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


@pytest.mark.parametrize(
    "case",
    [
        (Router("v/a", DECIDED, PICK), Key(), {}, ["v/a", DECIDED, PICK]),
        (Router("v/a", "v/*", TIER, PICK), Key(), {}, ["v/a", PICK]),
        (Router("v/a", "v/e", modes={"v/e": "embedding", "v/a": "chat"}), Key(), {}, ["v/a"]),
        (Router("v/a", PICK), Key(models=["v/a", "v/z"]), {}, ["v/a"]),
        (Router("v/a"), Key(team_id="team-1"), {}, ["v/a", "team/only"]),
        (Router("v/a", PICK), Key(models=[TIER]), {"key_rights": False}, ["v/a", PICK]),
        (Router("v/a", "v/b"), Key(), {"candidates": {TIER: ["v/b", "v/c"]}}, ["v/b"]),
        (Router("w/*"), Key(), {"candidates": {TIER: ["w/b", "v/c"]}}, ["w/b"]),
        (Router(*(f"v/{n}" for n in range(40))), Key(), {}, [f"v/{n}" for n in range(32)]),
    ],
)
async def test_candidates_are_what_the_proxy_has_and_the_key_may_use(
    case: tuple[Router, Key, dict[str, Any], list[str]],
    proxy: Any,
    hook_class: Any,
    fake: FakeService,
) -> None:
    router, key, settings, offered = case
    proxy(router)
    fake.answer(routed(offered[0]))
    made = await called(hook_class, fake, chat(), key=key, **settings)
    assert list(fake.calls[0].request.routing.candidate_models) == offered
    assert made["model"] == offered[0]


@pytest.mark.parametrize("listed", [["v/a"], ["all-proxy-models"], []])
async def test_versions_without_the_check_go_by_the_lists(
    listed: list[str], proxy: Any, hook_class: Any, fake: FakeService
) -> None:
    proxy(Router("v/a", PICK), rights=False)
    fake.answer(routed("v/a"))
    await called(hook_class, fake, chat(), key=Key(models=listed))
    offered = list(fake.calls[0].request.routing.candidate_models)
    assert offered == (["v/a"] if listed == ["v/a"] else ["v/a", PICK])


async def test_the_tiers_own_candidates_are_narrowed(
    proxy: Any, hook_class: Any, fake: FakeService
) -> None:
    proxy(Router("v/b", "v/a", PICK))
    tier = describe_routing_pb2.TierDescription(name=TIER, default_candidates=["v/a", "v/z"])
    fake.description = describe_routing_pb2.DescribeRoutingResponse(tiers=[tier])
    fake.answer(routed("v/a"))
    await called(hook_class, fake, chat())
    assert list(fake.calls[0].request.routing.candidate_models) == ["v/a"]


@pytest.mark.parametrize(
    "case",
    [
        (Router(PICK, "v/a"), Key(), PICK),
        (Router("v/a"), Key(), TIER),
        (Router(PICK, "v/a"), Key(models=["v/z"]), PICK),
        (Router(PICK, "v/*"), Key(), PICK),
        (Router(), Key(), TIER),
        (None, Key(), TIER),
    ],
)
async def test_a_model_that_the_proxy_lacks_is_never_sent(
    case: tuple[Router | None, Key, str], proxy: Any, hook_class: Any, fake: FakeService
) -> None:
    router, key, model = case
    proxy(router)
    fake.always(routed(DECIDED))
    assert (await called(hook_class, fake, chat(), key=key))["model"] == model


async def test_a_decision_that_was_not_offered_is_not_sent_either(
    proxy: Any, hook_class: Any, fake: FakeService
) -> None:
    proxy(Router(PICK, DECIDED, "v/a"))
    fake.answer(routed(DECIDED))
    made = await called(hook_class, fake, chat(), candidates={TIER: ["v/a"]})
    assert made["model"] == PICK


async def test_ids_come_from_where_agents_put_them(hook_class: Any, fake: FakeService) -> None:
    fake.always(routed(DECIDED))
    user = "user_x_account__session_y"
    sent = {"metadata": {"user_id": user}}
    headers = {"X-Claude-Code-Agent-Id": "agent-1"}
    data = chat(
        max_tokens=9,
        metadata={"user_api_key": "k"},
        proxy_server_request={"headers": headers, "body": sent},
    )
    for key in (Key(), Key(user_id=None), Key(end_user_id=user)):
        await called(hook_class, fake, dict(data), key=key, call_type="anthropic_messages")
    callers = [call.request.caller for call in fake.calls]
    assert [each.user_id for each in callers] == ["owner", "user_x", "user_x"]
    assert {(each.session_id, each.agent_id) for each in callers} == {("y", "agent-1")}
    assert fake.calls[0].request.prompt.max_output_tokens == 9
    assert 50 < fake.calls[0].request.body_bytes < 200


async def test_chained_responses_are_one_session(hook_class: Any, fake: FakeService) -> None:
    fake.always(routed(DECIDED))
    async with RoutingClient(fake.target) as routing:
        hook = hook_class(routing, tiers={TIER: PICK}, serves=True)
        previous = None
        for number, words in enumerate(("Design a cache.", "Go on.", "Prove it.")):
            data = {"model": TIER, "input": words, "previous_response_id": previous,
                    "litellm_call_id": f"call-{number}"}  # fmt: skip
            await hook.async_pre_call_hook(Key(), None, data, "aresponses")
            previous = f"resp_{number}"
            response = types.SimpleNamespace(id=previous)
            if number:
                # Of a stream, which has no response at once.
                ended = types.SimpleNamespace(response=response)
                await hook.async_log_success_event(
                    {"litellm_call_id": f"call-{number}"}, ended, None, None
                )
            else:
                assert await hook.async_post_call_success_hook(data, Key(), response) is response
    sessions = {call.request.caller.session_id for call in fake.calls}
    assert len(sessions) == 1
    assert sessions.pop()


async def test_the_service_hears_of_a_fallback_of_the_proxy(
    hook_class: Any, fake: FakeService
) -> None:
    fake.always(routed(DECIDED))
    async with RoutingClient(fake.target) as routing:
        hook = hook_class(routing, tiers={TIER: PICK}, serves=True)
        for number, served in enumerate((DECIDED, "vendor/fallback", DECIDED, "")):
            call = f"call-{number}"
            data = chat(litellm_call_id=call, litellm_session_id="s-1")
            await hook.async_pre_call_hook(Key(), None, data, "acompletion")
            logged = {
                "litellm_call_id": call,
                "litellm_params": {"metadata": {"model_group": served}},
            }
            await hook.async_log_success_event(logged, None, None, None)
    incumbents = [call.request.routing.incumbent_model for call in fake.calls]
    assert incumbents == ["", "", "vendor/fallback", ""]


async def test_compaction_gets_the_model_of_its_conversation(
    hook_class: Any, fake: FakeService
) -> None:
    fake.answer(routed(DECIDED))
    fake.answer(routed("vendor/other"))
    async with RoutingClient(fake.target) as routing:
        hook = hook_class(routing, tiers={TIER: PICK}, serves=True)
        body = {"model": TIER, "input": "Why?"}
        for call_type in ("aresponses", "acompact_responses"):
            made = await hook.async_pre_call_hook(Key(), None, dict(body), call_type)
            assert made["model"] == DECIDED
        other = {"model": TIER, "input": "How?"}
        made = await hook.async_pre_call_hook(Key(), None, other, "acompact_responses")
    assert made["model"] == "vendor/other"
    assert fake.calls[1].request.dry_run


async def test_gemini_contents_are_read(hook_class: Any, fake: FakeService) -> None:
    fake.answer(routed(DECIDED))
    data = {
        "model": TIER,
        "contents": [{"role": "user", "parts": [{"text": CANARY}]}],
        "config": {"maxOutputTokens": 7},
    }
    made = await called(hook_class, fake, data, call_type="agenerate_content")
    assert made["model"] == DECIDED
    prompt = fake.calls[0].request.prompt
    assert (prompt.user_prompt_prefix, prompt.max_output_tokens) == (CANARY, 7)


async def test_a_body_that_cannot_be_read_gets_the_static_pick(
    hook_class: Any, fake: FakeService
) -> None:
    assert (await called(hook_class, fake, {"model": TIER, "messages": 7}))["model"] == PICK
    assert not fake.calls


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
