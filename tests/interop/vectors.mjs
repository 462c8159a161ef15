// SPDX-License-Identifier: EUPL-1.2
// Checks tests/vectors/protocol.json with this client's own code.
import { check, ed25519Public, hex, lp, sign, unhex, unlp, utf8, verify } from "./bytes.mjs";
import { decode, encode, envelopeFromMessage, envelopeToMessage } from "./calls.mjs";
import * as env from "./envelope.mjs";
import { leafHash, readCard, readCheckpoint, verifyInclusion, verifyReceipt } from "./log.mjs";
import { blind, domainInfo, finish, readPublication, subjectInput, verifyProof } from "./pseudonym.mjs";

const same = (bytes, expected, what) => check(hex(bytes) === expected, `${what} differs`);

async function refuses(what, attempt) {
  try {
    await attempt();
  } catch {
    return;
  }
  check(false, `${what} was not refused`);
}

const headerOf = (vector) => ({
  ...vector, pseudonym: unhex(vector.pseudonym), ...(vector.aliases && { aliases: vector.aliases.map(unhex) }),
});
const sealingKeyOf = (keys) =>
  unhex(keys["recipient sealing"].xwing_seed + keys["recipient sealing"].x25519_private);
const flipped = (bytes, at = 0) => Uint8Array.from(bytes, (byte, i) => (i === at ? byte ^ 1 : byte));

