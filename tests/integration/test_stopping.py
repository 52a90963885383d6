"""gRPC as it is locked stops servers without a crash."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import support


async def test_servers_that_stop_while_clients_connect_do_not_crash() -> None:
    script = Path(support.__path__[0]) / "stops.py"
    child = await asyncio.create_subprocess_exec(sys.executable, str(script), "60")
    assert await child.wait() == 0
