"""A worker in a few lines, run as a script: `fake_worker.py FOLDER MANNER...`.

It notes what happens to it in FOLDER, a file an event: `0.started.PID`, `0.hup.PID`, ... MANNER:
`serves`; `fails` before it serves, with status 7; `dies` once it has served; `stubborn`, which does
not stop. `fails-1` is the manner of worker 1 only.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
from pathlib import Path

from pointsman_server.supervisor.protocol import VARIABLE, WorkerReady, dumped, duty_of


def main() -> None:
    folder, manners = Path(sys.argv[1]), sys.argv[2:]
    line = socket.socket(fileno=int(os.environ[VARIABLE]))
    duty = duty_of(line.makefile("rb").readline())

    def note(event: str) -> None:
        (folder / f"{duty.index}.{event}.{os.getpid()}").write_text(duty.hash_key)

    def is_(manner: str) -> bool:
        return manner in manners or f"{manner}-{duty.index}" in manners

    signal.signal(signal.SIGHUP, lambda *_: note("hup"))
    if is_("stubborn"):
        signal.signal(signal.SIGTERM, lambda *_: note("term"))
    else:
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    note("started")
    if is_("fails"):
        sys.exit(7)
    line.sendall(
        dumped(WorkerReady(start_line=f"port {duty.port}", admin_port=None, metrics_port=None))
    )
    if is_("dies"):
        sys.exit(9)
    while line.recv(1):
        pass
    note("orphaned")


main()
