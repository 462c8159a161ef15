# SPDX-License-Identifier: EUPL-1.2
"""What the strict YAML reader takes, and the tricks that it refuses with file and line."""

import json
from contextlib import suppress

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sluis.errors import InvalidInput
from sluis.policy.schema import Entry, IsoDate, Period, Terms, WholeNumber, read
from sluis.policy.yaml_strict import MAX_BYTES, MAX_DEPTH, Document
from sluis.policy.yaml_strict import load as load_file


def load(data: bytes, name: str) -> Document:
    """Load a text that is whole."""
    return load_file(data + b"\n...\n", name)


def refused(data: bytes) -> InvalidInput:
    with pytest.raises(InvalidInput) as caught:
        load_file(data, "rules.yaml")
    assert caught.value.code == "malformed-rule"
    return caught.value


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("a: &x b\n", 1, "anchor"),
        ("a: 1\nb: &x {c: d}\n", 2, "anchor"),
        ("a: 1\nb: *x\n", 2, "alias"),
        ("a: !!int 3\n", 1, "tag"),
        ("a: !!python/object/apply:os.system ['true']\n", 1, "tag"),
        ("a: ! b\n", 1, "tag"),
        ("a: b\nc: d\na: e\n", 3, "twice"),
        ("a:\n  b: 1\n  b: 2\n", 3, "twice"),
        ("a: b\nc:\n", 2, "missing"),
        ("- a\n-\n", 2, "missing"),
        ("? [a, b]\n: c\n", 1, "a key must be text"),
        ("%YAML 1.1\n---\na: b\n", 1, "directives"),
        ("a: b\n---\nc: d\n", 2, "second document"),
        ("a: [b, c\n", 2, "not valid YAML"),
        ("a: 'b\n", 2, "not valid YAML"),
        ("a: b: c\n", 1, "not valid YAML"),
        ("\ta: b\n", 1, "not valid YAML"),
        ("a: b\x07\n", 1, "control character"),
        ("", 1, "empty"),
        ("# only a comment\n", 2, "empty"),
    ],
)
@pytest.mark.parametrize("in_c", [True, False])
def test_a_trick_is_refused_with_its_line(
    text: str, line: int, words: str, in_c: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not in_c:
        monkeypatch.delattr(yaml, "CSafeLoader", raising=False)
    error = refused(text.encode())
    assert words in error.message
    assert error.where == f"rules.yaml:{line}"


def test_a_billion_laughs_never_get_to_laugh() -> None:
    laughs = ["a: &a [ha, ha, ha]"]
    laughs += [
        f"{one}: &{one} [*{other}, *{other}, *{other}]"
        for one, other in zip("bcdefgh", "abcdefg", strict=True)
    ]
    assert "anchor" in refused("\n".join(laughs).encode()).message


def test_a_file_of_ten_megabytes_is_refused_before_it_is_read() -> None:
    assert str(MAX_BYTES) in refused(b"a: " + b"b" * (10 << 20)).message


@pytest.mark.parametrize("data", ["a: é".encode("latin-1"), "a: b".encode("utf-16"), b"a: \xed\xa0\x80"])
def test_another_encoding_is_refused(data: bytes) -> None:
    assert "UTF-8" in refused(data).message


def test_a_byte_order_mark_is_refused() -> None:
    assert "byte order mark" in refused("\ufeffa: b".encode()).message


def test_deep_nesting_is_refused() -> None:
    load(b"[" * MAX_DEPTH + b"a" + b"]" * MAX_DEPTH, "rules.yaml")
    assert "deep" in refused(b"[" * (MAX_DEPTH + 1) + b"a" + b"]" * (MAX_DEPTH + 1)).message
    assert refused(b"[" * 100_000).code == "malformed-rule"


@pytest.mark.parametrize(
    "word", ["no", "on", "yes", "off", "null", "~", "0o17", "017", "1:30", "1e3", ".inf", "<<"]
)
def test_every_scalar_is_the_text_that_stands_there(word: str) -> None:
    assert load(f"a: {word}".encode(), "rules.yaml").value == {"a": word}


def test_a_file_that_was_cut_short_anywhere_is_refused() -> None:
    text = "a:\n  b: [c, d]\n  e: 'f'\ng:\n  - {h: i, j: k}\n...\n"
    whole = load_file(text.encode(), "rules.yaml")
    assert load_file(text.rstrip("\n").encode(), "rules.yaml") == whole
    for end in range(len(text) - 1):
        with pytest.raises(InvalidInput):
            load_file(text[:end].encode(), "rules.yaml")


def test_the_last_line_is_named_where_it_is_due() -> None:
    with pytest.raises(InvalidInput, match=r"the last line is not `\.\.\.`") as caught:
        load_file(b"a: b\nc: d\n", "rules.yaml")
    assert caught.value.where == "rules.yaml:2"


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=200) | st.text(alphabet="ab:-[]{}&*!'\"%|>#,? \n\t", max_size=80).map(str.encode))
@example(b"a: \xff")
@example(b"? ")
def test_any_bytes_load_or_are_refused(data: bytes) -> None:
    with suppress(InvalidInput):
        assert isinstance(load(data, "rules.yaml").value, str | list | dict)
        return
    assert refused(data).where.startswith("rules.yaml:")


tree = st.recursive(
    st.text(alphabet="abc 0:-é'\"", max_size=12),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text("abc", min_size=1, max_size=4), inner, max_size=3)
    ),
    max_leaves=10,
)


@settings(max_examples=100, deadline=None)
@given(tree)
def test_what_is_written_as_json_is_read_back(value: object) -> None:
    assert load(json.dumps(value, ensure_ascii=False).encode(), "rules.yaml").value == value


class _Sample(Entry):
    number: WholeNumber
    day: IsoDate
    period: Period = "P1Y"
    words: Terms = frozenset()


@pytest.mark.parametrize(
    "line",
    [
        "number: 0o17", "number: 017", "number: 1_000", "number: 1.0", "number: yes", "number: 1:30",
        "number: -1", "number: [1]", "number: '1 '", "number: ²",
        "day: 2026-7-1", "day: 20260701", "day: 2026-02-30", "day: 2026-W01-1", "day: today", "day: [a]",
        "period: 5Y", "period: P5", "period: P0Y", "period: P5W", "period: -P5Y",
        "words: a", "words: [a, a]", "words: {a: b}", "words: [[a]]",
        "unknown: a",
    ],
)  # fmt: skip
def test_a_value_that_is_written_otherwise_is_refused(line: str) -> None:
    good = {"number": "number: 2", "day": "day: 2026-07-01"}
    good[line.split(":")[0]] = line
    text = "\n".join(good.values())
    with pytest.raises(InvalidInput) as caught:
        read(load(text.encode(), "rules.yaml"), _Sample)
    wanted = list(good).index(line.split(":")[0]) + 1
    assert caught.value.code == "malformed-rule"
    assert caught.value.where == f"rules.yaml:{wanted}"


def test_a_file_of_the_wrong_type_is_refused() -> None:
    for text in ("just text", "[a, b]"):
        with pytest.raises(InvalidInput, match="keys and values are due"):
            read(load(text.encode(), "rules.yaml"), _Sample)
