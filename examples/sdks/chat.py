"""OpenAI's SDK with a tier as the model: the decided model answers.

pip install openai
pointsman serve                                             # in another terminal
OPENAI_BASE_URL=https://openrouter.ai/api/v1 OPENAI_API_KEY=... python examples/sdks/chat.py
"""

from __future__ import annotations

import os

from openai import OpenAI
from pointsman_client import SyncRoutingClient
from pointsman_http.sdk import conversation, routed

TIERS = {"kilo-auto/frontier": "anthropic/claude-opus-4.8"}
PROMPTS = ("What is the capital of Portugal?", "Prove that every group of order p^2 is abelian.")


def main() -> None:
    """Ask twice, and show which model answered."""
    target = os.environ.get("POINTSMAN", "127.0.0.1:50051")
    with SyncRoutingClient(target) as routing:
        client = routed(OpenAI(), routing, tiers=TIERS)
        for number, prompt in enumerate(PROMPTS):
            with conversation(user_id="user-1", session_id=f"task-{number}"):
                answer = client.chat.completions.with_raw_response.create(
                    model="kilo-auto/frontier", messages=[{"role": "user", "content": prompt}]
                )
            print(answer.headers["x-pointsman-model"], answer.headers["x-pointsman-why"], prompt)
            print(answer.parse().choices[0].message.content)


if __name__ == "__main__":
    main()
