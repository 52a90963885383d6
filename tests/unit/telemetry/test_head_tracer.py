from collections.abc import Iterator

import pytest
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from pointsman_server.core.errors import EngineFailed
from pointsman_server.core.model import EngineFailure
from pointsman_server.telemetry.config import SamplerRules
from pointsman_server.telemetry.tracing.head_tracer import HeadSampler, HeadTracer

SAMPLED = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
UNSAMPLED = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"
TRACE_ID = 0x0AF7651916CD43DD8448EB211C80319C
PROPAGATOR = TraceContextTextMapPropagator()


class Setup:
    """A tracer over a real SDK with an exporter in memory."""

    def __init__(self, *, share: float, follow_caller: bool, shows: float, records: bool) -> None:
        rules = SamplerRules(share=share, follow_caller=follow_caller)
        self._exporter = InMemorySpanExporter()
        self.provider = TracerProvider(sampler=HeadSampler(rules), shutdown_on_exit=False)
        self.provider.add_span_processor(SimpleSpanProcessor(self._exporter))
        delegate = self.provider.get_tracer("test") if records else None
        self.tracer = HeadTracer(delegate, sampler=rules, random=lambda: shows)

    def call(self, traceparent: str | None) -> tuple[ReadableSpan, ...]:
        """One call with a child below it; the spans that were exported, children first."""
        header = {"traceparent": traceparent} if traceparent else {}
        context = PROPAGATOR.extract(header)
        with (
            self.tracer.start_as_current_span("server", context=context, kind=SpanKind.SERVER),
            self.tracer.start_as_current_span("child"),
        ):
            self.carried: dict[str, str] = {}
            PROPAGATOR.inject(self.carried)
        assert trace.get_current_span() is trace.INVALID_SPAN
        return self._exporter.get_finished_spans()


def setup(
    *, share: float = 0.5, follow_caller: bool = True, shows: float = 0.4, records: bool = True
) -> Setup:
    return Setup(share=share, follow_caller=follow_caller, shows=shows, records=records)


SAMPLING = [
    # share, follow_caller, dice, traceparent, recorded
    (0.5, True, 0.49, None, True),
    (0.5, True, 0.5, None, False),
    (1.0, True, 0.999, None, True),
    (0.0, True, 0.0, None, False),
    (0.0, True, 0.0, SAMPLED, True),
    (1.0, True, 0.0, UNSAMPLED, False),
    (1.0, False, 0.0, UNSAMPLED, True),
    (0.0, False, 0.0, SAMPLED, False),
    (1.0, True, 0.0, "00-nonsense", True),
    (0.0, True, 0.0, "00-nonsense", False),
]


@pytest.mark.parametrize(("share", "follow_caller", "shows", "traceparent", "recorded"), SAMPLING)
def test_a_call_is_recorded_as_the_sampler_says(
    share: float, follow_caller: bool, shows: float, traceparent: str | None, recorded: bool
) -> None:
    spans = setup(share=share, follow_caller=follow_caller, shows=shows).call(traceparent)

    assert [span.name for span in spans] == (["child", "server"] if recorded else [])


def test_a_drawn_call_starts_a_trace_and_its_children_follow() -> None:
    child, server = setup().call(None)

    assert server.parent is None
    assert child.parent is not None
    assert child.parent.span_id == server.context.span_id
    assert child.context.trace_id == server.context.trace_id


def test_a_recorded_call_continues_its_callers_trace() -> None:
    calls = setup()
    child, server = calls.call(SAMPLED)

    assert server.context.trace_id == TRACE_ID
    assert server.parent is not None
    assert server.parent.span_id == 0xB7AD6B7169203331
    assert calls.carried["traceparent"] == f"00-{TRACE_ID:032x}-{child.context.span_id:016x}-01"


@pytest.mark.parametrize("records", [True, False])
def test_what_is_not_recorded_hands_its_callers_trace_on(records: bool) -> None:
    calls = setup(records=records)

    assert calls.call(UNSAMPLED) == ()
    assert calls.carried == {"traceparent": UNSAMPLED}


def test_without_an_exporter_a_sampled_trace_is_handed_on_too() -> None:
    calls = setup(records=False)

    assert calls.call(SAMPLED) == ()
    assert calls.carried == {"traceparent": SAMPLED}


@pytest.mark.parametrize("records", [True, False])
def test_without_any_trace_nothing_is_handed_on(records: bool) -> None:
    calls = setup(shows=0.9, records=records)
    calls.call(None)

    assert calls.carried == {}


def test_no_span_starts_below_nothing() -> None:
    calls = setup(share=1.0)

    with calls.tracer.start_as_current_span("engine", kind=SpanKind.CLIENT) as span:
        assert not span.is_recording()
    assert calls.tracer.start_span("engine") is trace.INVALID_SPAN


@pytest.fixture
def calls() -> Iterator[Setup]:
    calls = setup(share=1.0)
    yield calls
    calls.provider.shutdown()


def spans_of(calls: Setup) -> tuple[ReadableSpan, ...]:
    return calls._exporter.get_finished_spans()


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (ValueError("canary of a prompt"), "ValueError"),
        (EngineFailed(EngineFailure(engine="morph", stage="http_503")), "http_503"),
    ],
)
def test_an_error_marks_its_span_without_its_text(
    calls: Setup, error: Exception, kind: str
) -> None:
    def fail() -> None:
        with calls.tracer.start_as_current_span(
            "server", context=Context(), kind=SpanKind.SERVER, record_exception=True
        ):
            raise error

    with pytest.raises(type(error)):
        fail()

    (span,) = spans_of(calls)
    assert span.status.status_code is StatusCode.ERROR
    assert span.status.description is None
    assert dict(span.attributes or {}) == {"error.type": kind}
    assert span.events == ()


def test_an_error_may_be_left_to_the_caller_to_judge(calls: Setup) -> None:
    def fail() -> None:
        with calls.tracer.start_as_current_span(
            "server", context=Context(), kind=SpanKind.SERVER, set_status_on_exception=False
        ):
            raise KeyError

    with pytest.raises(KeyError):
        fail()

    (span,) = spans_of(calls)
    assert span.status.status_code is StatusCode.UNSET


def test_a_span_can_be_ended_by_hand(calls: Setup) -> None:
    with calls.tracer.start_as_current_span(
        "server", context=Context(), kind=SpanKind.SERVER, end_on_exit=False
    ) as span:
        pass
    assert spans_of(calls) == ()
    span.end()
    assert len(spans_of(calls)) == 1


def test_the_share_is_met_over_many_calls() -> None:
    rules = SamplerRules(share=0.1, follow_caller=True)
    shows = iter([number / 1_000 for number in range(1_000)])
    provider = TracerProvider(sampler=HeadSampler(rules), shutdown_on_exit=False)
    tracer = HeadTracer(provider.get_tracer("t"), sampler=rules, random=lambda: next(shows))

    recorded = 0
    for _ in range(1_000):
        with tracer.start_as_current_span("s", context=Context(), kind=SpanKind.SERVER) as span:
            recorded += span.is_recording()

    assert recorded == 100
    provider.shutdown()
