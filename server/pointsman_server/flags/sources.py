"""Sources of switches. Each is a `core.ports.SwitchSource`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pointsman_server.core.ports import SwitchSource

ENVIRONMENT_PREFIX = "POINTSMAN_"


class EnvironmentSource:
    """Reads `POINTSMAN_<NAME>` from a mapping such as `os.environ`."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment

    async def read(self, name: str) -> str | None:
        """Return the variable's text; `None` if it is unset."""
        return self._environment.get(ENVIRONMENT_PREFIX + name.upper())


class PolicyFileSource:
    """Reads the policy file's own values."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = values

    async def read(self, name: str) -> str | None:
        """Return the file's text; `None` if it has none."""
        return self._values.get(name)


class FirstOf:
    """Reads sources in order; the first that has a value for a flag decides it.

    An unreadable source ends the search, because its value might be "off".
    """

    def __init__(self, sources: Sequence[SwitchSource]) -> None:
        self._sources = tuple(sources)

    async def read(self, name: str) -> str | None:
        """Return the first text found. Raises `SourceUnreadable`."""
        for source in self._sources:
            text = await source.read(name)
            if text is not None:
                return text
        return None
