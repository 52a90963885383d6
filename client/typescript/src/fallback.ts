/** Tries one LLM config after the other while the errors are eligible. */
import { RoutingError } from "./errors.js";
import type { Attempt, ResolveRouteResponse } from "./gen/pointsman/v1/resolve_route_pb.js";

/** The answer of the attempt that succeeded, and the kinds of the errors before it. */
export interface FallbackResult<T> {
  readonly value: T;
  readonly attempt: Attempt;
  readonly failures: readonly string[];
}

/** Throw it for an unusable answer: empty, truncated, or off the subject. */
export class UnusableResponse extends Error {
  override readonly name = "UnusableResponse";
}

/** Runs `call` with each attempt in order; rejects with the last error. */
export async function runAttempts<T>(
  resolved: ResolveRouteResponse,
  call: (attempt: Attempt) => Promise<T>,
): Promise<FallbackResult<T>> {
  const failures: string[] = [];
  for (const [index, attempt] of resolved.attempts.entries()) {
    try {
      return { value: await call(attempt), attempt, failures };
    } catch (error) {
      const kind = kindOf(error);
      const last = index === resolved.attempts.length - 1;
      if (last || kind === undefined || !isEligible(kind, resolved.eligibleErrors)) throw error;
      failures.push(kind);
    }
  }
  throw new RoutingError("not_found", "the purpose has no attempts");
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

/**
 * The kind of a failed LLM call in the terms of `eligible_errors`: `http_<status>`, `timeout`,
 * `connection` or `unusable_response`; undefined if it is unknown. It reads the fields that fetch, axios and the
 * OpenAI and Anthropic SDKs set, also on causes. An `AbortError` is the caller's own and has no kind.
 */
export function kindOf(error: unknown, depth = 0): string | undefined {
  if (typeof error !== "object" || error === null || depth > DEEPEST) return undefined;
  const { name, code, status, response, cause } = error as Record<string, unknown>;
  if (name === "AbortError" || name === "APIUserAbortError") return undefined;
  const http = statusOf(status) ?? statusOf((error as Record<string, unknown>)["statusCode"]) ?? statusIn(response);
  if (http !== undefined) return `http_${http}`;
  if (name === "UnusableResponse" || name === "SyntaxError") return "unusable_response";
  const constructed = error.constructor?.name ?? "";
  if (TIMEOUTS.has(String(name)) || TIMEOUTS.has(constructed) || TIMEOUT_CODES.has(String(code))) return "timeout";
  const inner = kindOf(cause, depth + 1);
  if (inner !== undefined) return inner;
  if (CONNECTION_CODES.has(String(code)) || constructed === "APIConnectionError") return "connection";
  return error instanceof TypeError && error.message === "fetch failed" ? "connection" : undefined;
}

function statusIn(response: unknown): number | undefined {
  return typeof response === "object" && response !== null
    ? statusOf((response as Record<string, unknown>)["status"])
    : undefined;
}

function statusOf(value: unknown): number | undefined {
  return typeof value === "number" && value >= 400 && value <= 599 ? value : undefined;
}
