"""A policy file with its overrides: the only way from a path to the policy in force.

    config = PolicyConfig(Path("policy.yaml"))
    config.set("llm.routes.plan_create", "reasoning")
    loaded = config.load()

Later wins: the file, then `POINTSMAN_POLICY__*` variables, then `--set`, then `set`.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from pointsman_server.policies.loader import read
from pointsman_server.policies.overrides import (
    Override,
    assignment,
    from_environment,
    key_path,
    plain_value,
)
from pointsman_server.policies.schema import Loaded, parse
from pointsman_server.policies.version import version_of


class PolicyConfig:
    """One policy file (the packaged default where `path` is `None`) and its overrides.

    `assignments` are `path=value` with the value in YAML. Raises `PolicyInvalid` for one that
    cannot be read; whether the whole holds is judged by `load`, `set` and `update`.
    """

    def __init__(
        self,
        path: Path | None = None,
        *,
        environment: Mapping[str, str] | None = None,
        assignments: Iterable[str] = (),
    ) -> None:
        self.path = path
        self._environment = os.environ if environment is None else environment
        self._overrides: tuple[Override, ...] = (
            *from_environment(self._environment),
            *map(assignment, assignments),
        )

    def set(self, path: str, value: object) -> None:
        """Set one value, e.g. `llm.routes.plan_create` to `reasoning`.

        The whole is checked as if the file had said it. Raises `PolicyInvalid` with all problems,
        and changes nothing, where it does not hold; `TypeError` for a value that YAML has not. A
        running service that watches a file puts
        the change in force within two looks at it.
        """
        self.update({path: value})

    def update(self, values: Mapping[str, object]) -> None:
        """Set several values at once: all, or none. Raises like `set`."""
        new = tuple(Override(key_path(p), plain_value(v)) for p, v in values.items())
        overrides = (*self._overrides, *new)
        parse(read(self.path), overrides=overrides, environment=self._environment)
        self._overrides = overrides

    def load(self) -> Loaded:
        """Read the file and check the whole. Raises `PolicyInvalid` with all problems."""
        return self.parse(read(self.path))

    def parse(self, data: bytes) -> Loaded:
        """Check `data` in place of the file's content. Raises `PolicyInvalid`."""
        return parse(data, overrides=self._overrides, environment=self._environment)

    def version_of(self, data: bytes) -> str:
        """The `policy_version` of `data` with its overrides."""
        return version_of(data, self._overrides)
