"""A decider over a scripted engine and a cache that remembers, and what it was built from."""

from __future__ import annotations

import os
from types import SimpleNamespace

from opentelemetry.trace import NoOpTracer
from pointsman_server.chain.cached import CachedConversations
from pointsman_server.core.candidate_plan import Planner
from pointsman_server.core.decider import Decider
from pointsman_server.core.ids import DecisionIds
from pointsman_server.core.keys import Keys
from pointsman_server.core.model import (
    Constraints,
)
from pointsman_server.core.router import Router
from pointsman_server.engines.local.turns import LexicalTurnReader

from support.builders import (
    CODEC,
    answer,
    request,
    rules,
)
from support.fakes import (
    FakeClock,
    FixedClassification,
    FixedSwitches,
    RecordingCache,
    RecordingObserver,
    ScriptedEngine,
)

KEYS = Keys(b"secret")
KEEP_PROVIDER = Constraints(keep_provider=True)


def world(*script, flag_on=True, classification=None, gate=None, **file):
    """A decider and all that it was built from."""
    parts = SimpleNamespace(
        rules=rules(**file),
        engine=ScriptedEngine(*script, gate=gate),
        cache=RecordingCache(),
        switches=FixedSwitches(morph_router_enabled=flag_on),
        classification=FixedClassification(classification),
        clock=FakeClock(),
        observer=RecordingObserver(),
    )
    parts.decider = decider_over(parts)
    return parts


def decider_over(parts):
    router = Router(
        rules=parts.rules,
        engine=parts.engine,
        planner=Planner(parts.rules),
        memory=CachedConversations(
            cache=parts.cache,
            slots=parts.cache,
            codec=CODEC,
            rules=parts.rules.cache,
            tracer=NoOpTracer(),
            now=parts.clock.time,
            on_lookup=lambda _: None,
            writes=None,
        ),
        reader=LexicalTurnReader(),
        clock=parts.clock,
        new_id=DecisionIds(clock=parts.clock, entropy=os.urandom),
    )
    return Decider(
        router=router,
        switches=parts.switches,
        classification=parts.classification,
        keys=KEYS,
        observers=[parts.observer],
    )


async def asked(parts, **changes):
    """The query that the engine got for a request."""
    await parts.decider.decide(request(**changes))
    return parts.engine.queries[-1]


def picking(public_id):
    """A script step that picks this model if it may."""
    return lambda query: (
        answer(public_id)
        if any(m.public_id == public_id for m in query.candidates)
        else answer(query.candidates[0].public_id)
    )


async def turns(parts, *requests):
    """The decisions of requests, one after another."""
    return [(await parts.decider.decide(r)).decision for r in requests]
