import { grpcClient } from "pointsman-client/node";
import type { Choice, Question, Router } from "./routing.js";
import { readTls, readToken } from "./secrets.js";
import { currentHeaders, inClientSpan } from "./tracing.js";

const METHOD = "pointsman.v1.RoutingService/RouteDecision";

/** Pointsman through its own client, which has the deadline, the fallback and the queue of the mirror. */
export function clientRouter(address: string, timeoutMs: number): Router {
  const tls = readTls();
  const client = grpcClient(address, {
    decideTimeoutMs: timeoutMs,
    headers: currentHeaders, // passes the W3C trace context on
    ...(tls === undefined ? {} : { tls }),
    ...(process.env["POINTSMAN_TOKEN_FILE"] ? { token: readToken } : {}),
  });
  return {
    async decide(question: Question): Promise<Choice> {
      const { model, result, error } = await inClientSpan(METHOD, () => client.decide(question));
      if (error !== undefined) {
        console.warn(`no decision, the static pick serves: ${error.status ?? error.kind}`);
        return { model, why: "fallback" };
      }
      const routed = result?.decision?.model === model && !result.shadow;
      return { model, why: routed ? "routed" : "static" };
    },
    mirror(question: Question): void {
      if (!client.mirror(question)) console.warn("mirror dropped");
    },
    close: () => client.close(),
  };
}
