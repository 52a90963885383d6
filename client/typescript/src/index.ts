/** The Pointsman client. `pointsman-client/node` and `pointsman-client/web` open connections. */
export type { Choice } from "./choice.js";
export { RoutingClient } from "./client.js";
export { RoutingError, type ErrorFacts, type ErrorKind, type FieldViolation } from "./errors.js";
export {
  isEligible,
  kindOf,
  UnusableResponse,
  type FallbackOptions,
  type FallbackResult,
  type StreamCall,
} from "./fallback.js";
export type { Answer } from "./many.js";
export type { MirrorCounts, MirrorLimits } from "./mirror.js";
export type { CallOptions, ClientOptions, Connection, ResolveFields } from "./options.js";
export { prefixOf, PREFIX_LIMIT, usableId, type Question, type Questionlike } from "./question.js";
export type { TokenSource } from "./token.js";
export * from "./gen/pointsman/v1/describe_routing_pb.js";
export * from "./gen/pointsman/v1/resolve_route_pb.js";
export * from "./gen/pointsman/v1/route_decision_pb.js";
export * from "./gen/pointsman/v1/routing_service_pb.js";
