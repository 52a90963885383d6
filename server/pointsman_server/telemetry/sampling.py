"""Decides which calls are recorded before the SDK is touched.

An SDK span that is dropped still costs several microseconds, and most calls are dropped. So
`tracer.HeadTracer` throws the dice itself for a call that came without a trace, and starts a span
only when they say so; `HeadSampler` is the SDK's side of that.
"""

from __future__ import annotations

from collections.abc import Sequence

from opentelemetry.context import Context, create_key
from opentelemetry.sdk.trace.sampling import (
    ALWAYS_OFF,
    ALWAYS_ON,
    Decision,
    ParentBased,
    Sampler,
    SamplingResult,
    TraceIdRatioBased,
)
from opentelemetry.trace import Link, SpanKind, TraceState
from opentelemetry.util.types import Attributes

from pointsman_server.telemetry.config import SamplerRules

_SAMPLED_ROOT_KEY = create_key("pointsman-drawn")
SAMPLED_ROOT = Context({_SAMPLED_ROOT_KEY: True})
"""The context of a root span that was drawn to be recorded."""
RECORDED = Decision.RECORD_AND_SAMPLE


class HeadSampler(Sampler):
    """The SDK's sampler: records what was drawn, and asks the standard sampler of all else."""

    def __init__(self, rules: SamplerRules) -> None:
        root = root_sampler(rules.share)
        self._standard: Sampler = ParentBased(root) if rules.follow_caller else root

    def should_sample(  # noqa: PLR0917 - the interface is OpenTelemetry's
        self,
        parent_context: Context | None,
        trace_id: int,
        name: str,
        kind: SpanKind | None = None,
        attributes: Attributes = None,
        links: Sequence[Link] | None = None,
        trace_state: TraceState | None = None,
    ) -> SamplingResult:
        """Whether a span is recorded."""
        drawn = parent_context is not None and _SAMPLED_ROOT_KEY in parent_context
        sampler = ALWAYS_ON if drawn else self._standard
        return sampler.should_sample(
            parent_context, trace_id, name, kind, attributes, links, trace_state
        )

    def get_description(self) -> str:
        """For people."""
        return f"Head{{{self._standard.get_description()}}}"


def root_sampler(share: float) -> Sampler:
    """Records this share of traces, by their ids."""
    if share in (0.0, 1.0):
        return ALWAYS_ON if share else ALWAYS_OFF
    return TraceIdRatioBased(share)
