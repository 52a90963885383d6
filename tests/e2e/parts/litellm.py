"""A real LiteLLM proxy with the example's hook, installed once into the cache."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import yaml
from e2e.parts.cache import cached
from e2e.parts.processes import Program, program, until
from e2e.parts.toolchain import run
from support.ports import free_port

ROOT = Path(__file__).resolve().parents[3]
EXAMPLE = ROOT / "examples" / "litellm"
PINNED = ROOT / "requirements" / "litellm.txt"
_VERSION = PINNED.read_text().partition("\nlitellm==")[2].split()[0]
_KEY = "sk-e2e-master"
_AUTHENTICATE = """
from litellm.proxy._types import UserAPIKeyAuth


async def authenticate(request, api_key):
    return UserAPIKeyAuth(api_key=api_key, user_id="owner", models={models})
"""
_START = 300.0
"""Seconds for LiteLLM to start: up to a hundred on a busy machine."""
_OURS = tuple(ROOT / folder for folder in ("protos", "client", "integrations"))
# Without `site`: of this environment's packages it sees none.
_LITELLM = (sys.executable, "-S", "-c", "from litellm import run_server; run_server()")


@dataclass(frozen=True)
class LiteLlm:
    """A running proxy."""

    program: Program
    url: str

    def ask(self, path: str, body: dict[str, Any], **headers: str) -> httpx.Response:
        """One request of the proxy's owner."""
        sent = {"authorization": f"Bearer {_KEY}", **headers}
        return httpx.post(self.url + path, json=body, headers=sent, timeout=60.0)


@contextlib.contextmanager
def litellm(
    folder: Path,
    *,
    mode: str,
    pointsman: str,
    upstream: str,
    lacks: Collection[str] = (),
    key_models: Collection[str] = (),
) -> Iterator[LiteLlm]:
    """The proxy of examples/litellm inside the block, with every model at `upstream`.

    There each model has the name that the tier's candidates have. The proxy has all of them but
    those that it `lacks`; its only key may use `key_models`, or without any all of them.
    """
    document: dict[str, Any] = yaml.safe_load((EXAMPLE / "config.yaml").read_text())
    document["model_list"] = [
        model for model in document["model_list"] if model["model_name"] not in lacks
    ]
    for model in document["model_list"]:
        name = f"openai/{model['model_name']}"
        model["litellm_params"] = {
            "model": name,
            "api_base": upstream,
            "api_key": "of-the-provider",
        }
    # One request's failure is no business of the next.
    document["router_settings"]["disable_cooldowns"] = True
    document["general_settings"] = {"master_key": _KEY}
    if key_models:
        document["general_settings"]["custom_auth"] = "key_rights.authenticate"
        (folder / "key_rights.py").write_text(_AUTHENTICATE.format(models=list(key_models)))
    (folder / "config.yaml").write_text(yaml.safe_dump(document))
    # A machine that is busy with other tests takes longer for a decision than the example allows.
    hook = (EXAMPLE / "pointsman_hook.py").read_text()
    (folder / "pointsman_hook.py").write_text(
        hook.replace("decide_timeout=0.25", "decide_timeout=2.0")
    )
    port = free_port()
    variables = {
        "MODE": mode,
        "POINTSMAN_ADDRESS": pointsman,
        "PYTHONPATH": os.pathsep.join(map(str, (*_OURS, _packages()))),
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        "LITELLM_MODE": "PRODUCTION",  # or it reads a file of the working folder's parents
        "LITELLM_LOG": "INFO",
    }  # fmt: skip
    flags = ("--config", folder / "config.yaml", "--host", "127.0.0.1", "--port", str(port))
    with program(
        (*_LITELLM, *flags),
        name="litellm",
        folder=folder,
        environment=variables,
        directory=folder,
    ) as running:
        proxy = LiteLlm(running, f"http://127.0.0.1:{port}")
        running.said("Application startup complete", patience=_START)
        until(lambda: _lives(proxy), what=lambda: f"LiteLLM to live; it said:\n{running.tail()}")
        yield proxy


def _lives(proxy: LiteLlm) -> bool:
    try:
        return httpx.get(f"{proxy.url}/health/liveliness", timeout=60.0).is_success
    except httpx.TransportError:
        return False


def _packages() -> Path:
    return cached(f"litellm-{_VERSION}", _install)


def _install(folder: Path) -> None:
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    run([*pip, "--require-hashes", "--target", folder, "-r", PINNED], directory=ROOT)
