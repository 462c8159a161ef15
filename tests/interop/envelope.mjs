// SPDX-License-Identifier: EUPL-1.2
// docs/protocol.md sections 4 to 6 and 9: header, fields, envelope, redaction, register.
import { createCipheriv, createDecipheriv, createHmac, randomBytes } from "node:crypto";
import { Aes256Gcm, CipherSuite, DhkemX25519HkdfSha256, HkdfSha256 } from "@hpke/core";
import { XWing } from "@hpke/hybridkem-x-wing";
import {
  check, concat, equal, lp, number, sha256, sign, text, u32, u64, unlp, utf8, uuidBytes, uuidText, verify,
} from "./bytes.mjs";

export const XWING = "xwing-sha256-aes256gcm+ed25519";
export const X25519 = "x25519-sha256-aes256gcm+ed25519";
const NONCE = Buffer.alloc(12);
const ENC = { [XWING]: 1120, [X25519]: 32 };
const TERM = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;
const NAME = /^[a-z0-9_]{1,64}$/;
const CATEGORY = /^[a-z0-9_-]{1,32}$/;

function hpke(suite) {
  check(suite in ENC, "unknown suite");
  const kem = suite === XWING ? new XWing() : new DhkemX25519HkdfSha256();
  return new CipherSuite({ kem, kdf: new HkdfSha256(), aead: new Aes256Gcm() });
}

export function encodeHeader(header) {
  const names = Object.keys(header.claims).sort();
  check(names.length <= 32, "a header has at most 32 claims");
  return lp(
    "sluis/v1/header", uuidBytes(header.signal_id), header.suite, header.agreement, header.sender, header.recipient,
    header.kind, header.purpose, header.delivery, header.epoch, header.pseudonym, u64(header.created_at_ms),
    u64(header.expires_at_ms), header.previous ? uuidBytes(header.previous) : new Uint8Array(),
    lp(...names.flatMap((name) => [name, header.claims[name]])), ...(header.aliases ? [concat(...header.aliases)] : []),
  );
}

export function decodeHeader(bytes) {
  check(bytes.length <= 8192, "the header is too long");
  const parts = unlp(bytes);
  const whole = parts.length === 15 || parts.length === 16;
  check(whole && text(parts[0]) === "sluis/v1/header", "not a header of this version");
  const [suite, agreement, sender, recipient, kind, purpose, delivery, epoch] = parts.slice(2, 10).map(text);
  const claims = unlp(parts[14]).map(text);
  const header = {
    signal_id: uuidText(parts[1]), suite, agreement, sender, recipient, kind, purpose, delivery, epoch,
    pseudonym: parts[10], created_at_ms: number(parts[11]), expires_at_ms: number(parts[12]),
    previous: parts[13].length ? uuidText(parts[13]) : null,
    claims: Object.fromEntries(claims.flatMap((name, i) => (i % 2 ? [] : [[name, claims[i + 1]]]))),
    ...(parts.length === 16 && { aliases: readAliases(parts[10], parts[15]) }),
  };
  check(suite in ENC && ["mailbox", "on_match"].includes(delivery), "unknown suite or delivery");
  check([agreement, kind, purpose].every((term) => TERM.test(term)), "a term has the wrong form");
  check([sender, recipient].every((oin) => /^[0-9]{20}$/.test(oin)), "an OIN has 20 digits");
  check(/^[A-Za-z0-9-]{1,16}$/.test(epoch) && header.pseudonym.length === 16, "epoch or pseudonym is wrong");
  check(header.created_at_ms < header.expires_at_ms && header.expires_at_ms <= 253402300799999, "times are wrong");
  check(claims.every((part, i) => (i % 2 ? utf8(part).length <= 200 : NAME.test(part))), "a claim is wrong");
  check(equal(encodeHeader(header), bytes), "the header is not in canonical form");
  return header;
}

function readAliases(pseudonym, bytes) {
  const aliases = [...Array(Math.ceil(bytes.length / 16)).keys()].map((i) => bytes.slice(16 * i, 16 * i + 16));
  check(aliases.length >= 1 && aliases.length <= 11 && bytes.length % 16 === 0, "aliases have the wrong length");
  const ascending = aliases.every((alias, i) => i === 0 || Buffer.compare(aliases[i - 1], alias) < 0);
  check(ascending && !aliases.some((alias) => equal(alias, pseudonym)), "aliases are not in canonical form");
  return aliases;
}

export const bind = (header, i, n, name, category) =>
  lp("sluis/v1/field", sha256(header), u32(i), u32(n), name, category);
export const fieldKey = (cek, bound) => new Uint8Array(createHmac("sha256", cek).update(bound).digest());
export const commitment = (salt, name, category, value) =>
  sha256(lp("sluis/v1/commitment", salt, name, category, value));
export const leaf = (i, field) =>
  field.withheldLeaf ??
  sha256(lp("sluis/v1/field-leaf", u32(i), field.name, field.category, field.commitment, sha256(field.ciphertext)));
export const root = (header, fields) =>
  sha256(lp("sluis/v1/root", sha256(header), u32(fields.length), concat(...fields.map((field, i) => leaf(i, field)))));
export const wrapInfo = (header, top) => lp("sluis/v1/wrap", sha256(header), top);

export function pad(salt, value) {
  let size = 32;
  while (size < 4 + value.length) size *= 2;
  return concat(salt, u32(value.length), value, new Uint8Array(size - 4 - value.length));
}

