"""Cache keys of messages, as the core makes them of decoded requests; with a memo for repetitions.

An agent's tool loop sends one prompt many times in one conversation. The two keyed hashes that it
takes are a third of a cached decision; Python's own hash, whose seed is this process's secret,
takes a tenth of that.
"""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

from pointsman.v1 import route_decision_pb2 as pb

from pointsman_server.core.keys import Keys, content_bytes, message_bucket, task_bytes
from pointsman_server.core.model import PROMPT_CODE_POINTS, ConversationSource, Stickiness
from pointsman_server.lib.bounded_map import BoundedMap
from pointsman_server.transport.decode import API_KINDS
from pointsman_server.transport.validation import IDENTIFIER_CODE_POINTS

REMEMBERED = 32_768
"""Messages whose keys are remembered, by a 64-bit hash of what the keys are made of."""

_KINDS = {number: str(kind) for number, kind in API_KINDS.items()}


Who: TypeAlias = tuple[str, str, str, str, str]
"""Organization, user, session, agent and machine; empty where the conversation does not depend on
it. A plain tuple, because every call makes one."""


class MessageKeys(NamedTuple):
    """The keys of one message."""

    conversation: bytes
    """Identifies the conversation, and its slot in the cache."""
    decision: bytes
    """Identifies the decision in the cache."""
    source: ConversationSource


class MessageKeyMaker:
    """Makes the keys of messages whose texts need no trimming but the prompt's."""

    def __init__(self, keys: Keys) -> None:
        self._keys = keys
        self._made: BoundedMap[int, MessageKeys] = BoundedMap(REMEMBERED)

    def make(
        self,
        who: Who,
        prompt: pb.Prompt,
        texts: tuple[str, str],
        fingerprint: bytes,
        stickiness: Stickiness,
    ) -> MessageKeys:
        """Return the keys; `fingerprint` and `stickiness` are those of the plan.

        `texts` are the first and the latest user prompt: protobuf decodes a text at each reading.
        """
        if stickiness is Stickiness.ADAPTIVE:
            first, latest = texts
            mark = hash((who, fingerprint, first if not latest or latest.isspace() else latest))
        elif stickiness is Stickiness.CONVERSATION:
            mark = hash((who, fingerprint))
        else:
            mark = hash(
                (
                    who,
                    fingerprint,
                    texts,
                    prompt.system_prompt_prefix,
                    prompt.api_kind,
                    prompt.has_tools,
                    prompt.message_count,
                )
            )
        made = self._made.get(mark)
        if made is None:
            made = self._hashed(who, prompt, fingerprint, stickiness)
            self._made.remember(mark, made)
        return made

    def _hashed(
        self, who: Who, prompt: pb.Prompt, fingerprint: bytes, stickiness: Stickiness
    ) -> MessageKeys:
        organization, user, session, agent, machine = who
        source = ConversationSource.SESSION if session else ConversationSource.MACHINE
        conversation = self._keys.conversation_of(
            organization or None,
            user,
            source,
            session or machine,
            agent_id=agent or None,
        )
        within = conversation + fingerprint
        if stickiness is Stickiness.CONVERSATION:
            return MessageKeys(conversation, within, source)
        first = prompt.user_prompt_prefix.strip()[:PROMPT_CODE_POINTS]
        latest = prompt.latest_user_prompt_prefix.strip()[:PROMPT_CODE_POINTS]
        if stickiness is Stickiness.ADAPTIVE:
            bucket, content = None, task_bytes(latest or first)
        else:
            bucket = message_bucket(prompt.message_count)
            content = content_bytes(
                _KINDS[prompt.api_kind],
                has_tools=prompt.has_tools,
                system=prompt.system_prompt_prefix.strip(),
                first=first,
                latest=latest,
            )
        decision = self._keys.prompt_key(within, content, bucket=bucket)
        return MessageKeys(conversation, decision, source)


def plain_caller(caller: pb.Caller) -> Who | None:
    """The caller, if the decider would trim or refuse none of its fields."""
    user, session, machine = caller.user_id, caller.session_id, caller.machine_id
    if not (user and (session or machine)):
        return None
    agent, organization, request = caller.agent_id, caller.organization_id, caller.client_request_id
    mode, program = caller.mode, caller.user_agent
    joined = f"{user}{session}{machine}{agent}{organization}{request}{mode}"
    # Each field that is set takes two bytes more than its text, a blank one as well.
    optional = (session, machine, agent, organization, request, mode, program)
    fields = 1 + len(optional) - optional.count("")
    is_plain = (
        caller.ByteSize() == len(joined) + len(program) + 2 * fields
        and " " not in joined
        and joined.isprintable()
        and program == program.strip()
    ) or all(
        0 < len(text) <= IDENTIFIER_CODE_POINTS and text == text.strip()
        for _, text in caller.ListFields()
    )
    # A session identifies the conversation alone.
    return (organization, user, session, agent, "" if session else machine) if is_plain else None
