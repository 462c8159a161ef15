# SPDX-License-Identifier: EUPL-1.2
"""The vectors of docs/protocol.md: recomputed where they are fixed, opened or verified where they are not."""

import json
import re
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from sluis import oprf, wire
from sluis.cards import PartyCard
from sluis.certificates import certificate_from_der
from sluis.checkpoint import verify_checkpoint
from sluis.deposit_digest import DepositDigest, DigestHeader
from sluis.encoding import lp
from sluis.envelope import open_envelope
from sluis.errors import NotAuthentic
from sluis.followup import FollowUp, SignedFollowUp
from sluis.header import Header
from sluis.identifiers import Identifier, IdentifierType
from sluis.keylog import KeyPublication
from sluis.merkle import Hash, verify_inclusion
from sluis.note import VKey
from sluis.pseudonyms import PseudonymisationDomain
from sluis.receipt import Receipt
from sluis.register_snapshot import SnapshotEntry, SnapshotHeader, entries_digest, verify_snapshot
from sluis.ristretto255 import Element, SecretScalars, add_each
from sluis.sealing_keys import SealingKey
from sluis.signing import SigningKey, VerifyKey
from sluis.v1 import envelope_pb2 as pb
from tests.vectors.make_vectors import deterministic

ROOT = Path(__file__).parents[2]
VECTORS: dict[str, Any] = json.loads((ROOT / "tests/vectors/protocol.json").read_text())
FIXED, PRODUCED = VECTORS["deterministic"], VECTORS["produced"]
BY_JAVASCRIPT = ROOT / "tests/vectors/sealed_by_javascript.json"


def unhex(text: str) -> bytes:
    return bytes.fromhex(text)


def public(name: str) -> VerifyKey:
    return VerifyKey(unhex(FIXED["keys"][name]["public"]))


def recipient() -> SealingKey:
    keys = FIXED["keys"]["recipient sealing"]
    return SealingKey.from_bytes(unhex(keys["xwing_seed"]) + unhex(keys["x25519_private"]))


def test_the_script_reproduces_everything_that_is_fixed() -> None:
    assert json.loads(json.dumps(deterministic())) == FIXED


def test_parts_are_joined_behind_their_lengths() -> None:
    for case in FIXED["encoding"]["lp"]:
        assert lp(*map(unhex, case["parts"])).hex() == case["encoded"]


def test_keys_follow_from_their_seeds() -> None:
    for name, key in FIXED["keys"].items():
        if "seed" in key:
            assert SigningKey.from_bytes(unhex(key["seed"])).public == public(name)
    assert recipient().public.xwing.hex() == FIXED["keys"]["recipient sealing"]["xwing_public"]
    assert recipient().public.x25519.hex() == FIXED["keys"]["recipient sealing"]["x25519_public"]


def test_pseudonyms_follow_from_the_transcript() -> None:
    vector = FIXED["pseudonym"]
    domain = PseudonymisationDomain.from_info(unhex(vector["domain"]["info"]))
    blinded = unhex(vector["blinded_elements"])
    evaluated = []
    for item in vector["evaluations"]:
        keys = oprf.derive_key_pair(unhex(item["epoch_seed"]), domain.info())
        assert keys.public.hex() == item["public_key"]
        evaluated.append(unhex(item["evaluated_elements"]))
        oprf.verify_proof(Element(unhex(item["public_key"])), blinded, evaluated[-1], unhex(item["proof"]))
        with pytest.raises(NotAuthentic):
            oprf.verify_proof(keys.public, evaluated[-1], blinded, unhex(item["proof"]))
    total = add_each(*evaluated)
    for index, subject in enumerate(vector["subjects"]):
        identifier = Identifier(type=IdentifierType(subject["type"]), value=subject["value"])
        data, blind = identifier.oprf_input(), SecretScalars.from_bytes(unhex(subject["blind"]))
        assert data.hex() == subject["input"]
        assert oprf.blind(data, scalar=blind)[1].hex() == subject["blinded_element"]
        output = oprf.finalize(data, blind, total[32 * index : 32 * index + 32])
        assert output.hex() == subject["output"]
        assert output[:16].hex() == subject["pseudonym"]


@pytest.mark.parametrize("which", ["header", "minimal_header", "person_header"])
def test_headers_decode_to_their_parts(which: str) -> None:
    vector = FIXED[which]
    header = Header.decode(unhex(vector["encoded"]))
    assert header.encode().hex() == vector["encoded"]
    assert str(header.signal_id) == vector["signal_id"]
    assert header.pseudonym.hex() == vector["pseudonym"]
    assert dict(header.claims) == vector["claims"]
    assert [alias.hex() for alias in header.aliases] == vector.get("aliases", [])
    assert (None if header.previous is None else str(header.previous)) == vector["previous"]
    for name in ("suite", "agreement", "sender", "recipient", "kind", "purpose", "delivery", "epoch"):
        assert getattr(header, name) == vector[name]


def check_opens(vector: dict[str, Any]) -> None:
    envelope = wire.envelope_from_wire(pb.Envelope.FromString(unhex(vector["message"])))
    opened = open_envelope(envelope, recipient(), public("sender"))
    assert opened.header.suite == vector["suite"]
    assert list(opened.withheld) == vector["withheld"]
    assert [
        {"name": item.name, "category": item.category, "value": item.value.hex()} for item in opened.fields
    ] == vector["opened"]


@pytest.mark.parametrize("vector", PRODUCED["envelopes"], ids=lambda vector: vector["suite"][:6])
def test_sealed_signals_open(vector: dict[str, Any]) -> None:
    check_opens(vector)


