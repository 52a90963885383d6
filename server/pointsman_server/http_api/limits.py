"""Limits of one request."""

from __future__ import annotations

from dataclasses import dataclass

ID_CODE_POINTS = 256
"""The longest name of a model or provider, as in the gRPC contract."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Bounds of one request. The defaults let every well-formed request of the real API in."""

    input_code_points: int = 32_768
    """The vendor takes 8,192 tokens; four characters a token is a common upper estimate."""
    models: int = 64
    """Entries of `allowed_models` and of `allowed_providers`."""
    body_bytes: int = 1024 * 1024
    """Holds the largest allowed input even where every character is a JSON escape."""
    body_seconds: float = 10.0
    """Time for a client to send its body."""
    engine_seconds: float = 5.0
    """Time for the engine to answer."""
