/** The client against a running `pointsman serve`; the environment says where, and how to get in. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, describe, test } from "node:test";
import { Outcome, RoutingError, type Question, type RoutingClient } from "../src/index.js";
import { grpcClient, httpClient, type NodeOptions } from "../src/node.js";
import { webClient } from "../src/web.js";

const env = process.env;
const TIMEOUT_MS = 10_000; // a busy machine decides in less
const STATIC_PICK = "anthropic/claude-sonnet-4.6";
const ROUTED = "openai/gpt-5.5"; // the scripted router's answer
const QUESTION: Question = {
  prompt: "Please guard this accessor against null.",
  userId: "user-1",
  tier: "kilo-auto/frontier",
  candidates: ["anthropic/claude-opus-4.8", STATIC_PICK, ROUTED],
  staticPick: STATIC_PICK,
};

function options(): NodeOptions {
  const pem = (name: string) => (env[name] ? readFileSync(env[name]) : undefined);
  const tls = { ca: pem("POINTSMAN_CA"), cert: pem("POINTSMAN_CERT"), key: pem("POINTSMAN_KEY") };
  return {
    timeoutMs: TIMEOUT_MS,
    decideTimeoutMs: TIMEOUT_MS,
    ...(env["POINTSMAN_TOKEN"] ? { token: env["POINTSMAN_TOKEN"] } : {}),
    ...(tls.ca ? { tls: Object.fromEntries(Object.entries(tls).filter(([, value]) => value)) } : {}),
  };
}

type Open = (options: NodeOptions) => RoutingClient;
const OPENERS: [string, string | undefined, (where: string) => Open][] = [
  ["gRPC", env["POINTSMAN_ADDRESS"], (where) => (given) => grpcClient(where, given)],
  ["HTTP from Node", env["POINTSMAN_HTTP"], (where) => (given) => httpClient(where, given)],
  ["fetch", env["POINTSMAN_HTTP"]?.startsWith("http:") ? env["POINTSMAN_HTTP"] : undefined,
    (where) => ({ tls: _, ...given }) => webClient(where, given)],
];

for (const [name, where, opener] of OPENERS) {
  describe(name, { skip: where === undefined && "the environment names no service for it" }, () => {
    const open = opener(where ?? "");
    let client: RoutingClient;
    before(() => {
      client = open(options());
    });
    after(() => client.close());

    test("a decision is served", async () => {
      const choice = await client.decide(QUESTION);
      assert.deepEqual([choice.model, choice.why], [ROUTED, "routed"]);
      assert.equal(choice.result?.decision?.routerModel, "gpt-5.5");
    });

    test("an unknown tier is skipped", async () => {
      const choice = await client.decide({ ...QUESTION, tier: "nobody/knows" });
      assert.deepEqual([choice.model, choice.why], [STATIC_PICK, "skipped:unknown_tier"]);
    });

    test("a refusal names every bad field", async () => {
      const error = await client.route({ ...QUESTION, userId: " ", sessionId: "x".repeat(300) }).then(
        () => assert.fail("no error"),
        (thrown: unknown) => thrown,
      );
      assert.ok(error instanceof RoutingError);
      assert.deepEqual([error.kind, error.status, error.reason], ["invalid", "INVALID_ARGUMENT", "INVALID_FIELD"]);
      const fields = error.violations.map(({ field }) => field).sort();
      assert.deepEqual(fields, ["caller.session_id", "caller.user_id"]);
      assert.equal((await client.decide({ ...QUESTION, userId: " " })).why, "fallback:invalid");
    });

    test("mirrored requests arrive", async () => {
      const mirrored = open(options());
      assert.ok(mirrored.mirror(QUESTION));
      await mirrored.close();
      assert.equal(mirrored.mirrored.sent, 1, JSON.stringify(mirrored.mirrored));
    });

    test("a purpose resolves", async () => {
      const resolved = await client.resolve("main_loop", "run-1");
      assert.ok(resolved.attempts.length > 0);
      await assert.rejects(client.resolve("nobody_knows", "run-1"), { kind: "not_found", reason: "UNKNOWN_PURPOSE" });
    });

    test("the configuration in force is described", async () => {
      const inForce = await client.describe();
      assert.ok(inForce.tiers.some((tier) => tier.name === QUESTION.tier));
    });

    test("a wrong token is denied", { skip: !env["POINTSMAN_TOKEN"] }, async () => {
      const stranger = open({ ...options(), token: "wrong" });
      assert.equal((await stranger.decide(QUESTION)).why, "fallback:denied");
      await stranger.close();
    });

    test("many decisions share a call", async () => {
      const choices = await client.decideMany([QUESTION, { ...QUESTION, userId: " " }, QUESTION]);
      assert.deepEqual(choices.map(({ model, why }) => [model, why]), [
        [ROUTED, "routed"],
        [STATIC_PICK, "fallback:invalid"],
        [ROUTED, "routed"],
      ]);
      assert.deepEqual(choices[1]!.error!.violations.map(({ field }) => field), ["caller.user_id"]);
    });

    for (const transport of name === "gRPC" ? (["batch", "stream"] as const) : (["batch"] as const))
      test(`decisions share a ${transport}`, async () => {
        const sharing = open({ ...options(), transport });
        const asked = Array.from({ length: 50 }, (_, at) => (at % 10 === 0 ? { ...QUESTION, userId: " " } : QUESTION));
        const choices = await Promise.all(asked.map((question) => sharing.decide(question)));
        for (const [at, { model, why }] of choices.entries())
          assert.deepEqual([model, why], at % 10 === 0 ? [STATIC_PICK, "fallback:invalid"] : [ROUTED, "routed"]);
        await sharing.close();
        if (!env["POINTSMAN_TOKEN"]) return;
        const stranger = open({ ...options(), token: "wrong", transport });
        assert.equal((await stranger.decide(QUESTION)).why, "fallback:denied");
        await stranger.close();
      });

    test("a dry run is an answer too", async () => {
      assert.equal((await client.route({ ...QUESTION, dryRun: true })).outcome, Outcome.ROUTED);
    });
  });
}

test("a port without a service gives the static pick at once", async () => {
  for (const client of [grpcClient("127.0.0.1:1"), httpClient("http://127.0.0.1:1"), webClient("http://127.0.0.1:1")]) {
    const start = performance.now();
    const choice = await client.decide(QUESTION, { timeoutMs: TIMEOUT_MS });
    assert.deepEqual([choice.model, choice.why], [STATIC_PICK, "fallback:unavailable"]);
    assert.ok(performance.now() - start < 2000);
    await client.close();
  }
});
