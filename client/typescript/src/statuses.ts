/** The HTTP status that an error of an LLM call stands for. */
import { STATUS_OF_CODE, STATUS_OF_GRPC } from "./codes.js";

type Fields = Record<string, unknown>;

/** Numbers of google.rpc.Code from 1 on, in the order of the table. */
const GRPC_NAMES = ["CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND", "ALREADY_EXISTS",
  "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "ABORTED", "OUT_OF_RANGE", "UNIMPLEMENTED",
  "INTERNAL", "UNAVAILABLE", "DATA_LOSS", "UNAUTHENTICATED"];

/** Whether it has fields. */
export function isRecord(value: unknown): value is Fields {
  return typeof value === "object" && value !== null;
}

/** The status of an error: its own, its response's, or that of an error code; undefined if there is none. */
export function failedStatus(error: Fields): number | undefined {
  const { response, $metadata } = error;
  const own = [error["status"], error["statusCode"], isRecord(response) && response["status"],
    isRecord($metadata) && $metadata["httpStatusCode"]];
  return first(own, httpStatus) ?? grpcStatus(error) ?? first(codesOf(error), statusOfCode);
}

/** Error codes, the most specific first: of the error, of its name (AWS), of its body. */
function codesOf(error: Fields): unknown[] {
  const { name, code, type, status, response } = error;
  const named = typeof name === "string" && name.endsWith("Exception") ? [name] : [];
  const data = isRecord(response) ? response["data"] : undefined; // axios
  // OpenAI's SDK has the body's `error` in `error`, Anthropic's the body.
  const bodies = [error["error"], error["body"], data].flatMap(codesIn);
  return [inCapitals(code), type, status, ...named, ...bodies];
}

function codesIn(body: unknown): unknown[] {
  if (!isRecord(body)) return [body];
  return [body["error"], body["Error"], body].flatMap((part) => {
    if (isRecord(part)) return [inCapitals(part["code"]), part["type"], part["status"], part["Code"]];
    return [part];
  });
}

/** A gRPC status as the table has it: Connect writes it in small letters, as `code` alone. */
function inCapitals(code: unknown): unknown {
  if (typeof code !== "string" || code !== code.toLowerCase()) return code;
  return STATUS_OF_GRPC.has(code.toUpperCase()) ? code.toUpperCase() : code;
}

/** The status of an error of gRPC or Connect, whose `code` is a small number. */
function grpcStatus({ name, code, details, metadata }: Fields): number | undefined {
  if (typeof code !== "number" || !isRecord(metadata)) return undefined;
  if (name !== "ConnectError" && typeof details !== "string") return undefined;
  return STATUS_OF_GRPC.get(GRPC_NAMES[code - 1] ?? "");
}

function statusOfCode(code: unknown): number | undefined {
  if (typeof code !== "string") return httpStatus(code);
  if (/^\d{3}$/.test(code)) return httpStatus(Number(code));
  const name = code.slice(code.lastIndexOf("#") + 1).toLowerCase();
  return STATUS_OF_GRPC.get(code) ?? STATUS_OF_CODE.get(name) ?? STATUS_OF_CODE.get(name.replace(/exception$/, ""));
}

function httpStatus(value: unknown): number | undefined {
  return typeof value === "number" && value >= 400 && value <= 599 ? value : undefined;
}

function first(values: readonly unknown[], status: (value: unknown) => number | undefined): number | undefined {
  for (const value of values) {
    const found = status(value);
    if (found !== undefined) return found;
  }
  return undefined;
}
