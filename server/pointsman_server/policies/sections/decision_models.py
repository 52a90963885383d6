"""`engines.decision_models`: decision models by name, and the questions that they answer."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from pointsman_server.core.engine_rules import (
    EFFORTS,
    NEEDS_INFO,
    TURN,
    DecisionFormat,
    DecisionModelRules,
    DomainQuestion,
    EffortQuestion,
    Questions,
    YesNoQuestion,
)
from pointsman_server.policies.sections.base import Section
from pointsman_server.policies.sections.lists import DISTINCT, ListOf
from pointsman_server.policies.sections.remote import RemoteSection
from pointsman_server.policies.sections.scalars import duration, name, phrase
from pointsman_server.policies.sections.urls import engine_url, is_third_party

Text = Annotated[str, phrase(1_000)]

_EFFORT = EffortQuestion()
_DOMAIN = DomainQuestion()


class EffortSection(Section):
    """The required capability of a model, on a scale of five levels."""

    instructions: Text = _EFFORT.instructions
    """The question."""
    levels: Annotated[ListOf[Text], Field(min_length=EFFORTS, max_length=EFFORTS), DISTINCT] = (
        _EFFORT.levels
    )
    """The five levels, the easiest first."""

    def to_core(self) -> EffortQuestion:
        """Give the section as a core value."""
        return EffortQuestion(**self.model_dump())


class DomainSection(Section):
    """The main content of the answer."""

    instructions: Text = _DOMAIN.instructions
    """The question."""
    general: Text = _DOMAIN.general
    """The description of option `general`."""
    summary: Text = _DOMAIN.summary
    """The description of option `summary`."""
    coding: Text = _DOMAIN.coding
    """The description of option `coding`."""
    design: Text = _DOMAIN.design
    """The description of option `design`."""
    data: Text = _DOMAIN.data
    """The description of option `data`."""

    def to_core(self) -> DomainQuestion:
        """Give the section as a core value."""
        return DomainQuestion(**self.model_dump())


class NeedsInfoSection(Section):
    """Whether the request cannot be sized or started without asking the user first."""

    instructions: Text = NEEDS_INFO.instructions
    """The question."""
    when_yes: Text = NEEDS_INFO.yes
    """When the answer is yes."""
    when_no: Text = NEEDS_INFO.no
    """When the answer is no."""


class TurnSection(Section):
    """Whether the request only continues a conversation."""

    instructions: Text = TURN.instructions
    """The question."""
    when_yes: Text = TURN.yes
    """When the answer is yes."""
    when_no: Text = TURN.no
    """When the answer is no."""


class QuestionsSection(Section):
    """The texts of the four questions."""

    effort: EffortSection = EffortSection()
    """The question about effort."""
    domain: DomainSection = DomainSection()
    """The question about the domain."""
    needs_info: NeedsInfoSection = NeedsInfoSection()
    """The question whether the request lacks necessary information."""
    turn: TurnSection = TurnSection()
    """The question whether the request carries a task."""

    def to_core(self) -> Questions:
        """Give the section as a core value."""
        return Questions(
            effort=self.effort.to_core(),
            domain=self.domain.to_core(),
            needs_info=_yes_no(self.needs_info),
            turn=_yes_no(self.turn),
        )


def _yes_no(section: NeedsInfoSection | TurnSection) -> YesNoQuestion:
    return YesNoQuestion(
        instructions=section.instructions, yes=section.when_yes, no=section.when_no
    )


class DecisionModelSection(RemoteSection):
    """A decision model. It is called only while `decision_model_enabled` is on."""

    url: Annotated[str, engine_url()]
    """Base URL, or `unix:/path` of a socket. `/v1/systemone` or `/v1/decisions` is appended."""
    format: Literal["systemone", "decisions"]
    """The wire format: `systemone` or `decisions`."""
    model: Annotated[str, name()]
    """The server's name for the model."""
    timeout: Annotated[float, duration("1ms", "1m")] = 2.0
    """The longest that a call may take; a caller's deadline may leave less."""
    third_party: bool | None = None
    """Whether a prompt that is sent to it leaves for a third party, so that `data_policy` and
    `organizations` apply. Default: unless the address is a loopback address or a Unix socket.
    """
    average_orders: bool = False
    """Ask effort and domain a second time with the options reversed, and average the answers: the
    order of options biases decision models.
    """
    questions: QuestionsSection = QuestionsSection()
    """The texts of the questions."""

    def to_core(self) -> DecisionModelRules:
        """Give the section as a core value."""
        third_party = is_third_party(self.url) if self.third_party is None else self.third_party
        return DecisionModelRules(
            **self.shared(),
            format=DecisionFormat(self.format),
            model=self.model,
            third_party=third_party,
            average_orders=self.average_orders,
            questions=self.questions.to_core(),
        )
