"""The official SDKs of OpenAI and Anthropic with tiers as models.

    client = routed(OpenAI(), routing, tiers={"kilo-auto/frontier": "gpt-5.5"})

`routed` gives the SDK another HTTP client, which rewrites the request: every method that sends one
(`create`, `stream`, `parse`, `with_raw_response`, those of later versions) passes there, so that
nothing of the SDK's surface is wrapped or patched.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from types import ModuleType
from typing import Any, TypeVar

from pointsman_client import Choice, IdentitySources, RoutingClient, SyncRoutingClient

from pointsman_http.model_paths import api_path_of, model_path_of, refuse_unsupported
from pointsman_http.planning import Plan, Planner, Routed, conversation, log_fault
from pointsman_http.response_ids import ResponseIdReader, watched

__all__ = ["conversation", "routed"]

_NEXT_AFTER = frozenset({408, 409, 425, 429})
_SERVER_ERRORS = range(500, 600)

Client = TypeVar("Client")


def routed(
    client: Client,
    routing: RoutingClient | SyncRoutingClient,
    *,
    tiers: Mapping[str, str],
    models: Mapping[str, str] | None = None,
    candidates: Mapping[str, Sequence[str]] | None = None,
    fallback: bool = True,
    sources: IdentitySources | None = None,
    **settings: Any,
) -> Client:
    """Return a copy of an SDK's client that sends requests for a tier with the decided model.

    `tiers` maps each tier to its static pick, which serves whenever no decision does. `models`
    maps the public ids that the endpoint has to its own names for them; they are the candidates.
    Without `models` the endpoint has the names of the policy file, and `candidates`, if given, are
    those of each tier. With `fallback`, the next model of the decision is tried after a connection
    error, a 408, 409, 425, 429 or 5xx, before the SDK's own retries.

    A blocking client takes a `SyncRoutingClient`, an async one a `RoutingClient`; close it
    yourself. `settings` are those of the SDK's `DefaultHttpxClient`; the settings of an
    `http_client` that `client` was given are not copied. Raises `TypeError` for a client that
    signs its requests (Bedrock without an API key) or calls one Azure deployment.
    """
    refuse_unsupported(client)
    rules = Rules(
        tiers=tiers, models=models, candidates=candidates, fallback=fallback, sources=sources
    )
    blocking = isinstance(routing, SyncRoutingClient)
    base = _http_client_class(type(client), blocking=blocking)
    mixin = _BlockingClient if blocking else _AsyncClient
    library = _library_of(base)
    members = {"_rules": rules, "_routing": routing, "_library": library}
    made: Any = type("RoutedHttpClient", (mixin, base), members)
    sdk: Any = client
    copied: Client = sdk.with_options(http_client=made(**settings))
    return copied


class Rules:
    """The part of both clients that does no I/O."""

    def __init__(
        self,
        *,
        tiers: Mapping[str, str],
        models: Mapping[str, str] | None,
        candidates: Mapping[str, Sequence[str]] | None,
        fallback: bool,
        sources: IdentitySources | None,
    ) -> None:
        if models is not None:
            missing = {pick for pick in tiers.values() if pick not in models}
            if missing:
                raise ValueError(f"static picks that models does not name: {sorted(missing)}")
            candidates = candidates or {tier: tuple(models) for tier in tiers}
        self.planner = Planner(tiers, candidates=candidates, sources=sources)
        self._models = models
        self._fallback = fallback

    def plan(self, request: Any) -> Plan | None:
        """Return the plan of a request; `None` for one that passes as it is."""
        if request.method != "POST" or "json" not in request.headers.get("content-type", ""):
            return None
        try:
            raw = request.content
        except RuntimeError:  # a body that is streamed, such as a file's, is not read yet
            return None
        place = model_path_of(request.url.raw_path.decode("ascii"))
        path = place.api if place else api_path_of(request.url.path)
        model = place.model if place else None
        return self.planner.plan(raw, path=path, headers=request.headers, model=model)

    def answered(self, plan: Plan, choice: Choice) -> Routed:
        """Return the models to send that the endpoint has."""
        found = self.planner.routed(plan, choice)
        usable = [each for each in found.models if self._models is None or each in self._models]
        if not usable or usable[0] != found.model:
            return self.planner.static(plan, why=found.why)
        kept = usable if self._fallback else usable[:1]
        return Routed(tier=found.tier, models=tuple(kept), why=found.why, result=found.result)

    def request_for(self, plan: Plan, request: Any, model: str) -> Any:
        """Return the request with a model, by the name that the endpoint has for it."""
        name = model if self._models is None else self._models[model]
        headers = request.headers.copy()
        headers.pop("content-length", None)
        url = request.url
        place = model_path_of(url.raw_path.decode("ascii"))
        if place is not None and self.planner.is_tier(place.model):
            url = url.copy_with(raw_path=place.with_model(name).encode("ascii"))
        return type(request)(
            request.method,
            url,
            headers=headers,
            content=plan.body_for(name),
            extensions=request.extensions,
        )

    def finished(
        self, plan: Plan, found: Routed, model: str, response: Any, *, library: ModuleType
    ) -> Any:
        """Note the model that served and the response's id; write the model into its headers."""
        self.planner.note(plan, found, model)
        if reader := self.planner.reader(plan):
            _read_id(response, reader, library=library)
        response.headers["x-pointsman-model"] = model
        response.headers["x-pointsman-why"] = found.why
        return response

    def without_decision(self, plan: Plan, error: Exception) -> Routed:
        """Return the static pick after a fault in here."""
        log_fault(error)
        return self.planner.static(plan, why="fallback:client_fault")


