# SPDX-License-Identifier: EUPL-1.2
"""Sealed signals: round trips, tampering with every part, withholding."""

import itertools
from collections.abc import Callable
from dataclasses import replace
from uuid import UUID

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given, settings
from hypothesis import strategies as st
from sealed_samples import FIELDS, HEADER, RECIPIENT, SENDER, field_lists, headers, sample

from sluis import manifest
from sluis.envelope import (
    MAX_FIELDS,
    MAX_VALUE,
    Delivery,
    Envelope,
    Field,
    Header,
    KeptField,
    Suite,
    WithheldLeaf,
    open_envelope,
    seal,
    verify,
    withhold,
)
from sluis.errors import InvalidInput, NotAuthentic
from sluis.sealing_keys import SealingKey
from sluis.signing import SigningKey


def kept(envelope: Envelope, index: int) -> KeptField:
    item = envelope.fields[index]
    assert isinstance(item, KeptField)
    return item


def with_field(envelope: Envelope, index: int, item: KeptField | WithheldLeaf) -> Envelope:
    fields = (*envelope.fields[:index], item, *envelope.fields[index + 1 :])
    return rebuilt(envelope, fields=fields)


def rebuilt(envelope: Envelope, **changes: object) -> Envelope:
    parts: dict[str, object] = {
        "header_bytes": envelope.header_bytes,
        "fields": envelope.fields,
        "wrapped_key": envelope.wrapped_key,
        "signature": envelope.signature,
    }
    return Envelope(**(parts | changes))  # type: ignore[arg-type]  # the test chooses the part to change


def resigned(envelope: Envelope) -> Envelope:
    """Sign again, as a sender that lies would."""
    message = manifest.signed_bytes(envelope.header_bytes, envelope.root(), envelope.wrapped_key)
    return rebuilt(envelope, signature=SENDER.sign(message))


def flip(data: bytes, at: int = 0) -> bytes:
    changed = bytearray(data)
    changed[at] ^= 1
    return bytes(changed)


@settings(max_examples=60, deadline=None)
@given(header=headers(), fields=field_lists)
def test_what_is_sealed_opens_to_the_same(header: Header, fields: list[Field]) -> None:
    opened = open_envelope(seal(header, fields, RECIPIENT.public, SENDER), RECIPIENT, SENDER.public)
    assert (opened.header, opened.fields, opened.withheld) == (header, tuple(fields), ())


@settings(max_examples=60, deadline=None)
@given(fields=field_lists, data=st.data())
def test_withholding_any_subset_keeps_the_rest_verifiable(fields: list[Field], data: st.DataObject) -> None:
    envelope = seal(HEADER, fields, RECIPIENT.public, SENDER)
    indexes = data.draw(st.sets(st.integers(0, len(fields) - 1)))
    smaller = withhold(envelope, indexes)
    assert smaller.root() == envelope.root()
    verify(smaller, SENDER.public)
    opened = open_envelope(smaller, RECIPIENT, SENDER.public)
    assert opened.fields == tuple(item for index, item in enumerate(fields) if index not in indexes)
    assert opened.withheld == tuple(sorted(indexes))


def test_every_subset_of_the_sample_can_be_withheld_in_any_number_of_steps() -> None:
    envelope = sample()
    for size in range(len(FIELDS) + 1):
        for indexes in itertools.combinations(range(len(FIELDS)), size):
            stepwise = envelope
            for index in indexes:
                stepwise = withhold(stepwise, [index])
            assert stepwise == withhold(envelope, indexes)
            assert open_envelope(stepwise, RECIPIENT, SENDER.public).withheld == indexes


def test_nothing_of_a_withheld_field_is_left_in_the_envelope() -> None:
    smaller = withhold(sample(), [2])
    left = [smaller.header_bytes, smaller.wrapped_key, smaller.signature]
    for item in smaller.fields:
        match item:
            case KeptField():
                left += [item.name.encode(), item.category.encode(), item.commitment, item.ciphertext]
            case WithheldLeaf():
                left.append(item.leaf)
    for needle in (b"worker_bsn", b"bsn", b"999990019", kept(sample(), 2).commitment):
        assert needle not in b"".join(left)


def test_a_withheld_value_cannot_be_guessed_from_what_the_recipient_gets() -> None:
    """The recipient knows the content key, the leaf, and every candidate value, but not the salt."""
    envelope = sample()
    assert kept(envelope, 2).commitment != kept(sample(), 2).commitment
    without_salt = manifest.commitment(b"", "worker_bsn", "bsn", b"999990019")
    assert kept(envelope, 2).commitment != without_salt


