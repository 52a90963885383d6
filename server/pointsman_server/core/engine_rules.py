"""Engines as the policy file configures them. Durations are in seconds, prices in US dollars."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakerRules:
    """When an engine's circuit opens."""

    failures: int = 5
    """Consecutive failures that open the circuit."""
    pause: float = 10.0
    """Seconds until a single probe is let through."""
    slow: float = 0.25
    """A call cut off by the caller's deadline counts as a failure if it took this long; below the
    deadlines that gateways give, or their outages would never open the circuit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteRules:
    """A remote engine: its address, its bounds and the source of its key."""

    url: str
    """Base URL, to which the engine's path is appended; `unix:/path` for a Unix domain socket."""
    timeout: float = 5.0
    connect_retries: int = 0
    max_connections: int = 64
    max_in_flight: int = 128
    """Concurrent calls; one more is left to the next engine."""
    key_env: str | None = None
    key_file: str | None = None
    """Wins over `key_env`; read again when it changes."""
    price_per_call: float = 0.0
    breaker: BreakerRules = BreakerRules()


@dataclass(frozen=True, slots=True, kw_only=True)
class MorphRules(RemoteRules):
    """Engine `morph`."""

    url: str = "https://api.morphllm.com"
    """Base URL; `/v1/router/multimodel` is appended."""
    key_env: str | None = "MORPH_API_KEY"
    price_per_call: float = 0.005
    """The vendor's list price, 2026-06."""


class DecisionFormat(StrEnum):
    """A wire format of decision models."""

    SYSTEM_ONE = "systemone"
    DECISIONS = "decisions"


EFFORTS: Final = 5
"""Levels of the effort scale."""
DOMAINS: Final = ("general", "summary", "coding", "design", "data")
"""Domains of requests, in the order of the wire and of artefacts."""


_TRIVIAL: Final = (
    "trivial: any small cheap model is right practically always; greetings, one-fact questions,"
    " reformatting a line, running a named command"
)
_SIMPLE: Final = (
    "simple: one clear step or a short well-known text or snippet; a small model is nearly always"
    " right"
)
_MODERATE: Final = (
    "moderate: several steps or real judgement, but standard; a mid-sized model mostly does it"
    " well, a small one often disappoints"
)
_DEMANDING: Final = (
    "demanding: many interacting parts, non-obvious reasoning or specialist knowledge; mid-sized"
    " models often fail, a frontier model mostly succeeds"
)
_EXPERT: Final = (
    "expert: even frontier models are often wrong or incomplete; deep multi-step reasoning or wide"
    " design"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class EffortQuestion:
    """The required capability of a model: a scale of five levels, the easiest first."""

    instructions: str = (
        "How capable must a language model be so that a demanding user is satisfied with its"
        " answer to this request? Judge the request as written; length alone is not effort."
    )
    levels: tuple[str, ...] = (_TRIVIAL, _SIMPLE, _MODERATE, _DEMANDING, _EXPERT)


@dataclass(frozen=True, slots=True, kw_only=True)
class DomainQuestion:
    """The main content of the answer: one of `DOMAINS`."""

    instructions: str = "What is the answer to this request mostly made of?"
    general: str = "everything else: knowledge, writing, maths, advice, role play, web tasks"
    summary: str = "condensing, extracting or rewriting a text that is given"
    coding: str = (
        "writing, changing, running, testing, explaining or debugging code, scripts, shells, builds"
    )
    design: str = (
        "architecture of systems, APIs, schemas, UI or visual design, planning how something"
        " should be built"
    )
    data: str = "queries, tables, statistics, analytics, charts, data cleaning"

    def options(self) -> tuple[tuple[str, str], ...]:
        """Domains with their descriptions, in the order of `DOMAINS`."""
        return tuple((name, getattr(self, name)) for name in DOMAINS)


@dataclass(frozen=True, slots=True, kw_only=True)
class YesNoQuestion:
    """A question whose answer is the probability of yes."""

    instructions: str
    yes: str
    no: str


NEEDS_INFO: Final = YesNoQuestion(
    instructions="Can this request not be sized or started without asking the user first?",
    yes="nobody could start without context that is not in the request: a vague wish, nothing"
    " shown, essential facts missing",
    no="it can be started, or answered in a general way; an agent with access to the repository"
    " could start",
)
TURN: Final = YesNoQuestion(
    instructions="Does this request carry no task of its own?",
    yes='it only continues or confirms something ("yes", "continue", "try again"), or is a bare'
    " paste of output without a question",
    no="it asks for something",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Questions:
    """The four questions that a decision model answers about a prompt."""

    effort: EffortQuestion = EffortQuestion()
    domain: DomainQuestion = DomainQuestion()
    needs_info: YesNoQuestion = NEEDS_INFO
    turn: YesNoQuestion = TURN


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionModelRules(RemoteRules):
    """A decision model: typed questions about the prompt in, probabilities out."""

    format: DecisionFormat
    model: str
    """The server's name for the model."""
    third_party: bool
    """Whether the prompt leaves for a third party: `data_policy` and `organizations` apply."""
    timeout: float = 2.0
    average_orders: bool = False
    """Ask effort and domain a second time with the options reversed, and average the answers."""
    questions: Questions = Questions()
