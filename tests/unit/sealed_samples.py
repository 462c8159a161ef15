# SPDX-License-Identifier: EUPL-1.2
"""Samples that the tests of sealed signals share: two parties, a header, fields."""

from dataclasses import replace
from uuid import UUID

from hypothesis import strategies as st

from sluis.envelope import Delivery, Envelope, Field, Header, Suite, seal
from sluis.header import MAX_ALIASES
from sluis.identifiers import Oin
from sluis.sealing_keys import SealingKey
from sluis.signing import SigningKey

SENDER_OIN = Oin("00000099000000001000")
RECIPIENT_OIN = Oin("00000099000000002000")
SENDER = SigningKey.from_bytes(b"\x01" * 31 + b"\x02")
BROKER = SigningKey.from_bytes(b"\x02" * 31 + b"\x03")
RECIPIENT = SealingKey.from_bytes(bytes(range(64)))
SIGNAL_ID = UUID("019826a0-0000-7000-8000-000000000001")
NOW_MS = 1_782_900_000_000

HEADER = Header(
    signal_id=SIGNAL_ID,
    agreement="waadi-14b",
    sender=SENDER_OIN,
    recipient=RECIPIENT_OIN,
    kind="FINE_IMPOSED",
    purpose="certificate-validity",
    delivery=Delivery.MAILBOX,
    epoch="2026",
    pseudonym=bytes(range(16)),
    created_at_ms=NOW_MS,
    expires_at_ms=NOW_MS + 86_400_000,
    claims={"law": "WML", "article": "18b(2)"},
)
FIELDS = (
    Field(name="firm_name", category="organisation", value=b"Uitzendbureau De Gele Waterlelie"),
    Field(name="article", category="organisation", value=b"18b(2)"),
    Field(name="worker_bsn", category="bsn", value=b"999990019"),
    Field(name="empty", category="organisation", value=b""),
)

names = st.text("abcdefghijklmnopqrstuvwxyz0123456789_", min_size=1, max_size=64)
categories = st.text("abcdefghijklmnopqrstuvwxyz0123456789_-", min_size=1, max_size=32)
field_lists = st.lists(
    st.builds(Field, name=names, category=categories, value=st.binary(max_size=300)),
    min_size=1,
    max_size=6,
    unique_by=lambda item: item.name,
)
claim_sets = st.dictionaries(
    names, st.text(st.characters(exclude_categories=["Cs"]), max_size=50), max_size=5
)
pseudonyms = st.binary(min_size=16, max_size=16)
terms = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", fullmatch=True)
uuids = st.integers(0, 2**128 - 1).map(
    lambda number: UUID(int=number & ~(0xF << 76) & ~(0x3 << 62) | 7 << 76 | 2 << 62)
)


@st.composite
def headers(draw: st.DrawFn) -> Header:
    """Draw any valid header."""
    created = draw(st.integers(0, 4_000_000_000_000))
    pseudonym, *aliases = draw(st.lists(pseudonyms, min_size=1, max_size=MAX_ALIASES + 1, unique=True))
    return Header(
        signal_id=draw(uuids),
        suite=draw(st.sampled_from(Suite)),
        agreement=draw(terms),
        sender=draw(st.sampled_from([SENDER_OIN, RECIPIENT_OIN])),
        recipient=draw(st.sampled_from([SENDER_OIN, RECIPIENT_OIN])),
        kind=draw(terms),
        purpose=draw(terms),
        delivery=draw(st.sampled_from(Delivery)),
        epoch=draw(st.from_regex(r"[A-Za-z0-9-]{1,16}", fullmatch=True)),
        pseudonym=pseudonym,
        created_at_ms=created,
        expires_at_ms=created + draw(st.integers(1, 10**12)),
        previous=draw(st.none() | uuids),
        claims=draw(claim_sets),
        aliases=tuple(sorted(aliases)),
    )


def sample(suite: Suite = Suite.XWING) -> Envelope:
    """Seal the sample fields."""
    return seal(replace(HEADER, suite=suite), FIELDS, RECIPIENT.public, SENDER)
