/** Streams and batches against a scripted service in the same process. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { create, toBinary } from "@bufbuild/protobuf";
import { Code, ConnectError, createRouterTransport, type HandlerContext } from "@connectrpc/connect";
import { BadRequestSchema, ErrorInfoSchema, RetryInfoSchema } from "../src/gen/google/rpc/error_details_pb.js";
import type { StreamRouteDecisionsRequest } from "../src/gen/pointsman/v1/stream_route_decisions_pb.js";
import {
  Outcome,
  RouteDecisionResponseSchema,
  RoutingClient,
  RoutingService,
  type ClientOptions,
  type Question,
  type RouteDecisionRequest,
  type RouteDecisionResponse,
} from "../src/index.js";
import { httpClient } from "../src/node.js";
import { bearer, type TokenSource } from "../src/token.js";
import { webClient } from "../src/web.js";

const PATIENT_MS = 10_000; // a busy machine answers in less
const ENDED = { desc: ErrorInfoSchema, value: { reason: "STREAM_ENDED", domain: "pointsman" } };

type Items = AsyncIterable<StreamRouteDecisionsRequest>;
interface Scripts {
  readonly stream?: (items: Items, context: HandlerContext) => AsyncIterable<object>;
  readonly batch?: (requests: RouteDecisionRequest[], context: HandlerContext) => object[] | Promise<object[]>;
}

function scripted(scripts: Scripts, options: ClientOptions & { token?: TokenSource } = {}): RoutingClient {
  const transport = createRouterTransport(
    ({ service }) => {
      service(RoutingService, {
        ...(scripts.stream ? { streamRouteDecisions: scripts.stream as never } : {}),
        ...(scripts.batch
          ? { batchRouteDecisions: async ({ requests }, context) => ({ results: await scripts.batch!(requests, context) }) }
          : {}),
      });
    },
    { transport: { interceptors: bearer(options.token) } },
  );
  return new RoutingClient({ transport, close: () => undefined }, { decideTimeoutMs: PATIENT_MS, ...options });
}

function streamed(stream: NonNullable<Scripts["stream"]>, options: ClientOptions & { token?: TokenSource } = {}) {
  return scripted({ stream }, { ...options, transport: "stream" });
}

function of(userId: string): Question {
  return { prompt: "Design a schema.", userId, tier: "t", candidates: ["vendor/a", userId], staticPick: "vendor/a" };
}

function routed(serveModel: string): RouteDecisionResponse {
  return create(RouteDecisionResponseSchema, { outcome: Outcome.ROUTED, serveModel });
}

/** The answer to an item: its user is the model. */
function answerTo({ correlationId, request }: StreamRouteDecisionsRequest): object {
  return { correlationId, result: { case: "response", value: routed(request!.caller!.userId) } };
}

function result(request: RouteDecisionRequest): object {
  return { result: { case: "response", value: routed(request.caller!.userId) } };
}

async function* echo(items: Items): AsyncGenerator<object> {
  for await (const item of items) yield answerTo(item);
}

function broken(code: Code, details: ConnectError["details"] = []): ConnectError {
  const error = new ConnectError("broken", code);
  error.details = details;
  return error;
}

test("answers of a stream find their decisions in any order", async () => {
  let streams = 0;
  const client = streamed(async function* (items) {
    streams += 1;
    const asked: StreamRouteDecisionsRequest[] = [];
    for await (const item of items) {
      asked.push(item);
      if (asked.length === 3) break;
    }
    yield* asked.reverse().map(answerTo);
  });
  const choices = await Promise.all(["x", "y", "z"].map((user) => client.decide(of(user))));
  assert.deepEqual(choices.map(({ model, why }) => [model, why]), [["x", "routed"], ["y", "routed"], ["z", "routed"]]);
  assert.equal(streams, 1);
  await client.close();
});

test("a broken stream is opened again, and the unanswered are sent again", async () => {
  let streams = 0;
  const client = streamed(
    async function* (items) {
      streams += 1;
      if (streams > 1) return yield* echo(items);
      let count = 0;
      for await (const item of items) {
        count += 1;
        if (count === 2) throw broken(Code.Unavailable);
        yield answerTo(item);
      }
    },
    { retries: 0 },
  );
  const choices = await Promise.all(["x", "y"].map((user) => client.decide(of(user))));
  assert.deepEqual(choices.map(({ model }) => model), ["x", "y"]);
  assert.equal(streams, 2);
  await client.close();
});

