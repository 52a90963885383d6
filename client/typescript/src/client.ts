/** The client: `route` throws errors, `decide` answers the static pick, `mirror` is silent. */
import type { MessageInitShape } from "@bufbuild/protobuf";
import { createClient, type CallOptions as RpcOptions, type Client, type Transport } from "@connectrpc/connect";
import { answered, checkOffered, fallback, type Choice } from "./choice.js";
import { RoutingError, routingErrorOf } from "./errors.js";
import { runAttempts, type FallbackResult } from "./fallback.js";
import type { DescribeRoutingResponse } from "./gen/pointsman/v1/describe_routing_pb.js";
import type {
  Attempt,
  ResolveRouteRequest,
  ResolveRouteRequestSchema,
  ResolveRouteResponse,
} from "./gen/pointsman/v1/resolve_route_pb.js";
import type { RouteDecisionRequest, RouteDecisionResponse } from "./gen/pointsman/v1/route_decision_pb.js";
import { RoutingService } from "./gen/pointsman/v1/routing_service_pb.js";
import { Mirror, type MirrorCounts, type MirrorLimits } from "./mirror.js";
import { requestOf, staticPickOf, type Questionlike } from "./question.js";
import { Retries } from "./retries.js";

/** Settings of a client; each has a default. */
export interface ClientOptions {
  /** The deadline of `route`, `resolve` and `describe`. Default: 2,000. */
  readonly timeoutMs?: number;
  /** The deadline of `decide`, which delays a completion. Default: 500. */
  readonly decideTimeoutMs?: number;
  /** Further attempts within the deadline while the service is unavailable. Default: 2. */
  readonly retries?: number;
  readonly mirror?: MirrorLimits;
  /** Headers of every call, read at the call: the W3C trace context of a tracer, for example. */
  readonly headers?: () => Record<string, string>;
}

/** Settings of one call. */
export interface CallOptions {
  readonly timeoutMs?: number;
  /** Cancels the call; `decide` then throws the signal's reason. */
  readonly signal?: AbortSignal;
  readonly headers?: Record<string, string>;
}

/** Further fields of a request for LLM configs. */
export type ResolveFields = Omit<
  Exclude<MessageInitShape<typeof ResolveRouteRequestSchema>, ResolveRouteRequest>,
  "$typeName" | "purpose" | "runId"
>;

/** A connection that the client closes at its end. */
export interface Connection {
  readonly transport: Transport;
  readonly close: () => void;
}

/** Client of one Pointsman service. Open it once, share it, close it. */
export class RoutingClient {
  readonly #rpc: Client<typeof RoutingService>;
  readonly #connection: Connection;
  readonly #timeoutMs: number;
  readonly #decideTimeoutMs: number;
  readonly #headers: () => Record<string, string>;
  readonly #retries: Retries;
  readonly #mirror: Mirror;
  #closed = false;

  constructor(connection: Connection, options: ClientOptions = {}) {
    this.#connection = connection;
    this.#rpc = createClient(RoutingService, connection.transport);
    this.#timeoutMs = checkedMs(options.timeoutMs ?? 2000);
    this.#decideTimeoutMs = checkedMs(options.decideTimeoutMs ?? 500);
    this.#headers = options.headers ?? (() => ({}));
    this.#retries = new Retries(options.retries ?? 2);
    this.#mirror = new Mirror(options.mirror);
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
   * eligible. Rejects with the last error, or with a `RoutingError` if there is nothing to try.
   */
  async runWithFallback<T>(
    purpose: string,
    runId: string,
    call: (attempt: Attempt) => Promise<T>,
    fields: ResolveFields = {},
  ): Promise<FallbackResult<T>> {
    return runAttempts(await this.resolve(purpose, runId, fields), call);
  }

  /** The configuration in force; rejects with a `RoutingError`. */
  async describe(options: CallOptions = {}): Promise<DescribeRoutingResponse> {
    return this.#call((rpc) => this.#rpc.describeRouting({}, rpc), options);
  }

  /** Gives mirrored requests their time to drain, then closes the connection. */
  async close(): Promise<void> {
    await this.#mirror.close();
    this.#closed = true;
    this.#connection.close();
  }

  async #route(request: RouteDecisionRequest, options: CallOptions): Promise<RouteDecisionResponse> {
    const result = await this.#call((rpc) => this.#rpc.routeDecision(request, rpc), options);
    checkOffered(result, request);
    return result;
  }

  async #call<T>(rpc: (options: RpcOptions) => Promise<T>, options: CallOptions): Promise<T> {
    const timeoutMs = checkedMs(options.timeoutMs ?? this.#timeoutMs);
    const { signal } = options;
    try {
      const headers = { ...this.#headers(), ...options.headers };
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

const LONGEST_MS = 2 ** 31 - 1;

function checkedMs(value: number): number {
  if (!(value > 0 && value <= LONGEST_MS))
    throw new RangeError(`a deadline must be between 0 and ${LONGEST_MS} milliseconds, not ${value}`);
  return value;
}
