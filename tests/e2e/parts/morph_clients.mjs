// Morph's own packages against a Morph-compatible endpoint. Prints what each method answered, as
// JSON. Arguments: the folder with node_modules, the endpoint's URL, its key, a scratch folder.
import fs from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { pathToFileURL } from "node:url";

const [folder, url, key, scratch, easy, hard] = process.argv.slice(2);
const require = createRequire(path.join(folder, "package.json"));
const routers = require("@morphllm/morphsdk/modelrouter");
const { AnthropicRouter, MorphAPIClient, MorphClient } = require("@morphllm/morphsdk");
const found = {};

async function attempt(name, call) {
  try {
    found[name] = await call();
  } catch (error) {
    found[name] = { error: String(error.message ?? error) };
  }
}

const config = { apiKey: key, apiUrl: url, timeout: 20000 };
const prompts = { easy, hard };
for (const [kind, input] of Object.entries(prompts)) {
  for (const name of ["OpenAIRouter", "AnthropicRouter", "GeminiRouter"]) {
    for (const mode of ["balanced", "aggressive"]) {
      await attempt(`${name} ${mode} ${kind}`, () => new routers[name](config).selectModel({ input, mode }));
    }
  }
  await attempt(`RawRouter ${kind}`, () => new routers.RawRouter(config).classify({ input }));
  await attempt(`RouterClassifier ${kind}`, () => new routers.RouterClassifier(config).classify({ input }));
  await attempt(`RouterClassifier domain ${kind}`, () =>
    new routers.RouterClassifier(config).classify({ input, classes: ["domain"] }));
  // A slash at the end of the base URL is dropped by the SDK.
  const api = new MorphAPIClient({ apiKey: key, baseURL: `${url}/` });
  await attempt(`MorphAPIClient ${kind}`, () => new AnthropicRouter(api).selectModel({ input }));
  // Its constructor takes no base URL in this version.
  const client = new MorphClient({ apiKey: key });
  client.baseURL = url;
  await attempt(`MorphClient ${kind}`, () => client.routers.anthropic.selectModel({ input }));
}

const script = (steps) =>
  fetch(`${url}/testing/faults`, {
    method: "POST",
    headers: { authorization: `Bearer ${key}`, "content-type": "application/json" },
    body: JSON.stringify(steps),
  });
const retried = [];
const impatient = {
  ...config,
  retryConfig: { maxRetries: 3, initialDelay: 10, onRetry: (n, error) => retried.push(error.message) },
};
await script([{ status: 429 }, { status: 503 }]);
await attempt("retries", () => new routers.RawRouter(impatient).classify({ input: easy }));
found.retried = retried;
await script([{ status: 503, times: -1 }]);
await attempt("gives up", () => new routers.RawRouter(impatient).classify({ input: easy }));
await script([]);
await attempt("wrong key", () => new routers.RawRouter({ ...config, apiKey: "wrong" }).classify({ input: easy }));
await attempt("blank input", () => new routers.OpenAIRouter(config).selectModel({ input: " " }));
await attempt("unknown mode", () => new routers.OpenAIRouter(config).selectModel({ input: easy, mode: "x" }));

const source = path.join(folder, "node_modules/@morphllm/morphrouter/src");
const { routeClaudeCodePlanPrompt } = await import(pathToFileURL(path.join(source, "plan.js")).href);
const { loadConfig } = await import(pathToFileURL(path.join(source, "config.js")).href);
process.env.MORPH_API_KEY = key;
const example = JSON.parse(fs.readFileSync(path.join(source, "..", "config.example.json"), "utf8"));
example.dataDir = scratch;
example.morph.baseUrl = `${url}/v1/router/classify`;
const file = path.join(scratch, "morphrouter.json");
fs.writeFileSync(file, JSON.stringify(example));
for (const [kind, prompt] of Object.entries(prompts)) {
  await attempt(`morphrouter ${kind}`, async () => {
    const record = await routeClaudeCodePlanPrompt(prompt, await loadConfig(file));
    if (record.classificationError) throw new Error(JSON.stringify(record.classificationError));
    return record.decision;
  });
}
console.log(JSON.stringify(found));
