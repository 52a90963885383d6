//! Spans of this gateway, and the W3C trace context that goes on with its calls.

use axum::http::HeaderMap;
use opentelemetry::trace::{FutureExt, SpanKind, Status, TraceContextExt, Tracer};
use opentelemetry::{Context, global};
use opentelemetry_http::{HeaderExtractor, HeaderInjector};
use opentelemetry_otlp::SpanExporter;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::SdkTracerProvider;

/// Sets the W3C propagator, and exports spans by OTLP where an endpoint is set; the SDK reads the
/// rest of `OTEL_*` itself. Shut the provider down at the end.
pub fn start() -> Result<SdkTracerProvider, Box<dyn std::error::Error>> {
    global::set_text_map_propagator(TraceContextPropagator::new());
    let mut provider = SdkTracerProvider::builder();
    if std::env::var_os("OTEL_EXPORTER_OTLP_ENDPOINT").is_some() {
        provider = provider.with_batch_exporter(SpanExporter::builder().with_tonic().build()?);
    }
    let provider = provider.build();
    global::set_tracer_provider(provider.clone());
    Ok(provider)
}

/// Runs `work` in a server span below the caller's span, or in a root span.
pub async fn in_server_span<T>(
    name: &'static str,
    headers: &HeaderMap,
    work: impl Future<Output = T>,
) -> T {
    let above = global::get_text_map_propagator(|p| p.extract(&HeaderExtractor(headers)));
    let trace = started(name, SpanKind::Server, &above);
    let done = work.with_context(trace.clone()).await;
    trace.span().end();
    done
}

/// Runs `work` in a client span below the current one; it gets the headers that propagate the span.
pub async fn in_client_span<T, E>(
    name: &'static str,
    work: impl AsyncFnOnce(Trace) -> Result<T, E>,
) -> Result<T, E> {
    let trace = started(name, SpanKind::Client, &Context::current());
    let done = work(Trace(trace.clone())).await;
    if done.is_err() {
        trace.span().set_status(Status::error(""));
    }
    trace.span().end();
    done
}

/// The headers that propagate a span.
pub struct Trace(Context);

impl Trace {
    pub fn inject(&self, headers: &mut HeaderMap) {
        global::get_text_map_propagator(|p| {
            p.inject_context(&self.0, &mut HeaderInjector(headers))
        });
    }
}

fn started(name: &'static str, kind: SpanKind, above: &Context) -> Context {
    let tracer = global::tracer("gateway");
    let span = tracer
        .span_builder(name)
        .with_kind(kind)
        .start_with_context(&tracer, above);
    above.with_span(span)
}
