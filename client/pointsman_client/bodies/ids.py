"""Ids from outside: from headers and bodies that clients write."""

from __future__ import annotations

ID_CHARACTERS = 256
"""The contract's limit of an id."""


def usable_id(value: object) -> str | None:
    """Return `value` as an id that the service takes, without blanks around it, or `None`.

    The service refuses a request for a blank id or one of more than 256 characters.
    """
    text = value.strip() if isinstance(value, str) else ""
    if not 0 < len(text) <= ID_CHARACTERS:
        return None
    return text if text.isascii() or _is_well_formed(text) else None


def _is_well_formed(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:  # a lone surrogate, as broken JSON may hold one
        return False
    return True
