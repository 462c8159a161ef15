# SPDX-License-Identifier: EUPL-1.2
"""Canonical JSON: the same bytes as an independent RFC 8785 implementation (PyPI `rfc8785`), and only those read."""

import json
from enum import StrEnum
from typing import Any

import pytest
import rfc8785
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sluis.canonical import canonical_json, parse_canonical
from sluis.errors import Defect, InvalidInput
from sluis.identifiers import Oin

LIMIT = (1 << 53) - 1
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
keys = st.text(st.characters(max_codepoint=127), max_size=10)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-LIMIT, LIMIT) | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=4),
    max_leaves=12,
)
objects = st.dictionaries(keys, values, max_size=5)


def refused(data: bytes) -> bool:
    try:
        parse_canonical(data)
    except InvalidInput as error:
        return error.code == "malformed-encoding"
    return False


@settings(max_examples=100)
@given(values)
@example({"\x7f": "\x7f\u2028\u2029\U0001f600", "": '\x00\x1f\b\f\n\r\t"\\/'})
def test_the_bytes_are_those_of_an_independent_implementation(value: Any) -> None:
    assert canonical_json(value) == rfc8785.dumps(value)


@settings(max_examples=100)
@given(objects)
def test_what_is_written_is_read_back(value: dict[str, Any]) -> None:
    assert parse_canonical(canonical_json(value)) == value


@settings(max_examples=80)
@given(objects, st.sampled_from([{"indent": 1}, {"separators": (", ", ": ")}, {"ensure_ascii": True}]))
def test_another_spelling_of_the_same_object_is_refused(value: dict[str, Any], style: dict[str, Any]) -> None:
    plain: dict[str, Any] = {"separators": (",", ":"), "sort_keys": True}
    data = json.dumps(value, **{**plain, **style}).encode()
    assert refused(data) == (data != canonical_json(value))


@pytest.mark.parametrize(
    "data",
    [
        b'{"b":1,"a":2}',  # not sorted
        b'{"a":1,"a":1}',  # twice the same key
        b'{"a":1.0}',
        b'{"a":1e2}',
        b'{"a":-0}',
        b'{"a":NaN}',
        b'{"a":9007199254740992}',
        b'{"a":"\\u0041"}',
        b'{"a":"\\/"}',
        b'{"a":"\\u000A"}',
        b'{"a":"\\ud800"}',
        '{"é":1}'.encode(),
        b'\xef\xbb\xbf{"a":1}',
        '{"a":1}'.encode("utf-16"),
        b'{"a":1}\n',
        b"[1]",
        b'"a"',
        b"null",
        b"",
        b"\xff",
        b"{" * 100_000,
        b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
        b'{"a":' + b"9" * 5000 + b"}",
    ],
)
def test_what_is_not_an_object_in_canonical_form_is_refused(data: bytes) -> None:
    assert refused(data)


@settings(max_examples=100)
@given(st.binary(max_size=60) | st.text('{}[]":,0123456789.eE-+ntfalsru\\ \n', max_size=60).map(str.encode))
def test_any_bytes_are_canonical_or_refused(data: bytes) -> None:
    if not refused(data):
        assert rfc8785.dumps(json.loads(data)) == data


@settings(max_examples=80)
@given(objects.filter(bool), st.data())
def test_no_single_byte_can_be_taken_out_unseen(value: dict[str, Any], data: st.DataObject) -> None:
    whole = canonical_json(value)
    at = data.draw(st.integers(0, len(whole) - 1))
    cut = whole[:at] + whole[at + 1 :]
    assert refused(cut) or parse_canonical(cut) != value


@pytest.mark.parametrize(
    "value",
    [1.5, b"bytes", {1: 2}, {"é": 1}, LIMIT + 1, -LIMIT - 1, [object()], {"a": {1, 2}}, "\ud800"],
    ids=lambda value: repr(value).partition(" at 0x")[0],  # the same in every worker
)
def test_what_the_supported_part_of_json_does_not_hold_is_our_own_mistake(value: object) -> None:
    with pytest.raises(Defect):
        canonical_json(value)


def test_texts_of_our_own_types_are_written_as_texts() -> None:
    class Colour(StrEnum):
        RED = "red"

    value = {"colour": Colour.RED, "oin": Oin("00000099000000001000"), "list": ("a", True)}
    assert canonical_json(value) == b'{"colour":"red","list":["a",true],"oin":"00000099000000001000"}'
