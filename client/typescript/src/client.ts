/** The client: `route` throws errors, `decide` answers the static pick, `mirror` is silent. */
import { createClient, type CallOptions as RpcOptions, type Client } from "@connectrpc/connect";
import { Batching } from "./batching.js";
import { answered, checkOffered, fallback, type Choice } from "./choice.js";
import { RoutingError, routingErrorOf } from "./errors.js";
import {
  attemptsOf,
  runAttempts,
  streamAttempts,
  type FallbackOptions,
  type FallbackResult,
  type StreamCall,
} from "./fallback.js";
import type { DescribeRoutingResponse } from "./gen/pointsman/v1/describe_routing_pb.js";
import type { Attempt, ResolveRouteResponse } from "./gen/pointsman/v1/resolve_route_pb.js";
import type { RouteDecisionRequest, RouteDecisionResponse } from "./gen/pointsman/v1/route_decision_pb.js";
import { RoutingService } from "./gen/pointsman/v1/routing_service_pb.js";
import { routeMany, type Answer } from "./many.js";
import { Mirror, type MirrorCounts } from "./mirror.js";
import { checkedMs, type CallOptions, type ClientOptions, type Connection, type ResolveFields } from "./options.js";
import { requestOf, staticPickOf, type Questionlike } from "./question.js";
import { Retries } from "./retries.js";
import { RunAffinity } from "./runs.js";
import { Streaming } from "./streaming.js";

/** Client of one Pointsman service. Open it once, share it, close it. */
export class RoutingClient {
  readonly #rpc: Client<typeof RoutingService>;
  readonly #connection: Connection;
  readonly #timeoutMs: number;
  readonly #decideTimeoutMs: number;
  readonly #headers: () => Record<string, string>;
  readonly #retries: Retries;
  readonly #mirror: Mirror;
  readonly #shared: Batching | Streaming | undefined;
  readonly #runs = new RunAffinity();
  #closed = false;

  constructor(connection: Connection, options: ClientOptions = {}) {
    this.#connection = connection;
    this.#rpc = createClient(RoutingService, connection.transport);
    this.#timeoutMs = checkedMs(options.timeoutMs ?? 2000);
    this.#decideTimeoutMs = checkedMs(options.decideTimeoutMs ?? 500);
    this.#headers = options.headers ?? (() => ({}));
    this.#retries = new Retries(options.retries ?? 2);
    this.#mirror = new Mirror(options.mirror);
    this.#shared = this.#sharedBy(options.transport ?? "unary");
  }

