# SPDX-License-Identifier: EUPL-1.2
"""Length-prefixed parts: one way to write, and only that way is read."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sluis.encoding import MAX_PART, Reader, lp, u32, u64
from sluis.errors import InvalidInput

parts = st.lists(st.binary(max_size=40), max_size=6)


def refuse(read: object) -> None:
    with pytest.raises(InvalidInput) as caught:
        read()  # type: ignore[operator]  # a function without arguments
    assert caught.value.code == "malformed-encoding"


def read_all(data: bytes) -> list[bytes]:
    reader, found, left = Reader(data), [], len(data)
    while left:
        found.append(reader.part())
        left -= 4 + len(found[-1])
    reader.end()
    return found


def test_the_format_is_a_big_endian_length_before_each_part() -> None:
    assert lp(b"ab", "c", b"") == b"\0\0\0\2ab\0\0\0\1c\0\0\0\0"
    assert lp() == b""


def test_text_is_written_as_utf8_and_its_length_counts_bytes() -> None:
    assert lp("é") == b"\0\0\0\2\xc3\xa9"
    assert Reader(lp("é")).text() == "é"


def test_numbers_are_fixed_and_big_endian() -> None:
    assert u32(0x01020304) == b"\1\2\3\4"
    assert u64(1) == bytes(7) + b"\1"
    reader = Reader(lp(u32(7), u64(1 << 40)))
    assert (reader.u32(), reader.u64()) == (7, 1 << 40)
    reader.end()


@pytest.mark.parametrize("number", [-1, 1 << 32])
def test_a_number_that_does_not_fit_is_not_written(number: int) -> None:
    with pytest.raises(OverflowError):
        u32(number)


@settings(max_examples=80)
@given(parts)
def test_what_is_written_is_read_back(values: list[bytes]) -> None:
    assert read_all(lp(*values)) == values


@settings(max_examples=80)
@given(parts, parts)
def test_two_lists_of_parts_never_have_the_same_bytes(one: list[bytes], other: list[bytes]) -> None:
    assert (lp(*one) == lp(*other)) == (one == other)


@settings(max_examples=80)
@given(parts.filter(bool), st.data())
def test_a_message_that_was_cut_short_is_refused(values: list[bytes], data: st.DataObject) -> None:
    whole = lp(*values)
    cut = whole[: data.draw(st.integers(0, len(whole) - 1))]
    reader = Reader(cut)
    refuse(lambda: [reader.part() for _ in values])


@settings(max_examples=100)
@given(st.binary(max_size=64))
def test_any_bytes_are_either_read_whole_or_refused_with_our_error(data: bytes) -> None:
    try:
        found = read_all(data)
    except InvalidInput:
        return
    assert lp(*found) == data


def test_bytes_after_the_last_part_are_refused() -> None:
    reader = Reader(lp(b"a") + b"x")
    reader.part()
    refuse(reader.end)


def test_a_part_of_another_length_than_is_due_is_refused() -> None:
    refuse(lambda: Reader(lp(b"abc")).part(length=4))
    refuse(lambda: Reader(lp(b"abc")).u32())
    refuse(lambda: Reader(lp(b"abcd")).u64())


def test_a_text_that_is_not_utf8_is_refused() -> None:
    refuse(lambda: Reader(lp(b"\xff")).text())


def test_a_part_over_the_limit_is_refused_even_when_it_is_there() -> None:
    assert Reader(lp(bytes(MAX_PART))).part() == bytes(MAX_PART)
    refuse(lambda: Reader(lp(bytes(MAX_PART + 1))).part())
