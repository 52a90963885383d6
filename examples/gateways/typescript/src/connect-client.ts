import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { RoutingService } from "./gen/pointsman/v1/routing_service_pb.js";
import { authorization, readTls } from "./secrets.js";
import { Unanswered, type RoutingClient } from "./routing.js";

/** Pointsman through connect-es: gRPC over Node's own HTTP/2, with the generated types. */
export function connectClient(address: string): RoutingClient {
  const tls = readTls();
  const transport = createGrpcTransport({
    baseUrl: `${tls === undefined ? "http" : "https"}://${address}`,
    nodeOptions: tls ?? {},
  });
  const client = createClient(RoutingService, transport);
  return {
    async routeDecision(question, { timeoutMs, headers }) {
      try {
        const sent = { ...headers, ...(await authorization()) };
        return await client.routeDecision(question, { timeoutMs, headers: sent });
      } catch (error) {
        throw new Unanswered(Code[ConnectError.from(error).code]);
      }
    },
    close() {}, // its connections do not keep the process
  };
}
