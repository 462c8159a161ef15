// SPDX-License-Identifier: EUPL-1.2
// That one tree of the log continues another: RFC 6962 section 2.1.2, checked as in RFC 9162 section 2.1.4.2.
// Sizes are BigInt, hashes Uint8Array of 32 bytes. What does not hold throws.

const HASH_SIZE = 32;
const MAX_PROOF = 63;

const isSame = (one, other) => one.every((byte, at) => byte === other[at]);

async function nodeHash(left, right) {
  const bytes = new Uint8Array(1 + 2 * HASH_SIZE);
  bytes[0] = 1;
  bytes.set(left, 1);
  bytes.set(right, 1 + HASH_SIZE);
  return new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
}

export async function verifyConsistency(size1, size2, proof, root1, root2) {
  if (proof.length > MAX_PROOF || [root1, root2, ...proof].some((hash) => hash.length !== HASH_SIZE)) {
    throw new Error("a proof has at most 63 hashes of 32 bytes");
  }
  if (size1 <= 0n || size1 > size2) throw new Error("no proof that the second extends the first");
  if (size1 === size2) {
    if (proof.length || !isSame(root1, root2)) throw new Error("two trees of one size");
    return;
  }
  if (!proof.length) throw new Error("the proof is too short");
  const isPower = (size1 & (size1 - 1n)) === 0n; // an old tree that is one subtree is not repeated in its proof
  const path = isPower ? [root1, ...proof] : proof;
  let [fn, sn] = [size1 - 1n, size2 - 1n];
  while (fn & 1n) [fn, sn] = [fn >> 1n, sn >> 1n];
  let [fr, sr] = [path[0], path[0]];
  for (const c of path.slice(1)) {
    if (sn === 0n) throw new Error("the proof is too long");
    if (fn & 1n || fn === sn) {
      fr = await nodeHash(c, fr);
      sr = await nodeHash(c, sr);
      while (fn !== 0n && !(fn & 1n)) [fn, sn] = [fn >> 1n, sn >> 1n];
    } else {
      sr = await nodeHash(sr, c);
    }
    [fn, sn] = [fn >> 1n, sn >> 1n];
  }
  if (sn !== 0n) throw new Error("the proof is too short");
  if (!isSame(fr, root1) || !isSame(sr, root2)) throw new Error("the trees are not consistent");
}
