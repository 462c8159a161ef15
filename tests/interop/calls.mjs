// SPDX-License-Identifier: EUPL-1.2
// docs/protocol.md section 12: the calls, over gRPC with mutual TLS.
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import grpc from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";
import { check, hex, parseCanonical, sha256, text, unhex, unlp } from "./bytes.mjs";
import { decodeHeader, open, verifyRedaction } from "./envelope.mjs";
import { leafHash, readCard, readCheckpoint, verifyInclusion, verifyReceipt } from "./log.mjs";
import { blind, finish, readPublication, subjectInput } from "./pseudonym.mjs";

const PROTO = fileURLToPath(new URL("../../proto", import.meta.url));
const FILES = ["exchange", "pseudonym", "directory", "audit"].map((name) => `sluis/v1/${name}.proto`);
const definition = loadSync(FILES, { includeDirs: [PROTO], defaults: true, oneofs: true, longs: Number, enums: String });
const services = grpc.loadPackageDefinition(definition).sluis.v1;
const message = (name) => definition[`sluis.v1.${name}`];

export const decode = (name, bytes) => message(name).deserialize(Buffer.from(bytes));
export const encode = (name, value) => message(name).serialize(value);

export const envelopeFromMessage = (value) => ({
  header: value.header,
  fields: value.fields.map((field) => {
    if (field.content === "kept") return field.kept;
    check(field.content === "withheldLeaf" && field.withheldLeaf.length === 32, "a leaf has 32 bytes");
    return { withheldLeaf: field.withheldLeaf };
  }),
  wrappedKey: value.wrappedKey,
  signature: value.signature,
});
export const envelopeToMessage = (envelope) => ({
  ...envelope,
  fields: envelope.fields.map((field) => (field.withheldLeaf ? field : { kept: field })),
});

export class Participant {
  constructor(config) {
    this.config = config;
    this.roots = readFileSync(config.roots, "utf8").match(/-----BEGIN CERTIFICATE-----[^]+?-----END CERTIFICATE-----/g);
    const tls = grpc.credentials.createSsl(
      Buffer.from(this.roots.join("\n")), readFileSync(config.key), readFileSync(config.certificate),
    );
    const options = config.server_name ? { "grpc.ssl_target_name_override": config.server_name } : {};
    const connect = (service, address) => new services[service](address, tls, options);
    this.exchange = connect("ExchangeService", config.broker);
    this.directory = connect("DirectoryService", config.broker);
    this.audit = connect("AuditService", config.broker);
    this.evaluators = config.evaluators.map(({ oin, address }) => ({ oin, client: connect("PseudonymService", address) }));
    this.receiptKey = unhex(config.receipt_key);
    this.sealingKey = unhex(config.sealing_key);
    this.cards = new Map();
  }

  call(client, method, request, seconds = 30) {
    return new Promise((resolve, reject) => {
      const deadline = Date.now() + 1000 * seconds;
      client[method](request, { deadline }, (error, answer) => (error ? reject(error) : resolve(answer)));
    });
  }

  // Sends the frames; returns all that is answered.
  async stream(client, method, ...frames) {
    const call = client[method]({ deadline: Date.now() + 60_000 });
    for (const frame of frames) call.write(frame);
    call.end();
    const answers = [];
    for await (const answer of call) answers.push(answer);
    return answers;
  }

  async card(oin) {
    if (!this.cards.has(oin)) {
      const { party } = await this.call(this.directory, "GetParty", { oin });
      check(party?.active, "the party is not active");
      const card = readCard(party.card, this.roots, new Date());
      check(card.oin === oin, "the directory shows the card of another party");
      this.cards.set(oin, card);
    }
    return this.cards.get(oin);
  }

  // The public shares of a domain by epoch, each published in the log.
  async domainKeys(agreement, recipient) {
    const request = { agreement, recipientOin: recipient };
    const { keys } = await this.call(this.directory, "ListDomainKeys", request);
    const epochs = new Map();
    for (const key of keys) {
      const entry = parseCanonical(key.entry);
      const evaluator = text(unlp(key.publication.statement)[1]);
      check(this.evaluators.some(({ oin }) => oin === evaluator), "a key of an evaluator that is not configured");
      const stated = readPublication(key.publication, (await this.card(evaluator)).signingKey);
      check(stated.agreement === agreement && stated.recipient === recipient, "a key of another domain");
      const digest = hex(sha256(key.publication.statement));
      check(entry.operation === "key.publish" && entry.publication === digest, "the log entry is for another key");
      await this.verifyLogged(key.receipt, key.entry);
      const shares = epochs.get(stated.epoch) ?? new Map();
      check(!shares.has(evaluator), "an evaluator shows two keys for one domain");
      epochs.set(stated.epoch, shares.set(evaluator, stated.publicKey));
    }
    return epochs;
  }

