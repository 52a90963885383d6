/** Decisions over one long stream, which is opened again when it breaks. */
import { create } from "@bufbuild/protobuf";
import { RoutingError, routingErrorOf } from "./errors.js";
import type { RouteDecisionRequest, RouteDecisionResponse } from "./gen/pointsman/v1/route_decision_pb.js";
import {
  StreamRouteDecisionsRequestSchema,
  type StreamRouteDecisionsRequest,
  type StreamRouteDecisionsResponse,
} from "./gen/pointsman/v1/stream_route_decisions_pb.js";
import { answerOf } from "./many.js";
import { checkRoom, PendingDecision, type DecisionOptions } from "./pending.js";

/** Opens a stream; `signal` ends it. */
export type OpenStream = (
  requests: AsyncIterable<StreamRouteDecisionsRequest>,
  options: { signal: AbortSignal; headers: Record<string, string> },
) => AsyncIterable<StreamRouteDecisionsResponse>;

const FIRST_PAUSE_MS = 50;
const LONGEST_PAUSE_MS = 200;
const LONGEST_TIMEOUT_MS = 2 ** 32 - 1;
const TRACE_HEADERS = ["traceparent", "tracestate"] as const;

/**
 * The first decision opens the stream. When a stream breaks, unanswered decisions are sent again on the
 * next one: deciding twice is harmless. After a stream that answered nothing, they fail as `unavailable`
 * instead, and the client's `retries` say whether each is sent again.
 */
export class Streaming {
  readonly #open: OpenStream;
  /** Unanswered decisions by correlation id, in order. */
  readonly #pending = new Map<string, PendingDecision>();
  /** Those that were not sent on the present stream. */
  #unsent: string[] = [];
  #last = 0;
  #answered = 0;
  #running = false;
  #more: (() => void) | undefined;
  #abort = new AbortController();
  #closed = false;

  constructor(open: OpenStream) {
    this.#open = open;
  }

  /** The answer to one decision; rejects with a `RoutingError`. */
  async ask(request: RouteDecisionRequest, options: DecisionOptions): Promise<RouteDecisionResponse> {
    if (this.#closed) throw new RoutingError("closed", "the client is closed");
    checkRoom(this.#pending.size);
    const asked = new PendingDecision(request, options);
    const id = String((this.#last += 1));
    this.#pending.set(id, asked);
    this.#unsent.push(id);
    this.#more?.();
    if (!this.#running) void this.#keep(headersOf(options.headers));
    try {
      return await asked.settled;
    } finally {
      this.#pending.delete(id);
    }
  }

  /** Ends the stream and the decisions on their way. */
  close(): void {
    this.#closed = true;
    this.#fail(new RoutingError("closed", "the client was closed during the call"));
    this.#abort.abort();
  }

  /** One stream after the other, as long as somebody waits for an answer. */
  async #keep(headers: Record<string, string>): Promise<void> {
    this.#running = true;
    let pause = 0;
    while (this.#resend()) {
      const before = this.#answered;
      if (pause > 0) await new Promise((resolve) => setTimeout(resolve, pause));
      const failed = asBreak(await this.#stream(headers));
      const answered = this.#answered > before;
      pause = answered ? 0 : Math.min(Math.max(2 * pause, FIRST_PAUSE_MS), LONGEST_PAUSE_MS);
      if (!answered && failed.reason !== "STREAM_ENDED") this.#fail(failed);
    }
    this.#running = false;
  }

  /** Queues the unanswered decisions for the next stream; false if there is none. */
  #resend(): boolean {
    this.#unsent = [...this.#pending].filter(([, asked]) => !asked.done).map(([id]) => id);
    return this.#unsent.length > 0 && !this.#closed;
  }

  /** Opens one and receives until it ends; the error that ended it. */
  async #stream(headers: Record<string, string>): Promise<RoutingError> {
    const abort = (this.#abort = new AbortController());
    if (this.#closed) abort.abort();
    try {
      for await (const found of this.#open(this.#items(abort.signal), { signal: abort.signal, headers })) {
        this.#answered += 1;
        const asked = this.#pending.get(found.correlationId);
        asked?.settle(answerOf(found.result, asked.request));
      }
      return new RoutingError("unavailable", "the service closed the stream");
    } catch (error) {
      return routingErrorOf(error);
    } finally {
      abort.abort();
      this.#more?.();
    }
  }

  /** Unsent and new decisions. */
  async *#items(signal: AbortSignal): AsyncGenerator<StreamRouteDecisionsRequest> {
    while (!signal.aborted) {
      const id = this.#unsent.shift();
      if (id === undefined) {
        await new Promise<void>((resolve) => (this.#more = resolve));
        continue;
      }
      const asked = this.#pending.get(id);
      if (asked !== undefined && !asked.done && asked.leftMs > 0) yield itemOf(id, asked);
    }
  }

  #fail(error: RoutingError): void {
    for (const asked of this.#pending.values()) asked.fail(error);
  }
}

function itemOf(correlationId: string, { request, leftMs, options }: PendingDecision): StreamRouteDecisionsRequest {
  const { traceparent, tracestate } = lowerCased(options.headers);
  return create(StreamRouteDecisionsRequestSchema, {
    correlationId,
    request,
    timeoutMs: Math.min(Math.max(Math.round(leftMs), 1), LONGEST_TIMEOUT_MS),
    ...(traceparent === undefined ? {} : { traceparent, ...(tracestate === undefined ? {} : { tracestate }) }),
  });
}

/** The headers of a stream: without the trace, which belongs to a decision. */
function headersOf(headers: Record<string, string>): Record<string, string> {
  const kept = lowerCased(headers);
  for (const name of TRACE_HEADERS) delete kept[name];
  return kept;
}

function lowerCased(headers: Record<string, string>): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
}

/**
 * An error as the end of a stream. A fault of the service has its reason; one without is the
 * connection that broke.
 */
function asBreak(error: RoutingError): RoutingError {
  if (error.kind !== "service_fault" || error.reason !== undefined) return error;
  return new RoutingError("unavailable", error.message, { status: error.status, cause: error });
}
