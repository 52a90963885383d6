/** Bearer tokens. */
import type { Interceptor } from "@connectrpc/connect";
import { RoutingError } from "./errors.js";

/** A token, or a function that the client calls before every call. */
export type TokenSource = string | (() => string | Promise<string>);

/** Sends the token with every call; a source that fails, or no usable token, is `denied`. */
export function bearer(token: TokenSource | undefined): Interceptor[] {
  if (token === undefined) return [];
  return [
    (next) => async (request) => {
      request.header.set("authorization", `Bearer ${await usable(token)}`);
      return next(request);
    },
  ];
}

async function usable(source: TokenSource): Promise<string> {
  let token: unknown;
  try {
    token = typeof source === "string" ? source : await source();
  } catch (cause) {
    throw new RoutingError("denied", "the token source failed: nothing was sent", { cause });
  }
  const trimmed = typeof token === "string" ? token.trim() : "";
  if (!/^[\x21-\x7e]+$/.test(trimmed))
    throw new RoutingError("denied", "the token is empty or no header value: nothing was sent");
  return trimmed;
}
