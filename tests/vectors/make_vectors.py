# SPDX-License-Identifier: EUPL-1.2
"""Makes `protocol.json`, the vectors of docs/protocol.md. Run from the root: python -m tests.vectors.make_vectors

`deterministic` follows from the fixed keys, salts and blinds below, and is written anew each time.
`produced` holds what carries randomness that no library lets one fix (HPKE encapsulation, ECDSA, proofs of
possession): it is made once, kept, and opened or verified rather than reproduced. `--fresh` makes it anew.
"""

import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from sluis import manifest, oprf
from sluis.canonical import canonical_json
from sluis.cards import PartyCard
from sluis.certificates import Authority
from sluis.checkpoint import Checkpoint
from sluis.checkpoint_signers import Ed25519CheckpointSigner, cosign
from sluis.encoding import lp, u32, u64
from sluis.envelope import Header, KeptField, Suite, withhold
from sluis.keylog import KeyPublication
from sluis.merkle import CompactRange, Hash, inclusion_proof, leaf_hash, node_hash
from sluis.note import Note, SignatureType
from sluis.receipt import Receipt, RedactionReceipt
from sluis.register_snapshot import SnapshotEntry, SnapshotHeader, entries_digest, sign_snapshot
from sluis.ristretto255 import SecretScalars, add_each
from sluis.wire import envelope_to_wire, redaction_to_wire
from tests.vectors.signed_vectors import digest_vectors, follow_up_vectors
from tests.vectors.vector_inputs import (
    CREATED_MS,
    DOMAIN,
    EVALUATORS,
    FIELDS,
    ORIGIN,
    RECIPIENT,
    SUBJECTS,
    WITHHELD,
    WITNESS,
    header,
    person_header,
    pseudonym_share,
    scalar,
    sealed_sample,
    sealing,
    secret,
    signing,
)

FILE = Path(__file__).with_name("protocol.json")


def encoding_vectors() -> dict[str, Any]:
    """Show lp, and why lengths are prefixed."""
    cases: list[list[bytes]] = [[], [b""], [b"a|b", b"c"], [b"a", b"b|c"], [u32(1), u64(2)]]
    return {"lp": [{"parts": [part.hex() for part in parts], "encoded": lp(*parts).hex()} for parts in cases]}


def key_vectors() -> dict[str, Any]:
    """Show every key that the vectors use."""
    recipient = sealing()
    raw = recipient.to_bytes()
    return {
        **{
            name: {"seed": secret(name).hex(), "public": signing(name).public.raw.hex()}
            for name in ("sender", "broker receipt", "register owner", "log", "witness")
        },
        "recipient sealing": {
            "xwing_seed": raw[:32].hex(),
            "xwing_public": recipient.public.xwing.hex(),
            "x25519_private": raw[32:].hex(),
            "x25519_public": recipient.public.x25519.hex(),
        },
    }


def pseudonym_vectors() -> dict[str, Any]:
    """Pseudonymise three subjects in one batch, with fixed blinds and proof nonces."""
    inputs = [subject.oprf_input() for subject in SUBJECTS]
    blinds = SecretScalars.from_bytes(b"".join(scalar(f"blind {i}").reveal() for i in range(len(inputs))))
    _, blinded = oprf.blind_batch(inputs, scalars=blinds)
    evaluations = []
    total = b""
    for number, oin in enumerate(EVALUATORS, 1):
        keys = pseudonym_share(number)
        evaluated = oprf.blind_evaluate(keys.secret, blinded)
        nonce = scalar(f"evaluator {number} proof nonce")
        proof = oprf.generate_proof(keys, blinded, evaluated, r=nonce)
        total = add_each(total, evaluated) if total else evaluated
        evaluations.append(
            {
                "evaluator": oin,
                "epoch_seed": secret(f"evaluator {number} epoch seed").hex(),
                "secret_key": keys.secret.reveal().hex(),
                "public_key": keys.public.hex(),
                "evaluated_elements": evaluated.hex(),
                "proof_nonce": nonce.reveal().hex(),
                "proof": proof.hex(),
            }
        )
    outputs = oprf.finalize_batch(inputs, blinds, total)
    return {
        "domain": {
            "agreement": DOMAIN.agreement,
            "recipient": DOMAIN.recipient,
            "epoch": DOMAIN.epoch,
            "info": DOMAIN.info().hex(),
        },
        "subjects": [
            {
                "type": subject.type.value,
                "value": subject.value,
                "input": data.hex(),
                "blind": blinds.reveal()[32 * i : 32 * i + 32].hex(),
                "blinded_element": blinded[32 * i : 32 * i + 32].hex(),
                "sum": total[32 * i : 32 * i + 32].hex(),
                "output": outputs[i].hex(),
                "pseudonym": outputs[i][:16].hex(),
            }
            for i, (subject, data) in enumerate(zip(SUBJECTS, inputs, strict=True))
        ],
        "blinded_elements": blinded.hex(),
        "evaluations": evaluations,
    }


