"""The tracer that other rooms open spans with. It samples before the SDK is touched.

An SDK span that is dropped still costs several microseconds, and most calls are dropped.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext

from opentelemetry.context import Context, attach, create_key, detach
from opentelemetry.sdk.trace.sampling import (
    ALWAYS_OFF,
    ALWAYS_ON,
    Decision,
    ParentBased,
    Sampler,
    SamplingResult,
    TraceIdRatioBased,
)
from opentelemetry.trace import (
    INVALID_SPAN,
    Link,
    Span,
    SpanContext,
    SpanKind,
    StatusCode,
    Tracer,
    TraceState,
    get_current_span,
    set_span_in_context,
    use_span,
)
from opentelemetry.util.types import Attributes

from pointsman_server.core.errors import EngineFailed
from pointsman_server.telemetry.attributes import ERROR_TYPE
from pointsman_server.telemetry.config import SamplerRules

_SAMPLED_ROOT_KEY = create_key("pointsman-sampled-root")
SAMPLED_ROOT = Context({_SAMPLED_ROOT_KEY: True})
"""The context of a sampled root span."""
RECORDED = Decision.RECORD_AND_SAMPLE


class HeadTracer(Tracer):
    """Decides before the SDK is touched, since even a span that it drops costs microseconds.

    * A span of kind `SERVER` follows its caller's trace or is sampled.
    * Any other starts only below a span that records. An SDK's tracer would make each engine call
      of an unrecorded request the root of a separate trace.
    * An error that leaves a span marks it by its stage or type, never by its text, which may quote
      a prompt; so exceptions are never recorded as events.

    An unrecorded span still propagates the caller's trace.
    """

    def __init__(
        self, delegate: Tracer | None, *, sampler: SamplerRules, random: Callable[[], float]
    ) -> None:
        """`delegate` is the SDK's tracer with a `HeadSampler`; `None`: nothing is recorded."""
        self._delegate = delegate
        self._sampler = sampler
        self._root = root_sampler(sampler.share)
        self._random = random

    def samples(self, caller: SpanContext) -> bool:
        """Whether a span of kind `SERVER` below `caller` is recorded; below none, dice decide."""
        if self._delegate is None:
            return False
        if not caller.is_valid:
            return self._random() < self._sampler.share
        if self._sampler.follow_caller:
            return caller.trace_flags.sampled
        return self._root.should_sample(None, caller.trace_id, "").decision is RECORDED

    def start_span(  # noqa: PLR0917 - the interface is OpenTelemetry's
        self,
        name: str,
        context: Context | None = None,
        kind: SpanKind = SpanKind.INTERNAL,
        attributes: Attributes = None,
        links: Sequence[Link] | None = None,
        start_time: int | None = None,
        record_exception: bool = False,  # noqa: ARG002 - see the class
        set_status_on_exception: bool = True,  # noqa: ARG002 - of no use without a block
    ) -> Span:
        """A span that records, or one that only stands for the caller's trace."""
        parent = get_current_span(context)
        unrecorded = None if context is SAMPLED_ROOT else self._unrecorded(parent, kind)
        if unrecorded is not None or self._delegate is None:
            return unrecorded or parent
        return self._delegate.start_span(
            name,
            context=context if parent.get_span_context().is_valid else SAMPLED_ROOT,
            kind=kind,
            attributes=attributes,
            links=links,
            start_time=start_time,
            record_exception=False,
            set_status_on_exception=False,
        )

    def start_as_current_span(  # type: ignore[override]  # noqa: PLR0917 - lighter than theirs
        self,
        name: str,
        context: Context | None = None,
        kind: SpanKind = SpanKind.INTERNAL,
        attributes: Attributes = None,
        links: Sequence[Link] | None = None,
        start_time: int | None = None,
        record_exception: bool = False,  # noqa: ARG002 - see the class
        set_status_on_exception: bool = True,
        end_on_exit: bool = True,
    ) -> AbstractContextManager[Span]:
        """Like `start_span`, and current inside the block."""
        span = self.start_span(name, context, kind, attributes, links, start_time)
        if span.is_recording():
            return _current(span, mark=set_status_on_exception, end=end_on_exit)
        if span is INVALID_SPAN or kind is not SpanKind.SERVER:
            return nullcontext(span)
        return _HandedOn(span)

    def _unrecorded(self, parent: Span, kind: SpanKind) -> Span | None:
        """The placeholder of an unrecorded span; `None`: use the SDK."""
        if self._delegate is None:
            return parent
        if kind is not SpanKind.SERVER:
            return None if parent.is_recording() else parent
        caller = parent.get_span_context()
        if not caller.is_valid:
            return None if self._random() < self._sampler.share else INVALID_SPAN
        dropped = self._sampler.follow_caller and not caller.trace_flags.sampled
        return parent if dropped else None


class _HandedOn(AbstractContextManager[Span]):
    """Makes current a span that does not record; `use_span` takes four times as long."""

    __slots__ = ("_span", "_token")

    def __init__(self, span: Span) -> None:
        self._span = span

    def __enter__(self) -> Span:
        self._token = attach(set_span_in_context(self._span))
        return self._span

    def __exit__(self, *_: object) -> None:
        detach(self._token)


@contextmanager
def _current(span: Span, *, mark: bool, end: bool) -> Iterator[Span]:
    try:
        with use_span(span, record_exception=False, set_status_on_exception=False):
            yield span
    except Exception as error:
        if mark:
            mark_failed(span, error)
        raise
    finally:
        if end:
            span.end()


def mark_failed(span: Span, error: Exception) -> None:
    """Make `span` an error, with an engine's stage or the error's type as `error.type`."""
    kind = type(error).__qualname__
    if isinstance(error, EngineFailed):
        kind = error.failure.stage
    span.set_attribute(ERROR_TYPE, kind)
    span.set_status(StatusCode.ERROR)


class HeadSampler(Sampler):
    """The SDK's sampler: records sampled spans, and uses the standard sampler for all others."""

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
        sampled = parent_context is not None and _SAMPLED_ROOT_KEY in parent_context
        sampler = ALWAYS_ON if sampled else self._standard
        return sampler.should_sample(
            parent_context, trace_id, name, kind, attributes, links, trace_state
        )

    def get_description(self) -> str:
        """Describe the sampler for logs."""
        return f"Head{{{self._standard.get_description()}}}"


def root_sampler(share: float) -> Sampler:
    """Records this share of traces, by their ids."""
    if share in (0.0, 1.0):
        return ALWAYS_ON if share else ALWAYS_OFF
    return TraceIdRatioBased(share)
