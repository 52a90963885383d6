"""Tracebacks that may be logged."""

from __future__ import annotations

import traceback


def frames_of(error: BaseException) -> str:
    """The frames of `error` without its text, which may quote a prompt or a key."""
    return "".join(traceback.format_tb(error.__traceback__))
