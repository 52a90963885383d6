/** Tries one LLM config after the other while the errors are eligible. */
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { RoutingError, routingErrorOf } from "./errors.js";
import {
  ResolveRouteResponseSchema,
  type Attempt,
  type AttemptSchema,
  type ResolveRouteResponse,
} from "./gen/pointsman/v1/resolve_route_pb.js";
import { failedStatus, isRecord } from "./statuses.js";
import type { RunAffinity } from "./runs.js";

/** The answer of the attempt that succeeded, and the kinds of the errors before it. */
export interface FallbackResult<T> {
  readonly value: T;
  readonly attempt: Attempt;
  readonly failures: readonly string[];
}

/** Rules of the attempts. */
export interface FallbackOptions {
  /** Bounds one attempt; of a stream, the time to its first chunk. Default: not bounded. */
  readonly attemptTimeoutMs?: number | undefined;
  /** The attempts if the service does not answer. */
  readonly otherwise?: readonly MessageInitShape<typeof AttemptSchema>[] | undefined;
}

/** Answers a stream of chunks; `signal` aborts when the attempt is given up or the loop is left. */
export type StreamCall<T> = (attempt: Attempt, signal: AbortSignal) => AsyncIterable<T> | Promise<AsyncIterable<T>>;

/** Throw it for an unusable answer: empty, truncated, or off the subject. */
export class UnusableResponse extends Error {
  override readonly name = "UnusableResponse";
}

/** The errors after which `otherwise` goes on: the default of the policy file. */
const ELIGIBLE_ERRORS = ["timeout", "connection", "http_408", "http_409", "http_425", "http_429", "http_5xx",
  "unusable_response"];

/** The route; `otherwise` stands in for a service that does not answer. */
export async function attemptsOf(
  resolving: Promise<ResolveRouteResponse>,
  { purpose, runId, otherwise = [] }: { purpose: string; runId: string; otherwise: FallbackOptions["otherwise"] },
): Promise<ResolveRouteResponse> {
  try {
    return await resolving;
  } catch (thrown) {
    const error = routingErrorOf(thrown);
    // A mistake of the caller or of the policy file, which no fallback should hide.
    if (error.kind === "invalid" || error.kind === "not_found" || otherwise.length === 0) throw error;
    const attempts = [...otherwise];
    return create(ResolveRouteResponseSchema, { purpose, runId, attempts, eligibleErrors: ELIGIBLE_ERRORS });
  }
}

interface Rules {
  readonly attemptTimeoutMs: number | undefined;
  readonly runs: RunAffinity;
}

/** Runs `call` with each attempt in order; rejects with the last error. */
export async function runAttempts<T>(
  route: ResolveRouteResponse,
  call: (attempt: Attempt) => Promise<T>,
  { attemptTimeoutMs, runs }: Rules,
): Promise<FallbackResult<T>> {
  const failures: string[] = [];
  const attempts = runs.order(route);
  for (const [index, attempt] of attempts.entries()) {
    try {
      const value = await inTime(async () => call(attempt), attemptTimeoutMs);
      runs.keep(route, attempt);
      return { value, attempt, failures };
    } catch (error) {
      const kind = kindOf(error);
      const last = index === attempts.length - 1;
      if (last || kind === undefined || !isEligible(kind, route.eligibleErrors)) throw error;
      failures.push(kind);
    }
  }
  throw new RoutingError("not_found", "the purpose has no attempts");
}

/** Yields the chunks of the first attempt whose first chunk arrives. */
export async function* streamAttempts<T>(
  route: ResolveRouteResponse,
  call: StreamCall<T>,
  rules: Rules,
): AsyncGenerator<T, void, undefined> {
  const { value: stream } = await runAttempts(route, (attempt) => opened(attempt, call, rules.attemptTimeoutMs), {
    ...rules,
    attemptTimeoutMs: undefined,
  });
  try {
    yield stream.first;
    for (let next = await stream.rest.next(); !next.done; next = await stream.rest.next()) yield next.value;
  } finally {
    stream.abort.abort();
    await stream.rest.return?.();
  }
}

