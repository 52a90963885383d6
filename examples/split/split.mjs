// The split of docs/routes.md in JavaScript, from the definition alone:
//
//     node split.mjs ../../docs/split-vectors.json
//
// checks every row of the vectors and says how many it found right.

import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";

function cost({ profile, weight }, purpose, runId) {
  const hash = createHash("sha256");
  for (const part of ["pointsman.split.v1", purpose, runId, profile]) {
    const bytes = Buffer.from(part, "utf8");
    const length = Buffer.alloc(4);
    length.writeUInt32BE(bytes.length);
    hash.update(length).update(bytes);
  }
  const top = hash.digest().readBigUInt64BE(0) >> 11n;
  return -Math.log((Number(top) + 1) / 2 ** 53) / weight;
}

export function order(candidates, purpose, runId) {
  return candidates
    .map((candidate) => ({ profile: candidate.profile, cost: cost(candidate, purpose, runId) }))
    .sort((a, b) => a.cost - b.cost) // stable: equal costs keep their order
    .map((candidate) => candidate.profile);
}

const { rows } = JSON.parse(readFileSync(process.argv[2], "utf8"));
let wrong = 0;
for (const row of rows) {
  const found = order(row.candidates, row.purpose, row.run_id);
  const rest = row.candidates.map((c) => c.profile).filter((name) => name !== found[0]);
  const same = (a, b) => JSON.stringify(a) === JSON.stringify(b);
  if (!same(found, row.order) || !same([found[0], ...rest], row.attempts)) {
    console.error(`run ${row.run_id}: expected ${row.order}, found ${found}`);
    wrong += 1;
  }
}
console.log(`${rows.length - wrong} of ${rows.length} rows right`);
process.exit(wrong ? 1 : 0);
