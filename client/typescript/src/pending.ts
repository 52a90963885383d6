/** One decision that shares its stream or its call with others. */
import { RoutingError } from "./errors.js";
import type { RouteDecisionRequest, RouteDecisionResponse } from "./gen/pointsman/v1/route_decision_pb.js";
import type { Answer } from "./many.js";

/** Decisions of one client that may wait for an answer; further ones get the static pick. */
export const MOST_WAITING = 10_000;

/** Settings of one decision. */
export interface DecisionOptions {
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | undefined;
  readonly headers: Record<string, string>;
}

/** A decision that somebody waits for; the first answer counts. */
export class PendingDecision {
  readonly end: number;
  readonly settled: Promise<RouteDecisionResponse>;
  done = false;
  #settle!: (answer: Answer) => void;

  constructor(
    readonly request: RouteDecisionRequest,
    readonly options: DecisionOptions,
  ) {
    this.end = performance.now() + options.timeoutMs;
    const { signal } = options;
    this.settled = new Promise((resolve, reject) => {
      const late = setTimeout(() => this.fail(new RoutingError("deadline", "no answer came in time")), options.timeoutMs);
      const left = () => this.fail(new RoutingError("unavailable", "the call was cancelled", { cause: signal?.reason }));
      this.#settle = (answer) => {
        if (this.done) return;
        this.done = true;
        clearTimeout(late);
        signal?.removeEventListener("abort", left);
        if (answer.error === undefined) resolve(answer.result);
        else reject(answer.error);
      };
      signal?.addEventListener("abort", left);
      if (signal?.aborted) left();
    });
  }

  /** Milliseconds until the deadline. */
  get leftMs(): number {
    return this.end - performance.now();
  }

  settle(answer: Answer): void {
    this.#settle(answer);
  }

  fail(error: RoutingError): void {
    this.#settle({ error });
  }
}

/** Throws if `waiting` other decisions are too many already. */
export function checkRoom(waiting: number): void {
  if (waiting >= MOST_WAITING)
    throw new RoutingError("overloaded", `${waiting} decisions wait for an answer already`);
}
