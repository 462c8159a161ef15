#!/usr/bin/env node
// SPDX-License-Identifier: EUPL-1.2
// A second client of Sluis, written from docs/protocol.md and proto/ alone.
//
//   node client.mjs vectors [protocol.json]   check the vectors
//   node client.mjs seal [protocol.json]      print samples sealed here, for the Python side to open
//   node client.mjs exchange config.json      push one signal; check receipt, inclusion and checkpoint
//   node client.mjs receive config.json       open and acknowledge what waits in the mailbox
//   node client.mjs match config.json         ask for matches; open and acknowledge the hits
//
// config.json: oin, agreement, broker "host:port", evaluators [{oin, address}] (two), roots, certificate, key (PEM files),
// signing_seed (hex, 32 bytes), sealing_key (hex, X-Wing seed || X25519 private key), receipt_key (hex), log_vkey,
// witness_vkeys, quorum, epoch and server_name (optional). To push: recipient, kind, purpose, delivery, subject {type, value},
// fields [{name, category, value}], claims, lifetime_days, idempotency_key and strict (optional). To match: kind,
// purpose, subjects [{type, value}]. The answer is JSON on stdout; exit code 1 on any failure.
import { randomBytes, randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { check, concat, unhex, utf8, uuidText } from "./bytes.mjs";
import { envelopeToMessage, Participant } from "./calls.mjs";
import { seal, XWING } from "./envelope.mjs";
import { checkVectors, sealSamples } from "./vectors.mjs";

const VECTORS = new URL("../vectors/protocol.json", import.meta.url);
const DAY_MS = 86_400_000;
const readJson = (path) => JSON.parse(readFileSync(path, "utf8"));

function uuid7(now) {
  const bytes = Buffer.concat([Buffer.alloc(6), randomBytes(10)]);
  bytes.writeUIntBE(now, 0, 6);
  bytes[6] = 0x70 | (bytes[6] & 0x0f);
  bytes[8] = 0x80 | (bytes[8] & 0x3f);
  return uuidText(bytes);
}

async function exchange(config, me) {
  const { agreement, recipient } = config;
  const card = await me.card(recipient);
  const { epoch, pseudonyms } = await me.pseudonyms([config.subject], agreement, recipient);
  const now = Date.now();
  const header = {
    signal_id: uuid7(now), suite: config.suite ?? XWING, agreement, sender: config.oin, recipient, epoch,
    kind: config.kind, purpose: config.purpose, delivery: config.delivery ?? "mailbox", pseudonym: pseudonyms[0],
    created_at_ms: now, expires_at_ms: now + (config.lifetime_days ?? 180) * DAY_MS,
    previous: config.previous ?? null, claims: config.claims ?? {},
  };
  const fields = config.fields.map((field) => ({ ...field, value: utf8(field.value) }));
  const envelope = await seal(header, fields, card.sealingKeys, unhex(config.signing_seed));
  const answer = await me.call(me.exchange, "Push", {
    idempotencyKey: config.idempotency_key ?? randomUUID(),
    envelope: envelopeToMessage(envelope),
    strict: config.strict ?? false,
  });
  const { effect, reasons, released, withheld } = answer.decision;
  return {
    signal_id: header.signal_id,
    effect,
    reasons: reasons.map((reason) => reason.code),
    released,
    withheld: withheld.map((field) => field.name),
    proven: await me.verifyLogged(answer.receipt, answer.entry),
  };
}

async function match(config, me) {
  const { epoch, pseudonyms } = await me.pseudonyms(config.subjects, config.agreement, config.oin);
  const frame = {
    idempotencyKey: config.idempotency_key ?? randomUUID(), agreement: config.agreement, purpose: config.purpose,
    kind: config.kind, epoch, pseudonyms: concat(...pseudonyms),
  };
  const answers = (await me.stream(me.exchange, "Match", frame)).map((frame) => {
    check(frame.outcome === "answer", `refused: ${frame.error?.code}`);
    return frame.answer;
  });
  check(answers.at(-1)?.last, "the answer is cut short");
  const [decided, hits] = [answers.find((answer) => answer.decision), answers.flatMap((answer) => answer.hits)];
  return {
    effect: decided.decision.effect,
    reasons: decided.decision.reasons.map((reason) => reason.code),
    asked: config.subjects.length,
    proven: await me.verifyLogged(decided.receipt, decided.entry),
    hits: (await me.take(hits.map((hit) => hit.delivery))).map((signal, i) => ({ position: hits[i].position, ...signal })),
  };
}

async function receive(config, me) {
  const call = me.exchange.Receive({ follow: false }, { deadline: Date.now() + 60_000 });
  const signals = [];
  for await (const frame of call) signals.push(...(await me.take(frame.deliveries)));
  return { signals };
}

async function main([command, path]) {
  if (command === "vectors") return checkVectors(readJson(path ?? VECTORS));
  if (command === "seal") return sealSamples(readJson(path ?? VECTORS));
  const run = { exchange, match, receive }[command];
  check(run && path, "usage: node client.mjs vectors|seal [FILE] | exchange|receive|match CONFIG");
  const config = readJson(path);
  const me = new Participant(config);
  try {
    return await run(config, me);
  } finally {
    me.close();
  }
}

try {
  console.log(JSON.stringify(await main(process.argv.slice(2)), null, 1));
} catch (error) {
  console.error(`client.mjs: ${error.message}`);
  process.exitCode = 1;
}
