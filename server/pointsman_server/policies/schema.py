"""A policy file's bytes -> the core's value, with every problem of it at once."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain, islice

from pydantic import ValidationError

from pointsman_server.core.errors import PolicyInvalid, Problem
from pointsman_server.core.policy_file import PolicyFile
from pointsman_server.lib.background_work import release
from pointsman_server.policies.crosscheck import cross_faults
from pointsman_server.policies.diagnostics import MOST_PROBLEMS, Diagnostic, to_problems
from pointsman_server.policies.env_references import filled_in
from pointsman_server.policies.lint import advice
from pointsman_server.policies.llm_crosscheck import llm_faults
from pointsman_server.policies.overrides import Override, applied
from pointsman_server.policies.pydantic_errors import to_faults
from pointsman_server.policies.sections.document import PolicyDocument
from pointsman_server.policies.version import rules_digest, version_of
from pointsman_server.policies.yaml_tree import YamlTree, read_yaml

_MOST_WORDED = 1_000
"""Findings that are worded before they are put in order: a hostile file has no more to say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """A valid policy file with its warnings."""

    policy_file: PolicyFile
    warnings: tuple[Problem, ...]


def parse(
    data: bytes,
    *,
    overrides: Sequence[Override] = (),
    environment: Mapping[str, str] | None = None,
) -> Loaded:
    """Check one policy file. Raises `PolicyInvalid` with all of its problems.

    `environment` is where `${NAME}` is looked up; the process's own where it is `None`.
    """
    tree = applied(read_yaml(data), overrides)
    tree = filled_in(tree, os.environ if environment is None else environment)
    document, faults = _validated(tree)
    if document is None or faults:
        raise PolicyInvalid(to_problems(faults, lines=tree.lines))
    policy = document.to_core(version=version_of(data, overrides))
    policy = replace(policy, rules_digest=rules_digest(policy))
    found = (*advice(policy), *document.llm.advice())
    warnings = to_problems(found, lines=tree.lines)
    models: deque[object] = deque(document.catalog.values())
    del document
    release(models)
    return Loaded(policy_file=policy, warnings=warnings)


def json_schema() -> dict[str, object]:
    """Give the JSON Schema of the policy file, for editors that complete and check YAML."""
    schema: dict[str, object] = PolicyDocument.model_json_schema()
    schema["anyOf"] = [{"required": ["tiers", "catalog"]}, {"required": ["llm"]}]
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def _validated(tree: YamlTree) -> tuple[PolicyDocument | None, tuple[Diagnostic, ...]]:
    """Return the document, if pydantic accepts it, and all errors.

    An unreadable value is reported once.
    """
    if tree.value is None:
        return None, (Diagnostic((), "is empty"),)
    between = chain(cross_faults(tree.value), llm_faults(tree.value))
    faults = (*tree.faults, *islice(between, MOST_PROBLEMS + 1))
    try:
        return PolicyDocument.model_validate(tree.value), faults
    except ValidationError as error:
        told = {fault.path for fault in tree.faults}
        found = islice(to_faults(error, model=PolicyDocument), _MOST_WORDED)
        return None, (*faults, *(f for f in found if f.path not in told))