test("a stream that the service ends is opened again", async () => {
  let streams = 0;
  const client = streamed(
    async function* (items) {
      streams += 1;
      if (streams > 2) return yield* echo(items);
      for await (const _ of items) throw broken(Code.Unavailable, [ENDED] as ConnectError["details"]);
    },
    { retries: 0 },
  );
  assert.equal((await client.decide(of("x"))).model, "x");
  await client.close();
});

test("a stream that answers nothing is retried, and then the static pick serves", async () => {
  for (const [retries, expected] of [[2, 3], [0, 1]] as const) {
    let streams = 0;
    const client = streamed(
      // eslint-disable-next-line require-yield
      async function* () {
        streams += 1;
        throw broken(Code.Unavailable);
      },
      { retries },
    );
    const choice = await client.decide(of("x"));
    assert.deepEqual([choice.model, choice.why, streams], ["vendor/a", "fallback:unavailable", expected]);
    await client.close();
  }
});

test("a refused decision of a stream disturbs no other", async () => {
  const bad = create(BadRequestSchema, { fieldViolations: [{ field: "caller.user_id", description: "is blank" }] });
  const client = streamed(async function* (items) {
    for await (const item of items) {
      const { correlationId, request } = item;
      const details = [{ typeUrl: "type.googleapis.com/google.rpc.BadRequest", value: toBinary(BadRequestSchema, bad) }];
      if (request!.caller!.userId === "bad")
        yield { correlationId, result: { case: "status", value: { code: Code.InvalidArgument, message: "no", details } } };
      else yield answerTo(item);
    }
  });
  const [good, refused] = await Promise.all([client.decide(of("good")), client.decide(of("bad"))]);
  assert.equal(good.why, "routed");
  assert.equal(refused.why, "fallback:invalid");
  assert.deepEqual(refused.error!.violations, [{ field: "caller.user_id", description: "is blank" }]);
  assert.equal(refused.error!.status, "INVALID_ARGUMENT");
  await client.close();
});

test("a decision of a stream has a deadline and a trace; the stream has the other headers", async () => {
  const seen: StreamRouteDecisionsRequest[] = [];
  const headers: Headers[] = [];
  const client = streamed(
    async function* (items, { requestHeader }) {
      headers.push(requestHeader);
      for await (const item of items) seen.push(item);
    },
    { decideTimeoutMs: 200, headers: () => ({ Traceparent: "00-1-2-01", "x-team": "routing" }) },
  );
  assert.equal((await client.decide(of("x"))).why, "fallback:deadline");
  assert.equal(seen[0]!.traceparent, "00-1-2-01");
  assert.ok(seen[0]!.timeoutMs! > 0 && seen[0]!.timeoutMs! <= 200);
  assert.deepEqual([headers[0]!.get("traceparent"), headers[0]!.get("x-team")], [null, "routing"]);
  await client.close();
});

test("the token of a stream is read when it is opened", async () => {
  const seen: (string | null)[] = [];
  const client = streamed(
    async function* (items, { requestHeader }) {
      seen.push(requestHeader.get("authorization"));
      yield* echo(items);
    },
    { token: "token-1\n" },
  );
  await client.decide(of("x"));
  await client.decide(of("y"));
  assert.deepEqual(seen, ["Bearer token-1"]);
  await client.close();
  const failing = streamed(echo, { token: () => Promise.reject(new Error("vault")) });
  assert.equal((await failing.decide(of("x"))).why, "fallback:denied");
});

test("close ends the decisions of a stream, and a cancelled one is thrown", async () => {
  const client = streamed(async function* (items) {
    for await (const _ of items) yield { correlationId: "unknown" };
  });
  const deciding = client.decide(of("x"));
  const signal = AbortSignal.timeout(20);
  await assert.rejects(client.decide(of("y"), { signal }), { name: "TimeoutError" });
  await client.close();
  assert.equal((await deciding).why, "fallback:closed");
  assert.equal((await client.decide(of("x"))).why, "fallback:closed");
});

test("only gRPC has a stream", () => {
  assert.throws(() => httpClient("http://localhost:1", { transport: "stream" }), TypeError);
  assert.throws(() => webClient("http://localhost:1", { transport: "stream" }), TypeError);
});

