import * as grpc from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";
import { fileURLToPath } from "node:url";
import type { Choice, Question, Router } from "./routing.js";
import { readTls, readToken } from "./secrets.js";
import { inClientSpan } from "./tracing.js";

const PROTOS = fileURLToPath(new URL("../../../../protos", import.meta.url));
const METHOD = "pointsman.v1.RoutingService/RouteDecision";
const LONGEST_PAUSE_MS = 5000;
const MIRROR_TIMEOUT_MS = 5000;
const MIRRORS_AT_ONCE = 64;

/** Pointsman through grpc-js, which reads the contract when it starts: nothing is generated. */
export class GrpcJsRouter implements Router {
  readonly #client: Stub;
  #mirrors = 0;

  constructor(
    address: string,
    private readonly timeoutMs: number,
  ) {
    const contract = loadSync("pointsman/v1/routing_service.proto", { includeDirs: [PROTOS] });
    const { pointsman } = grpc.loadPackageDefinition(contract) as unknown as Contract;
    const tls = readTls();
    const credentials =
      tls === undefined
        ? grpc.credentials.createInsecure()
        : grpc.credentials.createSsl(tls.ca ?? null, tls.key ?? null, tls.cert ?? null);
    this.#client = new pointsman.v1.RoutingService(address, credentials, {
      "grpc.max_reconnect_backoff_ms": LONGEST_PAUSE_MS,
      "grpc.enable_http_proxy": 0,
    });
  }

  async decide(question: Question): Promise<Choice> {
    const pick = question.staticPick ?? "";
    try {
      const answer = await this.#ask(question, this.timeoutMs);
      const model = answer.serveModel || pick;
      const routed = answer.decision?.model === model && !answer.shadow;
      return { model, why: routed ? "routed" : "static" };
    } catch (error) {
      console.warn(`no decision, the static pick serves: ${statusOf(error)}`);
      return { model: pick, why: "fallback" };
    }
  }

  mirror(question: Question): void {
    if (this.#mirrors >= MIRRORS_AT_ONCE) {
      console.warn("mirror dropped");
      return;
    }
    this.#mirrors += 1;
    this.#ask(question, MIRROR_TIMEOUT_MS)
      .catch((error: unknown) => console.warn(`mirror failed: ${statusOf(error)}`))
      .finally(() => (this.#mirrors -= 1));
  }

  async close(): Promise<void> {
    this.#client.close();
  }

  #ask(question: Question, timeoutMs: number): Promise<Answer> {
    return inClientSpan(METHOD, async (trace) => {
      const deadline = Date.now() + timeoutMs;
      const token = process.env["POINTSMAN_TOKEN_FILE"] ? { authorization: `Bearer ${await readToken()}` } : {};
      const metadata = grpc.Metadata.fromHttp2Headers({ ...trace, ...token });
      return new Promise<Answer>((resolve, reject) => {
        this.#client.routeDecision(messageOf(question), metadata, { deadline }, (error, answer) => {
          if (error) reject(error);
          else resolve(answer as Answer);
        });
      });
    });
  }
}

/** The contract's message; proto-loader takes 64-bit integers as text. */
function messageOf(question: Question): object {
  return {
    prompt: question.prompt,
    caller: {
      userId: question.userId,
      sessionId: question.sessionId,
      agentId: question.agentId,
      mode: question.mode,
    },
    routing: {
      autoModel: question.tier,
      candidateModels: question.candidates,
      resolvedModel: question.staticPick,
      incumbentModel: question.incumbentModel,
    },
    dataPolicy: question.dataPolicy,
    constraints: question.constraints,
    requestedModel: question.requestedModel,
    bodyBytes: String(question.bodyBytes ?? 0),
  };
}

/** The name of the gRPC status; a token that cannot be read is none. */
function statusOf(error: unknown): string {
  const code = (error as grpc.ServiceError).code;
  return (typeof code === "number" ? grpc.status[code] : undefined) ?? "UNAUTHENTICATED";
}

interface Answer {
  serveModel: string;
  shadow: boolean;
  decision?: { model: string } | null | undefined;
}

interface Contract {
  pointsman: { v1: { RoutingService: new (...a: ConstructorParameters<typeof grpc.Client>) => Stub } };
}

interface Stub extends grpc.Client {
  routeDecision(
    message: object,
    metadata: grpc.Metadata,
    options: grpc.CallOptions,
    callback: grpc.requestCallback<unknown>,
  ): void;
}
