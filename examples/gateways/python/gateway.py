"""A gateway that serves OpenAI chat completions and asks Pointsman which model a tier means."""

from __future__ import annotations

import json
import os
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp
from aiohttp import web
from opentelemetry import propagate, trace
from pointsman_client import Choice, RoutingClient, Tls, TokenFile
from rules import TIERS, tier_name
from tracing import start_tracing

ROUTE = "/v1/chat/completions"
BODY_LIMIT = 32 * 1024 * 1024
SENT = ("Authorization", "Content-Type", "Accept")
OF_THE_CONNECTION = {"connection", "content-encoding", "content-length", "transfer-encoding"}

tracer = trace.get_tracer("gateway")


@dataclass(frozen=True, slots=True)
class Gateway:
    """Chooses a model for each request and forwards it."""

    routing: RoutingClient
    provider: aiohttp.ClientSession
    completions: str
    serves: bool

    async def chat_completions(self, request: web.Request) -> web.StreamResponse:
        """Answer one request, in a span below the caller's span or in a root span."""
        above = propagate.extract(request.headers)
        with tracer.start_as_current_span(
            f"POST {ROUTE}", above, trace.SpanKind.SERVER, {"http.route": ROUTE}
        ) as span:
            raw = await request.read()
            body = chat_of(raw)
            model, why, sent = body["model"], "concrete", raw
            if (tier := tier_name(model)) is not None:
                model, why = await self.choose(body, tier, request, body_bytes=len(raw))
                sent = json.dumps(body | {"model": model}).encode()
            span.set_attributes({"gateway.model": model, "gateway.why": why})
            said = {"X-Gateway-Model": model, "X-Gateway-Why": why}
            return await self.forward(sent, request, said)

    async def choose(
        self, body: dict[str, Any], tier: str, request: web.Request, *, body_bytes: int
    ) -> tuple[str, str]:
        """Serve the decision, or mirror the question and serve the static pick."""
        rules = TIERS.get(tier)
        if rules is None:
            raise refused(web.HTTPNotFound, "no such tier")
        pick = rules.pick(request.headers.get("X-Mode"))
        question: dict[str, Any] = {
            "tier": tier,
            "candidates": rules.candidates,
            "static_pick": pick,
            "requested_model": tier,
            "user_id": header(request, "X-User-Id") or user_of(body) or "anonymous",
            "session_id": header(request, "X-Session-Id"),
            "agent_id": header(request, "X-Agent-Id"),
            "incumbent_model": header(request, "X-Incumbent-Model"),
            "mode": header(request, "X-Mode"),
            "body_bytes": body_bytes,
        }
        if header(request, "X-Context-Reset") == "true":
            question["context_reset"] = True
        if not self.serves:
            self.routing.mirror(body, api_kind="chat_completions", **question)
            return pick, "shadow"
        choice = await self.routing.decide(body, api_kind="chat_completions", **question)
        return choice.model, why(choice)

    async def forward(
        self, body: bytes, request: web.Request, said: Mapping[str, str]
    ) -> web.StreamResponse:
        """Forward the request to the provider and stream its answer."""
        headers = {name: request.headers[name] for name in SENT if name in request.headers}
        with tracer.start_as_current_span("POST", kind=trace.SpanKind.CLIENT) as span:
            propagate.inject(headers)
            asking = self.provider.post(self.completions, data=body, headers=headers)
            try:
                answer = await asking
            except aiohttp.ClientError as error:
                raise refused(web.HTTPBadGateway, "the provider does not answer") from error
            span.set_attribute("http.response.status_code", answer.status)
        async with answer:
            response = web.StreamResponse(status=answer.status, headers=said)
            for name, value in answer.headers.items():
                if name.lower() not in OF_THE_CONNECTION:
                    response.headers.add(name, value)
            await response.prepare(request)
            async for piece in answer.content.iter_any():
                await response.write(piece)
        return response


def tls_of(environment: Mapping[str, str]) -> Tls | bool:
    """TLS to the service: the system's roots, or a CA file and a client certificate."""
    if not (ca := environment.get("POINTSMAN_CA_FILE")):
        return environment.get("POINTSMAN_TLS") == "true"
    cert, key = (environment.get(f"POINTSMAN_{name}_FILE") for name in ("CERT", "KEY"))
    return Tls.from_files(roots=ca, certificate=cert, key=key)


def token_of(environment: Mapping[str, str]) -> TokenFile | None:
    """The bearer token, from a file that is read again when it changes."""
    path = environment.get("POINTSMAN_TOKEN_FILE")
    return TokenFile(path) if path else None


def why(choice: Choice) -> str:
    """The source of the model: the service, or the static pick with or without an answer."""
    if choice.result is None:
        return "fallback"
    decision = choice.result.decision
    routed = decision is not None and decision.model == choice.model
    return "routed" if routed and not choice.result.shadow else "static"


def chat_of(raw: bytes) -> dict[str, Any]:
    """The body as a request; the provider judges the rest of it."""
    try:
        body = json.loads(raw)
    except ValueError:
        body = None
    if not isinstance(body, dict) or not isinstance(body.get("model"), str):
        raise refused(web.HTTPBadRequest, "the body is not a chat completion request")
    return body


def user_of(body: dict[str, Any]) -> str:
    """The user id that the client claims; empty without one."""
    user = body.get("user")
    return user.strip() if isinstance(user, str) else ""


def header(request: web.Request, name: str) -> str | None:
    """A header without blanks around it; Pointsman refuses blank ids."""
    return request.headers.get(name, "").strip() or None


def refused(kind: type[web.HTTPError], message: str) -> web.HTTPError:
    """An error in the shape of OpenAI's."""
    error = {"error": {"message": message, "type": "invalid_request_error"}}
    return kind(text=json.dumps(error), content_type="application/json")


async def health(_: web.Request) -> web.Response:
    """Say that the gateway is up."""
    return web.json_response({"status": "ok"})


async def build_app() -> web.Application:
    """The gateway as the environment describes it."""
    mode = os.environ.get("MODE", "shadow")
    if mode not in {"shadow", "serve"}:
        raise SystemExit(f"MODE is {mode}, not shadow or serve")

    async def parts(app: web.Application) -> AsyncIterator[None]:
        routing = RoutingClient(
            os.environ.get("POINTSMAN_ADDRESS", "127.0.0.1:50051"),
            tls=tls_of(os.environ),
            token=token_of(os.environ),
            decide_timeout=float(os.environ.get("POINTSMAN_TIMEOUT_MS", "250")) / 1000,
            options={"grpc.max_reconnect_backoff_ms": 5_000},
        )
        # A completion may take minutes; a connection may not.
        patience = aiohttp.ClientTimeout(total=None, sock_connect=10)
        provider_tracing = start_tracing()
        async with routing, aiohttp.ClientSession(timeout=patience) as provider:
            completions = f"{os.environ['UPSTREAM_URL'].rstrip('/')}/chat/completions"
            gateway = Gateway(routing, provider, completions, mode == "serve")
            app.router.add_post(ROUTE, gateway.chat_completions)
            yield
        provider_tracing.shutdown()

    app = web.Application(client_max_size=BODY_LIMIT)
    app.router.add_get("/health", health)
    app.cleanup_ctx.append(parts)
    return app


if __name__ == "__main__":
    port = int(os.environ.get("PORT", "8080"))
    listening = f"gateway listening on http://127.0.0.1:{port}"
    web.run_app(
        build_app(), host="127.0.0.1", port=port, print=lambda _: print(listening, flush=True)
    )