export function encryptField(cek, header, i, n, { name, category, value }, salt) {
  check(NAME.test(name) && CATEGORY.test(category) && value.length <= 32764, "a field has the wrong form");
  const bound = bind(header, i, n, name, category);
  const cipher = createCipheriv("aes-256-gcm", fieldKey(cek, bound), NONCE).setAAD(bound);
  const ciphertext = concat(cipher.update(pad(salt, value)), cipher.final(), cipher.getAuthTag());
  return { name, category, commitment: commitment(salt, name, category, value), ciphertext };
}

function decryptField(cek, header, i, n, field) {
  const bound = bind(header, i, n, field.name, field.category);
  check(field.ciphertext.length >= 80, "a ciphertext is too short");
  const decipher = createDecipheriv("aes-256-gcm", fieldKey(cek, bound), NONCE).setAAD(bound);
  decipher.setAuthTag(field.ciphertext.slice(-16));
  const plaintext = concat(decipher.update(field.ciphertext.slice(0, -16)), decipher.final());
  const size = Buffer.from(plaintext).readUInt32BE(32);
  const [salt, value] = [plaintext.slice(0, 32), plaintext.slice(36, 36 + size)];
  check(value.length === size && equal(pad(salt, value), plaintext), "a field is not padded as it must be");
  const honest = equal(commitment(salt, field.name, field.category, value), field.commitment);
  check(honest, "a field contradicts its signed commitment");
  return { name: field.name, category: field.category, value };
}

const signedBytes = (envelope) =>
  lp("sluis/v1/signal", envelope.header, root(envelope.header, envelope.fields), sha256(envelope.wrappedKey));

// `sealingKeys`: {xwing, x25519} of the recipient; `fixed`: {cek, salts} for test vectors only.
export async function seal(parts, fields, sealingKeys, signingSeed, fixed) {
  const header = encodeHeader(parts);
  decodeHeader(header);
  const cek = fixed?.cek ?? new Uint8Array(randomBytes(32));
  const sealed = fields.map((field, i) =>
    encryptField(cek, header, i, fields.length, field, fixed?.salts[i] ?? new Uint8Array(randomBytes(32))),
  );
  const suite = hpke(parts.suite);
  const key = parts.suite === XWING ? sealingKeys.xwing : sealingKeys.x25519;
  const recipientPublicKey = await suite.kem.deserializePublicKey(key);
  const info = wrapInfo(header, root(header, sealed));
  const { enc, ct } = await suite.seal({ recipientPublicKey, info }, cek);
  const envelope = { header, fields: sealed, wrappedKey: concat(new Uint8Array(enc), new Uint8Array(ct)) };
  return { ...envelope, signature: sign(signingSeed, signedBytes(envelope)) };
}

// `sealingKey`: X-Wing seed || X25519 private key, 64 bytes.
export async function open(envelope, sealingKey, senderKey) {
  const header = decodeHeader(envelope.header);
  check(envelope.fields.length >= 1 && envelope.fields.length <= 64, "a signal has 1 to 64 fields");
  const names = envelope.fields.filter((field) => !field.withheldLeaf).map((field) => field.name);
  check(new Set(names).size === names.length, "a field stands there twice");
  verify(senderKey, signedBytes(envelope), envelope.signature, "signal");
  const suite = hpke(header.suite);
  const secret = header.suite === XWING ? sealingKey.slice(0, 32) : sealingKey.slice(32);
  const recipientKey = await suite.kem.deserializePrivateKey(secret);
  const [enc, ct] = [envelope.wrappedKey.slice(0, ENC[header.suite]), envelope.wrappedKey.slice(ENC[header.suite])];
  const info = wrapInfo(envelope.header, root(envelope.header, envelope.fields));
  const cek = new Uint8Array(await suite.open({ recipientKey, enc, info }, ct));
  check(cek.length === 32, "the content key has the wrong length");
  const opened = { header, fields: [], withheld: [] };
  envelope.fields.forEach((field, i) => {
    if (field.withheldLeaf) opened.withheld.push(i);
    else opened.fields.push(decryptField(cek, envelope.header, i, envelope.fields.length, field));
  });
  return opened;
}

export function verifyRedaction(receiptKey, envelope, redaction) {
  const missing = envelope.fields.flatMap((field, i) => (field.withheldLeaf ? [i] : []));
  const stated = redaction.withheld.map((item) => item.index);
  check(JSON.stringify(missing) === JSON.stringify(stated), "other fields are missing than the broker states");
  const items = redaction.withheld.map((item) => lp(u32(item.index), item.reason, item.ruleId));
  const id = uuidBytes(decodeHeader(envelope.header).signal_id);
  const message = lp("sluis/v1/redaction", id, root(envelope.header, envelope.fields), ...items);
  verify(receiptKey, message, redaction.signature, "redaction receipt");
}

export function registerHeader(r) {
  return lp(
    "sluis/v1/register", r.agreement, r.register_name, r.owner, r.recipient, r.epoch,
    u64(r.created_at_ms), u64(r.entries.length),
  );
}

export function registerDigest(entries) {
  const rows = entries.map((row) => [row.pseudonym, utf8(row.valid_from), utf8(row.valid_until)]);
  rows.sort((a, b) => [0, 1, 2].map((i) => Buffer.compare(a[i], b[i])).find((order) => order) ?? 0);
  return sha256(concat(...rows.map((row) => lp(...row))));
}
