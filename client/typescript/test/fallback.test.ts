/** Fallback along the attempts of a purpose. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { create } from "@bufbuild/protobuf";
import { Code, ConnectError, createRouterTransport } from "@connectrpc/connect";
import { AttemptSchema, ResolveRouteResponseSchema, RoutingClient, RoutingService, kindOf, type Attempt } from "../src/index.js";
import { RunAffinity } from "../src/runs.js";

function resolving(error?: ConnectError): RoutingClient {
  const transport = createRouterTransport(({ service }) => {
    service(RoutingService, {
      resolveRoute: ({ purpose, runId }) => {
        if (error !== undefined) throw error;
        const attempts = ["one", "two", "three"].map((profile) => ({ profile }));
        return { purpose, runId, attempts, eligibleErrors: ["timeout", "http_5xx", "unusable_response"] };
      },
    });
  });
  return new RoutingClient({ transport, close: () => undefined });
}

function busy(status = 503): Error {
  return Object.assign(new Error("busy"), { status });
}

async function read<T>(stream: AsyncIterable<T>): Promise<T[]> {
  const chunks: T[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return chunks;
}

test("a run stays with the attempt that served", async () => {
  const client = resolving();
  const tried: string[] = [];
  const call = async ({ profile }: Attempt) => {
    tried.push(profile);
    if (profile === "one") throw busy();
    return profile;
  };
  for (const runId of ["run-1", "run-1", "run-2"])
    assert.equal((await client.runWithFallback("main_loop", runId, call)).value, "two");
  assert.deepEqual(tried, ["one", "two", "two", "one", "two"]);
});

test("an attempt is bounded", async () => {
  const hangs = ({ profile }: Attempt) =>
    profile === "one" ? new Promise<never>(() => undefined) : Promise.resolve(profile);
  const { value, failures } = await resolving().runWithFallback("main_loop", "r", hangs, { attemptTimeoutMs: 20 });
  assert.deepEqual([value, failures], ["two", ["timeout"]]);
});

test("other attempts stand in for a service that is away, but hide no mistake", async () => {
  const options = { otherwise: [{ model: "stand-in" }] };
  const away = resolving(new ConnectError("old", Code.Unimplemented));
  const { value } = await away.runWithFallback("main_loop", "r", async ({ model }) => model, options);
  assert.equal(value, "stand-in");
  const unknown = resolving(new ConnectError("unknown", Code.NotFound));
  await assert.rejects(unknown.runWithFallback("main_loop", "r", async ({ model }) => model, options), { kind: "not_found" });
});

test("a stream falls back until its first chunk", async () => {
  const client = resolving();
  const first = client.streamWithFallback("main_loop", "run-1", async function* ({ profile }) {
    if (profile === "one") throw busy();
    yield `${profile}-0`;
    yield `${profile}-1`;
  });
  assert.deepEqual(await read(first), ["two-0", "two-1"]);

  const got: string[] = [];
  await assert.rejects(async () => {
    for await (const chunk of client.streamWithFallback("main_loop", "run-2", async function* ({ profile }) {
      yield profile;
      throw busy();
    }))
      got.push(chunk);
  }, { status: 503 });
  assert.deepEqual(got, ["one"]);

  // eslint-disable-next-line require-yield
  const empty = client.streamWithFallback("main_loop", "run-3", async function* () {});
  await assert.rejects(read(empty), { name: "UnusableResponse" });
});

test("a stream without a first chunk in time is given up, and leaving the loop ends a stream", async () => {
  const client = resolving();
  const ended: string[] = [];
  const signals = new Map<string, AbortSignal>();
  const stream = client.streamWithFallback(
    "main_loop",
    "run-1",
    async function* ({ profile }, signal) {
      signals.set(profile, signal);
      try {
        if (profile === "one") await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve()));
        for (let number = 0; ; number += 1) {
          yield number;
          await new Promise((resolve) => setTimeout(resolve, 5)); // the time-out holds for the first chunk alone
        }
      } finally {
        ended.push(profile);
      }
    },
    { attemptTimeoutMs: 20 },
  );
  for await (const number of stream) if (number === 10) break;
  assert.deepEqual(ended.sort(), ["one", "two"]);
  assert.ok([...signals.values()].every(({ aborted }) => aborted));
});

interface ErrorCase {
  readonly from: string;
  readonly kind: string | null;
  readonly body: { readonly error?: unknown };
}

test("codes of providers have kinds", () => {
  const cases = JSON.parse(readFileSync("../error_cases.json", "utf8")) as ErrorCase[];
  for (const { from, kind, body } of cases) {
    // As OpenAI's SDK, Anthropic's, and axios have it.
    for (const fields of [{ error: body.error ?? body }, { error: body }, { response: { status: 200, data: body } }]) {
      const { error } = fields;
      const code = typeof error === "object" && error !== null ? error : {};
      const thrown = Object.assign(new Error("stream"), code, fields, { status: undefined });
      assert.equal(kindOf(thrown), kind ?? undefined, from);
      assert.equal(kindOf(new Error("call", { cause: thrown })), kind ?? undefined, from);
    }
  }
});

test("codes of errors have kinds", () => {
  const rpc = { details: "down", metadata: {} };
  for (const [fields, kind] of [
    [{ name: "ThrottlingException", $metadata: { httpStatusCode: 429 } }, "http_429"],
    [{ name: "ModelStreamErrorException" }, "http_500"],
    [{ name: "ValidationException" }, "http_400"],
    [{ code: 14, ...rpc }, "http_503"],
    [{ code: 4, ...rpc }, "http_504"],
    [{ code: 14 }, undefined],
    [{ code: 0, ...rpc }, undefined],
    [{ status: 424 }, "http_500"],
    [{ status: 200, code: "rate_limit_exceeded" }, "http_429"],
    [{ name: "AbortError", code: "rate_limit_exceeded" }, undefined],
  ] as const)
    assert.equal(kindOf(Object.assign(new Error("x"), fields)), kind, JSON.stringify(fields));
  assert.equal(kindOf(new ConnectError("full", Code.ResourceExhausted)), "http_429");
});

test("the oldest run is forgotten", () => {
  const runs = new RunAffinity(2);
  const attempts = [create(AttemptSchema, { profile: "one" }), create(AttemptSchema, { model: "two" })];
  const route = (runId: string) => create(ResolveRouteResponseSchema, { purpose: "p", runId, attempts });
  for (const runId of ["a", "b", "a", "c"]) runs.keep(route(runId), attempts[1]!);
  const firsts = ["a", "b", "c"].map((runId) => runs.order(route(runId))[0]!);
  assert.deepEqual(firsts.map(({ profile, model }) => profile || model), ["two", "one", "two"]);
});
