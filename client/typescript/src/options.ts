/** Settings of a client and of its calls. */
import type { MessageInitShape } from "@bufbuild/protobuf";
import type { Transport } from "@connectrpc/connect";
import type { ResolveRouteRequest, ResolveRouteRequestSchema } from "./gen/pointsman/v1/resolve_route_pb.js";
import type { MirrorLimits } from "./mirror.js";

/** Settings of a client; each has a default. */
export interface ClientOptions {
  /** The deadline of `route`, `resolve` and `describe`. Default: 2,000. */
  readonly timeoutMs?: number;
  /** The deadline of `decide`, which delays a completion. Default: 500. */
  readonly decideTimeoutMs?: number;
  /** Further attempts within the deadline while the service is unavailable. Default: 2. */
  readonly retries?: number;
  /**
   * How the decisions of `route`, `decide` and `mirror` travel. `unary` (default): each is a call. `batch`:
   * those of one turn of the event loop share a call. `stream`: all share one long stream, which is opened
   * again when it breaks; only `grpcClient` has it.
   */
  readonly transport?: "unary" | "batch" | "stream";
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

const LONGEST_MS = 2 ** 31 - 1;

/** A deadline; `RangeError` for an impossible one. */
export function checkedMs(value: number): number {
  if (!(value > 0 && value <= LONGEST_MS))
    throw new RangeError(`a deadline must be between 0 and ${LONGEST_MS} milliseconds, not ${value}`);
  return value;
}
