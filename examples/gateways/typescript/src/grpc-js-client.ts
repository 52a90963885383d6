import * as grpc from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";
import { fileURLToPath } from "node:url";
import { authorization, readTls } from "./secrets.js";
import { Unanswered, type Answer, type RoutingClient } from "./routing.js";

const PROTOS = fileURLToPath(new URL("../../../../protos", import.meta.url));
const LONGEST_PAUSE_MS = 5000;

/** Pointsman through grpc-js, which reads the contract when it starts: nothing is generated. */
export function grpcJsClient(address: string): RoutingClient {
  const contract = loadSync("pointsman/v1/routing_service.proto", { includeDirs: [PROTOS] });
  const { pointsman } = grpc.loadPackageDefinition(contract) as unknown as Contract;
  const tls = readTls();
  const credentials =
    tls === undefined
      ? grpc.credentials.createInsecure()
      : grpc.credentials.createSsl(tls.ca, tls.key, tls.cert);
  const client = new pointsman.v1.RoutingService(address, credentials, {
    "grpc.max_reconnect_backoff_ms": LONGEST_PAUSE_MS,
    "grpc.enable_http_proxy": 0,
  });
  return {
    async routeDecision(question, { timeoutMs, headers }) {
      const token = await authorization().catch(() => {
        throw new Unanswered("UNAUTHENTICATED");
      });
      const metadata = grpc.Metadata.fromHttp2Headers({ ...headers, ...token });
      const deadline = Date.now() + timeoutMs;
      // proto-loader takes 64-bit integers as text.
      const message = { ...question, bodyBytes: String(question.bodyBytes ?? 0) };
      return new Promise<Answer>((resolve, reject) => {
        client.routeDecision(message, metadata, { deadline }, (error, answer) => {
          if (error) reject(new Unanswered(grpc.status[error.code]));
          else resolve(answer as Answer);
        });
      });
    },
    close: () => client.close(),
  };
}

interface Contract {
  pointsman: { v1: { RoutingService: new (...a: ConstructorParameters<typeof grpc.Client>) => Stub } };
}

interface Stub extends grpc.Client {
  routeDecision(
    message: object,
    metadata: grpc.Metadata,
    options: grpc.CallOptions,
    callback: grpc.requestCallback<unknown>,
  ): void;
}
