"""Reads environment variables by type and gathers everything that is wrong with them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from math import inf
from pathlib import Path
from urllib.parse import unquote

from pointsman_server.core.errors import Problem


class EnvironmentInvalid(ValueError):
    """Environment variables that cannot be used; every one is named, no value is quoted."""

    def __init__(self, problems: Collection[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("; ".join(f"{p.path}: {p.message}" for p in self.problems))


class Variables:
    """An environment. A blank variable is an unset one, as OpenTelemetry wants it.

    A reader of something unusable notes a problem and returns the default; `check` raises.
    """

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self._problems: dict[str, str] = {}

    def problem(self, name: str, message: str) -> None:
        """Note that `name` cannot be used."""
        self._problems.setdefault(name, message)

    def check(self) -> None:
        """Raise `EnvironmentInvalid` if anything was wrong."""
        if self._problems:
            raise EnvironmentInvalid([Problem(n, m) for n, m in self._problems.items()])

    def text(self, *names: str) -> str | None:
        """The first of `names` that is set, trimmed."""
        for name in names:
            if value := self._environ.get(name, "").strip():
                return value
        return None

    def named(self, *names: str) -> tuple[str, str] | None:
        """Like `text`, together with the name that it was found under."""
        for name in names:
            if value := self.text(name):
                return name, value
        return None

    def flag(self, name: str) -> bool:
        """Whether `name` is `true`, in any letter case."""
        return (self.text(name) or "").lower() == "true"

    def choice(self, *names: str, of: Collection[str], default: str) -> str:
        """One of `of`."""
        found = self.named(*names)
        if found is None:
            return default
        name, value = found[0], found[1].lower()
        if value not in of:
            self.problem(name, f"must be one of {', '.join(of)}")
            return default
        return value

    def choices(
        self, name: str, *, of: Collection[str], default: tuple[str, ...]
    ) -> tuple[str, ...]:
        """Some of `of`, separated by commas; `none` wins over the others."""
        value = self.text(name)
        if value is None:
            return default
        chosen = tuple(item.strip().lower() for item in value.split(",") if item.strip())
        if any(item not in of for item in chosen):
            self.problem(name, f"must be some of {', '.join(of)}")
            return default
        return () if "none" in chosen else chosen

    def number(self, *names: str, default: float, least: float = 0.0, most: float = inf) -> float:
        """A number from `least` to `most`."""
        found = self.named(*names)
        if found is None:
            return default
        name, value = found
        try:
            number = float(value)
        except ValueError:
            number = inf
        if not least <= number <= most or number == inf:
            limit = "" if most == inf else f" and at most {most:g}"
            self.problem(name, f"must be a number of at least {least:g}{limit}")
            return default
        return number

    def pairs(self, *names: str) -> dict[str, str]:
        """`key=value,key=value`, values percent-encoded; they may be secrets."""
        found = self.named(*names)
        if found is None:
            return {}
        name, value = found
        pairs: dict[str, str] = {}
        for item in filter(None, (part.strip() for part in value.split(","))):
            key, equals, text = item.partition("=")
            if not equals or not key.strip():
                self.problem(name, "must be key=value pairs separated by commas")
                return {}
            pairs[unquote(key.strip())] = unquote(text.strip())
        return pairs

    def file(self, *names: str) -> None:
        """Check that the file is there; who needs it reads the variable again."""
        found = self.named(*names)
        if found is not None and not Path(found[1]).is_file():
            self.problem(found[0], "names no file")
