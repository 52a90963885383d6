import { readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";

/** TLS to the service: the authority, and a client certificate with its key. */
export interface Tls {
  readonly ca: Buffer | undefined;
  readonly cert: Buffer | undefined;
  readonly key: Buffer | undefined;
}

/** TLS as `POINTSMAN_TLS` and `POINTSMAN_*_FILE` set it; undefined: plaintext. */
export function readTls(): Tls | undefined {
  const file = (name: string) => {
    const path = process.env[name];
    return path ? readFileSync(path) : undefined;
  };
  const tls = { ca: file("POINTSMAN_CA_FILE"), cert: file("POINTSMAN_CERT_FILE"), key: file("POINTSMAN_KEY_FILE") };
  return process.env["POINTSMAN_TLS"] === "true" || tls.ca !== undefined ? tls : undefined;
}

/** The header with the token of `POINTSMAN_TOKEN_FILE`, read before every call; none without the file. */
export async function authorization(): Promise<Record<string, string>> {
  const path = process.env["POINTSMAN_TOKEN_FILE"];
  return path ? { authorization: `Bearer ${(await readFile(path, "utf8")).trim()}` } : {};
}