FULL = sample()
TAMPERINGS: dict[str, Callable[[], Envelope]] = {
    "signature": lambda: rebuilt(FULL, signature=flip(FULL.signature)),
    "wrapped key": lambda: rebuilt(FULL, wrapped_key=flip(FULL.wrapped_key)),
    "wrapped key, last byte": lambda: rebuilt(FULL, wrapped_key=flip(FULL.wrapped_key, -1)),
    "name": lambda: with_field(FULL, 0, replace(kept(FULL, 0), name="other")),
    "category": lambda: with_field(FULL, 0, replace(kept(FULL, 0), category="bsn")),
    "commitment": lambda: with_field(
        FULL, 0, replace(kept(FULL, 0), commitment=flip(kept(FULL, 0).commitment))
    ),
    "ciphertext": lambda: with_field(
        FULL, 0, replace(kept(FULL, 0), ciphertext=flip(kept(FULL, 0).ciphertext))
    ),
    "ciphertext truncated": lambda: with_field(
        FULL, 0, replace(kept(FULL, 0), ciphertext=kept(FULL, 0).ciphertext[:80])
    ),
    "leaf": lambda: with_field(FULL, 0, WithheldLeaf(leaf=bytes(32))),
    "field missing": lambda: rebuilt(FULL, fields=FULL.fields[:-1]),
    "field added": lambda: rebuilt(FULL, fields=(*FULL.fields, replace(kept(FULL, 0), name="extra"))),
    "field added as leaf": lambda: rebuilt(FULL, fields=(*FULL.fields, WithheldLeaf(leaf=bytes(32)))),
    "fields in another order": lambda: rebuilt(FULL, fields=FULL.fields[::-1]),
    "ciphertexts swapped": lambda: with_field(
        with_field(FULL, 1, replace(kept(FULL, 1), ciphertext=kept(FULL, 3).ciphertext)),
        3,
        replace(kept(FULL, 3), ciphertext=kept(FULL, 1).ciphertext),
    ),
    "wrapped key of another signal": lambda: rebuilt(FULL, wrapped_key=sample().wrapped_key),
    "field of another signal": lambda: with_field(FULL, 0, kept(sample(), 0)),
    **{
        f"header: {name}": lambda name=name, value=value: rebuilt(  # type: ignore[misc]  # bound per item
            FULL, header_bytes=replace(HEADER, **{name: value}).encode()
        )
        for name, value in {
            "signal_id": UUID(int=HEADER.signal_id.int + 1),
            "agreement": "other",
            "sender": HEADER.recipient,
            "recipient": HEADER.sender,
            "kind": "other",
            "purpose": "other",
            "delivery": Delivery.ON_MATCH,
            "epoch": "2027",
            "pseudonym": bytes(16),
            "created_at_ms": HEADER.created_at_ms + 1,
            "expires_at_ms": HEADER.expires_at_ms + 1,
            "previous": HEADER.signal_id,
            "claims": {},
        }.items()
    },
}


@pytest.mark.parametrize("what", TAMPERINGS)
def test_tampering_without_the_senders_key_breaks_the_signature(what: str) -> None:
    changed = TAMPERINGS[what]()
    with pytest.raises(NotAuthentic, match="signature-wrong"):
        verify(changed, SENDER.public)
    with pytest.raises(NotAuthentic, match="signature-wrong"):
        open_envelope(changed, RECIPIENT, SENDER.public)


@pytest.mark.parametrize("what", [name for name in TAMPERINGS if name != "signature"])
def test_tampering_by_someone_who_signs_again_does_not_open(what: str) -> None:
    """A participant that takes over another's sealed fields under its own signature gains nothing."""
    changed = resigned(TAMPERINGS[what]())
    verify(changed, SENDER.public)
    with pytest.raises(NotAuthentic, match="ciphertext-wrong"):
        open_envelope(changed, RECIPIENT, SENDER.public)


def test_a_ciphertext_moved_to_another_field_does_not_open_even_for_the_holder_of_the_content_key() -> None:
    content_key = b"k" * 32
    salts = iter([content_key, *(bytes([i]) * 32 for i in range(4))])
    envelope = seal(HEADER, FIELDS, RECIPIENT.public, SENDER, random_bytes=lambda size: next(salts))
    moved = with_field(envelope, 1, replace(kept(envelope, 1), ciphertext=kept(envelope, 3).ciphertext))
    info = manifest.wrap_info(moved.header_bytes, moved.root())
    again = rebuilt(moved, wrapped_key=RECIPIENT.public.wrap(Suite.XWING, content_key, info))
    with pytest.raises(NotAuthentic, match="a field does not open"):
        open_envelope(resigned(again), RECIPIENT, SENDER.public)


def lying_seal(plaintext: bytes, commitment: bytes) -> Envelope:
    """Seal one field with a plaintext and commitment of the liar's choice."""
    encoded, content_key = HEADER.encode(), b"k" * 32
    bind = manifest.field_bind(encoded, 0, 1, "article", "organisation")
    ciphertext = AESGCM(manifest.field_key(content_key, bind)).encrypt(bytes(12), plaintext, bind)
    item = KeptField(name="article", category="organisation", commitment=commitment, ciphertext=ciphertext)
    draft = Envelope(header_bytes=encoded, fields=(item,), wrapped_key=bytes(1168), signature=bytes(64))
    info = manifest.wrap_info(encoded, draft.root())
    return resigned(rebuilt(draft, wrapped_key=RECIPIENT.public.wrap(Suite.XWING, content_key, info)))


