"""Fast path for cache hits: joins the response's bytes without running the decider.

Most calls repeat a conversation. For these, everything that follows from the routing context is
cached as a `_CompiledContext` and everything appended to the cached answer as a
`ResponseTemplate`; the answer itself is sent as it lies in the cache. Whether a cached answer may
be replayed is `core.replay`'s to say. A request that is no repetition goes to `core.decider` with
the plan, the keys and the lookups made here.

`tests/integration/test_fast_path.py` compares the two ways, and `benchmarks/` measures both.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from pointsman.v1 import route_decision_pb2 as pb

from pointsman_server.core.candidate_plan import Plan, Planner
from pointsman_server.core.conversation_slot import (
    EFFORT_AT,
    HEAD,
    UNWEIGHED_HARD,
    ageing_after,
    load,
)
from pointsman_server.core.eligible_engines import EligibleEngines, eligible_engines
from pointsman_server.core.errors import InvalidRequest
from pointsman_server.core.keys import Keys
from pointsman_server.core.model import (
    Caller,
    ConversationSource,
    Mode,
    Prompt,
    RouteRequest,
    Stickiness,
    SwitchValues,
)
from pointsman_server.core.policy_file import PolicyFile
from pointsman_server.core.ports import Clock
from pointsman_server.core.preparation import Lookup, Prepared
from pointsman_server.core.replay import Conversation, replay
from pointsman_server.core.serving import is_served
from pointsman_server.lib.bounded_map import BoundedMap
from pointsman_server.lib.protobuf_wire import varint
from pointsman_server.transport.decode import API_KINDS, to_request
from pointsman_server.transport.fast_path.answer_codec import (
    TEMPLATE_KEY_BYTES,
    WireCodec,
    detail_of,
)
from pointsman_server.transport.fast_path.message_keys import MessageKeyMaker, plain_caller
from pointsman_server.transport.fast_path.response_template import (
    FastPathMeter,
    ResponseTemplate,
    ResponseTemplates,
)
from pointsman_server.transport.ports import SampledCall

CONTEXTS = 1_024
TEMPLATES = 256
"""Bounds of the remembered entries; the oldest are evicted first."""
LONGEST_CONTEXT = 4_096
"""Bytes of a routing context and its constraints; longer ones are not remembered."""

_CODEC = WireCodec()
_SESSION = ConversationSource.SESSION
_DECISION = b"\x12"  # field 2, a message
_HEAD = pb.RouteDecisionResponse(outcome=pb.OUTCOME_ROUTED).SerializeToString() + _DECISION


@dataclass(frozen=True, slots=True)
class _CompiledContext:
    """Results derived from a routing context, valid for one policy file."""

    plan: Plan
    engines: EligibleEngines
    stickiness: Stickiness
    request: RouteRequest
    """A request with this context, without text or ids of its first caller."""
    templates: BoundedMap[tuple[object, ...], ResponseTemplate]


class FastPath:
    """Answers cached decisions under one version of the policy file. Never waits.

    `writes` counts the writes to the cache of `peek`; `None`: a missing entry may be in a shared
    cache.
    """

    def __init__(
        self,
        *,
        rules: PolicyFile,
        planner: Planner,
        keys: Keys,
        switches: Callable[[], SwitchValues | None],
        peek: Callable[[bytes], bytes | None],
        writes: Callable[[], int] | None,
        new_id: Callable[[], str],
        clock: Clock,
        meter: FastPathMeter,
    ) -> None:
        self._rules = rules
        self._planner = planner
        self._keys = keys
        self._switches = switches
        self._peek = peek
        self._writes = writes
        self._new_id = new_id
        self._time = clock.time
        self._slot_age = ageing_after(rules.cache.ttl)
        self._now = clock.monotonic
        self._message_keys = MessageKeyMaker(keys)
        self._templates = ResponseTemplates(rules, keys=keys, meter=meter)
        self.contexts: BoundedMap[tuple[object, ...], _CompiledContext] = BoundedMap(CONTEXTS)
        self._open = rules.mode is not Mode.OFF
        self._serves = rules.mode is Mode.SERVE

    def answer(
        self, message: pb.RouteDecisionRequest, span: SampledCall | None = None
    ) -> bytes | Prepared | None:
        """The response's bytes; else the preparation for the decider, if there is one.

        `span` is the call's, if it is recorded: the answer ends it.
        """
        started = self._now()
        if message.classify or message.dry_run or not self._open:
            return None
        prompt, who = message.prompt, None
        first, latest = prompt.user_prompt_prefix, prompt.latest_user_prompt_prefix
        if prompt.api_kind in API_KINDS and not (_is_blank(latest) and _is_blank(first)):
            who = plain_caller(message.caller)
        context = None if who is None else self._context(message, of_organization=who[0] != "")
        if who is None or context is None:
            return None
        plan = context.plan
        conversation, key, source = self._message_keys.make(
            who, prompt, (first, latest), plan.fingerprint, context.stickiness
        )
        raw, slot = self._peek(key), self._peek(conversation)
        template = None
        if raw and slot and len(slot) >= HEAD and not prompt.context_reset:
            # Not the source itself: an enum is hashed in Python.
            served = self._serves and is_served(conversation, self._rules)
            unweighed = slot[EFFORT_AT] in UNWEIGHED_HARD
            kind = (raw[:TEMPLATE_KEY_BYTES], slot[HEAD:], unweighed, source is _SESSION, served)
            template = context.templates.get(kind)
            if template is None:
                whose = Conversation(key=conversation, source=source)
                template = self._build(context, raw, slot, whose)
                if template is not None:
                    context.templates.remember(kind, template)
            if self._time() - int.from_bytes(slot[:4], "big") > self._slot_age:
                template = None
        if template is None or raw is None:
            writes = self._writes
            lookup = None if writes is None else Lookup(raw, slot, writes())
            return Prepared(plan, context.engines, conversation, source, key, lookup)
        wire = raw[template.answer_at :]
        length = varint(len(wire) + template.decision_bytes)
        decision_id = self._new_id()
        response = b"".join((_HEAD, length, wire, template.rest, decision_id.encode()))
        template.count(self._now() - started)
        if span is not None:
            detail = partial(detail_of, wire)
            span.end_cached(template.record, decision_id=decision_id, detail=detail)
        return response

    def _build(
        self, context: _CompiledContext, raw: bytes, slot: bytes, conversation: Conversation
    ) -> ResponseTemplate | None:
        """The template of a cached answer, if the core replays it."""
        answer, known, request = _CODEC.load(raw), load(slot), context.request
        if answer is None:
            return None
        plan = self._planner.fenced(context.plan, request, known, engines=context.engines.names)
        outcome = replay(request, plan, answer, known, rules=self._rules, conversation=conversation)
        return None if outcome is None else self._templates.build(request, outcome, raw)

    def _context(
        self, message: pb.RouteDecisionRequest, *, of_organization: bool
    ) -> _CompiledContext | None:
        switches, routing = self._switches(), message.routing
        if switches is None:
            return None
        named = message.requested_model
        if named and named != routing.auto_model:
            return None
        written, constraints, tokens = routing.SerializeToString(), b"", None
        if message.HasField("constraints"):
            constraints, tokens = self._constraints(message.constraints)
        if len(written) + len(constraints) > LONGEST_CONTEXT:
            return None
        key = (
            written,
            constraints,
            tokens,
            message.data_policy,
            of_organization,
            switches.morph_router_enabled,
            switches.decision_model_enabled,
        )
        context = self.contexts.get(key)
        if context is None:
            context = self._compile(message, switches)
            if context is not None:
                self.contexts.remember(key, context)
        return context

    def _constraints(self, constraints: pb.Constraints) -> tuple[bytes, int | None]:
        """The constraints without the estimate, and the estimate's class for the catalog."""
        if not constraints.HasField("prompt_tokens_estimate"):
            return constraints.SerializeToString(), None
        rest = pb.Constraints()
        rest.CopyFrom(constraints)
        rest.ClearField("prompt_tokens_estimate")
        return rest.SerializeToString(), self._planner.alike(constraints.prompt_tokens_estimate)

    def _compile(
        self, message: pb.RouteDecisionRequest, switches: SwitchValues
    ) -> _CompiledContext | None:
        """The context of a request that may go this way, if it has one."""
        try:
            request = to_request(message)
        except InvalidRequest:
            return None
        engines = eligible_engines(request, rules=self._rules, switches=switches)
        if request.routing is None or engines.reason:
            return None
        plan = self._planner.plan(request.routing, request.constraints, engines.names)
        if plan is None or plan.default is None:
            return None
        bare = RouteRequest(
            prompt=Prompt(),
            caller=Caller(user_id=""),
            routing=request.routing,
            constraints=request.constraints,
            requested_model=request.requested_model,
        )
        return _CompiledContext(plan, engines, plan.tier.stickiness, bare, BoundedMap(TEMPLATES))


def _is_blank(text: str) -> bool:
    return not text or text.isspace()
