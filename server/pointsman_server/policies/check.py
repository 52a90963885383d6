"""The report of `pointsman check` on a policy file."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from pointsman_server.core.errors import PolicyInvalid, Problem
from pointsman_server.core.policy_file import PolicyFile
from pointsman_server.policies.config import PolicyConfig
from pointsman_server.policies.schema import Loaded, parse

_PREDICATES = ("is ", "must ", "has ")


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckReport:
    """The verdict on one policy file."""

    problems: tuple[Problem, ...] = ()
    """Errors; empty: the file is valid."""
    warnings: tuple[Problem, ...] = ()
    summary: str = ""
    """One line on its content; empty if it has errors."""

    @property
    def ok(self) -> bool:
        """Whether the file would be put in force."""
        return not self.problems

    def lines(self) -> tuple[str, ...]:
        """Write the report for a terminal: one line a finding, the summary last."""
        return (
            *rendered(self.problems),
            *(f"warning: {line}" for line in rendered(self.warnings)),
            *((self.summary,) if self.summary else ()),
        )


def _no_problems(_: PolicyFile) -> tuple[Problem, ...]:
    return ()


def check(
    path: Path | None,
    *,
    assignments: Sequence[str] = (),
    trial: Callable[[PolicyFile], tuple[Problem, ...]] = _no_problems,
) -> CheckReport:
    """Check the file at `path`, or the built-in file, with its overrides.

    `trial` finds what else would keep a valid file from being put in force. Raises nothing on a
    bad file.
    """
    try:
        loaded = PolicyConfig(path, assignments=assignments).load()
    except PolicyInvalid as invalid:
        return CheckReport(problems=invalid.problems)
    problems = trial(loaded.policy_file)
    return CheckReport(problems=problems, warnings=loaded.warnings) if problems else _report(loaded)


def check_text(text: bytes | str) -> CheckReport:
    """Check a policy file's content."""
    try:
        loaded = parse(text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass"))
    except PolicyInvalid as invalid:
        return CheckReport(problems=invalid.problems)
    return _report(loaded)


def _report(loaded: Loaded) -> CheckReport:
    return CheckReport(warnings=loaded.warnings, summary=_summary(loaded.policy_file))


def rendered(problems: Sequence[Problem]) -> tuple[str, ...]:
    """Write `path: message` for each; a message about the whole file gets a subject instead."""
    return tuple(f"{p.path}: {p.message}" if p.path else _of_the_file(p.message) for p in problems)


def _of_the_file(message: str) -> str:
    return f"the file {message}" if message.startswith(_PREDICATES) else message


def _summary(policy: PolicyFile) -> str:
    routable = sum(1 for m in policy.catalog.values() if m.router_id and not m.experimental)
    return (
        f"ok: mode {policy.mode}, {len(policy.tiers)} tiers,"
        f" {routable} of {len(policy.catalog)} models routable,"
        f" engines {' then '.join(policy.engines)}, version {policy.version}"
    )
