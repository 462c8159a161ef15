// SPDX-License-Identifier: EUPL-1.2
// Recomputes, with WebCrypto alone, that an entry stands in the log. No step believes the server.
//
//   entry      canonical JSON (RFC 8785), of the exchange that the page is about
//   leaf       SHA-256(0x00 || entry)                                   RFC 6962 section 2.1
//   root       leaf and path hashed up to the root                      RFC 9162 section 2.1.3.2
//   note       origin, size, root and signature lines                   c2sp.org/signed-note, tlog-checkpoint
//   log        the log's Ed25519 signature, by a key that the reader trusts
//   witnesses  cosignatures "cosignature/v1\ntime <t>\n" || text        c2sp.org/tlog-cosignature
//
// `verifyEntry` gives one step for each: {step, ok, code, values}. It names no language: `code` leads to a sentence.
// ML-DSA-44 signatures (type 6) are counted and left to `sluis audit verify`; browsers do not have it.

const LOG = 1;
const WITNESS = 4;
const MLDSA = 6;
const MAX = (1n << 63n) - 1n;
const encoder = new TextEncoder();

export const STEPS = ["entry", "leaf", "root", "note", "log", "witnesses"];

/** What does not hold; `code` leads to a sentence, `values` fill it in. */
export class Wrong extends Error {
  constructor(code, values = {}) {
    super(code);
    this.code = code;
    this.values = values;
  }
}

