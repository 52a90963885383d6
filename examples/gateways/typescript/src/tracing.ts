import { context, propagation, SpanKind, SpanStatusCode, trace, type Span } from "@opentelemetry/api";
import { W3CTraceContextPropagator } from "@opentelemetry/core";
import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-grpc";
import { detectResources, envDetector } from "@opentelemetry/resources";
import { BatchSpanProcessor, NodeTracerProvider } from "@opentelemetry/sdk-trace-node";

const tracer = trace.getTracer("gateway");

/**
 * Sets the W3C propagator, and exports spans by OTLP where an endpoint is set; the SDK reads the
 * rest of `OTEL_*` itself. The answer flushes.
 */
export function startTracing(): () => Promise<void> {
  const exporting = Boolean(process.env["OTEL_EXPORTER_OTLP_ENDPOINT"]);
  const provider = new NodeTracerProvider({
    resource: detectResources({ detectors: [envDetector] }),
    spanProcessors: exporting ? [new BatchSpanProcessor(new OTLPTraceExporter())] : [],
  });
  provider.register({ propagator: new W3CTraceContextPropagator() });
  return () => provider.shutdown();
}

/** Runs `work` in a server span below what the caller sent, or else in a root span. */
export function inServerSpan<T>(
  name: string,
  headers: Record<string, unknown>,
  work: (span: Span) => Promise<T>,
): Promise<T> {
  const above = propagation.extract(context.active(), headers);
  return tracer.startActiveSpan(name, { kind: SpanKind.SERVER }, above, (span) => ended(span, work));
}

/** Runs `work` in a client span; it gets the headers that carry the span on. */
export function inClientSpan<T>(
  name: string,
  work: (headers: Record<string, string>) => Promise<T>,
): Promise<T> {
  return tracer.startActiveSpan(name, { kind: SpanKind.CLIENT }, (span) => {
    return ended(span, () => work(currentHeaders()));
  });
}

/** The headers that carry the present span on. */
export function currentHeaders(): Record<string, string> {
  const headers: Record<string, string> = {};
  propagation.inject(context.active(), headers);
  return headers;
}

async function ended<T>(span: Span, work: (span: Span) => Promise<T>): Promise<T> {
  try {
    return await work(span);
  } catch (error) {
    span.setStatus({ code: SpanStatusCode.ERROR, message: (error as Error).message });
    throw error;
  } finally {
    span.end();
  }
}