def header_vectors(value: Header) -> dict[str, Any]:
    """Show a header's parts and bytes."""
    return {
        "signal_id": str(value.signal_id),
        "suite": value.suite.value,
        "agreement": value.agreement,
        "sender": value.sender,
        "recipient": value.recipient,
        "kind": value.kind,
        "purpose": value.purpose,
        "delivery": value.delivery.value,
        "epoch": value.epoch,
        "pseudonym": value.pseudonym.hex(),
        "created_at_ms": value.created_at_ms,
        "expires_at_ms": value.expires_at_ms,
        "previous": str(value.previous),
        "claims": dict(value.claims),
        **({"aliases": [alias.hex() for alias in value.aliases]} if value.aliases else {}),
        "encoded": value.encode().hex(),
        "hash": manifest.sha256(value.encode()).hex(),
    }


def field_vectors() -> dict[str, Any]:
    """Show every intermediate value of the sealed fields."""
    encoded, count, content_key = header().encode(), len(FIELDS), secret("content key")
    sealed = sealed_sample()
    fields = []
    for index, (item, made) in enumerate(zip(FIELDS, sealed.fields, strict=True)):
        if not isinstance(made, KeptField):
            raise TypeError("sealing withholds nothing")
        bind = manifest.field_bind(encoded, index, count, item.name, item.category)
        salt = secret(f"salt {index}")
        fields.append(
            {
                "name": item.name,
                "category": item.category,
                "value": item.value.hex(),
                "salt": salt.hex(),
                "bind": bind.hex(),
                "key": manifest.field_key(content_key, bind).hex(),
                "plaintext": manifest.pad(salt, item.value).hex(),
                "commitment": made.commitment.hex(),
                "ciphertext": made.ciphertext.hex(),
                "leaf": sealed.leaves()[index].hex(),
            }
        )
    return {
        "content_key": content_key.hex(),
        "fields": fields,
        "root": sealed.root().hex(),
        "wrap_info": manifest.wrap_info(encoded, sealed.root()).hex(),
    }