export const hex = (bytes) => [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");

export function unbase64(text) {
  let raw;
  try {
    raw = atob(text);
  } catch {
    throw new Wrong("base64");
  }
  if (btoa(raw) !== text) throw new Wrong("base64"); // one value has one spelling
  return Uint8Array.from(raw, (char) => char.charCodeAt(0));
}

function unhex(text) {
  if (!/^([0-9a-f]{2})*$/.test(text)) throw new Wrong("hex");
  return Uint8Array.from(text.match(/../g) ?? [], (pair) => parseInt(pair, 16));
}

const equal = (a, b) => a.length === b.length && a.every((byte, place) => byte === b[place]);

function concat(...parts) {
  const joined = new Uint8Array(parts.reduce((size, part) => size + part.length, 0));
  let at = 0;
  for (const part of parts) {
    joined.set(part, at);
    at += part.length;
  }
  return joined;
}

async function sha256(...parts) {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", concat(...parts)));
}

/** RFC 8785: members sorted by UTF-16 code units, numbers and strings as JavaScript writes them. */
export function canonical(value) {
  if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`;
  if (value !== null && typeof value === "object") {
    const members = Object.keys(value).sort();
    return `{${members.map((key) => `${JSON.stringify(key)}:${canonical(value[key])}`).join(",")}}`;
  }
  return JSON.stringify(value);
}

export const leafHash = (entry) => sha256(Uint8Array.of(0), encoder.encode(entry));
const nodeHash = (left, right) => sha256(Uint8Array.of(1), left, right);

/** Hash a leaf up to the root, telling each level: RFC 9162 section 2.1.3.2. */
export async function climb(leaf, index, size, path, tell = () => {}) {
  if (index < 0n || index >= size) throw new Wrong("index", { index, size });
  let [fn, sn, here] = [index, size - 1n, leaf];
  for (const sibling of path) {
    if (sibling.length !== 32) throw new Wrong("path-hash");
    if (sn === 0n) throw new Wrong("path-long");
    if (fn & 1n || fn === sn) {
      here = await nodeHash(sibling, here);
      while (fn !== 0n && !(fn & 1n)) [fn, sn] = [fn >> 1n, sn >> 1n];
    } else {
      here = await nodeHash(here, sibling);
    }
    [fn, sn] = [fn >> 1n, sn >> 1n];
    tell(here);
  }
  if (sn !== 0n) throw new Wrong("path-short");
  return here;
}

const isName = (name) => name !== "" && !/[\s+\u0000-\u001f]/u.test(name) && encoder.encode(name).length <= 255;

/** Read a signed note with a checkpoint in it; nothing is checked but its form. */
export function parseCheckpoint(note) {
  const end = note.lastIndexOf("\n\n");
  if (end < 0 || !note.endsWith("\n") || /[\u0000-\u0009\u000b-\u001f]/.test(note)) throw new Wrong("note-form");
  const text = note.slice(0, end + 1);
  const lines = note.slice(end + 2, -1).split("\n");
  const [origin, size, root, ...extensions] = text.slice(0, -1).split("\n");
  if (lines.length > 32 || !origin || root === undefined || extensions.includes("")) throw new Wrong("note-form");
  if (!/^(0|[1-9][0-9]{0,18})$/.test(size) || BigInt(size) > MAX) throw new Wrong("note-form");
  const hash = unbase64(root);
  if (hash.length !== 32) throw new Wrong("note-form");
  const signatures = lines.map((line) => {
    const parts = line.split(" ");
    if (parts.length !== 3 || parts[0] !== "\u2014" || !isName(parts[1])) throw new Wrong("note-form");
    const data = unbase64(parts[2]);
    if (data.length < 5) throw new Wrong("note-form");
    return { name: parts[1], keyId: data.slice(0, 4), signature: data.slice(4) };
  });
  return { text, origin, size: BigInt(size), root: hash, signatures };
}

/** Read a verifier key, `name+hash+base64`, and insist that its key id is that of its key. */
export async function parseKey(line) {
  const match = /^([^+]+)\+([0-9a-f]{8})\+(.+)$/.exec(line);
  if (!match || !isName(match[1])) throw new Wrong("key-form", { line: line.slice(0, 60) });
  const [, name, id, encoded] = match;
  let data;
  try {
    data = unbase64(encoded);
  } catch {
    throw new Wrong("key-form", { line: line.slice(0, 60) });
  }
  const type = data[0];
  const wanted = type === MLDSA ? 1313 : 33;
  if (![LOG, WITNESS, MLDSA].includes(type) || data.length !== wanted) throw new Wrong("key-type", { name });
  const keyId = (await sha256(encoder.encode(`${name}\n`), data)).slice(0, 4);
  if (hex(keyId) !== id) throw new Wrong("key-id", { name });
  return { name, type, keyId, publicKey: data.slice(1) };
}

/** Read keys, one a line; empty lines and lines with # are left out. */
export async function parseKeys(text) {
  const lines = text.split(/\r?\n/).map((line) => line.trim());
  return Promise.all(lines.filter((line) => line && !line.startsWith("#")).map(parseKey));
}

const POLICY = /^(log|witness|group|quorum)[ \t]/;
const NONE = "none";

/**
 * Read what an officer trusts: keys, one a line, of which one witness must have cosigned; or a policy
 * (c2sp.org/tlog-policy), whose quorum must have. Gives {keys, quorum}; `quorum` is undefined for a list of keys.
 */
export async function parseTrust(text) {
  const lines = text.split(/\r?\n/).map((line) => line.trim());
  return lines.some((line) => POLICY.test(line)) ? parsePolicy(lines) : { keys: await parseKeys(text) };
}

async function parsePolicy(lines) {
  const [keys, seen, defined, free, groups] = [[], new Set(), new Map(), new Set(), []];
  let name = null;
  const define = (word, id) => {
    if (word === NONE || defined.has(word)) throw new Wrong("policy-form");
    defined.set(word, id);
    free.add(word);
  };
  const read = async (line, types) => {
    const key = await parseKey(line);
    const id = hex(key.publicKey);
    if (!types.includes(key.type) || seen.has(id)) throw new Wrong("policy-form");
    seen.add(id);
    return [key, id];
  };
  const take = async ([word, first, second, ...rest]) => {
    if (word === "log" && first && rest.length === 0) keys.push((await read(first, [LOG, MLDSA]))[0]);
    else if (word === "witness" && second && rest.length <= 1) {
      const [key, id] = await read(second, [WITNESS, MLDSA]);
      define(first, id);
      if (key.type === WITNESS) keys.push(key); // the other sort is never seen to cosign here
    } else if (word === "group" && rest.length > 0) {
      const least = second === "any" ? 1 : second === "all" ? rest.length : Number(second);
      const counts = /^(any|all|[1-9][0-9]{0,3})$/.test(second) && least <= rest.length;
      // A member of two groups could count twice.
      if (!counts || new Set(rest).size < rest.length || !rest.every((each) => free.delete(each)))
        throw new Wrong("policy-form");
      define(first);
      groups.push({ name: first, least, members: rest });
    } else if (word === "quorum" && second === undefined && name === null && (first === NONE || defined.has(first)))
      name = first;
    else throw new Wrong("policy-form");
  };
  for (const [place, line] of lines.entries()) {
    if (line === "" || line.startsWith("#")) continue;
    try {
      await take(line.split(/[ \t]+/));
    } catch (error) {
      if (error instanceof Wrong) throw new Wrong("policy-form", { line: place + 1 });
      throw error;
    }
  }
  if (name === null) throw new Wrong("policy-form", { line: lines.length });
  const met = (cosigned) => {
    const done = new Set([...defined].filter(([, id]) => id && cosigned.has(id)).map(([word]) => word));
    for (const group of groups)
      if (group.members.filter((member) => done.has(member)).length >= group.least) done.add(group.name);
    return name === NONE || done.has(name);
  };
  return { keys, quorum: { name, met } };
}

async function holds(key, signature, message) {
  if (signature.length !== 64) return false;
  let imported;
  try {
    imported = await crypto.subtle.importKey("raw", key.publicKey, { name: "Ed25519" }, false, ["verify"]);
  } catch (error) {
    if (error.name === "NotSupportedError") throw new Wrong("no-ed25519");
    return false;
  }
  return crypto.subtle.verify({ name: "Ed25519" }, imported, signature, message);
}

const signedBy = (checkpoint, key) =>
  checkpoint.signatures.filter((line) => line.name === key.name && equal(line.keyId, key.keyId));

/** Check the log's own signature; every line of a known key must hold, and one must be there. */
export async function checkLog(checkpoint, keys) {
  const named = keys.filter((key) => key.name === checkpoint.origin && key.type !== WITNESS);
  if (named.length === 0) throw new Wrong("log-unknown", { origin: checkpoint.origin });
  let found = 0;
  for (const key of named.filter((each) => each.type === LOG)) {
    for (const line of signedBy(checkpoint, key)) {
      if (!(await holds(key, line.signature, encoder.encode(checkpoint.text))))
        throw new Wrong("log-signature", { origin: checkpoint.origin });
      found += 1;
    }
  }
  if (found === 0) throw new Wrong("log-unsigned", { origin: checkpoint.origin });
}

/** Check the witnesses' lines, and the quorum if there is one; returns when each cosigned, in seconds, by name. */
export async function checkWitnesses(checkpoint, keys, quorum) {
  const known = keys.filter((key) => key.type === WITNESS);
  if (known.length === 0 && !quorum) throw new Wrong("witness-no-key");
  const log = new Set(keys.filter((key) => key.type === LOG).map((key) => hex(key.publicKey)));
  const owners = new Map();
  for (const key of known) {
    const owner = owners.get(hex(key.publicKey));
    if (log.has(hex(key.publicKey)) || (owner !== undefined && owner !== key.name))
      throw new Wrong("witness-shared", { name: key.name }); // one key would count for two
    owners.set(hex(key.publicKey), key.name);
  }
  const [times, cosigned] = [new Map(), new Set()];
  for (const key of known) {
    for (const line of signedBy(checkpoint, key)) {
      if (line.signature.length !== 72) throw new Wrong("witness-signature", { name: key.name });
      const time = new DataView(line.signature.buffer).getBigUint64(line.signature.byteOffset);
      const message = encoder.encode(`cosignature/v1\ntime ${time}\n${checkpoint.text}`);
      if (time > MAX || !(await holds(key, line.signature.slice(8), message)))
        throw new Wrong("witness-signature", { name: key.name });
      const before = times.get(key.name) ?? 0n;
      times.set(key.name, time > before ? time : before);
      cosigned.add(hex(key.publicKey));
    }
  }
  if (quorum && !quorum.met(cosigned)) throw new Wrong("witness-quorum", { quorum: quorum.name, count: times.size });
  if (times.size === 0 && !quorum) throw new Wrong("witness-none", { known: new Set(known.map((key) => key.name)).size });
  return { times, known: new Set(known.map((key) => key.name)).size };
}

function checkEntry(text, exchange) {
  let entry;
  try {
    entry = JSON.parse(text);
  } catch {
    throw new Wrong("entry-form");
  }
  if (entry === null || typeof entry !== "object" || canonical(entry) !== text) throw new Wrong("entry-form");
  if (exchange && entry.exchange !== exchange) throw new Wrong("entry-other");
  return { operation: entry.operation, time: entry.time };
}

/**
 * Recompute one entry: {entry, exchange, index, path, checkpoint} as texts, and what `parseTrust` gave.
 * Steps after one that fails are not taken when they rest on it; each step that was not taken has ok = null.
 */
export async function verifyEntry({ entry, exchange, index, path, checkpoint, keys, quorum }) {
  const steps = STEPS.map((step) => ({ step, ok: null, code: "not-taken", values: {} }));
  let failed = false;
  const take = async (step, work) => {
    const row = steps[STEPS.indexOf(step)];
    try {
      const { code = `${step}-ok`, ...values } = (await work()) ?? {};
      Object.assign(row, { ok: true, code, values });
    } catch (error) {
      if (!(error instanceof Wrong)) throw error;
      Object.assign(row, { ok: false, code: error.code, values: error.values });
      failed = true;
    }
  };
  let note;
  let leaf;
  await take("entry", () => checkEntry(entry, exchange));
  await take("leaf", async () => {
    leaf = await leafHash(entry);
    return { leaf: hex(leaf) };
  });
  await take("note", () => {
    note = parseCheckpoint(checkpoint);
    return { origin: note.origin, size: note.size };
  });
  if (note === undefined) return { ok: false, steps };
  await take("root", async () => {
    if (!/^(0|[1-9][0-9]{0,18})$/.test(index)) throw new Wrong("index", { index, size: note.size });
    const levels = [];
    const root = await climb(leaf, BigInt(index), note.size, path.map(unhex), (hash) => levels.push(hex(hash)));
    if (!equal(root, note.root)) throw new Wrong("root-other", { root: hex(root), signed: hex(note.root) });
    return { root: hex(root), levels: levels.length };
  });
  await take("log", async () => {
    await checkLog(note, keys);
    return { origin: note.origin };
  });
  await take("witnesses", async () => {
    const { times, known } = await checkWitnesses(note, keys, quorum);
    if (times.size === 0) return { code: "witnesses-not-due" };
    const time = [...times.values()].reduce((first, each) => (each < first ? each : first));
    return { count: times.size, known, names: [...times.keys()].join(", "), time, ...(quorum && { code: "witnesses-quorum", quorum: quorum.name }) };
  });
  return { ok: !failed, steps };
}
