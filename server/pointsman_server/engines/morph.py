"""Wire format of engine `morph`: Morph's model router.

`POST /v1/router/multimodel`, bearer key, JSON `{input, allowed_models, policy, default_model}`;
the answer is an object with `model` and optional heads (Morph's API reference, 2026-06). Only the
bounded prompt, router ids, the policy and the default leave the process.
"""

from __future__ import annotations

import json
from functools import lru_cache
from json.encoder import encode_basestring_ascii as _quoted

from pointsman_server.core.engine_rules import DOMAINS
from pointsman_server.core.model import EngineAnswer, EngineQuery, Source
from pointsman_server.engines.remote.json_answers import decode_json, label, share

NAME = "morph"
PATH = "/v1/router/multimodel"
DIFFICULTIES = frozenset({"easy", "medium", "hard", "needs_info"})
AMBIGUITIES = frozenset({"low", "med", "high"})
_CONTEXTS = 1_024


class MorphCodec:
    """Encodes queries for Morph and decodes its answers: a `RemoteCodec`."""

    def encode(self, query: EngineQuery) -> bytes:
        """Return the request's body."""
        allowed = tuple([m.router_id for m in query.candidates])
        rest = _after_input(allowed, query.policy, query.default.router_id)
        return f'{{"input": {_quoted(query.prompt)}, {rest}'.encode("ascii")

    def decode(self, body: bytes, query: EngineQuery) -> EngineAnswer | None:
        """Return the answer if it names one of the query's candidates.

        An optional head that is null, of a wrong type or out of range becomes absent and never
        discards a valid model.
        """
        record = decode_json(body)
        model = record.get("model") if isinstance(record, dict) else None
        candidate = query.by_router_id(model.strip()) if isinstance(model, str) else None
        if candidate is None or candidate.router_id is None:
            return None
        return EngineAnswer(
            source=Source.MORPH,
            model=candidate.public_id,
            router_model=candidate.router_id,
            difficulty=label(record.get("difficulty"), DIFFICULTIES),
            confidence=share(record.get("confidence")),
            ambiguity=label(record.get("ambiguity"), AMBIGUITIES),
            ambiguity_confidence=share(record.get("ambiguity_confidence")),
            domain=label(record.get("domain"), DOMAINS),
            domain_confidence=share(record.get("domain_confidence")),
        )


@lru_cache(maxsize=_CONTEXTS)
def _after_input(allowed: tuple[str | None, ...], policy: str, default: str | None) -> str:
    """The body after its first field: the same for all prompts of one routing context."""
    return json.dumps({"allowed_models": allowed, "policy": policy, "default_model": default})[1:]
