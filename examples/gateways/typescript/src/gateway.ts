/** A gateway that serves OpenAI chat completions and asks Pointsman which model a tier means. */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { readChat, type Chat } from "./body.js";
import { clientRouter } from "./client-router.js";
import { GrpcJsRouter } from "./grpc-js-router.js";
import { ask, type Choice } from "./routing.js";
import { staticPick, TIERS, tierName } from "./rules.js";
import { inClientSpan, inServerSpan, startTracing } from "./tracing.js";

const BODY_LIMIT = 32 * 1024 * 1024;
const ROUTE = "POST /v1/chat/completions";

/** A request that this gateway refuses itself. */
class Refused extends Error {
  constructor(
    readonly status: number,
    message: string,
  ) {
    super(message);
  }
}

const flush = startTracing();
const env = process.env;
const mode = oneOf("MODE", ["shadow", "serve"]);
const upstream = new URL(`${env["UPSTREAM_URL"]?.replace(/\/$/, "")}/chat/completions`);
const address = env["POINTSMAN_ADDRESS"] ?? "127.0.0.1:50051";
const timeoutMs = Number(env["POINTSMAN_TIMEOUT_MS"] ?? 250);
const router =
  oneOf("POINTSMAN_CLIENT", ["pointsman", "grpc-js"]) === "pointsman"
    ? clientRouter(address, timeoutMs)
    : new GrpcJsRouter(address, timeoutMs);

const server = createServer((request, response) => {
  const route = `${request.method} ${request.url?.split("?")[0]}`;
  if (route === "GET /health") {
    response.end('{"status":"ok"}\n');
  } else if (route !== ROUTE) {
    refuse(response, new Refused(404, "no such route"));
  } else {
    inServerSpan(ROUTE, request.headers, async (span) => {
      await chatCompletions(request, response);
      span.setAttribute("http.response.status_code", response.statusCode);
    }).catch((error: unknown) => refuse(response, error));
  }
});
const port = Number(env["PORT"] ?? 8080);
server.listen(port, "127.0.0.1", () => {
  console.log(`gateway listening on http://127.0.0.1:${port}`);
});
for (const signal of ["SIGINT", "SIGTERM"]) {
  process.once(signal, () => {
    server.close(() => {
      void router.close().then(flush).finally(() => process.exit());
    });
  });
}

async function chatCompletions(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const received = await bodyOf(request);
  const chat = readChat(received.toString());
  if (chat === undefined) throw new Refused(400, "the body is not a chat completion request");
  const name = tierName(chat.model);
  let choice: Choice = { model: chat.model, why: "concrete" };
  let body = received;
  if (name !== undefined) {
    choice = await choose(chat, name, { request, bodyBytes: received.length });
    // All else as the client sent it, but for integers over 2^53, which JSON.parse rounds.
    body = Buffer.from(JSON.stringify({ ...chat, model: choice.model }));
  }
  response.setHeader("x-gateway-model", choice.model);
  response.setHeader("x-gateway-why", choice.why);
  await forward(body, request, response);
}

/** Serves the decision, or mirrors the question and serves the static pick. */
async function choose(
  chat: Chat,
  name: string,
  { request, bodyBytes }: { request: IncomingMessage; bodyBytes: number },
): Promise<Choice> {
  const tier = TIERS.get(name);
  if (tier === undefined) throw new Refused(404, "no such tier");
  const pick = staticPick(tier, request.headers["x-mode"]?.toString());
  const question = ask(chat, { name, tier, pick, bodyBytes }, request.headers);
  if (mode === "serve") return router.decide(question);
  router.mirror(question);
  return { model: pick, why: "shadow" };
}

/** Forwards to the provider, which gets what it needs; the answer comes back as it is made. */
async function forward(
  body: Buffer,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const gone = new AbortController();
  response.once("close", () => gone.abort());
  const headers: Record<string, string> = {};
  for (const name of ["authorization", "content-type", "accept"]) {
    const value = request.headers[name];
    if (value !== undefined) headers[name] = value.toString();
  }
  const answer = await inClientSpan("POST", (trace) =>
    fetch(upstream, {
      method: "POST",
      headers: { ...headers, ...trace },
      body: new Uint8Array(body),
      signal: gone.signal,
    }),
  ).catch(() => {
    throw new Refused(502, "the provider does not answer");
  });
  response.statusCode = answer.status;
  answer.headers.forEach((value, name) => {
    // Headers of the encoding, which fetch has undone, and of the connection.
    if (!["content-encoding", "content-length", "connection", "transfer-encoding"].includes(name))
      response.setHeader(name, value);
  });
  response.flushHeaders();
  if (answer.body) await pipeline(Readable.fromWeb(answer.body as never), response);
  else response.end();
}

async function bodyOf(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > BODY_LIMIT) throw new Refused(413, "the body is too large");
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/** Answers an error in the shape of OpenAI's; too late for that, it breaks the answer off. */
function refuse(response: ServerResponse, error: unknown): void {
  if (!(error instanceof Refused)) console.error("a request failed:", error);
  if (response.headersSent) {
    response.destroy();
    return;
  }
  const { status, message } = error instanceof Refused ? error : { status: 500, message: "internal" };
  response.writeHead(status, { "content-type": "application/json" });
  response.end(JSON.stringify({ error: { message, type: "invalid_request_error" } }));
}

/** A variable that takes one of a few values, the first where it is unset. */
function oneOf<T extends string>(name: string, values: readonly [T, ...T[]]): T {
  const value = env[name] ?? values[0];
  const found = values.find((allowed) => allowed === value);
  if (found === undefined) throw new Error(`${name} is ${value}, not ${values.join(" or ")}`);
  return found;
}
