"""Fast path for cache hits: joins the response's bytes without running the decider.

Most calls repeat a conversation. For these, everything that follows from the routing context is
cached as a `_CompiledContext` and everything appended to the cached answer as a
`ResponseTemplate`; the answer itself is sent as it lies in the cache. Any request that is not
plainly a repetition goes to `core.decider`, which defines the right result:
`tests/integration/test_fast_path.py` compares the two, and `benchmarks/` measures both.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from pointsman.v1 import route_decision_pb2 as pb

from pointsman_server.core.candidate_plan import Plan, Planner
from pointsman_server.core.eligible_engines import eligible_engines
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
from pointsman_server.core.serving import is_served
from pointsman_server.lib.bounded_map import BoundedMap
from pointsman_server.lib.protobuf_wire import varint
from pointsman_server.transport.decode import API_KINDS, to_request
from pointsman_server.transport.fast_path.answer_codec import TEMPLATE_KEY_BYTES, detail_of
from pointsman_server.transport.fast_path.response_template import (
    FastPathMeter,
    ResponseTemplate,
    ResponseTemplates,
)
from pointsman_server.transport.ports import SampledCall
from pointsman_server.transport.validation import IDENTIFIER_CODE_POINTS

CONTEXTS = 1_024
ENDINGS = 256
"""Bounds of what is remembered; what was learned first is forgotten for what is new."""
LONGEST_CONTEXT = 4_096
"""Bytes of a routing context and its constraints; longer ones are not remembered."""

_ROUTED = pb.RouteDecisionResponse(outcome=pb.OUTCOME_ROUTED).SerializeToString()
_DECISION = b"\x12"  # field 2, a message
_DECISION_ID = b"\x42\x24"  # field 8, 36 bytes


@dataclass(frozen=True, slots=True)
class _CompiledContext:
    """What follows from a routing context, as long as one policy file is in force."""

    plan: Plan
    request: RouteRequest
    """A request with this context, and without a word or an id of whoever sent it first."""
    endings: BoundedMap[tuple[object, ...], ResponseTemplate]


class FastPath:
    """Answers what is kept, under one version of the policy file. Never waits."""

    def __init__(
        self,
        *,
        rules: PolicyFile,
        keys: Keys,
        switches: Callable[[], SwitchValues | None],
        peek: Callable[[bytes], bytes | None],
        new_id: Callable[[], str],
        clock: Clock,
        meter: FastPathMeter,
    ) -> None:
        self._rules = rules
        self._keys = keys
        self._switches = switches
        self._peek = peek
        self._new_id = new_id
        self._now = clock.monotonic
        self._endings = ResponseTemplates(rules, keys=keys, meter=meter)
        self._planner = Planner(rules)
        self._contexts: BoundedMap[tuple[object, ...], _CompiledContext] = BoundedMap(CONTEXTS)
        self._open = rules.mode is not Mode.OFF
        self._serves = rules.mode is Mode.SERVE

    def answer(
        self, message: pb.RouteDecisionRequest, span: SampledCall | None = None
    ) -> bytes | None:
        """The response's bytes; `None` where the request has to go the long way.

        `span` is the call's, if that is recorded: it is told of the answer, which ends it.
        """
        started = self._now()
        if message.classify or message.dry_run or not self._open:
            return None
        track = self._track(message)
        if track is None or not _is_plain(message):
            return None
        caller = message.caller
        session = caller.session_id
        source = ConversationSource.SESSION if session else ConversationSource.MACHINE
        part = session or caller.machine_id
        conversation = self._keys.conversation_of(
            caller.organization_id or None,
            caller.user_id,
            source,
            part,
            agent_id=caller.agent_id or None,
        )
        raw = self._peek(conversation + track.plan.fingerprint)
        if raw is None:
            return None
        shape, wire = raw[:TEMPLATE_KEY_BYTES], raw[TEMPLATE_KEY_BYTES:]
        # Not the source itself: an enum is hashed in Python.
        key = (shape, session == "", self._serves and is_served(conversation, self._rules))
        ending = track.endings.get(key)
        if ending is None:
            ending = self._endings.build(
                track.plan, track.request, raw, conversation=conversation, source=source
            )
            if ending is None:
                return None
            track.endings.remember(key, ending)
        length = varint(len(wire) + len(ending.decision))
        decision_id = self._new_id()
        parts = (_ROUTED, _DECISION, length, wire, ending.decision, ending.response, _DECISION_ID)
        response = b"".join((*parts, decision_id.encode()))
        ending.count(self._now() - started)
        if span is not None:
            detail = partial(detail_of, wire)
            span.end_cached(ending.record, decision_id=decision_id, detail=detail)
        return response

    def _track(self, message: pb.RouteDecisionRequest) -> _CompiledContext | None:
        switches = self._switches()
        if switches is None or not message.HasField("routing"):
            return None
        routing = message.routing
        named = message.requested_model
        if named and named != routing.auto_model:
            return None
        context = routing.SerializeToString()
        constraints, tokens = self._constraints(message)
        if len(context) + len(constraints) > LONGEST_CONTEXT:
            return None
        key = (
            context,
            constraints,
            tokens,
            message.data_policy,
            message.caller.HasField("organization_id"),
            switches.morph_router_enabled,
            switches.decision_model_enabled,
        )
        track = self._contexts.get(key)
        if track is None:
            track = self._learn(message, switches)
            if track is not None:
                self._contexts.remember(key, track)
        return track

    def _constraints(self, message: pb.RouteDecisionRequest) -> tuple[bytes, int | None]:
        """The constraints without the estimate, and what that comes to for the catalog."""
        if not message.HasField("constraints"):
            return b"", None
        constraints = message.constraints
        if not constraints.HasField("prompt_tokens_estimate"):
            return constraints.SerializeToString(), None
        rest = pb.Constraints()
        rest.CopyFrom(constraints)
        rest.ClearField("prompt_tokens_estimate")
        return rest.SerializeToString(), self._planner.alike(constraints.prompt_tokens_estimate)

    def _learn(
        self, message: pb.RouteDecisionRequest, switches: SwitchValues
    ) -> _CompiledContext | None:
        """The track of a request that may go this way, if it has one."""
        try:
            request = to_request(message)
        except InvalidRequest:
            return None
        engines = eligible_engines(request, rules=self._rules, switches=switches)
        if request.routing is None or engines.reason or request.constraints.keep_provider:
            return None
        plan = self._planner.plan(request.routing, request.constraints, engines.names)
        if plan is None or plan.default is None:
            return None
        if plan.tier.stickiness is not Stickiness.CONVERSATION:
            return None
        bare = RouteRequest(
            prompt=Prompt(),
            caller=Caller(user_id=""),
            routing=request.routing,
            requested_model=request.requested_model,
        )
        return _CompiledContext(plan, bare, BoundedMap(ENDINGS))


def _is_plain(message: pb.RouteDecisionRequest) -> bool:
    """Whether the long way would find nothing to trim or refuse in what a track does not cover."""
    if not (message.HasField("prompt") and message.HasField("caller")):
        return False
    prompt = message.prompt
    if prompt.api_kind not in API_KINDS:
        return False
    latest = prompt.latest_user_prompt_prefix
    if not latest or latest.isspace():
        first = prompt.user_prompt_prefix
        if not first or first.isspace():
            return False
    caller = message.caller
    # All that is set in one question: every field of a caller is an identifier.
    for _, text in caller.ListFields():
        if not 0 < len(text) <= IDENTIFIER_CODE_POINTS or text != text.strip():
            return False
    return bool(caller.user_id and (caller.session_id or caller.machine_id))
