// SPDX-License-Identifier: EUPL-1.2
// docs/protocol.md sections 7, 8 and 10: receipt, party card, proofs and checkpoint.
import { createPublicKey, verify as verifySignature, X509Certificate } from "node:crypto";
import {
  canonicalJson, check, concat, equal, lp, parseCanonical, sha256, u64, unhex, utf8, verify,
} from "./bytes.mjs";

export const leafHash = (entry) => sha256(concat(Uint8Array.of(0), entry));
const nodeHash = (left, right) => sha256(concat(Uint8Array.of(1), left, right));

export function verifyReceipt(receiptKey, receipt, origin, entry) {
  const { logOrigin, logIndex, leafHash: leaf, signature } = receipt;
  verify(receiptKey, lp("sluis/v1/receipt", logOrigin, u64(logIndex), leaf), signature, "receipt");
  check(logOrigin === origin, "the receipt is of another log");
  check(equal(leafHash(entry), leaf), "the receipt is for another log entry");
}

// RFC 9162 2.1.3.2
export function verifyInclusion(leaf, index, size, proof, root) {
  check(index >= 0 && index < size, "the index is outside the tree");
  let [fn, sn, hash] = [index, size - 1, leaf];
  for (const sibling of proof) {
    check(sn > 0 && sibling.length === 32, "the inclusion proof is too long");
    if (fn % 2 === 1 || fn === sn) {
      hash = nodeHash(sibling, hash);
      while (fn % 2 === 0 && fn !== 0) [fn, sn] = [Math.floor(fn / 2), Math.floor(sn / 2)];
    } else {
      hash = nodeHash(hash, sibling);
    }
    [fn, sn] = [Math.floor(fn / 2), Math.floor(sn / 2)];
  }
  check(sn === 0 && equal(hash, root), "the inclusion proof does not hold");
}

function parseVkey(vkey) {
  const [, name, id, encoded] = vkey.match(/^([^+\s]+)\+([0-9a-f]{8})\+([A-Za-z0-9+/]+=*)$/) ?? [];
  check(name, "not a verifier key");
  const key = new Uint8Array(Buffer.from(encoded, "base64"));
  check(equal(sha256(concat(utf8(name + "\n"), key)).slice(0, 4), unhex(id)), "the key id is not of this key");
  return { name, id: unhex(id), type: key[0], publicKey: key.slice(1) };
}

// Returns {origin, size, root}; needs a log key (type 0x01) and `quorum` witnesses (type 0x04).
export function readCheckpoint(note, logVkey, witnessVkeys, quorum) {
  const end = note.lastIndexOf("\n\n");
  check(end > 0 && note.endsWith("\n"), "not a signed note");
  const [body, lines] = [note.slice(0, end + 1), note.slice(end + 2, -1).split("\n")];
  const signatures = lines.map((line) => {
    const [, name, encoded] = line.match(/^\u2014 (\S+) ([A-Za-z0-9+/]+=*)$/) ?? [];
    check(name, "not a signature line");
    const bytes = new Uint8Array(Buffer.from(encoded, "base64"));
    return { name, id: bytes.slice(0, 4), signature: bytes.slice(4) };
  });
  const of = (key) => signatures.filter((line) => line.name === key.name && equal(line.id, key.id));
  const [origin, size, root] = body.split("\n");
  check(/^(0|[1-9][0-9]{0,15})$/.test(size), "the tree size is no number");

  const log = parseVkey(logVkey);
  check(log.type === 1 && log.name === origin && of(log).length > 0, "the log did not sign this checkpoint");
  for (const line of of(log)) verify(log.publicKey, utf8(body), line.signature, "checkpoint");
  const cosigned = witnessVkeys.map(parseVkey).filter((key) => key.type === 4 && of(key).length > 0);
  for (const key of cosigned)
    for (const line of of(key)) {
      const time = Buffer.from(line.signature).readBigUInt64BE(0);
      const message = utf8(`cosignature/v1\ntime ${time}\n${body}`);
      verify(key.publicKey, message, line.signature.slice(8), "cosignature");
    }
  check(new Set(cosigned.map((key) => key.name)).size >= quorum, "too few witnesses cosigned");
  return { origin, size: Number(size), root: new Uint8Array(Buffer.from(root, "base64")) };
}

// Returns {oin, name, signingKey, sealingKeys}. `roots` are PEM or DER certificates.
export function readCard(bytes, roots, at) {
  check(bytes.length <= 32768, "the card is too long");
  const card = parseCanonical(bytes);
  const { signature, ...unsigned } = card;
  const members = "certificate_chain,created_at,name,oin,sealing_keys,signing_key,v";
  check(Object.keys(unsigned).sort().join() === members && card.v === 1, "not a card of this version");
  const chain = card.certificate_chain.map((der) => new X509Certificate(Buffer.from(der, "base64")));
  check(chain.length >= 1 && chain.length <= 5, "a card has 1 to 5 certificates");
  verifyChain(chain, roots.map((root) => new X509Certificate(root)), at);
  const numbers = chain[0].subject.split("\n").filter((line) => line.startsWith("serialNumber="));
  check(numbers.length === 1 && numbers[0] === `serialNumber=${card.oin}`, "the OIN is not the certificate's");
  const key = createPublicKey(chain[0].publicKey.export({ type: "spki", format: "pem" }));
  check(key.asymmetricKeyDetails.namedCurve === "prime256v1", "a card is signed with a P-256 key");
  const message = lp("sluis/v1/card", canonicalJson(unsigned));
  check(verifySignature("sha256", message, key, Buffer.from(signature, "base64")), "card: signature wrong");
  const sealingKeys = { xwing: unhex(card.sealing_keys.xwing), x25519: unhex(card.sealing_keys.x25519) };
  check(sealingKeys.xwing.length === 1216 && sealingKeys.x25519.length === 32, "sealing keys of wrong length");
  return { oin: card.oin, name: card.name, signingKey: unhex(card.signing_key), sealingKeys };
}

function verifyChain(chain, roots, at) {
  const issuedBy = (one, other) => one.checkIssued(other) && one.verify(other.publicKey);
  chain.forEach((certificate, i) => {
    const issuer = chain[i + 1] ?? roots.find((root) => issuedBy(certificate, root));
    check(issuer && issuer.ca && issuedBy(certificate, issuer), "the chain does not lead to a trusted root");
    for (const one of [certificate, issuer])
      check(new Date(one.validFrom) <= at && at <= new Date(one.validTo), "a certificate is not valid now");
  });
  check(chain[0].keyUsage?.includes("1.3.6.1.5.5.7.3.2"), "the certificate is not for client authentication");
}
