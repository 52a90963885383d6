/** Further attempts within one deadline. */
import { RoutingError, routingErrorOf } from "./errors.js";

const FIRST_PAUSE_MS = 20;
const FULL = 10;
const PER_SUCCESS = 0.1;

/**
 * Repeats calls that the service did not process. The budget is that of gRPC (proposal A6): a failure
 * takes one token, an answer returns a tenth, and below half of ten nothing is repeated, so that a
 * service in trouble gets no further load.
 */
export class Retries {
  #tokens = FULL;

  constructor(readonly most: number) {}

  /** Calls `attempt` with the milliseconds that are left; rejects with a `RoutingError`. */
  async run<T>(
    attempt: (leftMs: number) => Promise<T>,
    { timeoutMs, signal }: { timeoutMs: number; signal?: AbortSignal | undefined },
  ): Promise<T> {
    const end = performance.now() + timeoutMs;
    for (let failures = 0; ; failures += 1) {
      try {
        const answer = await attempt(Math.max(1, end - performance.now()));
        this.#tokens = Math.min(FULL, this.#tokens + PER_SUCCESS);
        return answer;
      } catch (thrown) {
        const error = routingErrorOf(thrown);
        const pause = this.#pause(error, failures);
        if (pause === undefined || performance.now() + pause >= end || signal?.aborted) throw error;
        await new Promise((resolve) => setTimeout(resolve, pause));
      }
    }
  }

  /** Milliseconds before the next attempt; undefined for none. */
  #pause(error: RoutingError, failures: number): number | undefined {
    if (error.kind === "overloaded") return failures < this.most ? error.retryAfterMs : undefined;
    if (error.kind !== "unavailable") return undefined;
    this.#tokens = Math.max(0, this.#tokens - 1);
    if (failures >= this.most || this.#tokens <= FULL / 2) return undefined;
    return FIRST_PAUSE_MS * 2 ** failures * (0.8 + 0.4 * Math.random());
  }
}
