// SPDX-License-Identifier: EUPL-1.2
// Holds the log against what this browser remembers of it. A server that cuts the log off, rewrites it, or shows
// this reader another log than before is noticed here, whatever it says itself.
//
// `remembered` and what `judge` gives back under `remember`: { size, root, keys, at }, as JSON keeps it.

import { verifyConsistency } from "./consistency.js";
import { verifyCheckpoint } from "./proof_file.js";
import { unbase64 } from "./verify.js";

const PREFIX = "sluis.log.";

const base64 = (bytes) => btoa(String.fromCharCode(...bytes));

// verdicts: first, same, grown hold; signature, keys, shrunk, forked, unproven do not; silent: no answer came.
export async function judge({ checkpoint, logKeys, witnessKeys, remembered, prove, now }) {
  const keys = [...logKeys].sort().join(" ");
  let found;
  try {
    found = await verifyCheckpoint(checkpoint, logKeys, witnessKeys);
  } catch (error) {
    return { verdict: "signature", why: error.message };
  }
  const facts = { size: found.size, witnesses: found.witnesses, since: remembered?.at };
  const remember = { size: String(found.size), root: base64(found.root), keys, at: now };
  if (!remembered) return { verdict: "first", remember, ...facts };
  const before = { size: BigInt(remembered.size), root: unbase64(remembered.root) };
  facts.before = before.size;
  if (remembered.keys !== keys) return { verdict: "keys", ...facts };
  if (found.size < before.size) return { verdict: "shrunk", ...facts };
  if (found.size === before.size) {
    const isSameRoot = remembered.root === remember.root;
    return isSameRoot ? { verdict: "same", remember, ...facts } : { verdict: "forked", ...facts };
  }
  if (before.size === 0n) return { verdict: "grown", remember, ...facts };
  let proof;
  try {
    proof = await prove(before.size, found.size);
  } catch (error) {
    return { verdict: "silent", why: error.message, ...facts };
  }
  try {
    await verifyConsistency(before.size, found.size, proof.map(unbase64), before.root, found.root);
  } catch (error) {
    return { verdict: "unproven", why: error.message, ...facts };
  }
  return { verdict: "grown", remember, ...facts };
}

export function recall(storage, origin) {
  const text = storage.getItem(PREFIX + origin);
  return text ? JSON.parse(text) : null;
}

export function keep(storage, origin, state) {
  storage.setItem(PREFIX + origin, JSON.stringify(state));
}

export function forget(storage, origin) {
  storage.removeItem(PREFIX + origin);
}
