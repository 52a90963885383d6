/** The program of docs/conformance.md: a request a line, its answer a line. */
import { createInterface } from "node:readline";
import { fromBinary, toJson } from "@bufbuild/protobuf";
import {
  RouteDecisionRequestSchema,
  RouteDecisionResponseSchema,
  RoutingError,
  type RoutingClient,
} from "../src/index.js";
import { grpcClient } from "../src/node.js";

interface Line {
  readonly address: string;
  readonly way: "unary" | "batch" | "stream";
  readonly wire: string;
  readonly token?: string;
}

let client: RoutingClient | undefined;
let of = "";

async function clientOf({ address, way, token }: Line): Promise<RoutingClient> {
  const wanted = JSON.stringify([address, way, token]);
  if (client !== undefined && wanted === of) return client;
  await client?.close();
  of = wanted;
  client = grpcClient(address, { timeoutMs: 60_000, transport: way, ...(token === undefined ? {} : { token }) });
  return client;
}

async function answer(line: Line): Promise<object> {
  const routing = await clientOf(line);
  try {
    const response = await routing.route(fromBinary(RouteDecisionRequestSchema, Buffer.from(line.wire, "base64")));
    return { response: toJson(RouteDecisionResponseSchema, response) };
  } catch (error) {
    if (!(error instanceof RoutingError)) throw error;
    return { status: error.status, bad_fields: error.violations.map(({ field }) => field) };
  }
}

for await (const line of createInterface({ input: process.stdin }))
  console.log(JSON.stringify(await answer(JSON.parse(line) as Line)));
await client?.close();
