import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { RoutingService } from "./gen/pointsman/v1/routing_service_pb.js";
import { Unanswered, type RoutingClient } from "./routing.js";

/** Pointsman through connect-es: gRPC over Node's own HTTP/2, with the generated types. */
export function connectClient(address: string): RoutingClient {
  const transport = createGrpcTransport({ baseUrl: `http://${address}` });
  const client = createClient(RoutingService, transport);
  return {
    async routeDecision(question, { timeoutMs, headers }) {
      try {
        return await client.routeDecision(question, { timeoutMs, headers });
      } catch (error) {
        throw new Unanswered(Code[ConnectError.from(error).code]);
      }
    },
    close() {}, // its connections do not keep the process
  };
}
