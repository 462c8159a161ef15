// SPDX-License-Identifier: EUPL-1.2
// docs/protocol.md section 1: bytes, lp, SHA-256, Ed25519, canonical JSON.
import { createHash } from "node:crypto";
import { ed25519 } from "@noble/curves/ed25519.js";

export const utf8 = (text) => new TextEncoder().encode(text);
export const hex = (bytes) => Buffer.from(bytes).toString("hex");
export const unhex = (text) => {
  const bytes = new Uint8Array(Buffer.from(text, "hex"));
  check(hex(bytes) === text, "not lower-case hexadecimal");
  return bytes;
};
export const concat = (...parts) => new Uint8Array(Buffer.concat(parts));
export const equal = (a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)) === 0;
export const sha256 = (bytes) => new Uint8Array(createHash("sha256").update(bytes).digest());
export const sha512 = (bytes) => new Uint8Array(createHash("sha512").update(bytes).digest());

export class Refused extends Error {}

export function check(condition, message) {
  if (!condition) throw new Refused(message);
}

function unsigned(size) {
  return (number) => {
    const bytes = Buffer.alloc(8);
    bytes.writeBigUInt64BE(BigInt(number));
    return new Uint8Array(bytes.subarray(8 - size));
  };
}
export const u16 = unsigned(2);
export const u32 = unsigned(4);
export const u64 = unsigned(8);

export function lp(...parts) {
  return concat(
    ...parts.flatMap((part) => {
      const bytes = typeof part === "string" ? utf8(part) : part;
      return [u32(bytes.length), bytes];
    }),
  );
}

// Splits what lp joined; refuses all else.
export function unlp(bytes) {
  const parts = [];
  for (let at = 0; at < bytes.length; ) {
    check(at + 4 <= bytes.length, "a length prefix is cut short");
    const size = Buffer.from(bytes).readUInt32BE(at);
    check(at + 4 + size <= bytes.length, "a part is longer than the message");
    parts.push(bytes.slice(at + 4, at + 4 + size));
    at += 4 + size;
  }
  return parts;
}

export const text = (bytes) => new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
export const number = (bytes) => {
  check(bytes.length === 8, "a number has 8 bytes");
  return Number(Buffer.from(bytes).readBigUInt64BE());
};

const P = 2n ** 255n - 19n;
const EIGHT = BigInt("0x05fc536d880238b13933c6d305acdfd5f098eff289f4c345b027b2c28f95e826");
const SMALL_ORDER = new Set([0n, 1n, P - 1n, P, P + 1n, EIGHT, P - EIGHT]);

export const ed25519Public = (seed) => ed25519.getPublicKey(seed);
export const sign = (seed, message) => ed25519.sign(message, seed);

export function verify(publicKey, message, signature, what) {
  check(publicKey.length === 32 && signature.length === 64, `${what}: wrong length`);
  const y = BigInt("0x" + hex(Uint8Array.from(publicKey).reverse())) % 2n ** 255n;
  check(!SMALL_ORDER.has(y), `${what}: key of small order`);
  // strict as RFC 8032 has it, not the lenient rule of ZIP 215
  check(ed25519.verify(signature, message, publicKey, { zip215: false }), `${what}: signature wrong`);
}

// RFC 8785 for ASCII member names and whole numbers, which is all that Sluis uses.
export function canonicalJson(value) {
  if (Array.isArray(value)) return "[" + value.map(canonicalJson).join(",") + "]";
  if (value !== null && typeof value === "object") {
    const members = Object.keys(value).sort();
    return "{" + members.map((name) => JSON.stringify(name) + ":" + canonicalJson(value[name])).join(",") + "}";
  }
  return JSON.stringify(value);
}

export function parseCanonical(bytes) {
  const source = text(bytes);
  const value = JSON.parse(source);
  check(canonicalJson(value) === source, "not canonical JSON");
  return value;
}

export function uuidBytes(uuid) {
  check(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/.test(uuid), "not a UUID version 7");
  return unhex(uuid.replaceAll("-", ""));
}

export function uuidText(bytes) {
  check(bytes.length === 16, "a signal id has 16 bytes");
  const uuid = hex(bytes).replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
  uuidBytes(uuid);
  return uuid;
}
