"""A stand-in for a provider: answers every POST with the name of the requested model.

Speaks just enough of OpenAI's chat completions and Anthropic's messages to see which model a
gateway calls. It needs no key and no package.

    python examples/provider.py [--listen 127.0.0.1:8000]
"""

from __future__ import annotations

import argparse
import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Provider(BaseHTTPRequestHandler):
    """Answers whole, never streamed."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        """Answer with the body's model."""
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        answer = json.dumps(_answer(str(asked.get("model")), messages="/messages" in self.path))
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer.encode())


def _answer(model: str, *, messages: bool) -> dict[str, Any]:
    text = f"This is {model}."
    if messages:
        return {"id": "msg_1", "type": "message", "role": "assistant", "model": model,
                "content": [{"type": "text", "text": text}], "stop_reason": "end_turn",
                "stop_sequence": None,
                "usage": {"input_tokens": 1, "output_tokens": 1}}  # fmt: skip
    choice = {"index": 0, "finish_reason": "stop",
              "message": {"role": "assistant", "content": text}}  # fmt: skip
    return {"id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": model,
            "choices": [choice]}  # fmt: skip


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--listen", default="127.0.0.1:8000", metavar="HOST:PORT")
    host, _, port = parser.parse_args().listen.rpartition(":")
    server = ThreadingHTTPServer((host, int(port)), Provider)
    print(f"a stand-in provider listens on http://{host}:{server.server_port}", flush=True)
    server.serve_forever()
