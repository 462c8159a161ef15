// SPDX-License-Identifier: EUPL-1.2
// A checkpoint with all its known signatures, and proof files (c2sp.org/tlog-proof) in their canonical spelling.
// What does not hold throws.

import { Wrong, checkLog, checkWitnesses, climb, leafHash, parseCheckpoint, parseKey, unbase64 } from "./verify.js";

const HEADER = "c2sp.org/tlog-proof@v1";
const NOT_SEEN = new Set(["witness-none", "witness-no-key"]);

/** A checkpoint that one of the log's keys signed, with the names of the witnesses whose lines hold. */
export async function verifyCheckpoint(text, logKeys, witnessKeys) {
  const checkpoint = parseCheckpoint(text);
  const keys = await Promise.all([...logKeys, ...witnessKeys].map(parseKey));
  await checkLog(checkpoint, keys);
  let witnesses = [];
  try {
    witnesses = [...(await checkWitnesses(checkpoint, keys)).times.keys()];
  } catch (error) {
    if (!(error instanceof Wrong && NOT_SEEN.has(error.code))) throw error;
  }
  return { ...checkpoint, witnesses };
}

export function parseProof(text) {
  const gap = text.indexOf("\n\n");
  const lines = text.slice(0, Math.max(gap, 0)).split("\n");
  if (gap < 0 || lines.shift() !== HEADER) throw new Wrong("proof-form");
  if (lines[0]?.startsWith("extra ") && !unbase64(lines.shift().slice(6)).length) throw new Wrong("proof-form");
  const found = /^index (0|[1-9][0-9]{0,18})$/.exec(lines.shift() ?? "");
  if (!found || lines.length > 63) throw new Wrong("proof-form");
  return { index: BigInt(found[1]), hashes: lines.map(unbase64), checkpoint: text.slice(gap + 2) };
}

/** That an entry, as its canonical text, stands where the proof says. */
export async function verifyInclusion(entry, proof, checkpoint) {
  const root = await climb(await leafHash(entry), proof.index, checkpoint.size, proof.hashes);
  if (!root.every((byte, at) => byte === checkpoint.root[at])) throw new Wrong("root-other");
}
