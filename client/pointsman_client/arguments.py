"""Checks of the arguments that both clients take."""

from __future__ import annotations

import math

from pointsman_client.channel import Tls


def seconds(timeout: float) -> float:
    """Return `timeout`: a finite number of seconds; one that has passed already is no mistake."""
    if not isinstance(timeout, int | float):
        raise TypeError(f"timeout must be a number of seconds, not {type(timeout).__name__}")
    if not math.isfinite(timeout):
        raise ValueError("timeout must be finite")
    return timeout


def tls_of(tls: Tls | bool) -> Tls | None:
    """Return the settings that `tls` stands for; `None` is plaintext."""
    if isinstance(tls, Tls):
        return tls
    return Tls() if tls else None


def checked_target(target: str) -> str:
    """Return `target`; `ValueError` for a URL, which gRPC would look up as a name at every call."""
    if target.lower().startswith(("http://", "https://")):
        raise ValueError(
            f"the address of a gRPC client is host:port, not a URL: {target!r}: leave out the"
            " scheme and give the gRPC port, 50051 by default"
        )
    return target


def checked_retries(retries: int) -> int:
    """Return `retries`; `ValueError` for a negative number."""
    if retries < 0:
        raise ValueError("retries must be 0 or more")
    return retries
