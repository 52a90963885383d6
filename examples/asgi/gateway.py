"""A gateway on FastAPI that forwards chat completions; the middleware decides the model.

    pointsman serve                                             # in another terminal
    pip install fastapi uvicorn httpx
    PROVIDER=https://api.openai.com/v1 uvicorn --app-dir examples/asgi gateway:app

Send requests for the model `kilo-auto/frontier` to http://127.0.0.1:8000/v1/chat/completions.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
from fastapi import FastAPI, Request
from fastapi.responses import StreamingResponse
from pointsman_client import RoutingClient
from pointsman_http.asgi import RoutingMiddleware
from starlette.background import BackgroundTask

PROVIDER = os.environ.get("PROVIDER", "https://openrouter.ai/api/v1")
KEPT = ("authorization", "content-type", "accept")


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Keep one HTTP client for the application's life."""
    async with httpx.AsyncClient(timeout=600) as provider:
        app.state.provider = provider
        yield


app = FastAPI(lifespan=lifespan)
app.add_middleware(
    RoutingMiddleware,
    routing=RoutingClient(os.environ.get("POINTSMAN", "127.0.0.1:50051"), decide_timeout=0.25),
    tiers={"kilo-auto/frontier": "anthropic/claude-opus-4.8"},
    serves=True,
)


@app.post("/v1/chat/completions")
async def chat_completions(request: Request) -> StreamingResponse:
    """Forward the body, which names the decided model by now."""
    provider: httpx.AsyncClient = request.app.state.provider
    headers = {name: value for name, value in request.headers.items() if name in KEPT}
    forwarded = provider.build_request(
        "POST", f"{PROVIDER}/chat/completions", content=await request.body(), headers=headers
    )
    answer = await provider.send(forwarded, stream=True)
    return StreamingResponse(
        answer.aiter_bytes(),
        status_code=answer.status_code,
        media_type=answer.headers.get("content-type"),
        background=BackgroundTask(answer.aclose),
    )
