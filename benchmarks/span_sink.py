"""A collector that counts server spans and keeps none.

python -m benchmarks.span_sink PORT FILE

The count so far stands in FILE after each batch.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any

import grpc
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as pb
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2_grpc
from opentelemetry.proto.trace.v1.trace_pb2 import Span


class Sink(trace_service_pb2_grpc.TraceServiceServicer):
    """Counts."""

    def __init__(self, told: Path) -> None:
        self._told = told
        self._count = 0

    async def Export(self, request: Any, context: Any) -> Any:  # noqa: N802, ARG002
        """Take one batch."""
        self._count += sum(
            span.kind == Span.SPAN_KIND_SERVER
            for resource in request.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        )
        self._told.write_text(str(self._count))
        return pb.ExportTraceServiceResponse()


async def main(port: int, told: Path) -> None:
    """Serve until killed."""
    server = grpc.aio.server()
    trace_service_pb2_grpc.add_TraceServiceServicer_to_server(Sink(told), server)
    server.add_insecure_port(f"127.0.0.1:{port}")
    await server.start()
    await server.wait_for_termination()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), Path(sys.argv[2])))
