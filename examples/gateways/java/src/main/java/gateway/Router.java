package gateway;

import com.google.common.util.concurrent.FutureCallback;
import com.google.common.util.concurrent.Futures;
import com.google.common.util.concurrent.MoreExecutors;
import io.grpc.CallCredentials;
import io.grpc.ClientInterceptor;
import io.grpc.Grpc;
import io.grpc.ManagedChannel;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import java.io.IOException;
import java.time.Duration;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import pointsman.v1.RouteDecision.Caller;
import pointsman.v1.RouteDecision.DataPolicy;
import pointsman.v1.RouteDecision.Prompt;
import pointsman.v1.RouteDecision.RouteDecisionRequest;
import pointsman.v1.RouteDecision.RouteDecisionResponse;
import pointsman.v1.RouteDecision.RoutingContext;
import pointsman.v1.RoutingServiceGrpc;

/** Asks Pointsman, and never makes a request worse: without an answer the static pick serves. */
final class Router implements AutoCloseable {
  private static final System.Logger LOG = System.getLogger(Router.class.getName());
  private static final Duration WARM_UP_TIMEOUT = Duration.ofSeconds(2);
  private static final Duration MIRROR_TIMEOUT = Duration.ofSeconds(5);
  private static final int MIRRORS_AT_ONCE = 64;
  private static final int LONGEST_PAUSE_SECONDS = 5;

  private final ManagedChannel channel;
  private final Duration timeout;
  /** Null: no token. */
  private final CallCredentials token = Secrets.token().orElse(null);
  private final ScheduledExecutorService reconnecting =
      Executors.newSingleThreadScheduledExecutor();
  private final Semaphore mirrors = new Semaphore(MIRRORS_AT_ONCE);

  Router(String address, Duration timeout, ClientInterceptor tracing) throws IOException {
    this.channel =
        Grpc.newChannelBuilder(address, Secrets.channel()).intercept(tracing).build();
    this.timeout = timeout;
    // gRPC pauses up to two minutes before it tries again to connect, and has no setting for it.
    reconnecting.scheduleWithFixedDelay(
        channel::resetConnectBackoff,
        LONGEST_PAUSE_SECONDS,
        LONGEST_PAUSE_SECONDS,
        TimeUnit.SECONDS);
  }

  /** Connects and loads classes, so that the first request does not pay for it. */
  void warmUp() {
    RouteDecisionRequest question =
        RouteDecisionRequest.newBuilder()
            .setPrompt(Prompt.newBuilder().setUserPromptPrefix("warm-up"))
            .setCaller(Caller.newBuilder().setUserId("warm-up"))
            .setRouting(RoutingContext.newBuilder().setAutoModel("warm-up"))
            .setDataPolicy(DataPolicy.DATA_POLICY_THIRD_PARTY_DENIED)
            .setDryRun(true)
            .build();
    try {
      ask(question, WARM_UP_TIMEOUT);
    } catch (StatusRuntimeException error) {
      LOG.log(System.Logger.Level.WARNING, "Pointsman is not there yet: {0}", status(error));
    }
  }

  /**
   * The model to serve and whose it is: {@code routed} by Pointsman, or the static pick with
   * ({@code static}) or without ({@code fallback}) its word.
   */
  record Choice(String model, String why) {}

  Choice decide(RouteDecisionRequest question) {
    String pick = question.getRouting().getResolvedModel();
    try {
      RouteDecisionResponse answer = ask(question, timeout);
      String model = answer.getServeModel().isEmpty() ? pick : answer.getServeModel();
      boolean routed =
          answer.hasDecision()
              && answer.getDecision().getModel().equals(model)
              && !answer.getShadow();
      return new Choice(model, routed ? "routed" : "static");
    } catch (StatusRuntimeException error) {
      LOG.log(System.Logger.Level.WARNING, "no decision, the static pick serves: {0}", status(error));
      return new Choice(pick, "fallback");
    }
  }

  /** Asks in the background and tells nobody; what is too much is dropped. */
  void mirror(RouteDecisionRequest question) {
    if (!mirrors.tryAcquire()) {
      LOG.log(System.Logger.Level.WARNING, "mirror dropped");
      return;
    }
    Futures.addCallback(
        RoutingServiceGrpc.newFutureStub(channel)
            .withCallCredentials(token)
            .withDeadlineAfter(MIRROR_TIMEOUT.toMillis(), TimeUnit.MILLISECONDS)
            .routeDecision(question),
        new FutureCallback<>() {
          @Override
          public void onSuccess(RouteDecisionResponse answer) {
            mirrors.release();
          }

          @Override
          public void onFailure(Throwable error) {
            mirrors.release();
            LOG.log(System.Logger.Level.WARNING, "mirror failed: {0}", status(error));
          }
        },
        MoreExecutors.directExecutor());
  }

  @Override
  public void close() {
    reconnecting.shutdown();
    channel.shutdown();
  }

  private RouteDecisionResponse ask(RouteDecisionRequest question, Duration patience) {
    return RoutingServiceGrpc.newBlockingStub(channel)
        .withCallCredentials(token)
        .withDeadlineAfter(patience.toMillis(), TimeUnit.MILLISECONDS)
        .routeDecision(question);
  }

  private static String status(Throwable error) {
    return Status.fromThrowable(error).getCode().name();
  }
}
