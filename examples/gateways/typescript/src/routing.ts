import type { IncomingHttpHeaders } from "node:http";
import type { Question } from "pointsman-client";
import { constraintsOf, dataPolicyOf, promptOf, type Chat } from "./body.js";
import type { Tier } from "./rules.js";

export type { Question };

/**
 * The model to serve and whose it is: `routed` by Pointsman, or the static pick with (`static`) or
 * without (`fallback`) its word.
 */
export interface Choice {
  model: string;
  why: string;
}

/** Asks Pointsman, and never makes a request worse: without an answer the static pick serves. */
export interface Router {
  decide(question: Question): Promise<Choice>;
  /** Asks in the background; further questions are dropped while too many wait. */
  mirror(question: Question): void;
  close(): Promise<void>;
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
    userId: header("x-user-id") ?? (user || "anonymous"),
    sessionId: header("x-session-id"),
    agentId: header("x-agent-id"),
    mode: header("x-mode"),
    tier: about.name,
    candidates: about.tier.candidates,
    staticPick: about.pick,
    incumbentModel: header("x-incumbent-model"),
    dataPolicy: dataPolicyOf(chat),
    constraints: constraintsOf(chat),
    requestedModel: about.name,
    bodyBytes: about.bodyBytes,
  };
}
