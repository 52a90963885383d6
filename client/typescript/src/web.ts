/** Connections from browsers, and from any runtime with `fetch`: Connect or gRPC-Web over HTTP. */
import { createRegistry } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import { createConnectTransport, createGrpcWebTransport } from "@connectrpc/connect-web";
import { RoutingClient } from "./client.js";
import { BadRequestSchema, ErrorInfoSchema, RetryInfoSchema } from "./gen/google/rpc/error_details_pb.js";
import type { ClientOptions } from "./options.js";
import { bearer, type TokenSource } from "./token.js";

/** Settings of a client over `fetch`. */
export interface WebOptions extends ClientOptions {
  readonly token?: TokenSource;
  /** Default: `connect`. */
  readonly protocol?: "connect" | "grpc-web";
  /** The encoding of messages. Default: `proto`, which is smaller; `json` is readable in a browser's tools. */
  readonly format?: "proto" | "json";
  readonly fetch?: typeof globalThis.fetch;
}

// The details of a refused decision of a batch: JSON names their types.
const DETAILS = createRegistry(BadRequestSchema, ErrorInfoSchema, RetryInfoSchema);

/** A client of the HTTP listener. A page of another origin needs `POINTSMAN_HTTP_ALLOWED_ORIGINS`. */
export function webClient(baseUrl: string, options: WebOptions = {}): RoutingClient {
  if (options.transport === "stream") throw new TypeError("a stream needs gRPC, which browsers do not have");
  const createTransport = options.protocol === "grpc-web" ? createGrpcWebTransport : createConnectTransport;
  const transport = createTransport({
    baseUrl,
    interceptors: bearer(options.token),
    useBinaryFormat: options.format !== "json",
    jsonOptions: { registry: DETAILS },
    fetch: naming(options.fetch ?? globalThis.fetch),
  });
  return new RoutingClient({ transport, close: () => undefined }, options);
}

/** Reports a connection that failed as such: `fetch` rejects with a `TypeError` for it. */
function naming(fetch: typeof globalThis.fetch): typeof globalThis.fetch {
  return async (input, init) => {
    try {
      return await fetch(input, init);
    } catch (error) {
      if (!(error instanceof TypeError)) throw error;
      throw new ConnectError("the service cannot be reached", Code.Unavailable, undefined, undefined, error);
    }
  };
}
