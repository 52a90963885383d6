/** Requests in the background, for shadow traffic. */
import { RoutingError, routingErrorOf, type ErrorKind } from "./errors.js";

/** The bounds of mirroring. */
export interface MirrorLimits {
  /** Requests that may wait; further ones are dropped. Default: 1,000. */
  readonly waiting?: number;
  /** Requests in flight. Default: 4. */
  readonly workers?: number;
  /** The deadline of each. Default: 5 seconds. */
  readonly timeoutMs?: number;
  /** Time for the queue at the end. Default: 2 seconds. */
  readonly drainMs?: number;
}

/** The number of mirrored requests, by result. */
export interface MirrorCounts {
  readonly submitted: number;
  readonly sent: number;
  readonly dropped: number;
  readonly failed: Readonly<Partial<Record<ErrorKind, number>>>;
  readonly queued: number;
  readonly inFlight: number;
}

type Call = (timeoutMs: number) => Promise<unknown>;

/** A bounded queue of calls. It never waits and never throws for a failed call. */
export class Mirror {
  readonly #limits: Required<MirrorLimits>;
  readonly #queue: Call[] = [];
  readonly #failed: Partial<Record<ErrorKind, number>> = {};
  #submitted = 0;
  #sent = 0;
  #dropped = 0;
  #inFlight = 0;
  #closed = false;
  #idle: (() => void) | undefined;

  constructor(limits: MirrorLimits = {}) {
    this.#limits = { waiting: 1000, workers: 4, timeoutMs: 5000, drainMs: 2000, ...limits };
  }

  get counts(): MirrorCounts {
    return {
      submitted: this.#submitted,
      sent: this.#sent,
      dropped: this.#dropped,
      failed: { ...this.#failed },
      queued: this.#queue.length,
      inFlight: this.#inFlight,
    };
  }

  /** Queues a call; false if it was dropped. */
  submit(call: Call): boolean {
    this.#submitted += 1;
    const full = this.#inFlight >= this.#limits.workers && this.#queue.length >= this.#limits.waiting;
    if (this.#closed || full) {
      this.#dropped += 1;
      return false;
    }
    this.#queue.push(call);
    this.#work();
    return true;
  }

  /** Counts a request that could not be built. */
  refuse(error: RoutingError): false {
    this.#submitted += 1;
    this.#fail(error);
    return false;
  }

  /** Waits for the queue, at most `drainMs`; the rest is dropped. */
  async close(): Promise<void> {
    this.#closed = true;
    if (this.#inFlight > 0) {
      let timer: ReturnType<typeof setTimeout> | undefined;
      const late = new Promise<void>((resolve) => {
        timer = setTimeout(resolve, this.#limits.drainMs);
      });
      await Promise.race([new Promise<void>((resolve) => (this.#idle = resolve)), late]);
      clearTimeout(timer);
    }
    this.#dropped += this.#queue.length;
    this.#queue.length = 0;
  }

  #work(): void {
    while (this.#inFlight < this.#limits.workers) {
      const call = this.#queue.shift();
      if (call === undefined) break;
      this.#inFlight += 1;
      void this.#run(call);
    }
    if (this.#inFlight === 0) this.#idle?.();
  }

  async #run(call: Call): Promise<void> {
    try {
      await call(this.#limits.timeoutMs);
      this.#sent += 1;
    } catch (error) {
      this.#fail(routingErrorOf(error));
    } finally {
      this.#inFlight -= 1;
      this.#work();
    }
  }

  #fail({ kind }: RoutingError): void {
    this.#failed[kind] = (this.#failed[kind] ?? 0) + 1;
  }
}