class _BlockingClient:
    """Before the SDK's blocking HTTP client."""

    _rules: Rules
    _routing: SyncRoutingClient
    _library: ModuleType

    def send(self, request: Any, **options: Any) -> Any:
        """Send a request, with a decided model where it names a tier."""
        send = super().send  # type: ignore[misc]  # the HTTP client's
        plan = self._rules.plan(request)
        if plan is None:
            return send(request, **options)
        found = self._rules.planner.without_question(plan) or self._decided(plan)
        for model in found.models[:-1]:
            try:
                response = send(self._rules.request_for(plan, request, model), **options)
            except self._library.TransportError:
                continue
            if not _is_eligible(response.status_code):
                return self._finished(plan, found, model, response)
            response.close()
        last = found.models[-1]
        response = send(self._rules.request_for(plan, request, last), **options)
        return self._finished(plan, found, last, response)

    def _finished(self, plan: Plan, found: Routed, model: str, response: Any) -> Any:
        return self._rules.finished(plan, found, model, response, library=self._library)

    def _decided(self, plan: Plan) -> Routed:
        try:
            choice = self._routing.decide(plan.question, **plan.fields)
            return self._rules.answered(plan, choice)
        except Exception as error:  # noqa: BLE001  # the request must go on
            return self._rules.without_decision(plan, error)


class _AsyncClient:
    """Before the SDK's async HTTP client."""

    _rules: Rules
    _routing: RoutingClient
    _library: ModuleType

    async def send(self, request: Any, **options: Any) -> Any:
        """Send a request, with a decided model where it names a tier."""
        send = super().send  # type: ignore[misc]  # the HTTP client's
        plan = self._rules.plan(request)
        if plan is None:
            return await send(request, **options)
        found = self._rules.planner.without_question(plan) or await self._decided(plan)
        for model in found.models[:-1]:
            try:
                response = await send(self._rules.request_for(plan, request, model), **options)
            except self._library.TransportError:
                continue
            if not _is_eligible(response.status_code):
                return self._finished(plan, found, model, response)
            await response.aclose()
        last = found.models[-1]
        response = await send(self._rules.request_for(plan, request, last), **options)
        return self._finished(plan, found, last, response)

    def _finished(self, plan: Plan, found: Routed, model: str, response: Any) -> Any:
        return self._rules.finished(plan, found, model, response, library=self._library)

    async def _decided(self, plan: Plan) -> Routed:
        try:
            choice = await self._routing.decide(plan.question, **plan.fields)
            return self._rules.answered(plan, choice)
        except Exception as error:  # noqa: BLE001  # the request must go on
            return self._rules.without_decision(plan, error)


def _read_id(response: Any, reader: ResponseIdReader, *, library: ModuleType) -> None:
    """Read the id of a response, now or as its stream passes."""
    try:
        body = response.content
    except RuntimeError:  # a stream, not read yet
        if reader.start(response.status_code, response.headers.get("content-encoding", "")):
            response.stream = watched(response.stream, reader, library=library)
    else:
        reader.start(response.status_code, "")
        reader.feed(body)


def _is_eligible(status: int) -> bool:
    """Whether another model may answer where this one did not."""
    return status in _NEXT_AFTER or status in _SERVER_ERRORS


def _http_client_class(sdk_class: type, *, blocking: bool) -> type:
    """The HTTP client class that an SDK offers for derived ones, with its own defaults."""
    name = "DefaultHttpxClient" if blocking else "DefaultAsyncHttpxClient"
    for each in sdk_class.__mro__:
        package = importlib.import_module(each.__module__.partition(".")[0])
        found = getattr(package, name, None)
        if isinstance(found, type):
            return found
    raise TypeError(f"no SDK of OpenAI or Anthropic: {sdk_class.__name__}")


def _library_of(http_client: type) -> ModuleType:
    """httpx, or httpx2 for newer SDKs."""
    root = http_client.__mro__[-2]
    return importlib.import_module(root.__module__.partition(".")[0])
