/** Connections from Node: gRPC, or Connect over HTTP. */
import { createConnectTransport, createGrpcTransport, Http2SessionManager } from "@connectrpc/connect-node";
import { Agent as HttpAgent } from "node:http";
import { Agent as HttpsAgent } from "node:https";
import { RoutingClient } from "./client.js";
import type { ClientOptions } from "./options.js";
import { bearer, type TokenSource } from "./token.js";

/** TLS beyond the system's roots; PEM text or bytes. */
export interface TlsOptions {
  /** The authorities that sign the service's certificate. Default: the system's. */
  readonly ca?: string | Buffer;
  /** The client certificate, with its key. */
  readonly cert?: string | Buffer;
  readonly key?: string | Buffer;
  /** The name in the service's certificate, where the address has another. */
  readonly serverName?: string;
}

/** Settings of a client in Node. */
export interface NodeOptions extends ClientOptions {
  readonly token?: TokenSource;
  /** `true`: TLS with the system's roots. Default: plaintext. */
  readonly tls?: boolean | TlsOptions;
}

const READ_MAX_BYTES = 4 * 1024 * 1024;
const MAX_SOCKETS = 64; // the listener serves a few hundred of one address, and there may be other clients on it

/** A client over gRPC; `address` is `host:port`. It connects at the first call. */
export function grpcClient(address: string, options: NodeOptions = {}): RoutingClient {
  if (address.includes("/")) throw new TypeError("the address of a gRPC client is host:port, without a scheme");
  const baseUrl = `${options.tls ? "https" : "http"}://${address}`;
  const sessionManager = new Http2SessionManager(baseUrl, {}, secrets(options.tls));
  const transport = createGrpcTransport({
    baseUrl,
    sessionManager,
    interceptors: bearer(options.token),
    readMaxBytes: READ_MAX_BYTES,
  });
  return new RoutingClient({ transport, close: () => sessionManager.abort() }, options);
}

/** A client of the HTTP listener over Connect; `baseUrl` is `http://host:port` or `https://...`. */
export function httpClient(baseUrl: string, options: NodeOptions = {}): RoutingClient {
  if (!/^https?:\/\//i.test(baseUrl)) throw new TypeError("the address of an HTTP client is http://host:port or https://host:port");
  const secure = new URL(baseUrl).protocol === "https:";
  if (options.tls && !secure) throw new TypeError("TLS needs a base URL with https");
  if (options.transport === "stream") throw new TypeError("a stream needs gRPC: use grpcClient");
  const pool = { keepAlive: true, maxSockets: MAX_SOCKETS, ...secrets(options.tls) };
  const agent = secure ? new HttpsAgent(pool) : new HttpAgent(pool);
  const transport = createConnectTransport({
    baseUrl,
    httpVersion: "1.1",
    nodeOptions: { agent, ...secrets(options.tls) },
    interceptors: bearer(options.token),
    readMaxBytes: READ_MAX_BYTES,
  });
  return new RoutingClient({ transport, close: () => agent.destroy() }, options);
}

function secrets(tls: NodeOptions["tls"]): object {
  if (tls === undefined || typeof tls === "boolean") return {};
  const { serverName, ...pem } = tls;
  return serverName === undefined ? pem : { ...pem, servername: serverName };
}
