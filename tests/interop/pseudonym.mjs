// SPDX-License-Identifier: EUPL-1.2
// docs/protocol.md sections 2 and 3: identifier to pseudonym, key publication.
import { randomBytes } from "node:crypto";
import { ristretto255, ristretto255_hasher } from "@noble/curves/ed25519.js";
import { check, concat, equal, lp, number, sha512, text, u16, u64, unlp, utf8, verify } from "./bytes.mjs";

const { Point } = ristretto255;
const { Fn } = Point;
const CONTEXT = concat(utf8("OPRFV1-"), Uint8Array.of(1), utf8("-ristretto255-SHA512"));
const label = (name) => concat(utf8(name), CONTEXT);
const sized = (bytes) => concat(u16(bytes.length), bytes);
const split = (bytes) => {
  check(bytes.length > 0 && bytes.length % 32 === 0, "elements have 32 bytes each");
  return Array.from({ length: bytes.length / 32 }, (_, i) => bytes.slice(32 * i, 32 * i + 32));
};

const hashToGroup = (data) => ristretto255_hasher.hashToCurve(data, { DST: label("HashToGroup-") });
const hashToScalar = (data) => ristretto255_hasher.hashToScalar(data, { DST: label("HashToScalar-") });

function element(bytes) {
  check(bytes.length === 32 && !equal(bytes, new Uint8Array(32)), "not an element, or the identity");
  return Point.fromBytes(Uint8Array.from(bytes));
}

function scalar(bytes) {
  const value = Fn.fromBytes(Uint8Array.from(bytes));
  check(value !== 0n, "a scalar is zero");
  return value;
}

export const subjectInput = (subject) => lp(subject.type, subject.value);
export const domainInfo = (domain) => lp("sluis/v1/domain", domain.agreement, domain.recipient, domain.epoch);

// `blinds` is for test vectors only.
export function blind(inputs, blinds) {
  const scalars = blinds
    ? blinds.map(scalar)
    : inputs.map(() => scalar(Fn.toBytes(Fn.create(BigInt("0x" + randomBytes(64).toString("hex"))))));
  const elements = inputs.map((input, i) => hashToGroup(input).multiply(scalars[i]).toBytes());
  return { inputs, scalars, elements: concat(...elements) };
}

// RFC 9497 2.2.2 VerifyProof, mode VOPRF.
export function verifyProof(publicKey, blinded, evaluated, proof) {
  const [from, to] = [split(blinded), split(evaluated)];
  check(from.length === to.length, "another number of elements than was asked");
  check(proof.length === 64, "a proof has 64 bytes");
  const seed = sha512(concat(sized(publicKey), sized(label("Seed-"))));
  let [m, z] = [Point.ZERO, Point.ZERO];
  from.forEach((one, i) => {
    const weight = hashToScalar(concat(sized(seed), u16(i), sized(one), sized(to[i]), utf8("Composite")));
    m = m.add(element(one).multiply(weight));
    z = z.add(element(to[i]).multiply(weight));
  });
  const [c, s] = [scalar(proof.slice(0, 32)), scalar(proof.slice(32))];
  const t2 = Point.BASE.multiply(s).add(element(publicKey).multiply(c));
  const t3 = m.multiply(s).add(z.multiply(c));
  const points = [m, z, t2, t3].map((point) => sized(point.toBytes()));
  check(hashToScalar(concat(sized(publicKey), ...points, utf8("Challenge"))) === c, "the proof does not hold");
}

// `shares`: [{publicKey, evaluated, proof}], one of each evaluator.
export function finish(batch, shares) {
  check(shares.length === 2, "two evaluators are due");
  check(!equal(shares[0].publicKey, shares[1].publicKey), "two evaluators show the same public share");
  for (const share of shares) verifyProof(share.publicKey, batch.elements, share.evaluated, share.proof);
  const parts = shares.map((share) => split(share.evaluated).map(element));
  return batch.inputs.map((input, i) => {
    const sum = parts[0][i].add(parts[1][i]);
    const unblinded = sum.multiply(Fn.inv(batch.scalars[i])).toBytes();
    const output = sha512(concat(sized(input), sized(unblinded), utf8("Finalize")));
    return { sum: sum.toBytes(), output, pseudonym: output.slice(0, 16) };
  });
}

// Checks signature and possession of a KeyPublication; returns what it states.
export function readPublication(publication, signingKey) {
  const { statement, proofOfPossession, signature } = publication;
  const parts = unlp(statement);
  check(parts.length === 7 && text(parts[0]) === "sluis/v1/domain-key", "not a statement about a key");
  const [evaluator, agreement, recipient, epoch] = parts.slice(1, 5).map(text);
  check(/^[0-9]{20}$/.test(evaluator) && /^[0-9]{20}$/.test(recipient), "an OIN has 20 digits");
  const publicKey = parts[5];
  check(equal(lp(...parts.slice(0, 6), u64(number(parts[6]))), statement), "the statement is not canonical");
  verify(signingKey, lp("sluis/v1/domain-key-signature", statement, proofOfPossession), signature, "key publication");
  check(proofOfPossession.length === 96, "a proof of possession has 96 bytes");
  const challenge = hashToGroup(lp("sluis/v1/possession", statement)).toBytes();
  verifyProof(publicKey, challenge, proofOfPossession.slice(0, 32), proofOfPossession.slice(32));
  return { evaluator, agreement, recipient, epoch, publicKey };
}
