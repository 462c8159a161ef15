# SPDX-License-Identifier: EUPL-1.2
"""The header: canonical bytes only, every rule of its form."""

from dataclasses import replace
from uuid import uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sealed_samples import HEADER, headers, pseudonyms

from sluis.encoding import lp
from sluis.envelope import Header
from sluis.errors import InvalidInput
from sluis.header import MAX_ALIASES, MAX_CLAIMS


@settings(max_examples=100)
@given(header=headers())
def test_a_header_reads_back_from_its_bytes(header: Header) -> None:
    assert Header.decode(header.encode()) == header


@settings(max_examples=200)
@given(data=st.data())
def test_a_header_with_one_changed_byte_is_refused_or_is_another_header(data: st.DataObject) -> None:
    encoded = bytearray(HEADER.encode())
    at = data.draw(st.integers(0, len(encoded) - 1))
    encoded[at] ^= data.draw(st.integers(1, 255))
    try:
        header = Header.decode(bytes(encoded))
    except InvalidInput:
        return
    assert header != HEADER
    assert header.encode() == encoded


@settings(max_examples=100)
@given(data=st.binary(max_size=400))
def test_random_bytes_are_no_header(data: bytes) -> None:
    for candidate in (data, lp("sluis/v1/header") + data, HEADER.encode() + data[:1] + b"\0"):
        with pytest.raises(InvalidInput):
            Header.decode(candidate)


def raw_claims(*parts: str) -> bytes:
    encoded = HEADER.encode()
    claims = lp(*(part for claim in HEADER.claims.items() for part in claim))
    return encoded[: -len(lp(claims))] + lp(lp(*parts))


def test_claims_in_another_order_or_twice_are_refused() -> None:
    assert Header.decode(raw_claims("a", "1", "b", "2")).claims == {"a": "1", "b": "2"}
    for parts in (("b", "2", "a", "1"), ("a", "1", "a", "1"), ("a", "1", "a", "2"), ("a",), ("A", "1")):
        with pytest.raises(InvalidInput):
            Header.decode(raw_claims(*parts))


@pytest.mark.parametrize(
    "changes",
    [
        {"signal_id": uuid4()},
        {"previous": uuid4()},
        {"agreement": ""},
        {"agreement": "a b"},
        {"kind": "a" * 65},
        {"purpose": "-a"},
        {"epoch": "2026_1"},
        {"epoch": ""},
        {"pseudonym": bytes(15)},
        {"expires_at_ms": HEADER.created_at_ms},
        {"created_at_ms": -1},
        {"expires_at_ms": 1 << 63},
        {"sender": "1"},
        {"claims": {"A": "x"}},
        {"claims": {"a": "é" * 101}},
        {"claims": {"a": "\ud800"}},
        {"claims": {f"a{index}": "x" * 200 for index in range(40)}},
    ],
)
def test_a_header_that_breaks_a_rule_cannot_be_made(changes: dict[str, object]) -> None:
    with pytest.raises(InvalidInput, match="malformed-request"):
        replace(HEADER, **changes)  # type: ignore[arg-type]  # wrong on purpose


ALIASES = tuple(bytes([number]) * 16 for number in range(1, MAX_ALIASES + 1))


def test_a_header_without_aliases_has_the_bytes_that_it_always_had() -> None:
    with_some = replace(HEADER, aliases=ALIASES[:2])
    assert with_some.encode() == HEADER.encode() + lp(ALIASES[0] + ALIASES[1])
    assert with_some.pseudonyms == (HEADER.pseudonym, *ALIASES[:2])
    assert (HEADER.aliases, HEADER.pseudonyms) == ((), (HEADER.pseudonym,))


def test_aliases_read_back_from_their_bytes() -> None:
    for count in range(MAX_ALIASES + 1):
        header = replace(HEADER, aliases=ALIASES[:count])
        assert Header.decode(header.encode()) == header
        assert Header.decode(header.encode()).aliases == ALIASES[:count]


@pytest.mark.parametrize(
    ("aliases", "code"),
    [
        (b"", "malformed-encoding"),  # the part would not be there
        (bytes(15), "malformed-request"),
        (ALIASES[0] + b"\0", "malformed-request"),
        (ALIASES[1] + ALIASES[0], "malformed-request"),
        (ALIASES[0] * 2, "malformed-request"),
        (HEADER.pseudonym, "malformed-request"),
        (b"".join(ALIASES) + b"\xff" * 16, "malformed-request"),
    ],
)
def test_aliases_in_another_form_are_refused(aliases: bytes, code: str) -> None:
    with pytest.raises(InvalidInput, match=code):
        Header.decode(HEADER.encode() + lp(aliases))


@settings(max_examples=100)
@given(aliases=st.lists(pseudonyms, max_size=MAX_ALIASES + 2))
def test_only_one_order_of_aliases_is_taken(aliases: list[bytes]) -> None:
    encoded = HEADER.encode() + lp(b"".join(aliases))
    fits = aliases == sorted({*aliases} - {HEADER.pseudonym}) and 0 < len(aliases) <= MAX_ALIASES
    if fits:
        assert Header.decode(encoded).aliases == tuple(aliases)
    else:
        with pytest.raises(InvalidInput):
            Header.decode(encoded)


def test_nothing_follows_the_aliases() -> None:
    with pytest.raises(InvalidInput, match="malformed-encoding"):
        Header.decode(replace(HEADER, aliases=ALIASES).encode() + lp(ALIASES[0]))


def test_a_header_has_at_most_32_claims() -> None:
    many = {f"c{number:02}": "1" for number in range(MAX_CLAIMS)}
    full = replace(HEADER, claims=many)
    assert Header.decode(full.encode()) == full
    with pytest.raises(InvalidInput, match="at most 32 claims"):
        replace(HEADER, claims={**many, "d": "1"})
    parts = [part for claim in {**many, "d": "1"}.items() for part in claim]
    with pytest.raises(InvalidInput, match="at most 32 claims"):
        Header.decode(raw_claims(*parts))


def test_the_claims_of_a_header_cannot_be_changed() -> None:
    claims = {"a": "1"}
    header = replace(HEADER, claims=claims)
    claims["a"] = "2"
    assert header.claims == {"a": "1"}
    with pytest.raises(TypeError):
        header.claims["a"] = "2"  # type: ignore[index]  # that is the test
