# SPDX-License-Identifier: EUPL-1.2
"""Rule files that somebody damaged, mistyped or made to deceive: refused with file and line, or the same rules."""

import os
from collections.abc import Callable, Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from sluis.errors import InvalidInput
from sluis.policy.bundle import MAX_FILES, Bundle, load_bundle, read_bundle
from sluis.policy.yaml_strict import load
from tests.rule_text import END, finished, unfinished
from tests.unit.decide_samples import FEW

SMALL = "agreements/small.yaml"
TEXT = """\
id: small
title: Klein
explanation: Een afspraak met twee regels.
rules:
  - id: small-permit
    title: Toestaan
    effect: permit
    status: in-force
    valid_from: 2025-07-01
    valid_until: 2026-06-30
    operations: [push]
    sender_roles: [labour-inspectorate]
    recipient_roles: [certificate-foundation]
    kinds: [FINE_IMPOSED]
    purposes: [CERTIFICAATBEOORDELING]
    fields: [law, article]
    conditions:
      - claim: decided_on
        not_older_than_years: 2
        dutch: niet ouder dan twee jaar
        otherwise: LOOKBACK
    obligations: {retention: P5Y, handling: H3, notice: may-inform}
    legal_basis:
      - gdpr: 6(3)
        law: Waadi
        article: 14b
        paragraph: "1"
        juriconnect: jci1.3:c:BWBR0009616&artikel=14b&lid=1
        explanation: Uitleg
    explanation: Uitleg
  - id: small-prohibition
    title: Verbieden
    effect: prohibit
    status: in-force
    valid_from: 2025-07-01
    valid_until: 2026-06-30
    operations: [push]
    categories: [bsn]
    code: BSN_PRIVATE
    legal_basis:
      - {gdpr: "87", law: Waadi, article: 14b, juriconnect: "jci1.3:c:BWBR0009616&artikel=14b", explanation: Uitleg}
    explanation: Uitleg
...
"""


def bundle_of(data: bytes | str) -> Bundle:
    return read_bundle({**FEW, SMALL: data if isinstance(data, bytes) else data.encode()})


WHOLE = bundle_of(TEXT)


def refused(data: bytes | str) -> InvalidInput:
    """The refusal of a file, which must name it and a line that it has."""
    with pytest.raises(InvalidInput) as caught:
        bundle_of(data)
    assert caught.value.code == "malformed-rule"
    name, line = caught.value.where.split(":")
    assert name == SMALL
    raw = data if isinstance(data, bytes) else data.encode()
    assert 1 <= int(line) <= raw.count(b"\n") + 1
    return caught.value


def changed(old: str, new: str) -> str:
    assert TEXT.count(old) >= 1
    return TEXT.replace(old, new, 1)


def line_of(words: str) -> int:
    return TEXT[: TEXT.index(words)].count("\n") + 1


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("status: in-force", "status: yes", "in-force"),
        ("status: in-force", "status: on", "in-force"),
        ("not_older_than_years: 2", "not_older_than_years: no", "whole number"),
        ("not_older_than_years: 2", "not_older_than_years: 0o2", "whole number"),
        ("not_older_than_years: 2", "not_older_than_years: 02", "whole number"),
        ("not_older_than_years: 2", "not_older_than_years: 0x2", "whole number"),
        ("not_older_than_years: 2", "not_older_than_years: 0b10", "whole number"),
        ("not_older_than_years: 2", "not_older_than_years: 1:30", "whole number"),
        ("not_older_than_years: 2", "not_older_than_years: 1_000", "whole number"),
        ("not_older_than_years: 2", "not_older_than_years: +2", "whole number"),
        ("not_older_than_years: 2", "not_older_than_years: 2.0", "whole number"),
        ("not_older_than_years: 2", "not_older_than_years: 2e0", "whole number"),
        ("not_older_than_years: 2", "not_older_than_years: ٢", "whole number"),
        ("not_older_than_years: 2", "not_older_than_years: 12345678", "whole number"),
        ("valid_from: 2025-07-01", "valid_from: 2025-7-1", "a date such as"),
        ("valid_from: 2025-07-01", "valid_from: 01-07-2025", "a date such as"),
        ("valid_from: 2025-07-01", "valid_from: 2025-07-01T00:00:00Z", "a date such as"),
        ("valid_from: 2025-07-01", "valid_from: 20250701", "a date such as"),
        ("valid_from: 2025-07-01", "valid_from: 2025-02-29", "a date such as"),
        ("valid_from: 2025-07-01", "valid_from: ~", "a date such as"),
        ("valid_until: 2026-06-30", "valid_until: null", "a date such as"),
        ("fields: [law, article]", "fields: law", "a list of words"),
        ("fields: [law, article]", "fields: [law, law]", "twice"),
        ("fields: [law, article]", "fields: []", "`fields` are needed"),
        ("operations: [push]", "operations: [pull]", "'push'"),
        ("operations: [push]", "operations: {push: yes}", "a list of words"),
        ("kinds: [FINE_IMPOSED]", "kinds: &k [FINE_IMPOSED]", "write it out"),
        ("kinds: [FINE_IMPOSED]", "kinds: *k", "write it out"),
        ("kinds: [FINE_IMPOSED]", "kinds: !!set {FINE_IMPOSED}", "a tag"),
        ("kinds: [FINE_IMPOSED]", "kinds: !include /etc/passwd", "a tag"),
        ("kinds: [FINE_IMPOSED]", "kinds: [FINE_IMPOSED]\n    kinds: [FINE_IMPOSED]", "twice"),
        ("    kinds: [FINE_IMPOSED]\n", "    <<: {kinds: [FINE_IMPOSED]}\n", "not known here"),
        ("title: Toestaan", 'title: "a\\0b"', "control character"),
        ("title: Toestaan", 'title: "a\\u202eb"', "control character"),
        ("id: small-permit", "id: Small-Permit", "pattern"),
        ("code: BSN_PRIVATE", "code: [BSN_PRIVATE]", "text is due"),
    ],
)  # fmt: skip
def test_a_value_that_yaml_would_guess_at_is_refused(old: str, new: str, words: str) -> None:
    assert words in refused(changed(old, new)).message


