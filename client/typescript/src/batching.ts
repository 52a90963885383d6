/** Decisions gathered in batches: those of one turn of the event loop share a call. */
import { RoutingError } from "./errors.js";
import type { RouteDecisionRequest, RouteDecisionResponse } from "./gen/pointsman/v1/route_decision_pb.js";
import type { Answer } from "./many.js";
import { checkRoom, PendingDecision, type DecisionOptions } from "./pending.js";

/** Answers requests that share a deadline and headers. */
export type RouteMany = (
  requests: readonly RouteDecisionRequest[],
  options: { timeoutMs: number; headers: Record<string, string> },
) => Promise<Answer[]>;

/** Batches at most for parallel turns of one conversation: each is a call, over HTTP/1.1 a connection. */
const APART = 16;

/**
 * Collects the decisions that are asked for in one turn, and sends them together. The service decides the requests of one
 * conversation in a batch one after another; those that are asked for at the same time therefore go in batches apart,
 * and more than `APART` of them share these batches.
 */
export class Batching {
  readonly #routeMany: RouteMany;
  #gathering: PendingDecision[] = [];
  readonly #waiting = new Set<PendingDecision>();
  #closed = false;

  constructor(routeMany: RouteMany) {
    this.#routeMany = routeMany;
  }

  /** The answer to one decision; rejects with a `RoutingError`. */
  async ask(request: RouteDecisionRequest, options: DecisionOptions): Promise<RouteDecisionResponse> {
    if (this.#closed) throw new RoutingError("closed", "the client is closed");
    checkRoom(this.#waiting.size);
    const asked = new PendingDecision(request, options);
    this.#waiting.add(asked);
    this.#gathering.push(asked);
    if (this.#gathering.length === 1) setTimeout(() => this.#send(), 0);
    try {
      return await asked.settled;
    } finally {
      this.#waiting.delete(asked);
    }
  }

  /** Ends the decisions on their way. */
  close(): void {
    this.#closed = true;
    for (const asked of this.#waiting) asked.fail(new RoutingError("closed", "the client was closed during the call"));
  }

  #send(): void {
    const waiting = this.#gathering.filter((asked) => !asked.done);
    this.#gathering = [];
    for (const batch of batches(waiting)) void this.#answer(batch);
  }

  async #answer(batch: readonly PendingDecision[]): Promise<void> {
    const answers = await this.#routeMany(
      batch.map((asked) => asked.request),
      { timeoutMs: Math.max(1, ...batch.map((asked) => asked.leftMs)), headers: sharedHeaders(batch) },
    );
    for (const [at, asked] of batch.entries()) asked.settle(answers[at]!);
  }
}

/** Batches over which the requests of each conversation are dealt out, in their order. */
function batches(waiting: readonly PendingDecision[]): PendingDecision[][] {
  const found: PendingDecision[][] = [];
  const seen = new Map<string, number>();
  for (const asked of waiting) {
    const whose = conversation(asked.request);
    const turn = whose === undefined ? 0 : (seen.get(whose) ?? 0);
    if (whose !== undefined) seen.set(whose, turn + 1);
    (found[turn % APART] ??= []).push(asked);
  }
  return found;
}

/** The ids by which the service orders the requests of a batch; `undefined`: it does not. */
function conversation({ caller }: RouteDecisionRequest): string | undefined {
  const [session, machine] = [caller?.sessionId?.trim(), caller?.machineId?.trim()];
  if (!session && !machine) return undefined;
  const within = [caller?.organizationId, caller?.userId, caller?.agentId].map((id) => id?.trim() ?? "");
  return JSON.stringify([...within, session ? "session" : "machine", session || machine]);
}

/** The headers that all have: a batch belongs to a trace only if each of its decisions does. */
function sharedHeaders(batch: readonly PendingDecision[]): Record<string, string> {
  const [first, ...others] = batch.map((asked) => asked.options.headers);
  return Object.fromEntries(
    Object.entries(first ?? {}).filter(([name, value]) => others.every((headers) => headers[name] === value)),
  );
}
