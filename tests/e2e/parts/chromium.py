"""A headless Chromium: what a page shows once its scripts have run."""

from __future__ import annotations

import contextlib
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from e2e.parts.toolchain import find, need

_FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
)
_SCRIPTS_MS = 15_000
"""Of the page's own time, which passes as fast as its scripts and requests allow."""
_PATIENCE = 120.0


def content(url: str) -> str:
    """The page's document."""
    return _run(url, "--dump-dom")


def screenshot(url: str, picture: Path, *, size: tuple[int, int]) -> None:
    """The page as a PNG of so many pixels."""
    _run(url, f"--screenshot={picture}", f"--window-size={size[0]},{size[1]}")


@contextlib.contextmanager
def visiting(url: str) -> Iterator[None]:
    """A browser that shows the page inside the block, in real time."""
    need("chromium")
    with tempfile.TemporaryDirectory(
        prefix="pointsman-chromium-", ignore_cleanup_errors=True
    ) as profile:
        # Without a port for tools, a headless browser ends once the page is there.
        own = (f"--user-data-dir={profile}", "--remote-debugging-port=0")
        with subprocess.Popen(
            [str(find("chromium")), *_FLAGS, *own, url],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        ) as browser:
            try:
                yield
            finally:
                browser.terminate()
                browser.wait(_PATIENCE)


def _run(url: str, *wanted: str) -> str:
    need("chromium")
    with tempfile.TemporaryDirectory(prefix="pointsman-chromium-") as profile:
        own = (f"--user-data-dir={profile}", f"--virtual-time-budget={_SCRIPTS_MS}")
        done = subprocess.run(
            [str(find("chromium")), *_FLAGS, *own, *wanted, url],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_PATIENCE,
            check=True,
        )
    return done.stdout