def test_quotes_layout_line_ends_and_order_of_keys_do_not_matter() -> None:
    quoted = changed("valid_from: 2025-07-01", 'valid_from: "2025-07-01"').replace(
        "gdpr: 6(3)", "gdpr: '6(3)'"
    )
    blocks = changed("fields: [law, article]", "fields:\n      - law\n      - article")
    swapped = changed(
        "    title: Toestaan\n    effect: permit\n", "    effect: permit\n    title: Toestaan\n"
    )
    for same in (
        quoted,
        blocks,
        swapped,
        TEXT.replace("\n", "\r\n"),
        f"---\n{TEXT}",
        f"# remark\n{TEXT}",
    ):
        assert bundle_of(same).digest == WHOLE.digest


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (TEXT.encode("utf-16"), "UTF-8"),
        (TEXT.encode("utf-16-le"), "control character"),
        (TEXT.replace("Klein", "Kleiné").encode("latin-1"), "UTF-8"),
        (TEXT.encode("utf-8-sig"), "byte order mark"),
        (TEXT.replace("Klein", "Kle\0in").encode(), "control character"),
        (TEXT.replace("Klein", "Kle\x85in").encode(), "valid YAML"),
        (TEXT.replace("    effect", "\teffect").encode(), "valid YAML"),
        (TEXT.replace("Klein", "[" * 13 + "]" * 13).encode(), "deep"),
        (b"id: " + b"x" * (10 << 20), "larger than"),
        (TEXT.encode() + b"#" * (1 << 20), "larger than"),
        (b"", "empty"),
        (b"\n\n", "empty"),
        (b"--- \n...\n", "missing"),
        (b"id\n" + END, "keys and values are due"),
        (TEXT.encode() + b"rules: []\n", "valid YAML"),
        (TEXT.encode() + b"---\nrules: []\n", "second document"),
        (unfinished(TEXT.encode()), "the last line is not `...`"),
        (unfinished(TEXT.encode()) + b"---\nrules: []\n", "second document"),
    ],
)
def test_bytes_that_are_no_plain_text_are_refused(data: bytes, words: str) -> None:
    assert words in refused(data).message


def test_a_repeated_key_is_refused_at_its_second_line() -> None:
    error = refused(changed("    effect: permit\n", "    effect: permit\n    effect: prohibit\n"))
    assert error.where == f"{SMALL}:{line_of('    effect: permit') + 1}"


def test_a_file_truncated_anywhere_is_refused() -> None:
    data = TEXT.encode()
    for end in range(len(data) - 1):
        with pytest.raises(InvalidInput, match="malformed-rule"):
            load(data[:end], SMALL)
    assert bundle_of(data[:-1]).digest == WHOLE.digest  # only the last line end may be missing


