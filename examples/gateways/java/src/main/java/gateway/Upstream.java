package gateway;

import com.sun.net.httpserver.Headers;
import com.sun.net.httpserver.HttpExchange;
import io.opentelemetry.api.trace.Span;
import io.opentelemetry.api.trace.StatusCode;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.time.Duration;
import java.util.List;
import java.util.Locale;
import java.util.Set;

/** The provider that completions come from. */
final class Upstream {
  private static final List<String> SENT = List.of("authorization", "content-type", "accept");
  private static final Set<String> OF_THE_CONNECTION =
      Set.of("connection", "content-length", "transfer-encoding", "keep-alive");
  private static final int PIECE = 16 * 1024;

  private final HttpClient client =
      HttpClient.newBuilder()
          .version(HttpClient.Version.HTTP_1_1)
          .connectTimeout(Duration.ofSeconds(10))
          .build();
  private final URI completions;
  private final Tracing tracing;

  Upstream(String base, Tracing tracing) {
    this.completions = URI.create(base.replaceFirst("/$", "") + "/chat/completions");
    this.tracing = tracing;
  }

  /** Forwards a body with what the provider needs; the answer comes back as it is made. */
  void forward(byte[] body, HttpExchange exchange) throws IOException, InterruptedException {
    HttpResponse<InputStream> answer = post(body, exchange.getRequestHeaders());
    Headers headers = exchange.getResponseHeaders();
    answer.headers().map().forEach((name, values) -> {
      if (!OF_THE_CONNECTION.contains(name.toLowerCase(Locale.ROOT))) {
        headers.put(name, values);
      }
    });
    exchange.sendResponseHeaders(answer.statusCode(), 0);
    try (InputStream in = answer.body();
        OutputStream out = exchange.getResponseBody()) {
      byte[] piece = new byte[PIECE];
      for (int size = in.read(piece); size >= 0; size = in.read(piece)) {
        out.write(piece, 0, size);
        out.flush();
      }
    }
  }

  private HttpResponse<InputStream> post(byte[] body, Headers received)
      throws InterruptedException {
    HttpRequest.Builder request =
        HttpRequest.newBuilder(completions).POST(BodyPublishers.ofByteArray(body));
    for (String name : SENT) {
      if (received.getFirst(name) != null) {
        request.header(name, received.getFirst(name));
      }
    }
    Span span = tracing.client("POST");
    tracing.inject(span, request::header);
    try {
      return client.send(request.build(), BodyHandlers.ofInputStream());
    } catch (IOException error) {
      span.setStatus(StatusCode.ERROR);
      throw new Refused(502, "the provider does not answer");
    } finally {
      span.end();
    }
  }
}
