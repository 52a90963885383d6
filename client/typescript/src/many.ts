/** Decisions that share a call. */
import { toBinary } from "@bufbuild/protobuf";
import { checkOffered } from "./choice.js";
import { RoutingError, routingErrorOf, routingErrorOfStatus } from "./errors.js";
import type { BatchRouteDecisionsRequest, BatchRouteDecisionsResponse } from "./gen/pointsman/v1/batch_route_decisions_pb.js";
import type { CallStatus } from "./gen/pointsman/v1/call_status_pb.js";
import {
  RouteDecisionRequestSchema,
  type RouteDecisionRequest,
  type RouteDecisionResponse,
} from "./gen/pointsman/v1/route_decision_pb.js";

/** The result of one request among many; one of the fields is set. */
export type Answer =
  | { readonly result: RouteDecisionResponse; readonly error?: undefined }
  | { readonly result?: undefined; readonly error: RoutingError };

/** Sends one batch. */
export type SendBatch = (
  requests: BatchRouteDecisionsRequest["requests"],
  timeoutMs: number,
) => Promise<BatchRouteDecisionsResponse>;

const BATCH_SIZE = 256; // the contract's limit of a batch
const BATCH_BYTES = 3 * 1024 * 1024; // below the service's limit of a message

/**
 * One answer for each request, in their order. A decision that the service pushes back is sent again
 * after the delay that the service asks for, up to `retries` times within `timeoutMs`.
 */
export async function routeMany(
  requests: readonly RouteDecisionRequest[],
  send: SendBatch,
  { timeoutMs, retries }: { timeoutMs: number; retries: number },
): Promise<Answer[]> {
  const end = performance.now() + timeoutMs;
  const answers: Answer[] = new Array<Answer>(requests.length);
  let open = requests.map((_, at) => at);
  for (let failures = 0; open.length > 0; failures += 1) {
    const leftMs = Math.max(1, end - performance.now());
    await Promise.all(batchesOf(open, requests).map((batch) => sendBatch(batch, requests, { send, leftMs, answers })));
    const delays = new Map(open.map((at) => [at, pushedBack(answers[at])]));
    open = open.filter((at) => {
      const delay = delays.get(at);
      return delay !== undefined && failures < retries && performance.now() + delay < end;
    });
    const pause = Math.max(0, ...open.map((at) => delays.get(at) ?? 0));
    if (open.length > 0) await new Promise((resolve) => setTimeout(resolve, pause));
  }
  return answers;
}

async function sendBatch(
  batch: readonly number[],
  requests: readonly RouteDecisionRequest[],
  { send, leftMs, answers }: { send: SendBatch; leftMs: number; answers: Answer[] },
): Promise<void> {
  try {
    const { results } = await send(batch.map((at) => requests[at]!), leftMs);
    if (results.length !== batch.length)
      throw new RoutingError("service_fault", `${results.length} results for ${batch.length} requests`);
    for (const [number, at] of batch.entries()) answers[at] = answerOf(results[number]!.result, requests[at]!);
  } catch (thrown) {
    const error = routingErrorOf(thrown);
    for (const at of batch) answers[at] = { error };
  }
}

/** Positions, divided by the limits of a call. */
function batchesOf(open: readonly number[], requests: readonly RouteDecisionRequest[]): number[][] {
  const batches: number[][] = [];
  let size = 0;
  for (const at of open) {
    const length = toBinary(RouteDecisionRequestSchema, requests[at]!).length;
    const last = batches.at(-1);
    if (last === undefined || last.length === BATCH_SIZE || size + length > BATCH_BYTES) {
      batches.push([at]);
      size = length;
    } else {
      last.push(at);
      size += length;
    }
  }
  return batches;
}

function pushedBack(answer: Answer | undefined): number | undefined {
  return answer?.error?.kind === "overloaded" ? answer.error.retryAfterMs : undefined;
}

/** The result of one decision, as a batch and a stream carry it. */
export type Result =
  | { case: "response"; value: RouteDecisionResponse }
  | { case: "status"; value: CallStatus }
  | { case: undefined; value?: undefined };

/** The answer to one decision of a batch or of a stream. */
export function answerOf(result: Result, request: RouteDecisionRequest): Answer {
  if (result.case === "status") return { error: routingErrorOfStatus(result.value) };
  if (result.case !== "response")
    return { error: new RoutingError("service_fault", "an answer has neither response nor status") };
  try {
    checkOffered(result.value, request);
    return { result: result.value };
  } catch (thrown) {
    return { error: routingErrorOf(thrown) };
  }
}