  /**
   * The model to serve. Without an answer from the service it is the static pick, with the reason. It
   * throws for a mistake in the calling code (`RangeError` for a deadline) and for the caller's own
   * cancellation, never for the service.
   */
  async decide(question: Questionlike, options: CallOptions = {}): Promise<Choice> {
    const timeoutMs = checkedMs(options.timeoutMs ?? this.#decideTimeoutMs);
    const staticPick = staticPickOf(question);
    try {
      return answered(await this.#route(requestOf(question), { ...options, timeoutMs }), staticPick);
    } catch (error) {
      options.signal?.throwIfAborted();
      return fallback(routingErrorOf(error), staticPick);
    }
  }

  /** The answer of the service; rejects with a `RoutingError`. Outcome `FAILED` is an answer too. */
  async route(question: Questionlike, options: CallOptions = {}): Promise<RouteDecisionResponse> {
    const timeoutMs = checkedMs(options.timeoutMs ?? this.#timeoutMs);
    return this.#route(requestOf(question), { ...options, timeoutMs });
  }

  /**
   * `decide` for many questions, in few calls: the models to serve, in the order of the questions. The
   * slowest decision of a call delays the others.
   */
  async decideMany(questions: readonly Questionlike[], options: CallOptions = {}): Promise<Choice[]> {
    const timeoutMs = checkedMs(options.timeoutMs ?? this.#decideTimeoutMs);
    const answers = await this.routeMany(questions, { ...options, timeoutMs });
    options.signal?.throwIfAborted();
    return answers.map(({ result, error }, at) => {
      const staticPick = staticPickOf(questions[at]!);
      return error === undefined ? answered(result, staticPick) : fallback(error, staticPick);
    });
  }

  /** `route` for many questions, in few calls: an answer or an error for each, in their order. */
  async routeMany(questions: readonly Questionlike[], options: CallOptions = {}): Promise<Answer[]> {
    const timeoutMs = checkedMs(options.timeoutMs ?? this.#timeoutMs);
    const built = questions.map(requestOrError);
    const requests = built.flatMap(({ request }) => (request === undefined ? [] : [request]));
    const answers = (await this.#many(requests, { ...options, timeoutMs })).values();
    return built.map(({ error }) => (error === undefined ? answers.next().value! : { error }));
  }

  /** Calls in the background, for shadow traffic; false if the request was dropped or unusable. */
  mirror(question: Questionlike): boolean {
    try {
      const request = requestOf(question);
      const headers = this.#headers(); // those of now, not those of the moment of sending
      return this.#mirror.submit((timeoutMs) => this.#route(request, { timeoutMs, headers }));
    } catch (error) {
      return this.#mirror.refuse(routingErrorOf(error));
    }
  }

  /** Counts of the mirrored requests so far. */
  get mirrored(): MirrorCounts {
    return this.#mirror.counts;
  }

  /** The LLM configs to try for a purpose, in order; rejects with a `RoutingError`. */
  async resolve(
    purpose: string,
    runId: string,
    fields: ResolveFields = {},
    options: CallOptions = {},
  ): Promise<ResolveRouteResponse> {
    const request = { ...fields, purpose, runId };
    return this.#call((rpc) => this.#rpc.resolveRoute(request, rpc), options);
  }

  /**
   * Resolves a purpose and runs `call` with one attempt after the other while its errors are
   * eligible. Rejects with the last error, or with a `RoutingError` if there is nothing to try. Within a
   * run later calls begin with the attempt that served the one before.
   */
  async runWithFallback<T>(
    purpose: string,
    runId: string,
    call: (attempt: Attempt) => Promise<T>,
    options: ResolveFields & FallbackOptions = {},
  ): Promise<FallbackResult<T>> {
    const { attemptTimeoutMs, otherwise, ...fields } = options;
    const route = await attemptsOf(this.resolve(purpose, runId, fields), { purpose, runId, otherwise });
    return runAttempts(route, call, { attemptTimeoutMs, runs: this.#runs });
  }

  /**
   * `runWithFallback` for streams: an attempt succeeds with its first chunk. Until then an error leads to
   * the next attempt, and so does a stream that ends before it. Later errors are thrown as they are. Leaving
   * the loop ends the stream.
   */
  async *streamWithFallback<T>(
    purpose: string,
    runId: string,
    call: StreamCall<T>,
    options: ResolveFields & FallbackOptions = {},
  ): AsyncGenerator<T, void, undefined> {
    const { attemptTimeoutMs, otherwise, ...fields } = options;
    const route = await attemptsOf(this.resolve(purpose, runId, fields), { purpose, runId, otherwise });
    yield* streamAttempts(route, call, { attemptTimeoutMs, runs: this.#runs });
  }

  /** The configuration in force; rejects with a `RoutingError`. */
  async describe(options: CallOptions = {}): Promise<DescribeRoutingResponse> {
    return this.#call((rpc) => this.#rpc.describeRouting({}, rpc), options);
  }

  /** Gives mirrored requests their time to drain, then closes the connection. */
  async close(): Promise<void> {
    await this.#mirror.close();
    this.#closed = true;
    this.#shared?.close();
    this.#connection.close();
  }

  #headersOf(options: CallOptions): Record<string, string> {
    try {
      return { ...this.#headers(), ...options.headers };
    } catch (cause) {
      throw new RoutingError("client_fault", "the function of the headers failed: nothing was sent", { cause });
    }
  }

  async #route(
    request: RouteDecisionRequest,
    options: CallOptions & { timeoutMs: number },
  ): Promise<RouteDecisionResponse> {
    const shared = this.#shared;
    // A batch makes further attempts itself.
    if (shared instanceof Batching) return shared.ask(request, { ...options, headers: this.#headersOf(options) });
    if (shared !== undefined)
      return this.#call(({ headers, timeoutMs, signal }) => shared.ask(request, { headers, timeoutMs, signal }), options);
    const result = await this.#call((rpc) => this.#rpc.routeDecision(request, rpc), options);
    checkOffered(result, request);
    return result;
  }

  async #many(
    requests: readonly RouteDecisionRequest[],
    options: CallOptions & { timeoutMs: number },
    headers = this.#headersOf(options),
  ): Promise<Answer[]> {
    const send = (requests: RouteDecisionRequest[], timeoutMs: number) =>
      this.#call((rpc) => this.#rpc.batchRouteDecisions({ requests }, rpc), { ...options, timeoutMs }, headers);
    return routeMany(requests, send, { timeoutMs: options.timeoutMs, retries: this.#retries.most });
  }

  #sharedBy(transport: "unary" | "batch" | "stream"): Batching | Streaming | undefined {
    if (transport === "batch") return new Batching((requests, rpc) => this.#many(requests, rpc, rpc.headers));
    if (transport === "stream") return new Streaming((requests, rpc) => this.#rpc.streamRouteDecisions(requests, rpc));
    return undefined;
  }

  async #call<T>(
    rpc: (options: Sent) => Promise<T>,
    options: CallOptions,
    given?: Record<string, string>,
  ): Promise<T> {
    const timeoutMs = checkedMs(options.timeoutMs ?? this.#timeoutMs);
    const { signal } = options;
    try {
      const headers = given ?? this.#headersOf(options);
      return await this.#retries.run(
        (leftMs) => {
          if (this.#closed) throw new RoutingError("closed", "the client is closed");
          return rpc({ timeoutMs: Math.ceil(leftMs), signal, headers });
        },
        { timeoutMs, signal },
      );
    } catch (error) {
      if (this.#closed) throw new RoutingError("closed", "the client is closed", { cause: error });
      throw routingErrorOf(error);
    }
  }
}

interface Sent extends RpcOptions {
  readonly timeoutMs: number;
  readonly headers: Record<string, string>;
}

function requestOrError(question: Questionlike): { request?: RouteDecisionRequest; error?: RoutingError } {
  try {
    return { request: requestOf(question) };
  } catch (error) {
    return { error: routingErrorOf(error) };
  }
}
