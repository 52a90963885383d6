"""A page in a headless Chromium calls the HTTP listener through `client/typescript`.

The page imports the built package and its dependencies as the modules that npm installed; an import
map says where they are, so no bundler is needed.
"""

from __future__ import annotations

import contextlib
import json
import queue
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest
from e2e.parts.chromium import visiting
from e2e.parts.language_clients import TOKEN
from e2e.parts.pointsman import MorphApi, pointsman_serve, policy_document
from e2e.parts.toolchain import need
from e2e.test_typescript_client import built
from support.ports import free_port

__all__ = ["built"]

pytestmark = pytest.mark.part("browser")

PATIENCE = 120.0
PACKAGES = ("@bufbuild/protobuf", "@connectrpc/connect", "@connectrpc/connect-web")
PAGE = """<!doctype html>
<meta charset="utf-8">
<title>Pointsman in a browser</title>
<script type="importmap">@IMPORTS@</script>
<script type="module">
  import { webClient } from "pointsman-client/web";

  const timeouts = { timeoutMs: 60_000, decideTimeoutMs: 60_000 };
  const question = {
    prompt: "Please guard this accessor against null.",
    userId: "user-1",
    tier: "kilo-auto/frontier",
    candidates: ["anthropic/claude-opus-4.8", "anthropic/claude-sonnet-4.6", "openai/gpt-5.5"],
    staticPick: "anthropic/claude-sonnet-4.6",
  };
  const summary = ({ model, why }) => [model, why];

  async function call(settings) {
    const client = webClient("@BASE@", { ...timeouts, token: "@TOKEN@", ...settings });
    const choice = await client.decide(question);
    if (choice.error) return { decide: summary(choice), message: choice.error.message };
    const bad = await client.route({ ...question, userId: " " }).catch((error) => error);
    const many = await client.decideMany([question, { ...question, userId: " " }]);
    client.mirror(question);
    await client.close();
    return {
      decide: summary(choice),
      refused: [bad.kind, bad.reason, bad.violations.map(({ field }) => field)],
      many: many.map(summary),
      mirrored: client.mirrored.sent,
      tiers: (await webClient("@BASE@", { ...timeouts, token: "@TOKEN@", ...settings }).describe()).tiers.length > 0,
    };
  }

  const found = { origin: location.origin };
  for (const [name, settings] of Object.entries(@SETTINGS@))
    found[name] = await call(settings).catch((error) => String(error));
  await fetch("/found", { method: "POST", body: JSON.stringify(found) });
</script>
"""  # noqa: E501
SETTINGS = {
    "Connect, binary": {},
    "Connect, JSON": {"format": "json"},
    "gRPC-Web, binary": {"protocol": "grpc-web"},
    "gRPC-Web, JSON": {"protocol": "grpc-web", "format": "json"},
    "a wrong token": {"token": "wrong"},
}
CALLED = {
    "decide": ["openai/gpt-5.5", "routed"],
    "refused": ["invalid", "INVALID_FIELD", ["caller.user_id"]],
    "many": [["openai/gpt-5.5", "routed"], ["anthropic/claude-sonnet-4.6", "fallback:invalid"]],
    "mirrored": 1,
    "tiers": True,
}


@pytest.mark.scenario("Connect and gRPC-Web, binary and JSON, from an allowed origin")
def test_a_page_of_an_allowed_origin(built: Path, folder: Path, morph: MorphApi) -> None:
    need("chromium")
    with pages(built) as allowed, service(folder, morph, allowed_origin=allowed.origin) as base:
        found = opened(allowed, built, base)
    denied = found.pop("a wrong token")
    assert denied["decide"] == ["anthropic/claude-sonnet-4.6", "fallback:denied"]
    assert found.pop("origin") == allowed.origin
    assert found == dict.fromkeys(SETTINGS.keys() - {"a wrong token"}, CALLED)


@pytest.mark.scenario("a page of another origin gets its static pick and no answer")
def test_a_page_of_another_origin(built: Path, folder: Path, morph: MorphApi) -> None:
    need("chromium")
    with pages(built) as allowed, pages(built) as other:
        with service(folder, morph, allowed_origin=allowed.origin) as base:
            found = opened(other, built, base)
        assert found.pop("origin") == other.origin
    for result in found.values():
        assert result["decide"] == ["anthropic/claude-sonnet-4.6", "fallback:unavailable"]


def opened(pages: Pages, built: Path, base: str) -> dict[str, Any]:
    """Open a page in the browser; the results that it reports."""
    text = PAGE.replace("@IMPORTS@", json.dumps({"imports": imports(built)}))
    text = text.replace("@SETTINGS@", json.dumps(SETTINGS))
    text = text.replace("@BASE@", base).replace("@TOKEN@", TOKEN)
    (built / "page.html").write_text(text)
    with visiting(f"{pages.origin}/page.html"):
        found: dict[str, Any] = json.loads(pages.found.get(timeout=PATIENCE))
    return found


def imports(built: Path) -> Mapping[str, str]:
    """Where each module is, from the `exports` of the packages."""
    found = {"pointsman-client/web": "/dist/web.js", "pointsman-client": "/dist/index.js"}
    for name in PACKAGES:
        package = json.loads((built / "node_modules" / name / "package.json").read_text())
        for path, forms in package["exports"].items():
            if isinstance(forms, dict) and "import" in forms:
                module = f"/node_modules/{name}/{forms['import'].removeprefix('./')}"
                found[name + path.removeprefix(".")] = module
    return found


@contextlib.contextmanager
def service(folder: Path, morph: MorphApi, *, allowed_origin: str) -> Iterator[str]:
    """A service that needs tokens and allows pages of one origin; its base URL."""
    morph.always("gpt-5.5")
    http = f"127.0.0.1:{free_port()}"
    settings = {
        "POINTSMAN_HTTP_LISTEN": http,
        "POINTSMAN_HTTP_ALLOWED_ORIGINS": allowed_origin,
    }
    policy = policy_document(morph.url, mode="serve")
    with pointsman_serve(folder, policy=policy, environment=settings, token=TOKEN):
        yield f"http://{http}"


@dataclass
class Pages:
    """A server of files, which takes the results of a page."""

    origin: str
    found: queue.Queue[bytes]


@contextlib.contextmanager
def pages(directory: Path) -> Iterator[Pages]:
    """Serve the files of a folder."""
    found: queue.Queue[bytes] = queue.Queue()
    handler = partial(_Handler, directory=str(directory), found=found)
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield Pages(f"http://127.0.0.1:{server.server_port}", found)
        server.shutdown()
        thread.join()


class _Handler(SimpleHTTPRequestHandler):
    """Files, without a line for each on the error output, and a place for results."""

    extensions_map: ClassVar = {**SimpleHTTPRequestHandler.extensions_map, ".js": "text/javascript"}

    def __init__(self, *args: Any, found: queue.Queue[bytes], **options: Any) -> None:
        self.found = found
        super().__init__(*args, **options)

    def do_POST(self) -> None:
        self.found.put(self.rfile.read(int(self.headers["content-length"])))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        pass