test("many decisions share calls and keep their order", async () => {
  const sizes: number[] = [];
  const client = scripted({ batch: (requests) => (sizes.push(requests.length), requests.map(result)) });
  const questions = Array.from({ length: 600 }, (_, at) => of(`user-${at}`));
  questions[17] = { ...questions[17]!, bodyBytes: -1 };
  const choices = await client.decideMany(questions);
  for (const [at, choice] of choices.entries())
    assert.deepEqual([choice.model, choice.why], at === 17 ? ["vendor/a", "fallback:invalid"] : [`user-${at}`, "routed"]);
  assert.deepEqual(sizes, [256, 256, 87]);
  assert.deepEqual(await client.decideMany([]), []);
});

test("large requests are divided by size", async () => {
  const sizes: number[] = [];
  const client = scripted({ batch: (requests) => (sizes.push(requests.length), requests.map(result)) });
  const large = { ...of("x"), candidates: ["x", "y".repeat(60 * 1024)] };
  await client.decideMany(Array.from({ length: 100 }, () => large));
  assert.equal(sizes.length, 2);
});

test("turns of one session asked for at once do not wait for each other", async () => {
  const sizes: number[] = [];
  const client = scripted({ batch: (requests) => (sizes.push(requests.length), requests.map(result)) }, { transport: "batch" });
  const sessions = ["a", "b", "a", " a ", undefined, "b", "c"];
  const choices = await Promise.all(sessions.map((sessionId) => client.decide({ ...of("x"), sessionId })));
  assert.deepEqual(choices.map((choice) => choice.why), Array.from(sessions, () => "routed"));
  assert.deepEqual(sizes.sort(), [1, 2, 4]);
});

test("parallel turns of one session make few calls, and keep their order in each", async () => {
  const batches: string[][] = [];
  const batch = (requests: RouteDecisionRequest[]) => (batches.push(requests.map(({ routing }) => routing!.autoModel)), requests.map(result));
  const client = scripted({ batch }, { transport: "batch" });
  const turns = Array.from({ length: 1500 }, (_, at) => ({ ...of("x"), sessionId: "s", tier: String(at) }));
  const choices = await Promise.all(turns.map((turn) => client.decide(turn)));
  assert.ok(choices.every(({ why }) => why === "routed"));
  assert.equal(batches.length, 16);
  for (const [at, tiers] of batches.entries())
    assert.deepEqual(tiers, turns.map(({ tier }) => tier).filter((tier) => Number(tier) % 16 === at));
});

test("a batch that fails gives each the static pick", async () => {
  const unsupported = scripted({});
  const short = scripted({ batch: () => [] });
  for (const [client, why] of [[unsupported, "fallback:unsupported"], [short, "fallback:service_fault"]] as const)
    for (const choice of await client.decideMany([of("x"), of("y")])) assert.deepEqual([choice.model, choice.why], ["vendor/a", why]);
});

test("a decision of a batch that is pushed back is sent again", async () => {
  const detail = create(RetryInfoSchema, { retryDelay: { seconds: 0n, nanos: 10_000_000 } });
  const details = [{ typeUrl: "type.googleapis.com/google.rpc.RetryInfo", value: toBinary(RetryInfoSchema, detail) }];
  const later = { result: { case: "status", value: { code: Code.ResourceExhausted, message: "later", details } } };
  const sizes: number[] = [];
  const client = scripted({
    batch: (requests) => {
      sizes.push(requests.length);
      return requests.map((request, at) => (requests.length === 2 && at === 1 ? later : result(request)));
    },
  });
  assert.deepEqual((await client.decideMany([of("x"), of("y")])).map(({ model }) => model), ["x", "y"]);
  assert.deepEqual(sizes, [2, 1]);
});

test("decisions of one turn share a call, with the headers that all have", async () => {
  const sizes: number[] = [];
  const headers: Headers[] = [];
  let number = 0;
  const client = scripted(
    { batch: (requests, { requestHeader }) => (headers.push(requestHeader), sizes.push(requests.length), requests.map(result)) },
    { transport: "batch", headers: () => ({ traceparent: `00-${(number += 1)}`, "x-team": "routing" }) },
  );
  const choices = await Promise.all(["x", "y", "z"].map((user) => client.decide(of(user))));
  assert.deepEqual(choices.map(({ model }) => model), ["x", "y", "z"]);
  assert.deepEqual(sizes, [3]);
  assert.deepEqual([headers[0]!.get("traceparent"), headers[0]!.get("x-team")], [null, "routing"]);
  await client.close();
  assert.equal((await client.decide(of("x"))).why, "fallback:closed");
});