  // What the log says of the epochs, in their order (section 3.1).
  async epochs() {
    const { epochs } = await this.call(this.directory, "ListEpochs", {});
    const told = async (logged, operation) => {
      if (!logged) return undefined;
      const entry = parseCanonical(logged.entry);
      check(entry.operation === operation, "the entry shown is of another kind");
      await this.verifyLogged(logged.receipt, logged.entry);
      return { ...entry, index: Number(logged.receipt.logIndex) };
    };
    const read = [];
    for (const { announced, compromised, retired } of epochs) {
      const first = await told(announced, "epoch.announce");
      const closed = await told(compromised, "epoch.compromise");
      const last = await told(retired, "key.retire");
      check(first, "an epoch without its announcement");
      check([closed, last].every((entry) => !entry || entry.epoch === first.epoch), "an entry of another epoch");
      check(!last || last.announced === first.index, "an entry of another epoch");
      read.push({ name: first.epoch, begins: first.begins, index: first.index, since: closed?.since, retired: last?.index });
    }
    return read.sort((a, b) => (a.begins < b.begins ? -1 : a.begins > b.begins ? 1 : a.index - b.index));
  }

  // The last epoch that has begun, if it takes signals; unless one is configured.
  async currentEpoch(agreement, recipient) {
    const epochs = await this.domainKeys(agreement, recipient);
    const now = new Date().toISOString();
    const begun = (await this.epochs()).filter(({ begins, since }) => begins <= now && !(since < begins)).at(-1);
    check(begun && !begun.since && begun.retired === undefined, "no epoch takes new signals now");
    const epoch = this.config.epoch ?? begun.name;
    check(epochs.get(epoch)?.size === this.evaluators.length, "not every evaluator has a key for this epoch");
    return { epoch, keys: epochs.get(epoch) };
  }

  async pseudonyms(subjects, agreement, recipient) {
    const { epoch, keys } = await this.currentEpoch(agreement, recipient);
    const batch = blind(subjects.map(subjectInput));
    const request = { agreement, recipientOin: recipient, epochs: [epoch], blindedElements: batch.elements };
    const shares = await Promise.all(
      this.evaluators.map(async ({ oin, client }) => {
        const { evaluations } = await this.call(client, "Evaluate", request);
        check(evaluations.length === 1 && evaluations[0].epoch === epoch, "another epoch than was asked");
        return { publicKey: keys.get(oin), evaluated: evaluations[0].evaluatedElements, proof: evaluations[0].proof };
      }),
    );
    return { epoch, pseudonyms: finish(batch, shares).map((one) => one.pseudonym) };
  }

  async checkpoint(minimumSize) {
    for (const end = Date.now() + 30_000; ; await new Promise((resolve) => setTimeout(resolve, 200))) {
      try {
        const { checkpoint } = await this.call(this.audit, "GetCheckpoint", { minimumSize });
        const { log_vkey, witness_vkeys, quorum } = this.config;
        const read = readCheckpoint(checkpoint, log_vkey, witness_vkeys, quorum);
        check(read.size >= minimumSize, "the checkpoint is smaller than was asked");
        return read;
      } catch (error) {
        const patient = error.code === grpc.status.NOT_FOUND || /too few witnesses/.test(error.message);
        if (!patient || Date.now() > end) throw error;
      }
    }
  }

  get origin() {
    return this.config.log_vkey.split("+")[0];
  }

  // Receipt, checkpoint and inclusion of one log entry.
  async verifyLogged(receipt, entry) {
    parseCanonical(entry);
    verifyReceipt(this.receiptKey, receipt, this.origin, entry);
    const { size, root } = await this.checkpoint(receipt.logIndex + 1);
    const request = { logIndex: receipt.logIndex, treeSize: size };
    const { hashes } = await this.call(this.audit, "GetInclusionProof", request);
    verifyInclusion(leafHash(entry), receipt.logIndex, size, hashes, root);
    return { log_index: receipt.logIndex, tree_size: size };
  }

  // docs/protocol.md 5.1, then acknowledges. It keeps no state, so step 3 is left to the caller.
  async take(deliveries) {
    const taken = [];
    for (const delivery of deliveries) {
      const envelope = envelopeFromMessage(delivery.envelope);
      const { sender } = decodeHeader(envelope.header);
      const opened = await open(envelope, this.sealingKey, (await this.card(sender)).signingKey);
      check(opened.header.recipient === this.config.oin, "the signal is sealed for another party");
      if (opened.withheld.length) verifyRedaction(this.receiptKey, envelope, delivery.redaction);
      verifyReceipt(this.receiptKey, delivery.receipt, this.origin, delivery.entry);
      check(delivery.receipt.logIndex === delivery.logIndex, "the receipt is for another log index");
      taken.push({
        log_index: delivery.logIndex,
        signal_id: opened.header.signal_id,
        sender,
        kind: opened.header.kind,
        pseudonym: hex(opened.header.pseudonym),
        fields: Object.fromEntries(opened.fields.map((one) => [one.name, Buffer.from(one.value).toString("utf8")])),
        withheld: opened.withheld,
      });
    }
    const logIndexes = taken.map((one) => one.log_index);
    if (logIndexes.length) await this.call(this.exchange, "Acknowledge", { logIndexes });
    return taken;
  }

  close() {
    for (const client of [this.exchange, this.directory, this.audit, ...this.evaluators.map((e) => e.client)])
      client.close();
  }
}
