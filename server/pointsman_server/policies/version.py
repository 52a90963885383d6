"""Hashes of a policy file: of its bytes, and of the parts that affect decisions."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, fields
from typing import TypeVar

from pointsman_server.core.engine_rules import DecisionModelRules
from pointsman_server.core.model import CatalogModel, Tier
from pointsman_server.core.policy_file import PolicyFile
from pointsman_server.policies.overrides import Override

_VERSION_DIGITS = 16
_PROPERTIES = tuple(field.name for field in fields(CatalogModel) if field.name != "public_id")
_T = TypeVar("_T")


def version_of(data: bytes, overrides: Sequence[Override] = ()) -> str:
    """Return the first 16 hex digits of SHA-256 over the file's bytes: `policy_version`.

    Overrides count too, so that replicas with different overrides have different versions.
    """
    digest = hashlib.sha256(data)
    for override in overrides:
        digest.update(repr((override.path, override.value)).encode("utf-8", "surrogatepass"))
    return digest.hexdigest()[:_VERSION_DIGITS]


def rules_digest(policy: PolicyFile) -> bytes:
    """Hash, by SHA-256, catalog, tiers with their stickiness, and engines in one canonical form.

    Order in the file, comments, mode, cache, flags and log leave it as it is.
    """
    rest = {
        "engines": policy.engines,
        "morph": {"url": policy.morph.url},
        "decision_models": {n: _decision_model(m) for n, m in policy.decision_models.items()},
        "local": {
            "quality_loss": dict(policy.local.quality_loss),
            "needs_info_threshold": policy.local.needs_info_threshold,
            "reader": policy.local.reader,
            "artefact": policy.local.artefact,
        },
    }
    digest = hashlib.sha256(b'{"catalog":{')
    _update(digest, policy.catalog, _model)
    digest.update(f"}},{_canonical(rest)[1:-1]}".encode())
    digest.update(b',"tiers":{')
    _update(digest, policy.tiers, _tier)
    digest.update(b"}}")
    return digest.digest()


def _update(
    digest: hashlib._Hash, entries: Mapping[str, _T], as_json: Callable[[_T], object]
) -> None:
    """Hash entries one at a time: the encoder holds the interpreter's lock for a whole text."""
    for place, name in enumerate(sorted(entries)):
        comma = "," if place else ""
        entry = f"{comma}{_canonical(name)}:{_canonical(as_json(entries[name]))}"
        digest.update(entry.encode())


def _canonical(value: object) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def _model(model: CatalogModel) -> dict[str, object]:
    """All properties of a model; its public id is the key of the entry."""
    found = {name: getattr(model, name) for name in _PROPERTIES}
    inputs = None if model.inputs is None else sorted(model.inputs)
    return found | {
        "inputs": inputs,
        "topic_scores": dict(model.topic_scores),
        "heavy": dict(model.heavy),
    }


def _decision_model(rules: DecisionModelRules) -> dict[str, object]:
    return {
        "url": rules.url,
        "format": rules.format,
        "model": rules.model,
        "average_orders": rules.average_orders,
        "questions": asdict(rules.questions),
    }


def _tier(tier: Tier) -> dict[str, object]:
    return {
        "policy": tier.policy,
        "stickiness": tier.stickiness,
        "candidates": tier.default_candidates,
        "switching": asdict(tier.switching),
    }
