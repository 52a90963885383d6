"""The control: a bare grpc.aio server of the contract's method on the loop that the server takes.

It parses the request and answers one fixed message.

python -m benchmarks.echo_server PORT [--stock]

`--stock`: with gRPC's own options on asyncio's loop, without a line of this project's server.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from typing import Any

import grpc
from pointsman.v1 import route_decision_pb2 as pb
from pointsman.v1 import routing_service_pb2_grpc

ANSWER = pb.RouteDecisionResponse(
    outcome=pb.OUTCOME_ROUTED,
    serve_model="anthropic/claude-opus-4.8",
    shadow=True,
    decision=pb.Decision(
        source=pb.SOURCE_LOCAL,
        model="anthropic/claude-opus-4.8",
        router_model="claude-opus-4-8",
        policy="capability_heavy",
        difficulty="hard",
        confidence=0.9,
    ),
    decision_id="019aa000-0000-7000-8000-000000000000",
    policy_version="0123456789abcdef",
)


class Echo(routing_service_pb2_grpc.RoutingServiceServicer):
    """Parses the request and answers; nothing else."""

    async def RouteDecision(self, request: Any, context: Any) -> Any:  # noqa: N802, ARG002
        """The same answer every time."""
        return ANSWER


async def main(port: int, *, options: Sequence[tuple[str, int]]) -> None:
    """Serve until killed."""
    server = grpc.aio.server(options=options)
    routing_service_pb2_grpc.add_RoutingServiceServicer_to_server(Echo(), server)
    server.add_insecure_port(f"127.0.0.1:{port}")
    await server.start()
    await server.wait_for_termination()


if __name__ == "__main__":
    if "--stock" in sys.argv:
        asyncio.run(main(int(sys.argv[1]), options=()))
    else:
        from pointsman_server.bootstrap.event_loop import run
        from pointsman_server.settings import Settings
        from pointsman_server.transport.channel_args import Limits, options

        run(main(int(sys.argv[1]), options=options(Limits())), loop=Settings().event_loop)