def paths(tree: object, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    yield path
    for step, below in (
        tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    ):
        yield from paths(below, (*path, step))


TREES: dict[str, Any] = {name: load(data, name).value for name, data in {**FEW, SMALL: TEXT.encode()}.items()}
DIGEST = read_bundle({name: finished(yaml.safe_dump(tree)) for name, tree in TREES.items()}).digest
PLACES = [(name, path) for name, tree in sorted(TREES.items()) for path in paths(tree)]
STRANGE: list[Any] = ["", "x", "0", "true", [], ["x"], {}, {"x": "y"}, [["x"]], [{"x": "y"}], "é", "x" * 5000]


def at(tree: Any, path: tuple[str | int, ...]) -> Any:
    for step in path:
        tree = tree[step]
    return tree


def rewritten(name: str, tree: object) -> dict[str, bytes]:
    return {**FEW, SMALL: TEXT.encode(), name: finished(yaml.safe_dump(tree, allow_unicode=True))}


def refused_or_another(name: str, tree: object) -> None:
    """A refusal of the file, or a bundle with another digest; never another exception, never the same."""
    try:
        bundle = read_bundle(rewritten(name, tree))
    except InvalidInput as error:
        assert error.code == "malformed-rule"  # noqa: PT017  the other outcome is a bundle
        file, line = error.where.split(":")
        assert file in TREES
        assert int(line) >= 1
    else:
        assert bundle.digest != DIGEST


@settings(max_examples=50, deadline=None)
@given(st.sampled_from(PLACES), st.sampled_from(STRANGE))
def test_a_node_of_another_type_is_refused_or_makes_another_bundle(
    place: tuple[str, tuple[str | int, ...]], value: object
) -> None:
    name, path = place
    tree = deepcopy(TREES[name])
    if not path:
        tree = value
    else:
        if at(tree, path) == value:
            return
        at(tree, path[:-1])[path[-1]] = value
    refused_or_another(name, tree)


@settings(max_examples=40, deadline=None)
@given(st.sampled_from([place for place in PLACES if place[1]]))
def test_a_dropped_part_is_refused_or_makes_another_bundle(place: tuple[str, tuple[str | int, ...]]) -> None:
    name, path = place
    tree = deepcopy(TREES[name])
    del at(tree, path[:-1])[path[-1]]
    refused_or_another(name, tree)


# Where a key is a word of the catalogue, a new key is a new word; everywhere else it is a mistake.
def takes_words(name: str, path: tuple[str | int, ...]) -> bool:
    of_catalogue = name.startswith("catalog/") and len(path) == 1
    of_follow_ups = name == "catalog/follow_ups.yaml" and ("words" in path[-1:] or len(path) in (2, 3))
    of_follow_ups |= path[-1:] == ("refused",)
    return of_catalogue or of_follow_ups or (name == "catalog/facts.yaml" and path[2:] == ("reasons",))


MAPPINGS = [
    (name, path)
    for name, path in PLACES
    if isinstance(at(TREES[name], path), dict) and not takes_words(name, path)
]


@settings(max_examples=40, deadline=None)
@given(st.sampled_from(MAPPINGS), st.sampled_from(["x", "Id", "ID ", "status ", "valid_untill", "1", "é"]))
def test_an_unknown_key_is_refused_wherever_it_stands(
    place: tuple[str, tuple[str | int, ...]], key: str
) -> None:
    name, path = place
    tree = deepcopy(TREES[name])
    at(tree, path)[key] = "x"
    with pytest.raises(InvalidInput) as caught:
        read_bundle(rewritten(name, tree))
    assert caught.value.where.split(":")[0] == name
    assert "not known here" in caught.value.message or "a condition has one of" in caught.value.message


def folder(tmp_path: Path) -> Path:
    for name, data in {**FEW, SMALL: TEXT.encode()}.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(data)
    return tmp_path


def test_a_hidden_file_is_passed_over(tmp_path: Path) -> None:
    directory = folder(tmp_path)
    (directory / "agreements" / ".small.yaml.swp").write_bytes(b"\xff")
    assert load_bundle(directory).digest == WHOLE.digest


STRANGERS: dict[str, Callable[[Path], object]] = {
    "capitals": lambda path: (path / "small.YAML").write_text("id: small\n"),
    "a backup": lambda path: (path / "small.yaml~").write_text(TEXT),
    "a space": lambda path: (path / "small copy.yaml").write_text(TEXT),
    "two dots": lambda path: (path / "small.old.yaml").write_text(TEXT),
    "no name": lambda path: (path / "-.yaml").write_text(TEXT),
    "not ASCII": lambda path: (path / "kléin.yaml").write_text(TEXT.replace("id: small\n", "id: kléin\n")),
    "a folder": lambda path: (path / "more.yaml").mkdir(),
    "a link to nowhere": lambda path: (path / "link.yaml").symlink_to(path / "nowhere.yaml"),
    "a link to a folder": lambda path: (path / "link.yaml").symlink_to(path),
    "a link to itself": lambda path: (path / "link.yaml").symlink_to(path / "link.yaml"),
    "a link to a file": lambda path: (path / "link.yaml").symlink_to(path / "small.yaml"),
    "a pipe": lambda path: os.mkfifo(path / "pipe.yaml"),
    "too many": lambda path: [(path / f"a{number}.yaml").write_text("a") for number in range(MAX_FILES)] and None,
}  # fmt: skip


@pytest.mark.parametrize("stranger", [*STRANGERS])
def test_a_file_of_a_strange_name_or_sort_is_refused(tmp_path: Path, stranger: str) -> None:
    directory = folder(tmp_path)
    STRANGERS[stranger](directory / "agreements")
    with pytest.raises(InvalidInput, match="malformed-rule") as caught:
        load_bundle(directory)
    assert caught.value.where.startswith("agreements/")
