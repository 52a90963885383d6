import { readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";

/** TLS to the service: the authority, and a client certificate with its key. */
export interface Tls {
  readonly ca?: Buffer;
  readonly cert?: Buffer;
  readonly key?: Buffer;
}

/** TLS as `POINTSMAN_TLS` and `POINTSMAN_*_FILE` set it; undefined: plaintext. */
export function readTls(): Tls | undefined {
  const files = { ca: "POINTSMAN_CA_FILE", cert: "POINTSMAN_CERT_FILE", key: "POINTSMAN_KEY_FILE" };
  const set = Object.entries(files).flatMap(([name, variable]) => {
    const path = process.env[variable];
    return path ? [[name, readFileSync(path)] as const] : [];
  });
  const tls: Tls = Object.fromEntries(set);
  return process.env["POINTSMAN_TLS"] === "true" || tls.ca !== undefined ? tls : undefined;
}

/** The token of `POINTSMAN_TOKEN_FILE`, read before every call, so that a rotated one is used at once. */
export async function readToken(): Promise<string> {
  return (await readFile(process.env["POINTSMAN_TOKEN_FILE"] ?? "", "utf8")).trim();
}
