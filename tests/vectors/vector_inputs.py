# SPDX-License-Identifier: EUPL-1.2
"""The fixed keys, subjects and fields behind the vectors of docs/protocol.md. No secret in here is one."""

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from uuid import UUID

from sluis import oprf
from sluis.envelope import Delivery, Envelope, Field, Header, Suite, seal
from sluis.followup import Act, FollowUp
from sluis.identifiers import Identifier, IdentifierType, Oin
from sluis.pseudonyms import PseudonymisationDomain
from sluis.receipt import WithheldField
from sluis.ristretto255 import SecretScalars, add_each
from sluis.sealing_keys import SealingKey
from sluis.signing import SigningKey

SENDER = Oin("00000099000000001000")
RECIPIENT = Oin("00000099000000002000")
EVALUATORS = (Oin("00000099000000005001"), Oin("00000099000000005002"))
ORIGIN = "broker.sluis.example/log"
WITNESS = "witness.sluis.example/w1"
CREATED_MS = 1_782_900_000_000
DOMAIN = PseudonymisationDomain(agreement="waadi-14b", recipient=RECIPIENT, epoch="2026")
SUBJECTS = (
    Identifier(type=IdentifierType.VESTIGING, value="000012345678"),
    Identifier(type=IdentifierType.KVK, value="12345678"),
    Identifier(type=IdentifierType.BSN, value="999990019"),
)
FIELDS = (
    Field(name="provision", category="organisation", value=b"WML 18b(2)"),
    Field(name="date_found", category="organisation", value=b"2026-05-12"),
    Field(name="worker_bsn", category="bsn", value=b"999990019"),
    Field(name="remark", category="free-text", value="Geen bescheiden overgelegd; één herinnering.".encode()),
    Field(name="empty", category="organisation", value=b""),
)
WITHHELD = (
    WithheldField(index=2, reason="BSN_PRIVATE", rule_id="uavg-46"),
    WithheldField(index=4, reason="FIELD_NOT_LISTED", rule_id=""),
)


def secret(name: str, size: int = 32) -> bytes:
    """Derive a fixed secret for these vectors; never one to use."""
    return hashlib.shake_256(f"sluis test vector: {name}".encode()).digest(size)


def scalar(name: str) -> SecretScalars:
    """Derive a fixed scalar."""
    return SecretScalars.from_wide_hash(secret(name, 64))


def signing(name: str) -> SigningKey:
    """Derive a fixed signing key."""
    return SigningKey.from_bytes(secret(name))


def sealing() -> SealingKey:
    """Return the recipient's fixed sealing keys."""
    return SealingKey.from_bytes(secret("recipient sealing", 64))


def pseudonym_share(number: int) -> oprf.KeyPair:
    """Return an evaluator's fixed key for the domain."""
    return oprf.derive_key_pair(secret(f"evaluator {number} epoch seed"), DOMAIN.info())


def sample_pseudonym() -> bytes:
    """Compute the first subject's pseudonym without blinding, from both shares."""
    point = oprf.hash_to_group(SUBJECTS[0].oprf_input())
    one, two = (oprf.blind_evaluate(pseudonym_share(number).secret, point) for number in (1, 2))
    unblinded = SecretScalars.from_bytes((1).to_bytes(32, "little"))
    return oprf.finalize(SUBJECTS[0].oprf_input(), unblinded, add_each(one, two))[:16]


def header(suite: Suite = Suite.XWING) -> Header:
    """Return the header of the sample signal, about the first subject."""
    return Header(
        signal_id=UUID("019f1d5c-8720-7abc-8def-0123456789ab"),
        suite=suite,
        agreement=DOMAIN.agreement,
        sender=SENDER,
        recipient=RECIPIENT,
        kind="FINE_IMPOSED",
        purpose="certificate-validity",
        delivery=Delivery.MAILBOX,
        epoch=DOMAIN.epoch,
        pseudonym=sample_pseudonym(),
        created_at_ms=CREATED_MS,
        expires_at_ms=CREATED_MS + 180 * 86_400_000,
        previous=UUID("019f1d5c-0000-7000-8000-000000000001"),
        claims={"law": "WML", "article": "18b(2)", "decided_on": "2026-06-01"},
    )


def person_header() -> Header:
    """Return the header of a deposit about a person without a number, who has three pseudonyms."""
    aliases = tuple(sorted(secret(f"alias {number}", 16) for number in (1, 2)))
    return replace(
        header(), kind="WAV-PERSOON", purpose="WAV-TOEZICHT", delivery=Delivery.ON_MATCH, aliases=aliases
    )


def seal_randomness() -> Iterator[bytes]:
    """Give the fixed content key, then the salts."""
    yield secret("content key")
    for index in range(len(FIELDS)):
        yield secret(f"salt {index}")


def sealed_sample(suite: Suite = Suite.XWING) -> Envelope:
    """Seal the sample signal; only its wrapped key and signature differ from one call to the next."""
    randomness = seal_randomness()
    return seal(
        header(suite), FIELDS, sealing().public, signing("sender"), random_bytes=lambda _: next(randomness)
    )


def follow_ups() -> list[FollowUp]:
    """Return a correction of the sample signal, its fulfilment, and an order to destroy."""

    def made(number: int, act: Act, author: Oin | None, reason: dict[str, str], **more: UUID) -> FollowUp:
        return FollowUp(
            follow_up_id=UUID(f"019f1d5c-8720-7abc-8def-00000000000{number}"),
            act=act,
            signal_id=header().signal_id,
            author=author,
            created_at_ms=CREATED_MS + number,
            codes=reason,
            **more,
        )

    replacement = UUID("019f1d5c-8720-7abc-8def-0123456789ac")
    correct = made(1, Act.CORRECT, SENDER, {"reason": "WRONG_CONTENT"}, replacement=replacement)
    fulfil = made(2, Act.FULFIL, RECIPIENT, {"done": "MARKED"}, refers_to=correct.follow_up_id)
    return [correct, fulfil, made(3, Act.DESTROY, None, {"reason": "RETENTION_ENDED"})]