async function opened<T>(attempt: Attempt, call: StreamCall<T>, timeoutMs: number | undefined) {
  const abort = new AbortController();
  let rest: AsyncIterator<T> | undefined;
  try {
    const first = await inTime(async () => {
      rest = (await call(attempt, abort.signal))[Symbol.asyncIterator]();
      return rest.next();
    }, timeoutMs);
    if (first.done) throw new UnusableResponse("the stream ended before its first chunk");
    return { first: first.value, rest: rest!, abort };
  } catch (error) {
    abort.abort();
    // A generator that is waiting returns only after it has its chunk: nobody waits for that.
    rest?.return?.().catch(() => undefined);
    throw error;
  }
}

/** Rejects with a `TimeoutError` when the time is over. */
async function inTime<T>(work: () => Promise<T>, timeoutMs: number | undefined): Promise<T> {
  if (timeoutMs === undefined) return work();
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new DOMException("the attempt took too long", "TimeoutError")), timeoutMs);
  });
  try {
    return await Promise.race([work(), late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Whether an error of that kind leads to the next attempt: `http_503` is also of `http_5xx`. */
export function isEligible(kind: string, eligible: readonly string[]): boolean {
  return eligible.includes(kind) || (kind.startsWith("http_") && eligible.includes(`${kind.slice(0, 6)}xx`));
}

const TIMEOUTS = new Set(["TimeoutError", "APIConnectionTimeoutError", "ConnectTimeoutError", "HeadersTimeoutError",
  "BodyTimeoutError"]);
const CONNECTION_CODES = new Set(["ECONNREFUSED", "ECONNRESET", "EPIPE", "ENOTFOUND", "EAI_AGAIN", "EHOSTUNREACH",
  "ENETUNREACH", "UND_ERR_SOCKET", "ERR_STREAM_PREMATURE_CLOSE"]);
const TIMEOUT_CODES = new Set(["ETIMEDOUT", "ESOCKETTIMEDOUT", "ECONNABORTED", "UND_ERR_CONNECT_TIMEOUT",
  "UND_ERR_HEADERS_TIMEOUT", "UND_ERR_BODY_TIMEOUT"]);
const DEEPEST = 8;
/** Bedrock's: the model failed while it answered, and another provider may do better. */
const MODEL_STREAM_ERROR = 424;
const INTERNAL_ERROR = 500;

/**
 * The kind of a failed LLM call in the terms of `eligible_errors`: `http_<status>`, `timeout`,
 * `connection` or `unusable_response`; undefined if it is unknown. It reads the fields that fetch, axios and the SDKs
 * of OpenAI, Anthropic, Google and AWS set, also on causes: the status, else the status of the provider's error code,
 * also inside a stream that began with 200, or of a gRPC status. An `AbortError` is the caller's own and has no kind.
 */
export function kindOf(error: unknown, depth = 0): string | undefined {
  if (!isRecord(error) || depth > DEEPEST) return undefined;
  const { name, code, cause } = error;
  if (name === "AbortError" || error.constructor?.name === "APIUserAbortError") return undefined;
  const http = failedStatus(error);
  if (http !== undefined) return `http_${http === MODEL_STREAM_ERROR ? INTERNAL_ERROR : http}`;
  if (name === "UnusableResponse" || name === "SyntaxError") return "unusable_response";
  const constructed = error.constructor?.name ?? "";
  if (TIMEOUTS.has(String(name)) || TIMEOUTS.has(constructed) || TIMEOUT_CODES.has(String(code))) return "timeout";
  const inner = kindOf(cause, depth + 1);
  if (inner !== undefined) return inner;
  if (CONNECTION_CODES.has(String(code)) || constructed === "APIConnectionError") return "connection";
  return error instanceof TypeError && error.message === "fetch failed" ? "connection" : undefined;
}
