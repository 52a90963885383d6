"""Switches in the store that replicas share: flipped once for all of them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from pointsman_server.core.errors import SourceUnreadable


class RedisSource:
    """Reads a switch by its name; `text` is the store's reader, which raises where it fails."""

    def __init__(self, text: Callable[[str], Awaitable[str | None]]) -> None:
        self._text = text

    async def read(self, name: str) -> str | None:
        """The text that an operator set; `None` where it is unset. Raises `SourceUnreadable`."""
        try:
            return await self._text(name)
        except Exception as error:  # noqa: BLE001  (what cannot be read may say "off")
            raise SourceUnreadable(f"switches in redis: {type(error).__name__}") from None
