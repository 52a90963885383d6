"""Tests of a policy file: requests, and what must be decided for them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from pointsman_server.core.errors import PolicyInvalid, Problem
from pointsman_server.lib.watched_file import LIST_BYTES, FileUnreadable, read_file
from pointsman_server.policies.diagnostics import render_path

Models = str | list[str]
Share = Annotated[float, Field(ge=0, le=1)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Moved(_Section):
    """Bounds of the share of prompts whose decided model is not the static pick."""

    at_least: Share = 0.0
    at_most: Share = 1.0


class Expectation(_Section):
    """The outcome to check; only keys that are given count, and a list allows each model."""

    outcome: Literal["routed", "skipped", "failed", "off"] | None = None
    reason: str | None = None
    model: Models | None = None
    not_model: Models | None = None
    serve: Models | None = None
    difficulty: Literal["easy", "medium", "hard", "needs_info"] | None = None
    domain: str | None = None
    moved: bool | Moved | None = None

    @model_validator(mode="after")
    def _is_something(self) -> Expectation:
        if not self.model_fields_set:
            raise ValueError("expects nothing")
        return self


class PolicyTest(_Section):
    """One test: a request in short form, the rest of it as the contract's JSON, the expectation."""

    name: Annotated[str, Field(min_length=1, max_length=200)]
    tier: str | None = None
    prompt: str | None = None
    prompts: list[str] | None = None
    """Several prompts: the expectation holds for each, `moved` for all together."""
    candidates: list[str] = []
    static_pick: str | None = None
    organization: str | None = None
    request: dict[str, Any] = {}
    """Further fields of `RouteDecisionRequest`."""
    expect: Expectation

    @model_validator(mode="after")
    def _has_prompts(self) -> PolicyTest:
        if self.prompt is not None and self.prompts is not None:
            raise ValueError("has `prompt` and `prompts`: one of them")
        if isinstance(self.expect.moved, Moved) and self.prompts is None:
            raise ValueError("a share of `moved` needs `prompts`")
        return self

    @property
    def all_prompts(self) -> list[str | None]:
        """The prompts; `None` is a request without one."""
        return [*self.prompts] if self.prompts is not None else [self.prompt]


class TestFile(_Section):
    """A file of policy tests."""

    tests: Annotated[list[PolicyTest], Field(min_length=1, max_length=10_000)]


def read_tests(path: Path) -> TestFile:
    """Read the file at `path`. Raises `PolicyInvalid`, which names every bad key."""
    try:
        document = yaml.safe_load(read_file(path, most=LIST_BYTES))
        return TestFile.model_validate(document)
    except FileUnreadable as error:
        raise PolicyInvalid((Problem("", f"{path}: {error}"),)) from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f" (line {mark.line + 1})" if mark else ""
        raise PolicyInvalid((Problem("", f"{path}: not YAML{where}"),)) from None
    except ValidationError as error:
        raise PolicyInvalid(tuple(map(_problem, error.errors()))) from None


def _problem(error: Any) -> Problem:
    return Problem(render_path(error["loc"]), error["msg"].removeprefix("Value error, "))
