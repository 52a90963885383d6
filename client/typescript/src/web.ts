/** Connections from browsers, and from any runtime with `fetch`: Connect over HTTP. */
import { Code, ConnectError } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-web";
import { RoutingClient, type ClientOptions } from "./client.js";
import { bearer, type TokenSource } from "./token.js";

/** Settings of a client over `fetch`. */
export interface WebOptions extends ClientOptions {
  readonly token?: TokenSource;
  readonly fetch?: typeof globalThis.fetch;
}

/** A client of the HTTP listener. A page of another origin needs `POINTSMAN_HTTP_ALLOWED_ORIGINS`. */
export function webClient(baseUrl: string, options: WebOptions = {}): RoutingClient {
  const transport = createConnectTransport({
    baseUrl,
    interceptors: bearer(options.token),
    useBinaryFormat: true,
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
