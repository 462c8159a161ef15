#!/usr/bin/env node
// SPDX-License-Identifier: EUPL-1.2
// A reader of any C2SP log, written from tlog-tiles, tlog-checkpoint, signed-note and RFC 6962 alone. Nothing here knows
// Sluis, and nothing is imported but Node itself.
//
//   node reader.mjs config.json
//
// config.json: url (the log's prefix), vkey (Ed25519), and for mutual TLS roots, certificate, key (PEM files);
// entries: true to fetch the entry bundles too and hash each entry. Prints what was found as JSON; exit code 1 and one
// line on stderr when anything does not hold.
import { createHash, createPublicKey, verify } from "node:crypto";
import { readFileSync } from "node:fs";
import { Agent, request } from "node:https";
import { gunzipSync } from "node:zlib";

const WIDTH = 256;
const MAX_BYTES = 1 << 25;

class Broken extends Error {}
const insist = (condition, message) => {
  if (!condition) throw new Broken(message);
};
const sha256 = (...parts) => {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(part);
  return hash.digest();
};
const leafHash = (entry) => sha256(Uint8Array.of(0), entry);
const nodeHash = (left, right) => sha256(Uint8Array.of(1), left, right);

// RFC 6962 section 2.1: the left part is the largest power of two below the length.
function treeHash(hashes) {
  if (hashes.length === 0) return sha256();
  if (hashes.length === 1) return hashes[0];
  let k = 1;
  while (2 * k < hashes.length) k *= 2;
  return nodeHash(treeHash(hashes.slice(0, k)), treeHash(hashes.slice(k)));
}

function base64(text) {
  const bytes = Buffer.from(text, "base64");
  insist(bytes.toString("base64") === text, "not base64 in its only spelling");
  return bytes;
}

function parseVkey(text) {
  const [, name, id, key] = text.match(/^([^+\s]+)\+([0-9a-f]{8})\+(.+)$/) ?? [];
  insist(name, "not a verifier key");
  const bytes = base64(key);
  insist(bytes[0] === 1 && bytes.length === 33, "not an Ed25519 verifier key");
  insist(sha256(name + "\n", bytes).subarray(0, 4).toString("hex") === id, "the key ID does not fit the key");
  const x = bytes.subarray(1).toString("base64url");
  return { name, id, key: createPublicKey({ key: { kty: "OKP", crv: "Ed25519", x }, format: "jwk" }) };
}

// A signed note whose text is origin, size and root; at least one line of this key, and none of it false.
function readCheckpoint(note, vkey) {
  const end = note.lastIndexOf("\n\n");
  insist(end > 0 && note.endsWith("\n"), "checkpoint: not a signed note");
  const [text, lines] = [note.slice(0, end + 1), note.slice(end + 2, -1).split("\n")];
  let signed = 0;
  for (const line of lines) {
    const [dash, name, encoded, ...rest] = line.split(" ");
    insist(dash === "\u2014" && name && encoded && rest.length === 0, "checkpoint: not a signature line");
    const bytes = base64(encoded);
    if (name !== vkey.name || bytes.subarray(0, 4).toString("hex") !== vkey.id) continue;
    insist(verify(null, Buffer.from(text), vkey.key, bytes.subarray(4)), "checkpoint: the signature is false");
    signed += 1;
  }
  insist(signed > 0, "checkpoint: the log did not sign it");
  const [origin, size, root] = text.split("\n");
  insist(origin === vkey.name, "checkpoint: of another log");
  insist(/^(0|[1-9][0-9]{0,14})$/.test(size), "checkpoint: the size is no number");
  insist(base64(root).length === 32, "checkpoint: the root is no hash");
  return { origin, size: Number(size), root: base64(root) };
}

class Site {
  constructor({ url, roots, certificate, key }) {
    const read = (path) => path && readFileSync(path);
    this.url = url.replace(/\/$/, "");
    this.agent = new Agent({ keepAlive: true, maxSockets: 4, ca: read(roots), cert: read(certificate), key: read(key) });
    this.fetched = 0;
  }

