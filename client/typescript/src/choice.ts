/** The result of `decide`. */
import { RoutingError } from "./errors.js";
import {
  Outcome,
  Reason,
  type RouteDecisionRequest,
  type RouteDecisionResponse,
} from "./gen/pointsman/v1/route_decision_pb.js";

/** The model to serve, with the reason. One of `result` and `error` is set. */
export interface Choice {
  /** Empty only if the question had no static pick and the service named no model. */
  readonly model: string;
  /**
   * `routed`, `shadow`, `skipped:no_prompt`, `fallback:deadline`: few distinct values and nothing of
   * the request, so it can label a metric.
   */
  readonly why: string;
  /** The complete answer of the service. */
  readonly result?: RouteDecisionResponse;
  /** The error behind a fallback. */
  readonly error?: RoutingError;
}

/** The choice of an answer. */
export function answered(result: RouteDecisionResponse, staticPick: string): Choice {
  return { model: result.serveModel || staticPick, why: whyOf(result), result };
}

/** The choice without an answer. */
export function fallback(error: RoutingError, staticPick: string): Choice {
  return { model: staticPick, why: `fallback:${error.kind}`, error };
}

function whyOf(result: RouteDecisionResponse): string {
  if (result.shadow) return "shadow";
  const outcome = nameOf(Outcome[result.outcome]);
  return result.reason === Reason.UNSPECIFIED ? outcome : `${outcome}:${nameOf(Reason[result.reason])}`;
}

/** A value that this client does not know comes from a newer service. */
function nameOf(name: string | undefined): string {
  return name === undefined ? "unrecognised" : name.toLowerCase();
}

/**
 * Throws a `RoutingError` for an answer that serves neither a candidate nor the static pick. A
 * request without candidates leaves them to the service: then any model is an answer.
 */
export function checkOffered(result: RouteDecisionResponse, request: RouteDecisionRequest): void {
  const { candidateModels = [], resolvedModel } = request.routing ?? {};
  const served = result.serveModel;
  if (served === "" || candidateModels.length === 0) return;
  // The service trims ids.
  if (served !== resolvedModel?.trim() && !candidateModels.some((name) => name.trim() === served))
    throw new RoutingError("service_fault", "the service answered a model that the request did not offer");
}
