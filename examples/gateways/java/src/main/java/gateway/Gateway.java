package gateway;

import com.sun.net.httpserver.Headers;
import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import gateway.Router.Choice;
import gateway.Rules.Tier;
import io.opentelemetry.api.trace.Span;
import io.opentelemetry.api.trace.StatusCode;
import io.opentelemetry.context.Scope;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.Executors;
import java.util.stream.Stream;
import pointsman.v1.RouteDecision.Caller;
import pointsman.v1.RouteDecision.RouteDecisionRequest;
import pointsman.v1.RouteDecision.RoutingContext;

/** Serves OpenAI chat completions and asks Pointsman which model a tier means. */
final class Gateway {
  private static final System.Logger LOG = System.getLogger(Gateway.class.getName());
  private static final int BODY_LIMIT = 32 << 20;
  private static final int STOP_PATIENCE_SECONDS = 10;
  private static final String PATH = "/v1/chat/completions";

  private final Router router;
  private final Upstream upstream;
  private final Tracing tracing;
  private final boolean serves;

  private Gateway(Router router, Upstream upstream, Tracing tracing, boolean serves) {
    this.router = router;
    this.upstream = upstream;
    this.tracing = tracing;
    this.serves = serves;
  }

  public static void main(String[] arguments) throws IOException {
    String mode = env("MODE", "shadow");
    if (!mode.equals("shadow") && !mode.equals("serve")) {
      throw new IllegalArgumentException("MODE is " + mode + ", not shadow or serve");
    }
    Duration timeout = Duration.ofMillis(Long.parseLong(env("POINTSMAN_TIMEOUT_MS", "250")));
    Tracing tracing = new Tracing();
    Router router = new Router(env("POINTSMAN_ADDRESS", "127.0.0.1:50051"), timeout, tracing);
    Upstream upstream = new Upstream(env("UPSTREAM_URL", ""), tracing);
    Gateway gateway = new Gateway(router, upstream, tracing, mode.equals("serve"));

    int port = Integer.parseInt(env("PORT", "8080"));
    HttpServer server =
        HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), port), 0);
    server.createContext("/health", exchange -> answer(exchange, 200, "{\"status\":\"ok\"}"));
    server.createContext(PATH, gateway::handle);
    server.setExecutor(Executors.newCachedThreadPool());
    router.warmUp();
    server.start();
    LOG.log(System.Logger.Level.INFO, "gateway listening on http://127.0.0.1:" + port);
    Runtime.getRuntime()
        .addShutdownHook(
            new Thread(
                () -> {
                  server.stop(STOP_PATIENCE_SECONDS);
                  router.close();
                  tracing.close();
                }));
  }

  private void handle(HttpExchange exchange) throws IOException {
    Span span = tracing.server("POST " + PATH, exchange.getRequestHeaders());
    try (Scope current = span.makeCurrent()) {
      chatCompletions(exchange);
    } catch (Refused refused) {
      String error = "{\"error\":{\"message\":\"%s\",\"type\":\"invalid_request_error\"}}";
      answer(exchange, refused.status, error.formatted(refused.getMessage()));
    } catch (IOException | InterruptedException | RuntimeException error) {
      span.setStatus(StatusCode.ERROR);
      LOG.log(System.Logger.Level.ERROR, "a request failed", error);
    } finally {
      span.setAttribute("http.response.status_code", exchange.getResponseCode());
      span.end();
      exchange.close();
    }
  }

  private void chatCompletions(HttpExchange exchange) throws IOException, InterruptedException {
    if (!exchange.getRequestMethod().equals("POST")) {
      throw new Refused(405, "POST only");
    }
    byte[] body = exchange.getRequestBody().readNBytes(BODY_LIMIT + 1);
    if (body.length > BODY_LIMIT) {
      throw new Refused(413, "the body is too large");
    }
    Chat chat =
        Chat.read(body)
            .orElseThrow(() -> new Refused(400, "the body is not a chat completion request"));
    Choice choice = new Choice(chat.model(), "concrete");
    Optional<String> tier = Rules.tierName(chat.model());
    if (tier.isPresent()) {
      choice = choose(chat, tier.get(), exchange.getRequestHeaders(), body.length);
      body = chat.withModel(choice.model());
    }
    exchange.getResponseHeaders().set("X-Gateway-Model", choice.model());
    exchange.getResponseHeaders().set("X-Gateway-Why", choice.why());
    upstream.forward(body, exchange);
  }

  /** Serves the decision, or mirrors the question and serves the static pick. */
  private Choice choose(Chat chat, String name, Headers headers, int bodyBytes) {
    Tier tier = Rules.TIERS.get(name);
    if (tier == null) {
      throw new Refused(404, "no such tier");
    }
    String pick = tier.pick(headers.getFirst("X-Mode"));
    RoutingContext.Builder routing =
        RoutingContext.newBuilder()
            .setAutoModel(name)
            .addAllCandidateModels(tier.candidates())
            .setResolvedModel(pick);
    header(headers, "X-Incumbent-Model").ifPresent(routing::setIncumbentModel);
    boolean reset = header(headers, "X-Context-Reset").filter("true"::equals).isPresent();
    RouteDecisionRequest question =
        RouteDecisionRequest.newBuilder()
            .setPrompt(chat.prompt().toBuilder().setContextReset(reset))
            .setCaller(caller(chat, headers))
            .setRouting(routing)
            .setDataPolicy(chat.dataPolicy())
            .setConstraints(chat.constraints())
            .setRequestedModel(name)
            .setBodyBytes(bodyBytes)
            .build();
    if (serves) {
      return router.decide(question);
    }
    router.mirror(question);
    return new Choice(pick, "shadow");
  }

  /** Who asks; what is blank is left out, because Pointsman refuses blank ids. */
  private static Caller caller(Chat chat, Headers headers) {
    Caller.Builder caller =
        Caller.newBuilder()
            .setUserId(
                Stream.concat(header(headers, "X-User-Id").stream(), Stream.of(chat.user().strip()))
                    .filter(user -> !user.isEmpty())
                    .findFirst()
                    .orElse("anonymous"));
    header(headers, "X-Session-Id").ifPresent(caller::setSessionId);
    header(headers, "X-Agent-Id").ifPresent(caller::setAgentId);
    header(headers, "X-Mode").ifPresent(caller::setMode);
    return caller.build();
  }

  private static Optional<String> header(Headers headers, String name) {
    return Optional.ofNullable(headers.getFirst(name)).map(String::strip).filter(v -> !v.isEmpty());
  }

  private static void answer(HttpExchange exchange, int status, String json) throws IOException {
    byte[] body = json.getBytes(StandardCharsets.UTF_8);
    exchange.getResponseHeaders().set("Content-Type", "application/json");
    exchange.sendResponseHeaders(status, body.length);
    exchange.getResponseBody().write(body);
    exchange.close();
  }

  private static String env(String name, String otherwise) {
    return Optional.ofNullable(System.getenv(name)).orElse(otherwise);
  }
}
