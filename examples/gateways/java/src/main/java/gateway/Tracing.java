package gateway;

import com.sun.net.httpserver.Headers;
import io.grpc.CallOptions;
import io.grpc.Channel;
import io.grpc.ClientCall;
import io.grpc.ClientInterceptor;
import io.grpc.ForwardingClientCall.SimpleForwardingClientCall;
import io.grpc.ForwardingClientCallListener.SimpleForwardingClientCallListener;
import io.grpc.Metadata;
import io.grpc.MethodDescriptor;
import io.grpc.Status;
import io.opentelemetry.api.trace.Span;
import io.opentelemetry.api.trace.SpanKind;
import io.opentelemetry.api.trace.StatusCode;
import io.opentelemetry.api.trace.Tracer;
import io.opentelemetry.context.Context;
import io.opentelemetry.context.propagation.TextMapGetter;
import io.opentelemetry.context.propagation.TextMapPropagator;
import io.opentelemetry.sdk.OpenTelemetrySdk;
import io.opentelemetry.sdk.autoconfigure.AutoConfiguredOpenTelemetrySdk;
import java.util.Map;
import java.util.function.BiConsumer;

/** Spans of this gateway, and the W3C trace context that goes on with its calls. */
final class Tracing implements ClientInterceptor, AutoCloseable {
  private static final TextMapGetter<Headers> HEADERS =
      new TextMapGetter<>() {
        @Override
        public Iterable<String> keys(Headers headers) {
          return headers.keySet();
        }

        @Override
        public String get(Headers headers, String name) {
          return headers == null ? null : headers.getFirst(name);
        }
      };

  private final OpenTelemetrySdk sdk;
  private final Tracer tracer;
  private final TextMapPropagator propagator;

  /** Exports by OTLP where an endpoint is set; the SDK reads the rest of {@code OTEL_*} itself. */
  Tracing() {
    boolean exporting = System.getenv("OTEL_EXPORTER_OTLP_ENDPOINT") != null;
    Map<String, String> defaults =
        Map.of(
            "otel.traces.exporter", exporting ? "otlp" : "none",
            "otel.exporter.otlp.protocol", "grpc",
            "otel.metrics.exporter", "none",
            "otel.logs.exporter", "none",
            "otel.propagators", "tracecontext");
    this.sdk =
        AutoConfiguredOpenTelemetrySdk.builder()
            .addPropertiesSupplier(() -> defaults)
            .build()
            .getOpenTelemetrySdk();
    this.tracer = sdk.getTracer("gateway");
    this.propagator = sdk.getPropagators().getTextMapPropagator();
  }

  /** A server span below what the caller sent, or else a root span. */
  Span server(String name, Headers headers) {
    Context above = propagator.extract(Context.root(), headers, HEADERS);
    return tracer.spanBuilder(name).setSpanKind(SpanKind.SERVER).setParent(above).startSpan();
  }

  /** A client span below the current one. */
  Span client(String name) {
    return tracer.spanBuilder(name).setSpanKind(SpanKind.CLIENT).startSpan();
  }

  /** Hands the headers that carry a span on to {@code set}. */
  void inject(Span span, BiConsumer<String, String> set) {
    propagator.inject(Context.current().with(span), set, (to, name, value) -> to.accept(name, value));
  }

  @Override
  public <Q, A> ClientCall<Q, A> interceptCall(
      MethodDescriptor<Q, A> method, CallOptions options, Channel next) {
    Span span = client(method.getFullMethodName());
    return new SimpleForwardingClientCall<>(next.newCall(method, options)) {
      @Override
      public void start(Listener<A> listener, Metadata metadata) {
        inject(
            span,
            (name, value) ->
                metadata.put(Metadata.Key.of(name, Metadata.ASCII_STRING_MARSHALLER), value));
        super.start(ending(span, listener), metadata);
      }
    };
  }

  private static <A> ClientCall.Listener<A> ending(Span span, ClientCall.Listener<A> listener) {
    return new SimpleForwardingClientCallListener<>(listener) {
      @Override
      public void onClose(Status status, Metadata trailers) {
        if (!status.isOk()) {
          span.setStatus(StatusCode.ERROR, status.getCode().name());
        }
        span.end();
        super.onClose(status, trailers);
      }
    };
  }

  @Override
  public void close() {
    sdk.close();
  }
}
