/** The errors of the client: one class, told apart by `kind`. */
import { Code, ConnectError } from "@connectrpc/connect";
import { BadRequestSchema, ErrorInfoSchema, RetryInfoSchema } from "./gen/google/rpc/error_details_pb.js";
import type { CallStatus } from "./gen/pointsman/v1/call_status_pb.js";

/** The reason for a missing answer; `decide` reports it as `fallback:<kind>`. */
export type ErrorKind =
  | "invalid"
  | "denied"
  | "not_found"
  | "overloaded"
  | "unavailable"
  | "deadline"
  | "unsupported"
  | "service_fault"
  | "closed"
  | "client_fault";

/** One bad field: its path in the request (`caller.user_id`) and the error. */
export interface FieldViolation {
  readonly field: string;
  readonly description: string;
}

/** Facts from the service; absent if the error arose in the client. */
export interface ErrorFacts {
  /** The name of the gRPC status, for example `INVALID_ARGUMENT`. */
  readonly status?: string | undefined;
  /** An `ErrorReason` of the contract without its prefix, for example `INVALID_FIELD`. */
  readonly reason?: string | undefined;
  readonly violations?: readonly FieldViolation[];
  /** Milliseconds to wait before the next call. */
  readonly retryAfterMs?: number | undefined;
  readonly cause?: unknown;
}

const RETRYABLE: ReadonlySet<ErrorKind> = new Set(["overloaded", "unavailable", "deadline"]);

/** Any failure without an answer. */
export class RoutingError extends Error {
  readonly kind: ErrorKind;
  readonly status: string | undefined;
  readonly reason: string | undefined;
  readonly violations: readonly FieldViolation[];
  readonly retryAfterMs: number | undefined;

  constructor(kind: ErrorKind, message: string, facts: ErrorFacts = {}) {
    const violations = facts.violations ?? [];
    const fields = violations.map(({ field, description }) => `${field}: ${description}`).join("; ");
    super(fields === "" ? message : `${message}: ${fields}`, { cause: facts.cause });
    this.name = "RoutingError";
    this.kind = kind;
    this.status = facts.status;
    this.reason = facts.reason;
    this.violations = violations;
    this.retryAfterMs = facts.retryAfterMs;
  }

  /** Whether the same request may succeed a moment later. */
  get retryable(): boolean {
    return RETRYABLE.has(this.kind);
  }
}

const KINDS: Readonly<Record<Code, ErrorKind>> = {
  [Code.Canceled]: "unavailable",
  [Code.Unknown]: "service_fault",
  [Code.InvalidArgument]: "invalid",
  [Code.DeadlineExceeded]: "deadline",
  [Code.NotFound]: "not_found",
  [Code.AlreadyExists]: "service_fault",
  [Code.PermissionDenied]: "denied",
  [Code.ResourceExhausted]: "overloaded",
  [Code.FailedPrecondition]: "service_fault",
  [Code.Aborted]: "unavailable",
  [Code.OutOfRange]: "invalid",
  [Code.Unimplemented]: "unsupported",
  [Code.Internal]: "service_fault",
  [Code.Unavailable]: "unavailable",
  [Code.DataLoss]: "service_fault",
  [Code.Unauthenticated]: "denied",
};

/** Any failure of a call as a `RoutingError`. */
export function routingErrorOf(error: unknown): RoutingError {
  if (error instanceof RoutingError) return error;
  if (!(error instanceof ConnectError))
    return new RoutingError("client_fault", "the call failed in the client", { cause: error });
  // An error of the client's own stack, such as a token source's, comes wrapped.
  if (error.cause instanceof RoutingError) return error.cause;
  const info = error.findDetails(ErrorInfoSchema)[0];
  const delay = error.findDetails(RetryInfoSchema)[0]?.retryDelay;
  const violations = error.findDetails(BadRequestSchema).flatMap((bad) => bad.fieldViolations);
  return new RoutingError(kindOfError(error), error.rawMessage, {
    status: statusName(error.code),
    reason: info?.reason || undefined,
    violations: violations.map(({ field, description }) => ({ field, description })),
    retryAfterMs: delay && Number(delay.seconds) * 1000 + delay.nanos / 1e6,
    cause: error,
  });
}

/**
 * An answer that cannot be read, or that ends in the middle of a message, is `InvalidArgument` to
 * connect-es; the headers and trailers of the service come with those of the service alone.
 */
function kindOfError({ code, details, metadata }: ConnectError): ErrorKind {
  const own = code === Code.InvalidArgument && details.length === 0 && [...metadata].length === 0;
  return own ? "service_fault" : (KINDS[code] ?? "service_fault");
}

/** The refusal of one decision of a batch or of a stream. */
export function routingErrorOfStatus({ code, message, details }: CallStatus): RoutingError {
  const error = new ConnectError(message, code as Code);
  error.details = details.map(({ typeUrl, value }) => ({ type: typeUrl.slice(typeUrl.lastIndexOf("/") + 1), value }));
  return routingErrorOf(error);
}

/** `INVALID_ARGUMENT` for `Code.InvalidArgument`. */
function statusName(code: Code): string {
  if (code === Code.Canceled) return "CANCELLED";
  return (Code[code] ?? "Unknown").replace(/(?<=[a-z])(?=[A-Z])/g, "_").toUpperCase();
}
