/** The current attempt of each run: within one run, a purpose stays with its last success. */
import type { Attempt, ResolveRouteResponse } from "./gen/pointsman/v1/resolve_route_pb.js";

const MOST_RUNS = 10_000;

/** Remembers the last runs, in this process. */
export class RunAffinity {
  readonly #on = new Map<string, string>();

  constructor(private readonly most = MOST_RUNS) {}

  /** The attempts from the one that the run is on; those before it come last. */
  order(route: ResolveRouteResponse): Attempt[] {
    const on = this.#on.get(keyOf(route));
    const at = Math.max(0, route.attempts.findIndex((attempt) => nameOf(attempt) === on));
    return [...route.attempts.slice(at), ...route.attempts.slice(0, at)];
  }

  /** Notes that `attempt` served the run. */
  keep(route: ResolveRouteResponse, attempt: Attempt): void {
    const key = keyOf(route);
    this.#on.delete(key); // a map's order is that of its insertions
    this.#on.set(key, nameOf(attempt));
    if (this.#on.size > this.most) this.#on.delete(this.#on.keys().next().value!);
  }
}

function keyOf({ purpose, runId }: ResolveRouteResponse): string {
  return JSON.stringify([purpose, runId]);
}

function nameOf({ profile, model }: Attempt): string {
  return profile || model;
}
