/** The client against a scripted service in the same process: no socket, every failure. */
import assert from "node:assert/strict";
import { createServer as createHttpServer } from "node:http";
import { createServer } from "node:http2";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { create } from "@bufbuild/protobuf";
import { Code, ConnectError, createRouterTransport } from "@connectrpc/connect";
import { BadRequestSchema, ErrorInfoSchema, RetryInfoSchema } from "../src/gen/google/rpc/error_details_pb.js";
import {
  kindOf,
  isEligible,
  Outcome,
  prefixOf,
  Reason,
  RouteDecisionRequestSchema,
  RouteDecisionResponseSchema,
  RoutingClient,
  RoutingError,
  RoutingService,
  UnusableResponse,
  usableId,
  type ClientOptions,
  type Question,
  type RouteDecisionRequest,
  type RouteDecisionResponse,
} from "../src/index.js";
import { grpcClient, httpClient } from "../src/node.js";
import { bearer, type TokenSource } from "../src/token.js";

const QUESTION: Question = {
  prompt: "Design a schema.",
  userId: "user-1",
  tier: "kilo-auto/frontier",
  candidates: ["vendor/a", "vendor/b"],
  staticPick: "vendor/a",
};

type Script = (request: RouteDecisionRequest, headers: Headers) => RouteDecisionResponse | Promise<never>;

function scripted(script: Script, options: ClientOptions & { token?: TokenSource } = {}): RoutingClient {
  const transport = createRouterTransport(
    ({ service }) => {
      service(RoutingService, {
        routeDecision: (request, { requestHeader }) => script(request, requestHeader),
        resolveRoute: ({ purpose, runId }) => ({
          purpose,
          runId,
          attempts: [{ profile: "one" }, { profile: "two" }],
          eligibleErrors: ["timeout", "http_5xx"],
        }),
      });
    },
    { transport: { interceptors: bearer(options.token) } },
  );
  return new RoutingClient({ transport, close: () => undefined }, options);
}

function routed(serveModel: string, fields: object = {}): RouteDecisionResponse {
  return create(RouteDecisionResponseSchema, { outcome: Outcome.ROUTED, serveModel, ...fields });
}

function refused(code: Code, details: ConnectError["details"] = []): Script {
  return () => {
    const error = new ConnectError("refused", code);
    error.details = details;
    throw error;
  };
}

const never: Script = () => new Promise<never>(() => undefined);

test("an answer is served, with its reason", async () => {
  const answers: [object, string, string][] = [
    [{}, "vendor/b", "routed"],
    [{ shadow: true }, "vendor/b", "shadow"],
    [{ reason: Reason.AMBIGUOUS }, "vendor/b", "routed:ambiguous"],
    [{ outcome: Outcome.SKIPPED, reason: Reason.NO_PROMPT, serveModel: "" }, "vendor/a", "skipped:no_prompt"],
    [{ outcome: 99, reason: 99 }, "vendor/b", "unrecognised:unrecognised"],
  ];
  for (const [fields, model, why] of answers) {
    const choice = await scripted(() => routed("vendor/b", fields)).decide(QUESTION);
    assert.deepEqual([choice.model, choice.why], [model, why]);
    assert.equal(choice.error, undefined);
  }
});

test("every failure of the service gives the static pick", async () => {
  const failures: [Code, string][] = [
    [Code.InvalidArgument, "invalid"],
    [Code.OutOfRange, "invalid"],
    [Code.Unauthenticated, "denied"],
    [Code.PermissionDenied, "denied"],
    [Code.NotFound, "not_found"],
    [Code.ResourceExhausted, "overloaded"],
    [Code.Unavailable, "unavailable"],
    [Code.Aborted, "unavailable"],
    [Code.Canceled, "unavailable"],
    [Code.DeadlineExceeded, "deadline"],
    [Code.Unimplemented, "unsupported"],
    [Code.Internal, "service_fault"],
    [Code.Unknown, "service_fault"],
    [Code.DataLoss, "service_fault"],
  ];
  for (const [code, kind] of failures) {
    const choice = await scripted(refused(code)).decide(QUESTION);
    assert.deepEqual([choice.model, choice.why], ["vendor/a", `fallback:${kind}`], Code[code]);
  }
});

