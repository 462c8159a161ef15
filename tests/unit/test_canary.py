# SPDX-License-Identifier: EUPL-1.2
"""The search for planted values: it finds each writing, in every file, at every alignment; so it can fail."""

import base64
import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from demo.canary import MIN_LENGTH, CanaryReport, encodings, search
from sluis.encoding import lp
from sluis.v1 import exchange_pb2
from tests.world import FIRM, VALUES, World

BSN, NAME = "999990019", "Uitzendbureau De Gele Waterlelie"


def look(folder: Path, *values: str) -> CanaryReport:
    return search(values or (BSN, NAME), [folder])


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"x" + BSN.encode() + b"y", "utf-8"),
        (NAME.encode("utf-16"), "utf-16"),
        (NAME.encode("utf-16-le"), "utf-16"),
        (NAME.encode().hex().encode(), "hex"),
        (NAME.encode().hex().upper().encode(), "HEX"),
        (base64.b64encode(NAME.encode()), "base64+0"),
        (base64.b64encode(b"a" + NAME.encode() + b"bc"), "base64+1"),
        (base64.b64encode(b"ab" + BSN.encode() + b"c"), "base64+2"),
        (base64.b64encode(b"abc" + BSN.encode()), "base64+0"),
        (json.dumps({"note": f"de firma {NAME} is beboet"}).encode(), "utf-8"),
        (lp("/sluis.v1/Push", b"\xff" * 20 + BSN.encode()), "utf-8"),
    ],
)
def test_each_writing_is_found_and_the_value_is_not_reported(
    tmp_path: Path, content: bytes, kind: str
) -> None:
    (tmp_path / "wire.tap").write_bytes(b"\0" * 100 + content + b"\0" * 100)
    report = look(tmp_path)
    assert report.found == (f"wire.tap: {kind}",)
    assert report.planted == 2
    assert report.searched == 200 + len(content)


@settings(max_examples=80)
@given(
    st.text("0123456789 abcdefghijklmnopqrstuvwxyzé-.", min_size=MIN_LENGTH, max_size=30),
    st.binary(max_size=7),
    st.binary(max_size=7),
)
def test_base64_is_found_whatever_stands_around_the_value(value: str, before: bytes, after: bytes) -> None:
    text = base64.b64encode(before + value.encode() + after)
    assert any(needle in text for kind, needle in encodings(value) if kind.startswith("base64"))


@settings(max_examples=80)
@given(st.text("0123456789", min_size=MIN_LENGTH, max_size=12), st.binary(max_size=60))
def test_nothing_is_found_that_is_not_there(value: str, data: bytes) -> None:
    text = base64.b64encode(data) + data.hex().encode() + data
    if value.encode() in data or value.encode() in text:
        return
    assert not any(needle in text for kind, needle in encodings(value) if kind.startswith(("utf", "base64")))


def test_a_name_that_a_log_wrote_with_escapes_is_found(tmp_path: Path) -> None:
    (tmp_path / "log.jsonl").write_text(json.dumps({"reason": 'Café \'t Hoekje "B.V."'}), "ascii")
    assert look(tmp_path, "Café 't Hoekje").found == ("log.jsonl: json",)
    assert look(tmp_path, 'Hoekje "B.V."').found == ("log.jsonl: json",)


def test_an_empty_or_clean_folder_gives_nothing(tmp_path: Path) -> None:
    assert look(tmp_path) == CanaryReport(planted=2, searched=0, found=())
    (tmp_path / "clean").write_bytes(BSN.encode()[:-1] + b"\0" + NAME.encode()[1:-1])
    assert look(tmp_path).found == ()


def test_all_files_of_all_folders_are_searched(tmp_path: Path) -> None:
    one, two = tmp_path / "one" / "deep", tmp_path / "two"
    one.mkdir(parents=True)
    two.mkdir()
    (one / "a.db").write_text(BSN, "utf-8")
    (two / "b.db-wal").write_text(NAME, "utf-8")
    report = search([BSN, NAME], [tmp_path / "one", two])
    assert report.found == ("a.db: utf-8", "b.db-wal: utf-8")


def test_a_value_is_planted_once_and_short_ones_are_not_counted(tmp_path: Path) -> None:
    assert look(tmp_path, BSN, BSN, "1234567", "").planted == 1


def test_a_value_in_a_database_and_in_its_write_ahead_log_is_found(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "broker.db")) as database:
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("CREATE TABLE t (x BLOB)")
        database.execute("INSERT INTO t VALUES (?)", (b"{" + BSN.encode() + b"}",))
        database.commit()
        assert look(tmp_path).found == ("broker.db-wal: utf-8",)
    assert look(tmp_path).found == ("broker.db: utf-8",)


async def test_the_brokers_database_is_clean_after_an_exchange_and_dirty_when_it_is_told(
    world: World,
) -> None:
    """The promise on one exchange in this process, and the proof that breaking it would be seen."""
    planted = [
        value for value in VALUES.values() if len(value) >= MIN_LENGTH and value not in ("2026-03-02",)
    ]
    await world.certify(FIRM)
    answer = await world.push(world.envelope(FIRM))
    assert search(planted, [world.folder]).planted == 3
    assert search(planted, [world.folder]).found == ()
    world.operator.stop("agreement", "waadi-14b", f"zie dossier {VALUES['establishment_number']}")
    assert search(planted, [world.folder]).found != ()
    assert isinstance(answer, exchange_pb2.PushResponse)
