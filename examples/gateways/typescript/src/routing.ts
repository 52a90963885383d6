import type { MessageInitShape } from "@bufbuild/protobuf";
import type { IncomingHttpHeaders } from "node:http";
import { constraintsOf, dataPolicyOf, promptOf, type Chat } from "./body.js";
import type { RouteDecisionRequestSchema } from "./gen/pointsman/v1/route_decision_pb.js";
import type { Tier } from "./rules.js";
import { inClientSpan } from "./tracing.js";

const MIRROR_TIMEOUT_MS = 5000;
const MIRRORS_AT_ONCE = 64;
const METHOD = "pointsman.v1.RoutingService/RouteDecision";

export type Question = MessageInitShape<typeof RouteDecisionRequestSchema>;

/** What a gateway reads of an answer. */
export interface Answer {
  serveModel: string;
  shadow: boolean;
  decision?: { model: string } | null | undefined;
}

/** One call of Pointsman; rejects with `Unanswered`. Two clients below implement it. */
export interface RoutingClient {
  routeDecision(question: Question, call: Call): Promise<Answer>;
  close(): void;
}

export interface Call {
  timeoutMs: number;
  /** Metadata to send: the W3C trace context. */
  headers: Record<string, string>;
}

/** There was no answer; the message is the gRPC status. */
export class Unanswered extends Error {}

/**
 * The model to serve and whose it is: `routed` by Pointsman, or the static pick with (`static`) or
 * without (`fallback`) its word.
 */
export interface Choice {
  model: string;
  why: string;
}

/** Asks Pointsman, and never makes a request worse: without an answer the static pick serves. */
export class Router {
  #mirrors = 0;

  constructor(
    private readonly client: RoutingClient,
    private readonly timeoutMs: number,
  ) {}

  async decide(question: Question, pick: string): Promise<Choice> {
    try {
      const answer = await this.#ask(question, this.timeoutMs);
      const model = answer.serveModel || pick;
      const routed = answer.decision?.model === model && !answer.shadow;
      return { model, why: routed ? "routed" : "static" };
    } catch (error) {
      console.warn(`no decision, the static pick serves: ${unanswered(error).message}`);
      return { model: pick, why: "fallback" };
    }
  }

  /** Asks in the background and tells nobody; what is too much is dropped. */
  mirror(question: Question): void {
    if (this.#mirrors >= MIRRORS_AT_ONCE) {
      console.warn("mirror dropped");
      return;
    }
    this.#mirrors += 1;
    this.#ask(question, MIRROR_TIMEOUT_MS)
      .catch((error: unknown) => console.warn(`mirror failed: ${unanswered(error).message}`))
      .finally(() => (this.#mirrors -= 1));
  }

  close(): void {
    this.client.close();
  }

  #ask(question: Question, timeoutMs: number): Promise<Answer> {
    return inClientSpan(METHOD, (headers) =>
      this.client.routeDecision(question, { timeoutMs, headers }),
    );
  }
}

/** The question about one request. */
export function ask(
  chat: Chat,
  about: { name: string; tier: Tier; pick: string; bodyBytes: number },
  headers: IncomingHttpHeaders,
): Question {
  const header = (name: string) => headers[name]?.toString().trim() || undefined;
  const user = typeof chat.user === "string" ? chat.user.trim() : "";
  return {
    prompt: { ...promptOf(chat), contextReset: header("x-context-reset") === "true" },
    caller: {
      userId: header("x-user-id") ?? (user || "anonymous"),
      sessionId: header("x-session-id"),
      agentId: header("x-agent-id"),
      mode: header("x-mode"),
    },
    routing: {
      autoModel: about.name,
      candidateModels: [...about.tier.candidates],
      resolvedModel: about.pick,
      incumbentModel: header("x-incumbent-model"),
    },
    dataPolicy: dataPolicyOf(chat),
    constraints: constraintsOf(chat),
    requestedModel: about.name,
    bodyBytes: BigInt(about.bodyBytes),
  };
}

function unanswered(error: unknown): Unanswered {
  if (error instanceof Unanswered) return error;
  throw error;
}