  get(path) {
    this.fetched += 1;
    return new Promise((resolve, reject) => {
      const fail = (error) => reject(new Broken(`${path}: ${error.message}`));
      const headers = { "accept-encoding": "gzip, identity" };
      const call = request(`${this.url}/${path}`, { agent: this.agent, headers }, (answer) => {
        const parts = [];
        answer.on("data", (part) => parts.push(part));
        answer.on("error", fail);
        answer.on("end", () => {
          if (answer.statusCode !== 200) return fail(new Error(`answered ${answer.statusCode}`));
          const body = Buffer.concat(parts);
          const zipped = answer.headers["content-encoding"] === "gzip";
          resolve(zipped ? gunzipSync(body, { maxOutputLength: MAX_BYTES }) : body);
        });
      });
      call.on("error", fail);
      call.end();
    });
  }
}

// tlog-tiles: three digits at a time, all groups but the last behind an x; a width only where the tile is partial.
function tilePath(level, index, width) {
  const digits = String(index).padStart(Math.ceil(String(index).length / 3) * 3, "0");
  const groups = digits.match(/.{3}/g).map((group, i, all) => (i < all.length - 1 ? `x${group}` : group));
  return `tile/${level}/${groups.join("/")}${width === WIDTH ? "" : `.p/${width}`}`;
}

// Fetches every tile of a level that has `count` hashes; returns the tiles, each a list of hashes.
async function readLevel(site, level, count) {
  const tiles = [];
  for (let index = 0; index * WIDTH < count; index += 1) {
    const width = Math.min(WIDTH, count - index * WIDTH);
    const path = tilePath(level, index, width);
    const bytes = await site.get(path);
    insist(bytes.length === 32 * width, `${path}: ${bytes.length} bytes where ${32 * width} are due`);
    tiles.push(Array.from({ length: width }, (_, i) => bytes.subarray(32 * i, 32 * i + 32)));
  }
  return tiles;
}

// Every hash of a level above must be the tree hash of the full tile below it, and the leaves must give the root.
async function rebuild(site, { size, root }) {
  let level = 0;
  const leaves = await readLevel(site, level, size);
  for (let below = leaves; below.length > 0; ) {
    const full = below.filter((tile) => tile.length === WIDTH);
    level += 1;
    const above = await readLevel(site, level, full.length);
    full.forEach((tile, i) => {
      const stated = above[Math.floor(i / WIDTH)][i % WIDTH];
      insist(treeHash(tile).equals(stated), `tile ${level - 1}/${i}: does not fit the hash above it`);
    });
    below = above;
  }
  insist(treeHash(leaves.flat()).equals(root), "the tiles do not give the signed root");
  return leaves;
}

async function readEntries(site, leaves) {
  let count = 0;
  for (const [index, tile] of leaves.entries()) {
    const path = tilePath("entries", index, tile.length);
    const bytes = await site.get(path);
    let at = 0;
    for (const leaf of tile) {
      insist(at + 2 <= bytes.length, `${path}: cut short`);
      const entry = bytes.subarray(at + 2, at + 2 + bytes.readUInt16BE(at));
      insist(entry.length === bytes.readUInt16BE(at), `${path}: cut short`);
      insist(leafHash(entry).equals(leaf), `entry ${count}: does not hash to its leaf`);
      at += 2 + entry.length;
      count += 1;
    }
    insist(at === bytes.length, `${path}: more than its entries`);
  }
  return count;
}

async function main(path) {
  insist(path, "usage: node reader.mjs CONFIG");
  const config = JSON.parse(readFileSync(path, "utf8"));
  const site = new Site(config);
  try {
    const checkpoint = readCheckpoint((await site.get("checkpoint")).toString("utf8"), parseVkey(config.vkey));
    const leaves = await rebuild(site, checkpoint);
    const entries = config.entries ? await readEntries(site, leaves) : 0;
    const { origin, size, root } = checkpoint;
    return { origin, size, root: root.toString("hex"), entries, fetched: site.fetched };
  } finally {
    site.agent.destroy();
  }
}

try {
  console.log(JSON.stringify(await main(process.argv[2])));
} catch (error) {
  console.error(`reader.mjs: ${error.message}`);
  process.exitCode = 1;
}