test("an answer that ends in the middle of a message is no refusal", async () => {
  const server = createServer((_, response) => {
    response.writeHead(200, { "content-type": "application/grpc+proto" });
    response.end(Buffer.from([0, 0, 0]));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  for (const [transport, why] of [["unary", "service_fault"], ["stream", "unavailable"]] as const) {
    const client = grpcClient(address, { transport, decideTimeoutMs: 10_000 });
    const choice = await client.decide(QUESTION);
    assert.deepEqual([choice.model, choice.why], ["vendor/a", `fallback:${why}`], choice.error?.message);
    await client.close();
  }
  server.close();
});

test("a service that hangs costs the deadline, no more", async () => {
  const start = performance.now();
  const choice = await scripted(never).decide(QUESTION, { timeoutMs: 50 });
  assert.equal(choice.why, "fallback:deadline");
  assert.ok(performance.now() - start < 1000);
});

test("a deadline that is none is the caller's mistake", async () => {
  for (const timeoutMs of [0, -1, Number.NaN, Number.POSITIVE_INFINITY])
    await assert.rejects(scripted(never).decide(QUESTION, { timeoutMs }), RangeError);
});

test("the caller's own cancellation is thrown", async () => {
  const signal = AbortSignal.timeout(20);
  await assert.rejects(scripted(never).decide(QUESTION, { signal, timeoutMs: 5000 }), { name: "TimeoutError" });
});

test("an answer outside of the offer is refused", async () => {
  const client = scripted(() => routed("vendor/other"));
  assert.equal((await client.decide(QUESTION)).why, "fallback:service_fault");
  await assert.rejects(client.route(QUESTION), { kind: "service_fault" });
  const padded = await client.decide({ ...QUESTION, candidates: [" vendor/other "] }); // the service trims ids
  assert.deepEqual([padded.model, padded.why], ["vendor/other", "routed"]);
  const open = await client.decide({ ...QUESTION, candidates: [] });
  assert.deepEqual([open.model, open.why], ["vendor/other", "routed"]);
});

test("an error has its status, reason, fields and delay", async () => {
  const detail = (desc: typeof BadRequestSchema | typeof ErrorInfoSchema | typeof RetryInfoSchema, value: object) => ({
    desc,
    value,
  });
  const details = [
    detail(ErrorInfoSchema, { reason: "INVALID_FIELD", domain: "pointsman" }),
    detail(BadRequestSchema, { fieldViolations: [{ field: "caller.user_id", description: "is blank" }] }),
    detail(RetryInfoSchema, { retryDelay: { seconds: 1n, nanos: 500_000_000 } }),
  ] as ConnectError["details"];
  const error = await scripted(refused(Code.InvalidArgument, details))
    .route(QUESTION)
    .then(() => assert.fail("no error"), (thrown: unknown) => thrown);
  assert.ok(error instanceof RoutingError);
  assert.equal(error.status, "INVALID_ARGUMENT");
  assert.equal(error.reason, "INVALID_FIELD");
  assert.deepEqual(error.violations, [{ field: "caller.user_id", description: "is blank" }]);
  assert.equal(error.retryAfterMs, 1500);
  assert.equal(error.retryable, false);
});

test("an unavailable service is called again, and the budget ends that", async () => {
  let calls = 0;
  const recovering = scripted(() => {
    calls += 1;
    if (calls < 3) throw new ConnectError("starting", Code.Unavailable);
    return routed("vendor/b");
  });
  assert.equal((await recovering.decide(QUESTION, { timeoutMs: 5000 })).why, "routed");
  assert.equal(calls, 3);

  calls = 0;
  const down = scripted(() => {
    calls += 1;
    throw new ConnectError("down", Code.Unavailable);
  });
  for (let request = 0; request < 20; request += 1) await down.decide(QUESTION, { timeoutMs: 5000 });
  assert.ok(calls < 26, `${calls} calls`);
});

test("the prompt is bounded, and the fields arrive", async () => {
  const seen: RouteDecisionRequest[] = [];
  const client = scripted((request) => {
    seen.push(request);
    return routed("vendor/b");
  });
  const long = ` ${"😀".repeat(2000)}`;
  await client.decide({
    ...QUESTION,
    prompt: { userPromptPrefix: long, latestUserPromptPrefix: "latest", hasTools: true },
    sessionId: "s",
    agentId: "agent",
    bodyBytes: 12,
  });
  const request = seen[0]!;
  assert.equal(Array.from(request.prompt!.userPromptPrefix!).length, 1000);
  assert.equal(request.prompt!.latestUserPromptPrefix, "latest");
  assert.equal(request.caller!.agentId, "agent");
  assert.equal(request.bodyBytes, 12n);
  assert.deepEqual(request.routing!.candidateModels, ["vendor/a", "vendor/b"]);
});

test("the contract's own message is a question too", async () => {
  const seen: RouteDecisionRequest[] = [];
  const client = scripted((request) => {
    seen.push(request);
    return routed("vendor/other");
  });
  const question = create(RouteDecisionRequestSchema, {
    prompt: { userPromptPrefix: "x".repeat(2000) },
    caller: { userId: "user-1" },
    routing: { autoModel: "t", candidateModels: ["vendor/b"], resolvedModel: "vendor/a" },
  });
  const choice = await client.decide(question);
  assert.deepEqual([choice.model, choice.why], ["vendor/a", "fallback:service_fault"]);
  assert.equal(seen[0]!.prompt!.userPromptPrefix!.length, 1000);
  assert.equal(question.prompt!.userPromptPrefix!.length, 2000);
});

test("an impossible value is invalid, and nothing is sent", async () => {
  const client = scripted(() => assert.fail("sent"));
  const impossible: object[] = [
    { bodyBytes: -1 },
    { bodyBytes: 1.5 },
    { prompt: null },
    { prompt: { messageCount: -1 } },
    { candidates: ["x".repeat(70_000)] },
  ];
  for (const fields of impossible) {
    const choice = await client.decide({ ...QUESTION, ...fields } as Question);
    assert.deepEqual([choice.model, choice.why], ["vendor/a", "fallback:invalid"], JSON.stringify(fields));
  }
});

test("the token is read before every call", async () => {
  const seen: (string | null)[] = [];
  let count = 0;
  const client = scripted(
    (_, headers) => {
      seen.push(headers.get("authorization"));
      return routed("vendor/b");
    },
    { token: async () => `token-${(count += 1)}\n` },
  );
  await client.decide(QUESTION);
  await client.decide(QUESTION);
  assert.deepEqual(seen, ["Bearer token-1", "Bearer token-2"]);
});

test("a token that is none is denied, without its text", async () => {
  const sources: TokenSource[] = ["", "a\nb", () => Promise.reject(new Error("vault")), () => undefined as never];
  for (const token of sources) {
    const choice = await scripted(() => assert.fail("sent"), { token }).decide(QUESTION);
    assert.equal(choice.why, "fallback:denied");
    assert.ok(!choice.error!.message.includes("a\nb"));
  }
});

test("a mirror is bounded and counts its results", async () => {
  const held: (() => void)[] = [];
  const transportHolds: Script = () =>
    new Promise<void>((resolve) => held.push(resolve)).then(() => routed("vendor/b")) as Promise<never>;
  const client = scripted(transportHolds, { mirror: { workers: 2, waiting: 3 } });
  const taken = Array.from({ length: 7 }, () => client.mirror(QUESTION));
  assert.deepEqual(taken, [true, true, true, true, true, false, false]);
  assert.equal(client.mirror({ ...QUESTION, bodyBytes: -1 }), false);
  const release = setInterval(() => held.splice(0).forEach((done) => done()), 5);
  await client.close();
  clearInterval(release);
  const { submitted, sent, dropped, failed } = client.mirrored;
  assert.deepEqual({ submitted, sent, dropped, failed }, { submitted: 8, sent: 5, dropped: 2, failed: { invalid: 1 } });
});

test("a mirror that fails counts the cause, and close does not wait for a service that hangs", async () => {
  const failing = scripted(refused(Code.Internal));
  failing.mirror(QUESTION);
  await failing.close();
  assert.deepEqual(failing.mirrored.failed, { service_fault: 1 });

  const hanging = scripted(never, { mirror: { workers: 1, drainMs: 20 } });
  hanging.mirror(QUESTION);
  hanging.mirror(QUESTION);
  await hanging.close();
  assert.equal(hanging.mirrored.dropped, 1);
  assert.equal(hanging.mirror(QUESTION), false);
});

test("a closed client serves the static pick", async () => {
  const client = scripted(() => routed("vendor/b"));
  await client.close();
  assert.equal((await client.decide(QUESTION)).why, "fallback:closed");
});

test("attempts are made while the errors are eligible", async () => {
  const client = scripted(never);
  const tried: string[] = [];
  const second = await client.runWithFallback("main_loop", "run-1", async ({ profile }) => {
    tried.push(profile);
    if (profile === "one") throw Object.assign(new Error("busy"), { status: 503 });
    return "answer";
  });
  assert.deepEqual([second.value, second.attempt.profile, second.failures], ["answer", "two", ["http_503"]]);
  await assert.rejects(
    client.runWithFallback("main_loop", "run-1", () => {
      throw Object.assign(new Error("bad request"), { status: 400 });
    }),
    { status: 400 },
  );
});

test("errors of LLM calls have kinds", () => {
  const caused = Object.assign(new TypeError("fetch failed"), {
    cause: Object.assign(new Error("reset"), { code: "ECONNRESET" }),
  });
  const slow = Object.assign(new TypeError("fetch failed"), {
    cause: Object.assign(new Error("slow"), { code: "UND_ERR_HEADERS_TIMEOUT" }),
  });
  const kinds: [unknown, string | undefined][] = [
    [Object.assign(new Error(), { status: 429 }), "http_429"],
    [Object.assign(new Error(), { response: { status: 502 } }), "http_502"],
    [new DOMException("late", "TimeoutError"), "timeout"],
    [new DOMException("gone", "AbortError"), undefined],
    [caused, "connection"],
    [slow, "timeout"],
    [new TypeError("fetch failed"), "connection"],
    [new TypeError("x is not a function"), undefined],
    [new UnusableResponse("empty"), "unusable_response"],
    ["text", undefined],
  ];
  for (const [error, kind] of kinds) assert.equal(kindOf(error), kind);
  assert.ok(isEligible("http_503", ["http_5xx"]));
  assert.ok(!isEligible("http_404", ["http_5xx", "timeout"]));
});

test("ids and prefixes are usable or none", () => {
  assert.equal(usableId("  user-1 "), "user-1");
  for (const none of ["", "  ", undefined, null, "x".repeat(257)]) assert.equal(usableId(none), undefined);
  assert.equal(prefixOf("  a b  "), "a b");
});

test("a client over HTTP opens a bounded number of connections", async () => {
  let [open, most] = [0, 0];
  const server = createHttpServer((_, response) => void setTimeout(() => response.end(), 20));
  server.on("connection", (socket) => {
    most = Math.max(most, (open += 1));
    socket.on("close", () => (open -= 1));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const client = httpClient(`http://127.0.0.1:${(server.address() as AddressInfo).port}`, { decideTimeoutMs: 10_000, retries: 0 });
  const choices = await Promise.all(Array.from({ length: 300 }, () => client.decide(QUESTION)));
  assert.ok(choices.every(({ why }) => why !== "fallback:deadline"));
  await client.close();
  server.close();
  assert.ok(most <= 64 + 8, String(most)); // the server hears of a closed one a little later
});

test("an address of the other kind is refused with the right one", () => {
  assert.throws(() => grpcClient("http://127.0.0.1:50051"), /host:port, without a scheme/);
  assert.throws(() => httpClient("127.0.0.1:50053"), /http:\/\/host:port/);
});