def test_signals_sealed_by_the_javascript_client_open() -> None:
    vectors = json.loads(BY_JAVASCRIPT.read_text())
    assert {vector["suite"] for vector in vectors} == {vector["suite"] for vector in PRODUCED["envelopes"]}
    for vector in vectors:
        check_opens(vector)


def test_the_redaction_receipt_holds_for_the_sealed_signal_that_lacks_those_fields() -> None:
    receipt = wire.redaction_from_wire(pb.RedactionReceipt.FromString(unhex(FIXED["redaction"]["message"])))
    vector = PRODUCED["envelopes"][1]
    envelope = wire.envelope_from_wire(pb.Envelope.FromString(unhex(vector["message"])))
    receipt.verify(public("broker receipt"), envelope)


def test_the_follow_ups_read_and_verify() -> None:
    for vector in FIXED["follow_ups"]:
        statement = FollowUp.decode(unhex(vector["statement"]))
        assert (statement.act.value, statement.author or "") == (vector["act"], vector["author"])
        assert dict(statement.codes) == vector["codes"]
        references = (statement.signal_id, statement.refers_to, statement.replacement)
        assert [one.hex if one else "" for one in references] == [
            vector[name] for name in ("signal_id", "refers_to", "replacement")
        ]
        signed = SignedFollowUp(statement=statement, signature=unhex(vector["signature"]))
        signed.verify(public(vector["key"]))
        with pytest.raises(NotAuthentic):
            signed.verify(public("witness"))


def test_key_publications_verify() -> None:
    domain = PseudonymisationDomain.from_info(unhex(FIXED["pseudonym"]["domain"]["info"]))
    for item, share in zip(PRODUCED["key_publications"], FIXED["pseudonym"]["evaluations"], strict=True):
        publication = KeyPublication.from_bytes(
            unhex(item["statement"]), unhex(item["proof_of_possession"]), unhex(item["signature"])
        )
        publication.verify(VerifyKey(unhex(item["signing_public"])))
        assert (publication.domain, publication.evaluator) == (domain, share["evaluator"])
        assert publication.public.hex() == share["public_key"]


def test_the_card_verifies_under_its_root() -> None:
    vector = PRODUCED["card"]
    root = certificate_from_der(unhex(vector["root_certificate"]))
    at = datetime.fromisoformat(vector["valid_at"])
    PartyCard.parse(vector["card"].encode()).verify([root], at)
    with pytest.raises(NotAuthentic):
        PartyCard.parse(vector["card"].replace("Vector party", "Another").encode()).verify([root], at)


def test_the_digest_of_deposits_verifies_and_finds_them() -> None:
    vector = FIXED["digest"]
    data, body = unhex(vector["header"]), unhex(vector["body"])
    public("broker receipt").verify(data, unhex(vector["signature"]))
    header = DigestHeader.decode(data)
    assert {name: getattr(header, name) for name in ("since", "until", "bits", "width", "count")} == {
        name: vector[name] for name in ("since", "until", "bits", "width", "count")
    }
    digest = DepositDigest(header, body)
    assert all(digest.holds(unhex(item)) for item in vector["deposits"])
    assert not digest.holds(unhex(vector["absent"]))
    # By the page alone: counts of the buckets, then the low parts.
    low_bits = 8 * vector["width"]
    buckets = 1 << (vector["bits"] - low_bits)
    sizes = [int.from_bytes(body[4 * at : 4 * at + 4], "little") for at in range(buckets)]
    lows = iter(body[4 * buckets :])
    assert [bucket << low_bits | next(lows) for bucket, size in enumerate(sizes) for _ in range(size)] == (
        vector["values"]
    )


def test_the_register_verifies() -> None:
    vector = FIXED["register"]
    entries = [
        SnapshotEntry(
            pseudonym=unhex(item["pseudonym"]), valid_from=item["valid_from"], valid_until=item["valid_until"]
        )
        for item in vector["entries"]
    ]
    header, digest = SnapshotHeader.decode(unhex(vector["header"])), entries_digest(entries)
    assert digest.hex() == vector["digest"]
    verify_snapshot(header, digest, unhex(vector["signature"]), public("register owner"))


def test_receipt_inclusion_and_checkpoint_verify() -> None:
    vector = FIXED["log"]
    inclusion, item = vector["inclusion"], vector["receipt"]
    entry = vector["entries"][inclusion["log_index"]].encode()
    Receipt(
        log_origin=vector["origin"],
        log_index=item["log_index"],
        leaf_hash=unhex(item["leaf_hash"]),
        signature=unhex(item["signature"]),
    ).verify(public("broker receipt"), log_origin=vector["origin"], entry=entry)
    verified = verify_checkpoint(
        vector["checkpoint"], [VKey.parse(vector["log_vkey"])], [VKey.parse(vector["witness_vkey"])], 1
    )
    assert verified.checkpoint.origin == vector["origin"]
    verify_inclusion(
        Hash(unhex(item["leaf_hash"])),
        inclusion["log_index"],
        verified.checkpoint.size,
        [Hash(unhex(text)) for text in inclusion["hashes"]],
        verified.checkpoint.root,
    )


def test_every_value_shown_in_the_protocol_is_in_the_vectors() -> None:
    page, values = (ROOT / "docs/protocol.md").read_text(), json.dumps(VECTORS)
    shown = re.findall(r"\b[0-9a-f]{32,}", page)
    assert len(shown) >= 12
    for value in shown:
        assert value in values
