/** The program of docs/conformance.md: a request a line, its answer a line. */
import { createInterface } from "node:readline";
import { fromJson, toJson, type JsonValue } from "@bufbuild/protobuf";
import {
  RouteDecisionRequestSchema,
  RouteDecisionResponseSchema,
  RoutingError,
  type RoutingClient,
} from "../src/index.js";
import { grpcClient } from "../src/node.js";

interface Line {
  readonly address: string;
  readonly request: JsonValue;
}

const clients = new Map<string, RoutingClient>();

async function answer({ address, request }: Line): Promise<object> {
  const client = clients.get(address) ?? grpcClient(address, { timeoutMs: 60_000 });
  clients.set(address, client);
  try {
    const response = await client.route(fromJson(RouteDecisionRequestSchema, request));
    return { response: toJson(RouteDecisionResponseSchema, response) };
  } catch (error) {
    if (!(error instanceof RoutingError)) throw error;
    return { status: error.status, bad_fields: error.violations.map(({ field }) => field) };
  }
}

for await (const line of createInterface({ input: process.stdin }))
  console.log(JSON.stringify(await answer(JSON.parse(line) as Line)));
for (const client of clients.values()) await client.close();
