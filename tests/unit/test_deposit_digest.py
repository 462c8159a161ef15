# SPDX-License-Identifier: EUPL-1.2
"""A digest of deposits finds exactly the subjects whose leading bits are in it, and nothing else opens as one."""

import hashlib
import random
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluis.deposit_digest import (
    DepositDigest,
    DigestBuilder,
    DigestHeader,
    bits_for,
    leading_words,
    width_for,
)
from sluis.errors import Defect, SluisError
from tests.unit.sealed_samples import RECIPIENT_OIN

HEADER = DigestHeader(
    log_origin="broker.example/log",
    agreement="waadi-14b",
    recipient=RECIPIENT_OIN,
    kind="FINE_IMPOSED",
    epoch="2026",
    since=0,
    until=12,
    made_at_ms=1_782_900_000_000,
    bits=12,
    width=1,
    count=0,
    body_hash=bytes(32),
)
pseudonyms = st.binary(min_size=16, max_size=16)


def digest_of(subjects: list[bytes], bits: int, signals: int | None = None) -> DepositDigest:
    builder = DigestBuilder(bits, len(subjects) if signals is None else signals)
    ordered = sorted(subjects)
    for start in range(0, len(ordered), 3):
        builder.add(ordered[start : start + 3])
    body = builder.body()
    header = replace(
        HEADER,
        bits=bits,
        width=builder.width,
        count=builder.count,
        body_hash=hashlib.sha256(body).digest(),
    )
    return DepositDigest(DigestHeader.decode(header.encode()), body)


def truncated(subject: bytes, bits: int) -> int:
    """The definition, the slow way."""
    return int(f"{int.from_bytes(subject, 'big'):0128b}"[:bits], 2)


@given(
    st.lists(pseudonyms, max_size=60),
    st.lists(pseudonyms, max_size=60),
    st.integers(8, 56),
    st.integers(0, 100_000),
)
def test_it_is_the_set_of_the_leading_bits(
    inside: list[bytes], asked: list[bytes], bits: int, signals: int
) -> None:
    digest = digest_of(inside, bits, min(signals, 1 << (bits - 4)))
    values = {truncated(subject, bits) for subject in inside}
    asked = asked + inside
    found = digest.positions(leading_words(b"".join(asked)))
    assert found == [at for at, subject in enumerate(asked) if truncated(subject, bits) in values]
    assert digest.header.count == len(values)


def test_thousands_with_each_width_agree_with_the_definition() -> None:
    chance = random.Random(7)
    inside = [chance.randbytes(16) for _ in range(3_000)]
    asked = [chance.randbytes(16) for _ in range(20_000)] + inside[:500]
    for bits in (16, 20, 33, 40, 56):
        values = {truncated(subject, bits) for subject in inside}
        expected = [at for at, subject in enumerate(asked) if truncated(subject, bits) in values]
        for signals in (3_000, 1, 3_000_000):
            if width_for(bits, signals) == 1 and bits > 26:
                continue  # millions of buckets for nothing
            assert digest_of(inside, bits, signals).positions(leading_words(b"".join(asked))) == expected
    assert {width_for(12, 500), width_for(24, 70_000), width_for(32, 50), width_for(50, 3)} == {1, 2, 4, 8}


@pytest.mark.parametrize("signals", [1, 200, 256, 257, 1_000, 5_000])
def test_of_those_outside_one_in_256_to_512_is_found(signals: int) -> None:
    chance = random.Random(signals)
    digest = digest_of([chance.randbytes(16) for _ in range(signals)], bits_for(signals))
    asked = 60_000
    found = len(digest.positions(leading_words(chance.randbytes(16 * asked))))
    assert asked / 512 * 0.7 < found < asked / 256 * 1.3


def test_its_size_is_about_two_bytes_a_signal() -> None:
    for signals in (10_000, 1_000_000, 10_000_000):
        bits = bits_for(signals)
        header = replace(HEADER, bits=bits, width=width_for(bits, signals), count=signals)
        assert 16 <= 8 * header.body_size / signals < 16.3


def test_an_addition_of_a_few_signals_is_a_few_bytes_each() -> None:
    header = replace(HEADER, bits=bits_for(10_000_000), width=width_for(32, 500), count=500)
    assert header.body_size <= 4 * 500 + 4


def test_an_empty_digest_finds_nobody() -> None:
    digest = digest_of([], bits_for(0))
    assert digest.header.bits == 8
    assert digest.positions(leading_words(bytes(16) + b"\xff" * 16)) == []
    assert not digest.holds(bytes(16))


def test_pseudonyms_out_of_order_are_a_defect() -> None:
    builder = DigestBuilder(16, 10)
    builder.add([b"\x02" * 16])
    with pytest.raises(Defect):
        builder.add([b"\x01" * 16])


def test_a_body_that_was_changed_cut_or_lengthened_is_refused() -> None:
    digest = digest_of([bytes([number]) * 16 for number in range(50)], 14)
    builder = DigestBuilder(14, 50)
    builder.add([bytes([number]) * 16 for number in range(50)])
    body = builder.body()
    assert DepositDigest(digest.header, body).holds(bytes([7]) * 16)
    changed = bytes([body[0] ^ 1]) + body[1:]
    for wrong in (changed, body[:-1], body + b"\0", b""):
        with pytest.raises(SluisError) as caught:
            DepositDigest(digest.header, wrong)
        assert caught.value.code == "digest-wrong"
    renamed = replace(digest.header, body_hash=hashlib.sha256(changed).digest())
    with pytest.raises(SluisError) as caught:  # signed, but its buckets do not add up
        DepositDigest(renamed, changed)
    assert caught.value.code == "digest-wrong"


@pytest.mark.parametrize(
    "wrong",
    [
        {"since": 13},
        {"until": 1 << 63},
        {"bits": 7},
        {"bits": 57},
        {"width": 3},
        {"count": 1 << 28},
        {"bits": 40, "width": 1},
        {"epoch": "2026/1"},
        {"kind": "no kind"},
        {"agreement": ""},
        {"made_at_ms": 1 << 62},
    ],
)
def test_a_header_out_of_bounds_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(SluisError) as caught:
        replace(HEADER, **wrong)
    assert caught.value.code in ("malformed-request", "unknown-epoch", "malformed-encoding")


def test_only_the_canonical_header_is_read() -> None:
    encoded = HEADER.encode()
    assert DigestHeader.decode(encoded) == HEADER
    for wrong in (encoded[:-1], encoded + b"\0", b"", encoded.replace(b"deposit-digest", b"deposit-digesT")):
        with pytest.raises(SluisError):
            DigestHeader.decode(wrong)
