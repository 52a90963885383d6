"""Takes secrets out of text that is about to be logged."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

REDACTED = "[redacted]"

_SHORTEST = 6
"""A secret shorter than this would blot out half of every line."""

_PATTERNS = (
    # Authorization: Bearer abc
    (re.compile(r"(?i)\b(bearer|basic)\s+[\w.~+/=:-]+"), rf"\1 {REDACTED}"),
    # redis://user:password@host
    (re.compile(r"(?i)\b([a-z][a-z0-9+.-]*://)[^/\s@]+@"), rf"\1{REDACTED}@"),
    # api_key=abc, "password": "abc"
    (
        re.compile(
            r"(?i)((?:api[-_]?key|authorization|password|passwd|secret|token|cookie)"
            r"[\"']?\s*[:=]\s*[\"']?)(?!\[redacted\]|(?:bearer|basic) \[redacted\])[^\s\"',;&}]+"
        ),
        rf"\1{REDACTED}",
    ),
)


class Redaction:
    """Replaces text that looks like a credential, and every known secret."""

    def __init__(self, secrets: Callable[[], Iterable[str]] = tuple) -> None:
        """`secrets` is called for each line, so that a rotated key is masked at once."""
        self._secrets = secrets

    def __call__(self, text: str) -> str:
        """Return `text` without secrets."""
        for secret in self._secrets():
            if len(secret) >= _SHORTEST:
                text = text.replace(secret, REDACTED)
        for pattern, replacement in _PATTERNS:
            text = pattern.sub(replacement, text)
        return text
