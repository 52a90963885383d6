"""The command `pointsman` of a page's folder: one that serves goes on beside the page.

A reader starts a server in another terminal. Here it is started in the background, its start is
waited for, and one that the page started before makes room.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

SERVES = {"serve", "morph-api", "decision-api"}
PRODUCT = [sys.executable, "-m", "pointsman_server"]
PATIENCE = 60.0


def start(arguments: list[str], *, folder: Path) -> None:
    """Start a server and return when it says where it listens. Raises `SystemExit`."""
    stop(folder / arguments[0])
    log = folder / f"{arguments[0]}.log"
    with log.open("wb") as out:
        server = subprocess.Popen(
            [*PRODUCT, *arguments], stdin=subprocess.DEVNULL, stdout=out, stderr=out,
            start_new_session=True,
        )  # fmt: skip
    (folder / arguments[0]).write_text(str(server.pid))
    end = time.monotonic() + PATIENCE
    while b"serving on " not in log.read_bytes():
        if server.poll() is not None or time.monotonic() > end:
            raise SystemExit(f"did not serve: {log.read_text(errors='replace')}")
        time.sleep(0.02)


def stop(pid_file: Path) -> None:
    """End the server whose process the file names, if it is there, and wait for its end."""
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        pid = int(pid_file.read_text())
        pid_file.unlink()
        os.kill(pid, signal.SIGTERM)
        end = time.monotonic() + PATIENCE
        while _lives(pid):
            if time.monotonic() > end:
                os.kill(pid, signal.SIGKILL)
            time.sleep(0.02)


def _lives(pid: int) -> bool:
    """Whether it runs. One that ended stays as a zombie where nobody asks for its status."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    except (FileNotFoundError, ProcessLookupError):
        return False
    return not stat.rpartition(")")[2].startswith(" Z")


if __name__ == "__main__":
    given = sys.argv[1:]
    if given and given[0] in SERVES and not {"-h", "--help"} & set(given):
        start(given, folder=Path(os.environ["PAGE_SERVERS"]))
    else:
        os.execv(PRODUCT[0], [*PRODUCT, *given])
