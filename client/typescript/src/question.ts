/** From the arguments of `decide`, `route` and `mirror` to one request. */
import { clone, create, isMessage, toBinary, type MessageInitShape } from "@bufbuild/protobuf";
import { RoutingError } from "./errors.js";
import {
  RouteDecisionRequestSchema,
  type ConstraintsSchema,
  type DataPolicy,
  type PromptSchema,
  type RouteDecisionRequest,
} from "./gen/pointsman/v1/route_decision_pb.js";

/** Code points of a prefix that leave the gateway. */
export const PREFIX_LIMIT = 1000;
const ID_LIMIT = 256;
const REQUEST_BYTES = 64 * 1024;

/** A request for one decision; docs/contract.md describes every field. */
export interface Question {
  /** The user's prompt, or the contract's `Prompt`. Prefixes are cut to 1,000 code points. */
  readonly prompt: string | MessageInitShape<typeof PromptSchema>;
  readonly userId: string;
  readonly sessionId?: string | undefined;
  readonly machineId?: string | undefined;
  readonly agentId?: string | undefined;
  readonly organizationId?: string | undefined;
  readonly clientRequestId?: string | undefined;
  /** The client's mode, for example `plan`. */
  readonly mode?: string | undefined;
  readonly userAgent?: string | undefined;
  /** The pseudo-model that the user selected. Absent: there is nothing to decide. */
  readonly tier?: string | undefined;
  /** The models that may serve, in order of preference. Empty: those of the policy file. */
  readonly candidates?: readonly string[] | undefined;
  /** The gateway's own pick: the baseline and the fallback. */
  readonly staticPick?: string | undefined;
  readonly incumbentModel?: string | undefined;
  readonly constraints?: MessageInitShape<typeof ConstraintsSchema> | undefined;
  readonly dataPolicy?: DataPolicy | undefined;
  readonly requestedModel?: string | undefined;
  readonly bodyBytes?: number | bigint | undefined;
  readonly classify?: boolean | undefined;
  readonly dryRun?: boolean | undefined;
}

/** A question, or the contract's message for it. */
export type Questionlike = Question | RouteDecisionRequest;

/** The static pick of a question; empty if it has none. */
export function staticPickOf(question: Questionlike): string {
  return (isRequest(question) ? question.routing?.resolvedModel : question.staticPick) ?? "";
}

/** The message; a `RoutingError` for values that no message can carry. */
export function requestOf(question: Questionlike): RouteDecisionRequest {
  let request: RouteDecisionRequest;
  let size: number;
  try {
    request = isRequest(question) ? bounded(question) : messageOf(question);
    size = toBinary(RouteDecisionRequestSchema, request).length;
  } catch (cause) {
    throw new RoutingError("invalid", "a value of the request has a wrong type: nothing was sent", { cause });
  }
  if (size > REQUEST_BYTES)
    throw new RoutingError("invalid", "nothing was sent", {
      violations: [{ field: "request", description: `is over ${REQUEST_BYTES} bytes` }],
    });
  return request;
}

function isRequest(question: Questionlike): question is RouteDecisionRequest {
  return isMessage(question, RouteDecisionRequestSchema);
}

function bounded(request: RouteDecisionRequest): RouteDecisionRequest {
  const copy = clone(RouteDecisionRequestSchema, request);
  if (copy.prompt !== undefined) Object.assign(copy.prompt, prefixesOf(copy.prompt));
  return copy;
}

function messageOf(question: Question): RouteDecisionRequest {
  const routed = question.tier !== undefined || (question.candidates?.length ?? 0) > 0;
  return create(RouteDecisionRequestSchema, {
    prompt: promptOf(question.prompt),
    caller: {
      userId: question.userId,
      sessionId: question.sessionId,
      machineId: question.machineId,
      agentId: question.agentId,
      organizationId: question.organizationId,
      clientRequestId: question.clientRequestId,
      mode: question.mode,
      userAgent: question.userAgent,
    },
    routing: routed
      ? {
          autoModel: question.tier ?? "",
          candidateModels: [...(question.candidates ?? [])],
          resolvedModel: question.staticPick,
          incumbentModel: question.incumbentModel,
        }
      : undefined,
    constraints: question.constraints,
    dataPolicy: question.dataPolicy,
    requestedModel: question.requestedModel,
    bodyBytes: BigInt(question.bodyBytes ?? 0),
    classify: question.classify,
    dryRun: question.dryRun,
  });
}

function promptOf(prompt: Question["prompt"]): MessageInitShape<typeof PromptSchema> {
  if (typeof prompt === "string") return { userPromptPrefix: prefixOf(prompt) };
  return { ...prompt, ...prefixesOf(prompt) };
}

type Prefixes = Partial<Record<"userPromptPrefix" | "latestUserPromptPrefix" | "systemPromptPrefix", string>>;

function prefixesOf(prompt: Prefixes): Prefixes {
  return {
    userPromptPrefix: optional(prompt.userPromptPrefix),
    latestUserPromptPrefix: optional(prompt.latestUserPromptPrefix),
    systemPromptPrefix: optional(prompt.systemPromptPrefix),
  };
}

function optional(text: string | undefined): string | undefined {
  return text === undefined ? undefined : prefixOf(text);
}

/** The start of a text without blanks around it, cut between code points. */
export function prefixOf(text: string): string {
  // A string's length counts UTF-16 units, at most two a code point.
  const start = text.trimStart().slice(0, 2 * PREFIX_LIMIT);
  return Array.from(start).slice(0, PREFIX_LIMIT).join("").trimEnd();
}

/** A valid id, or undefined: the service refuses blank ids and those over 256 characters. */
export function usableId(value: string | null | undefined): string | undefined {
  const id = value?.trim() ?? "";
  return id !== "" && Array.from(id).length <= ID_LIMIT ? id : undefined;
}
