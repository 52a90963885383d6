"""Stops servers while clients connect, run as a script: `stops.py TIMES`. Its end is the test."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import sys
import threading

import grpc

CLIENTS = 6


async def main(times: int) -> None:
    port, over = [0], threading.Event()

    def connect() -> None:
        while not over.is_set():
            with (
                contextlib.suppress(OSError),
                socket.create_connection(("127.0.0.1", port[0]), timeout=2) as connection,
            ):
                connection.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
                connection.recv(64)

    clients = [threading.Thread(target=connect) for _ in range(CLIENTS)]
    for number in range(times):
        server = grpc.aio.server()
        port[0] = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        if not number:
            for client in clients:
                client.start()
        await asyncio.sleep(0.03)
        await server.stop(0)
    over.set()
    for client in clients:
        await asyncio.to_thread(client.join)


asyncio.run(main(int(sys.argv[1])))
