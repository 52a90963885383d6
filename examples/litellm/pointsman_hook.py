"""The hook that LiteLLM loads: Pointsman's address and tiers."""

from __future__ import annotations

import os

from pointsman_client import RoutingClient
from pointsman_litellm.hook import PointsmanHook

hook = PointsmanHook(
    RoutingClient(
        os.environ.get("POINTSMAN_ADDRESS", "127.0.0.1:50051"),
        decide_timeout=0.25,
        # token=TokenFile("/run/secrets/pointsman-token"), tls=True,
    ),
    tiers={"kilo-auto/frontier": "anthropic/claude-sonnet-4.6"},
    serves=os.environ.get("MODE") == "serve",
)