def log_vectors() -> dict[str, Any]:
    """Build a log of eleven entries, its checkpoint, a receipt and an inclusion proof."""
    entries = [canonical_json({"v": 1, "operation": "vector", "number": number}) for number in range(11)]
    leaves = [leaf_hash(entry) for entry in entries]

    def node(level: int, index: int) -> Hash:
        if level == 0:
            return leaves[index]
        return node_hash(node(level - 1, 2 * index), node(level - 1, 2 * index + 1))

    index = 6
    tree, _ = CompactRange().extend(leaves)
    checkpoint = Checkpoint(origin=ORIGIN, size=tree.size, root=tree.root())
    signers = (
        Ed25519CheckpointSigner(ORIGIN, SignatureType.ED25519, signing("log")),
        Ed25519CheckpointSigner(WITNESS, SignatureType.COSIGNATURE_ED25519, signing("witness")),
    )
    note = Note(text=checkpoint.body(), signatures=cosign(checkpoint, signers, CREATED_MS // 1000))
    receipt = Receipt.sign(
        signing("broker receipt"), log_origin=ORIGIN, log_index=index, leaf_hash=leaves[index]
    )
    return {
        "origin": ORIGIN,
        "entries": [entry.decode() for entry in entries],
        "leaf_hashes": [leaf.hex() for leaf in leaves],
        "root": tree.root().hex(),
        "log_vkey": str(signers[0].vkey),
        "witness_vkey": str(signers[1].vkey),
        "checkpoint": note.format(),
        "inclusion": {
            "log_index": index,
            "tree_size": tree.size,
            "hashes": [item.hex() for item in inclusion_proof(index, tree.size, node)],
        },
        "receipt": {
            "log_index": receipt.log_index,
            "leaf_hash": receipt.leaf_hash.hex(),
            "signature": receipt.signature.hex(),
        },
    }


def register_vectors() -> dict[str, Any]:
    """Sign a register of three entries, given out of order."""
    entries = (
        SnapshotEntry(pseudonym=secret("firm 2", 16), valid_from="2025-03-01", valid_until=""),
        SnapshotEntry(pseudonym=secret("firm 1", 16), valid_from="2026-01-01", valid_until="2026-12-31"),
        SnapshotEntry(pseudonym=secret("firm 1", 16), valid_from="2024-01-01", valid_until="2024-12-31"),
    )
    head = SnapshotHeader(
        agreement=DOMAIN.agreement,
        register_name="certified-firms",
        owner=RECIPIENT,
        recipient=RECIPIENT,
        epoch=DOMAIN.epoch,
        created_at_ms=CREATED_MS,
        entry_count=len(entries),
    )
    digest = entries_digest(entries)
    return {
        "agreement": head.agreement,
        "register_name": head.register_name,
        "owner": head.owner,
        "recipient": head.recipient,
        "epoch": head.epoch,
        "created_at_ms": head.created_at_ms,
        "entries": [
            {
                "pseudonym": item.pseudonym.hex(),
                "valid_from": item.valid_from,
                "valid_until": item.valid_until,
            }
            for item in entries
        ],
        "header": head.encode().hex(),
        "digest": digest.hex(),
        "signature": sign_snapshot(head, digest, signing("register owner")).hex(),
    }


def redaction_vectors() -> dict[str, Any]:
    """Sign the redaction of the sample signal; it does not depend on the wrapped key."""
    sealed = sealed_sample()
    receipt = RedactionReceipt.sign(signing("broker receipt"), sealed, WITHHELD)
    return {
        "withheld": [
            {"index": item.index, "reason": item.reason, "rule_id": item.rule_id} for item in receipt.withheld
        ],
        "signature": receipt.signature.hex(),
        "message": redaction_to_wire(receipt).SerializeToString(deterministic=True).hex(),
    }


def deterministic() -> dict[str, Any]:
    """Compute everything that follows from the fixed secrets."""
    return {
        "encoding": encoding_vectors(),
        "keys": key_vectors(),
        "pseudonym": pseudonym_vectors(),
        "header": header_vectors(header()),
        "minimal_header": header_vectors(replace(header(Suite.X25519), previous=None, claims={}))
        | {"previous": None},
        "person_header": header_vectors(person_header()),
        "sealing": field_vectors(),
        "redaction": redaction_vectors(),
        "register": register_vectors(),
        "digest": digest_vectors(),
        "follow_ups": follow_up_vectors(),
        "log": log_vectors(),
    }


def envelope_vectors(suite: Suite, withheld: Sequence[int]) -> dict[str, Any]:
    """Seal the sample signal with fresh encapsulation, and withhold some fields."""
    sealed = sealed_sample(suite)
    smaller = withhold(sealed, withheld)
    return {
        "suite": suite.value,
        "withheld": list(withheld),
        "wrapped_key": sealed.wrapped_key.hex(),
        "signature": sealed.signature.hex(),
        "message": envelope_to_wire(smaller).SerializeToString(deterministic=True).hex(),
        "opened": [
            {"name": item.name, "category": item.category, "value": item.value.hex()}
            for index, item in enumerate(FIELDS)
            if index not in withheld
        ],
    }


def publication_vectors(number: int) -> dict[str, Any]:
    """Publish an evaluator's share, with a fresh proof of possession."""
    made = KeyPublication.create(
        evaluator=EVALUATORS[number - 1],
        domain=DOMAIN,
        keys=pseudonym_share(number),
        signing_key=signing(f"evaluator {number}"),
        created_at_ms=CREATED_MS,
    )
    return {
        "evaluator": made.evaluator,
        "signing_seed": secret(f"evaluator {number}").hex(),
        "signing_public": signing(f"evaluator {number}").public.raw.hex(),
        "created_at_ms": CREATED_MS,
        "statement": made.statement().hex(),
        "proof_of_possession": made.proof_of_possession.hex(),
        "signature": made.signature.hex(),
    }


def card_vectors() -> dict[str, Any]:
    """Make a card under a fresh authority."""
    start, end = datetime(2026, 1, 1, tzinfo=UTC), datetime(2036, 1, 1, tzinfo=UTC)
    authority = Authority.create("Sluis vector root", valid_from=start, valid_until=end)
    key = ec.generate_private_key(ec.SECP256R1())
    leaf = authority.issue(
        key.public_key(), name="Vector party", oin=RECIPIENT, valid_from=start, valid_until=end
    )
    card = PartyCard.create(
        oin=RECIPIENT,
        name="Vector party",
        signing_key=signing("sender").public,
        sealing_key=sealing().public,
        created_at=datetime(2026, 7, 1, 9, tzinfo=UTC),
        certificate_chain=[leaf],
        private_key=key,
    )
    return {
        "root_certificate": authority.certificate.public_bytes(serialization.Encoding.DER).hex(),
        "valid_at": "2026-07-01T09:00:00Z",
        "card": card.encode().decode(),
    }


def produced() -> dict[str, Any]:
    """Make what carries randomness of its own."""
    return {
        "envelopes": [
            envelope_vectors(Suite.XWING, []),
            envelope_vectors(Suite.XWING, [2, 4]),
            envelope_vectors(Suite.X25519, []),
            envelope_vectors(Suite.X25519, [0, 1, 2, 3, 4]),
        ],
        "key_publications": [publication_vectors(1), publication_vectors(2)],
        "card": card_vectors(),
    }


def main() -> None:
    """Write the file; keep `produced` when it is there."""
    kept = None
    if FILE.exists() and "--fresh" not in sys.argv:
        kept = json.loads(FILE.read_text())["produced"]
    vectors = {
        "about": "Vectors of docs/protocol.md, made by tests/vectors/make_vectors.py; bytes are in hexadecimal",
        "deterministic": deterministic(),
        "produced": kept or produced(),
    }
    FILE.write_text(json.dumps(vectors, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