const CHECKS = {
  encoding({ deterministic: d }) {
    for (const { parts, encoded } of d.encoding.lp) same(lp(...parts.map(unhex)), encoded, "lp");
    for (const [name, key] of Object.entries(d.keys))
      if (key.seed) same(ed25519Public(unhex(key.seed)), key.public, `key ${name}`);
  },

  async pseudonyms({ deterministic: { pseudonym: p } }) {
    same(domainInfo(p.domain), p.domain.info, "domain info");
    p.subjects.forEach((subject) => same(subjectInput(subject), subject.input, "input"));
    const batch = blind(p.subjects.map(subjectInput), p.subjects.map((subject) => unhex(subject.blind)));
    same(batch.elements, p.blinded_elements, "blinded elements");
    const shares = p.evaluations.map((item) => ({
      publicKey: unhex(item.public_key), evaluated: unhex(item.evaluated_elements), proof: unhex(item.proof),
    }));
    finish(batch, shares).forEach((one, i) => {
      same(one.sum, p.subjects[i].sum, "sum");
      same(one.output, p.subjects[i].output, "output");
      same(one.pseudonym, p.subjects[i].pseudonym, "pseudonym");
    });
    const [one, two] = shares;
    await refuses("a proof of the other evaluator", () =>
      verifyProof(one.publicKey, batch.elements, one.evaluated, two.proof));
    await refuses("a changed proof", () =>
      verifyProof(one.publicKey, batch.elements, one.evaluated, flipped(one.proof, 40)));
    await refuses("the identity", () =>
      finish(batch, [{ ...one, evaluated: Uint8Array.from(one.evaluated, (b, i) => (i < 32 ? 0 : b)) }, two]));
    await refuses("one evaluator twice", () => finish(batch, [one, one]));
  },

  async publications({ deterministic: d, produced }) {
    for (const [i, item] of produced.key_publications.entries()) {
      const publication = {
        statement: unhex(item.statement), proofOfPossession: unhex(item.proof_of_possession),
        signature: unhex(item.signature),
      };
      const key = unhex(item.signing_public);
      const stated = readPublication(publication, key);
      same(stated.publicKey, d.pseudonym.evaluations[i].public_key, "published key");
      check(stated.evaluator === item.evaluator && stated.epoch === d.pseudonym.domain.epoch, "statement differs");
      for (const part of Object.keys(publication))
        await refuses(`a changed ${part}`, () =>
          readPublication({ ...publication, [part]: flipped(publication[part], 30) }, key));
      // a rogue key: signed by its evaluator, without possession
      const other = unhex(produced.key_publications[1 - i].proof_of_possession);
      const message = lp("sluis/v1/domain-key-signature", publication.statement, other);
      const rogue = { ...publication, proofOfPossession: other, signature: sign(unhex(item.signing_seed), message) };
      await refuses("a key without possession", () => readPublication(rogue, key));
    }
  },

  async sealing({ deterministic: { header, minimal_header, person_header, sealing } }) {
    for (const vector of [header, minimal_header]) {
      same(env.encodeHeader(headerOf(vector)), vector.encoded, "header");
      same(env.encodeHeader(env.decodeHeader(unhex(vector.encoded))), vector.encoded, "decoded header");
      const parts = unlp(unhex(vector.encoded));
      const claims = lp(...unlp(parts.pop()), "zz", "1", "yy", "2");
      await refuses("unsorted claims", () => env.decodeHeader(lp(...parts, claims)));
      const names = [...Array(33).keys()].map((i) => `c${10 + i}`);
      const flat = names.flatMap((name) => [name, "1"]);
      env.decodeHeader(lp(...parts, lp(...flat.slice(2))));
      await refuses("33 claims", () => env.decodeHeader(lp(...parts, lp(...flat))));
      const many = Object.fromEntries(names.map((name) => [name, "1"]));
      await refuses("writing 33 claims", () => env.encodeHeader({ ...headerOf(vector), claims: many }));
      await refuses("a longer header", () => env.decodeHeader(unhex(vector.encoded + "00000000")));
    }
    same(env.encodeHeader(headerOf(person_header)), person_header.encoded, "header with aliases");
    const person = env.decodeHeader(unhex(person_header.encoded));
    same(env.encodeHeader(person), person_header.encoded, "decoded header with aliases");
    const [one, two] = person.aliases;
    const without = unlp(unhex(person_header.encoded)).slice(0, 15);
    const [none, both] = [new Uint8Array(), Uint8Array.from([...one, ...two])];
    env.decodeHeader(lp(...without, both));
    for (const wrong of [none, both.slice(1), Uint8Array.from([...two, ...one]), person.pseudonym])
      await refuses("wrong aliases", () => env.decodeHeader(lp(...without, wrong)));
    const encoded = unhex(header.encoded);
    const [cek, n] = [unhex(sealing.content_key), sealing.fields.length];
    const sealed = sealing.fields.map((vector, i) => {
      const field = { name: vector.name, category: vector.category, value: unhex(vector.value) };
      const bound = env.bind(encoded, i, n, field.name, field.category);
      same(bound, vector.bind, "bind");
      same(env.fieldKey(cek, bound), vector.key, "field key");
      same(env.pad(unhex(vector.salt), field.value), vector.plaintext, "plaintext");
      const made = env.encryptField(cek, encoded, i, n, field, unhex(vector.salt));
      same(made.commitment, vector.commitment, "commitment");
      same(made.ciphertext, vector.ciphertext, "ciphertext");
      same(env.leaf(i, made), vector.leaf, "leaf");
      return made;
    });
    same(env.root(encoded, sealed), sealing.root, "root");
    same(env.wrapInfo(encoded, unhex(sealing.root)), sealing.wrap_info, "wrap info");
  },

  async envelopes({ deterministic: d, produced }) {
    const [key, sender] = [sealingKeyOf(d.keys), unhex(d.keys.sender.public)];
    for (const vector of produced.envelopes) {
      const envelope = envelopeFromMessage(decode("Envelope", unhex(vector.message)));
      const opened = await env.open(envelope, key, sender);
      check(opened.header.suite === vector.suite, "suite differs");
      check(JSON.stringify(opened.withheld) === JSON.stringify(vector.withheld), "withheld fields differ");
      const fields = opened.fields.map((field) => ({ ...field, value: hex(field.value) }));
      check(JSON.stringify(fields) === JSON.stringify(vector.opened), "opened fields differ");
      for (const part of ["wrappedKey", "signature", "header"])
        await refuses(`a changed ${part}`, () =>
          env.open({ ...envelope, [part]: flipped(envelope[part], 40) }, key, sender));
      await refuses("a missing field", () => env.open({ ...envelope, fields: envelope.fields.slice(1) }, key, sender));
    }
    const redaction = decode("RedactionReceipt", unhex(d.redaction.message));
    const receiptKey = unhex(d.keys["broker receipt"].public);
    const [full, partial] = produced.envelopes.map((v) => envelopeFromMessage(decode("Envelope", unhex(v.message))));
    env.verifyRedaction(receiptKey, partial, redaction);
    await refuses("a redaction of nothing", () => env.verifyRedaction(receiptKey, full, redaction));
  },

  register({ deterministic: { register, keys } }) {
    const entries = register.entries.map((row) => ({ ...row, pseudonym: unhex(row.pseudonym) }));
    const header = env.registerHeader({ ...register, entries });
    same(header, register.header, "register header");
    const digest = env.registerDigest(entries);
    same(digest, register.digest, "register digest");
    const message = lp("sluis/v1/register-signature", header, digest);
    verify(unhex(keys["register owner"].public), message, unhex(register.signature), "register");
  },

  async log({ deterministic: { log, keys } }) {
    const leaves = log.entries.map((entry) => leafHash(utf8(entry)));
    leaves.forEach((leaf, i) => same(leaf, log.leaf_hashes[i], "leaf hash"));
    const checkpoint = readCheckpoint(log.checkpoint, log.log_vkey, [log.witness_vkey], 1);
    same(checkpoint.root, log.root, "root");
    const { log_index: index, hashes } = log.inclusion;
    const proof = hashes.map(unhex);
    verifyInclusion(leaves[index], index, checkpoint.size, proof, checkpoint.root);
    for (const at of [0, 5, 7, 10])
      await refuses("a proof for another index", () =>
        verifyInclusion(leaves[index], at, checkpoint.size, proof, checkpoint.root));
    await refuses("a shorter proof", () =>
      verifyInclusion(leaves[index], index, checkpoint.size, proof.slice(1), checkpoint.root));
    for (const [from, to] of [["\n11\n", "\n12\n"], ["KBTI", "KBTJ"], ["Sv/WeBVv", "Sv/WeBVw"], ["EfWKlQAA", "EfWKlQAB"]]) {
      const changed = log.checkpoint.replace(from, to);
      check(changed !== log.checkpoint, "the checkpoint was to be changed");
      await refuses("a changed checkpoint", () => readCheckpoint(changed, log.log_vkey, [log.witness_vkey], 1));
    }
    await refuses("a checkpoint of one witness for two", () =>
      readCheckpoint(log.checkpoint, log.log_vkey, [log.witness_vkey], 2));
    const receiptKey = unhex(keys["broker receipt"].public);
    const receipt = {
      logOrigin: log.origin, logIndex: log.receipt.log_index, leafHash: unhex(log.receipt.leaf_hash),
      signature: unhex(log.receipt.signature),
    };
    verifyReceipt(receiptKey, receipt, log.origin, utf8(log.entries[index]));
    await refuses("a receipt for another entry", () =>
      verifyReceipt(receiptKey, receipt, log.origin, utf8(log.entries[0])));
    await refuses("a receipt of another index", () =>
      verifyReceipt(receiptKey, { ...receipt, logIndex: 7 }, log.origin, utf8(log.entries[index])));
  },

  async card({ deterministic: { keys }, produced: { card: vector } }) {
    const [roots, at] = [[Buffer.from(unhex(vector.root_certificate))], new Date(vector.valid_at)];
    const card = readCard(utf8(vector.card), roots, at);
    same(card.sealingKeys.xwing, keys["recipient sealing"].xwing_public, "sealing key on the card");
    await refuses("a changed card", () => readCard(utf8(vector.card.replace("Vector", "Other")), roots, at));
    await refuses("an expired card", () => readCard(utf8(vector.card), roots, new Date("2040-01-01")));
    await refuses("a card without root", () => readCard(utf8(vector.card), [], at));
  },
};

export async function checkVectors(vectors) {
  const done = [];
  for (const [name, run] of Object.entries(CHECKS)) {
    try {
      await run(vectors);
    } catch (error) {
      throw new Error(`${name}: ${error.message}`, { cause: error });
    }
    done.push(name);
  }
  return { checked: done };
}

// Seals the sample signal in both suites, for tests/vectors/sealed_by_javascript.json.
export async function sealSamples({ deterministic: d }) {
  const fields = d.sealing.fields.map(({ name, category, value }) => ({ name, category, value: unhex(value) }));
  const keys = {
    xwing: unhex(d.keys["recipient sealing"].xwing_public), x25519: unhex(d.keys["recipient sealing"].x25519_public),
  };
  const samples = [];
  for (const suite of [env.XWING, env.X25519]) {
    const envelope = await env.seal({ ...headerOf(d.header), suite }, fields, keys, unhex(d.keys.sender.seed));
    samples.push({
      suite, withheld: [], message: encode("Envelope", envelopeToMessage(envelope)).toString("hex"),
      opened: fields.map((field) => ({ ...field, value: hex(field.value) })),
    });
  }
  return samples;
}