def test_a_value_that_contradicts_its_signed_commitment_is_refused() -> None:
    salt = b"s" * 32
    honest = manifest.commitment(salt, "article", "organisation", b"7a")
    envelope = lying_seal(manifest.pad(salt, b"7a"), honest)
    assert open_envelope(envelope, RECIPIENT, SENDER.public).fields[0].value == b"7a"
    with pytest.raises(NotAuthentic, match="manifest-wrong"):
        open_envelope(lying_seal(manifest.pad(salt, b"15"), honest), RECIPIENT, SENDER.public)


@pytest.mark.parametrize(
    "body",
    [
        b"\0\0\0\x02" + b"7a" + b"\0" * 25 + b"\1",
        b"\0\0\0\x02" + b"7a" + b"\0" * 58,
        b"\0\0\0\x3c" + b"7a" + b"\0" * 26,
        b"\xff\xff\xff\xff" + b"7a" + b"\0" * 26,
        b"\0\0\0\x02" + b"7a" + b"\0" * 27,
    ],
)
def test_a_plaintext_with_other_padding_is_refused(body: bytes) -> None:
    salt = b"s" * 32
    honest = manifest.commitment(salt, "article", "organisation", b"7a")
    with pytest.raises(NotAuthentic, match="ciphertext-wrong"):
        open_envelope(lying_seal(salt + body, honest), RECIPIENT, SENDER.public)


@settings(max_examples=100)
@given(size=st.integers(0, MAX_VALUE))
def test_the_bucket_is_the_smallest_power_of_two_that_holds_the_value(size: int) -> None:
    padded = manifest.bucket(size)
    assert padded.bit_count() == 1
    assert padded >= max(32, 4 + size)
    assert padded == 32 or padded // 2 < 4 + size


def test_padding_hides_the_length_within_a_bucket() -> None:
    def size(length: int) -> int:
        item = Field(name="a", category="b", value=b"x" * length)
        return len(kept(seal(HEADER, [item], RECIPIENT.public, SENDER), 0).ciphertext)

    assert {size(length) for length in (0, 1, 17, 28)} == {80}
    assert {size(length) for length in (29, 50, 60)} == {112}
    assert size(MAX_VALUE) == 32 + 32_768 + 16


def test_two_seals_of_the_same_share_no_bytes_that_tell_so() -> None:
    one, two = sample(), sample()
    assert one.wrapped_key != two.wrapped_key
    for index in range(len(FIELDS)):
        assert kept(one, index).ciphertext != kept(two, index).ciphertext
        assert kept(one, index).commitment != kept(two, index).commitment


@pytest.mark.parametrize("suite", Suite)
def test_another_recipient_or_sender_key_is_refused(suite: Suite) -> None:
    envelope = sample(suite)
    open_envelope(envelope, RECIPIENT, SENDER.public)
    with pytest.raises(NotAuthentic, match="ciphertext-wrong"):
        open_envelope(envelope, SealingKey.generate(), SENDER.public)
    with pytest.raises(NotAuthentic, match="signature-wrong"):
        open_envelope(envelope, RECIPIENT, SigningKey.generate().public)


def test_an_envelope_of_the_other_suite_has_another_length_of_key() -> None:
    other = replace(HEADER, suite=Suite.X25519).encode()
    with pytest.raises(InvalidInput, match="wrapped key"):
        rebuilt(FULL, header_bytes=other)


@pytest.mark.parametrize("size", [0, 1, 80, 1167, 1169])
def test_a_wrapped_key_of_another_length_is_refused(size: int) -> None:
    with pytest.raises(InvalidInput, match="wrapped key"):
        rebuilt(FULL, wrapped_key=bytes(size))


def test_counts_names_and_sizes_are_limited() -> None:
    item = kept(FULL, 0)
    many = tuple(replace(item, name=f"n{index}") for index in range(MAX_FIELDS + 1))
    rebuilt(FULL, fields=many[:-1])
    for fields in (many, (), (item, item)):
        with pytest.raises(InvalidInput, match="malformed-request"):
            rebuilt(FULL, fields=fields)
    for changes in (
        {"name": "Name"},
        {"name": ""},
        {"name": "a" * 65},
        {"name": "a\n"},
        {"category": "a b"},
        {"category": "a" * 33},
        {"commitment": bytes(31)},
        {"ciphertext": bytes(79)},
        {"ciphertext": bytes(65_537)},
    ):
        with pytest.raises(InvalidInput, match="malformed-request"):
            replace(item, **changes)  # type: ignore[arg-type]  # one change of either type
    with pytest.raises(InvalidInput):
        Field(name="a", category="b", value=bytes(MAX_VALUE + 1))
    with pytest.raises(InvalidInput):
        withhold(FULL, [len(FIELDS)])
    with pytest.raises(InvalidInput):
        withhold(FULL, [-1])


def test_values_do_not_show_in_representations() -> None:
    assert "Waterlelie" not in repr(FIELDS)
    assert RECIPIENT.to_bytes().hex() not in repr(RECIPIENT)
