# SPDX-License-Identifier: EUPL-1.2
"""The strict table reader: what it takes, what it refuses whole, and that no bytes break it."""

import csv
import io
import time
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from adapters.table import MAX_ROW, ParsedFile, Row, parse_table
from sluis.errors import Defect, InvalidInput, NotFound, SluisError

COLUMNS = ("a", "b")


def read(source: Path | bytes) -> ParsedFile[tuple[int, str, str]]:
    """Read the columns a and b as they are; a row is its own key, its line apart."""

    def parse(row: Row) -> tuple[int, str, str]:
        if row.cells["a"] == "wrong":
            raise InvalidInput("unknown-value", where="a")
        return row.line, row.cells["a"], row.cells["b"]

    return parse_table(source, COLUMNS, parse, lambda parsed: parsed[1:])


def refusal(source: Path | bytes) -> SluisError:
    """Read what must be refused whole."""
    with pytest.raises(SluisError) as caught:
        read(source)
    return caught.value


@pytest.mark.parametrize(
    ("data", "accepted"),
    [
        (b"a;b\n1;2\n3;4\n", [(2, "1", "2"), (3, "3", "4")]),
        (b"a;b\n1;2\n3;4", [(2, "1", "2"), (3, "3", "4")]),
        (b"a;b\r\n1;2\r\n3;4\r\n", [(2, "1", "2"), (3, "3", "4")]),
        (b"\xef\xbb\xbfa;b\n1;2\n", [(2, "1", "2")]),
        (b'\xef\xbb\xbf"a";"b"\r\n1;2\r\n', [(2, "1", "2")]),
        (b"b;a\n1;2\n", [(2, "2", "1")]),
        (b" a ;\tb\n 1;2 \n", [(2, "1", "2")]),
        (b"\n\na;b\n\n1;2\n \t\n\r\n3;4\n\n", [(5, "1", "2"), (8, "3", "4")]),
        (b'a;b\n"1;1";"2"\n', [(2, "1;1", "2")]),
        (b'a;b\n"say ""yes""";""\n', [(2, 'say "yes"', "")]),
        (b'a;b\n"1\n1\r\n1";2\n3;4\n', [(2, "1\n1\n1", "2"), (5, "3", "4")]),
        (b'a;b\n"1"  ; "2"\n', [(2, "1", '"2"')]),
        (b'a;b\nsay "yes";2\n', [(2, 'say "yes"', "2")]),
        ("a;b\né;\u2028\u0085x\n".encode(), [(2, "é", "x")]),
        (b"a;b\n", []),
        (b"a;b", []),
    ],
)
def test_a_table_is_read(data: bytes, accepted: list[tuple[int, str, str]]) -> None:
    parsed = read(data)
    assert list(parsed.accepted) == accepted
    assert (parsed.rows, parsed.duplicates, parsed.rejected) == (len(accepted), 0, ())


@pytest.mark.parametrize(
    ("data", "code", "word"),
    [
        (b"", "file-empty", ""),
        (b"\xef\xbb\xbf", "file-empty", ""),
        (b"\n \r\n\n", "file-empty", ""),
        (b"a;c\n1;2\n", "column-missing", "`b`"),
        (b"x;y\n1;2\n", "column-missing", "`a`, `b`"),
        (b"1;2\n3;4\n", "column-missing", "`a`, `b`"),
        (b"a\n1\n", "column-missing", "`b`"),
        (b"A;B\n1;2\n", "column-missing", "`a`, `b`"),
        (b"a,b\n1,2\n", "file-not-csv", "semicolons"),
        (b'{"a": 1}', "file-not-csv", "semicolons"),
        (b"a;b;a\n1;2;3\n", "file-not-csv", "twice"),
        (b"a;b;c;c\n1;2;3;4\n", "file-not-csv", "twice"),
        (b"a;b\n1;\x002\n", "file-not-csv", "line 2"),
        (b"a;b\n1;\x1b[31m\n", "file-not-csv", "line 2"),
        (b"a;b\r1;2\r", "file-not-csv", "line 1"),
        (b'a;b\n1;2\n"3;4\n5;6\n', "file-not-csv", "line 3"),
        (b'a;b\n"', "file-not-csv", "line 2"),
        (b'a;b\n"1"x;2\n', "file-not-csv", "line 2"),
        (b'a;b\n""x;2\n', "file-not-csv", "line 2"),
        (b'a;b\n"1"" ;2\n', "file-not-csv", "line 2"),
        ("a;b\n1;é\n".encode("latin-1"), "file-encoding", "line 2"),
        ("a;b\n1;2\n".encode("utf-16"), "file-encoding", "line 1"),
        ("a;b\n1;2\n".encode("utf-16-le"), "file-not-csv", "line 1"),
        (b"a;b\n1;\xed\xa0\x80\n", "file-encoding", "line 2"),
        (b"PK\x03\x04\x14\x00\x06\x00", "file-not-csv", "line 1"),
        (b"\x89PNG\r\n\x1a\n", "file-encoding", "line 1"),
        (b"a;b\n" + b"x" * 10_000_000, "file-not-csv", "line 2 is longer"),
        (b"x" * 10_000_000, "file-not-csv", "line 1 is longer"),
        (b'a;b\n"' + b"x\n" * 1_000_000, "file-not-csv", "line 2 starts a row"),
    ],
    ids=range(29),
)
def test_what_is_no_table_is_refused_whole(data: bytes, code: str, word: str) -> None:
    error = refusal(data)
    assert (error.code, word in error.message) == (code, True)


def test_wrong_rows_and_repeated_rows_are_counted_and_the_others_go_on() -> None:
    parsed = read(b"a;b\n1;2\nwrong;2\n1;2\n1\n1;2;3\n;\n5;6\n")
    assert parsed.rows == 7
    assert parsed.accepted == ((2, "1", "2"), (7, "", ""), (8, "5", "6"))
    assert parsed.duplicates == 1
    assert [(p.line, p.column, p.code) for p in parsed.rejected] == [
        (3, "a", "unknown-value"),
        (5, "", "row-shape"),
        (6, "", "row-shape"),
    ]


def test_other_columns_are_ignored_and_named() -> None:
    parsed = read(b"c;b;;a;\n9;2;;1;\n")
    assert parsed.accepted == ((2, "1", "2"),)
    assert parsed.ignored_columns == ("c", "", "")


def test_a_file_is_read_as_its_bytes_are(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_bytes(b"a;b\r\n1;2\r\n")
    assert read(path) == read(path.read_bytes())


def test_a_file_that_cannot_be_read_is_not_found(tmp_path: Path) -> None:
    for path in (tmp_path / "none.csv", tmp_path, tmp_path / "none" / "x.csv", Path("nul\0byte")):
        error = refusal(path)
        assert isinstance(error, NotFound)
        assert error.code == "file-not-found"


def test_counts_that_do_not_add_up_are_a_defect() -> None:
    with pytest.raises(Defect):
        ParsedFile[int](rows=3, accepted=(1,), duplicates=1, rejected=(), ignored_columns=())


def test_the_limit_of_the_csv_module_is_left_alone() -> None:
    before = csv.field_size_limit()
    read(b'a;b\n"' + b"x" * (MAX_ROW - 10) + b'";2\n')
    assert csv.field_size_limit() == before


def test_a_large_file_takes_little_memory(tmp_path: Path) -> None:
    path = tmp_path / "large.csv"
    with path.open("wb") as stream:
        stream.write(b"a;b\n")
        for _ in range(80):
            stream.write(b"1;" + b"x" * 60_000 + b"\n")
            stream.write(b'"' + (b"y" * 600 + b"\n") * 100 + b'";2\n')
    tracemalloc.start()
    parsed = parse_table(path, COLUMNS, lambda row: row.line, lambda _: 0)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert parsed.rows == 160
    assert peak < path.stat().st_size / 10


@pytest.mark.parametrize("line", [b'""\n', b'"";"\n', b'"\n', b';"\n', b'"";""\n'])
def test_a_row_made_of_quotes_and_lines_takes_no_time(line: bytes) -> None:
    started = time.perf_counter()
    try:
        read(b'a;b\n"' + line * 50_000)
    except InvalidInput as error:
        outcome = error.code
    else:
        outcome = "read"
    assert outcome in ("read", "file-not-csv")
    assert time.perf_counter() - started < 5


@given(st.binary(max_size=200) | st.text('a;b"\n\r 1', max_size=40).map(str.encode))
@example(b"a;b\n\xff")
@settings(max_examples=100)
def test_any_bytes_give_a_table_or_our_error(tail: bytes) -> None:
    for data in (tail, b"a;b\n" + tail):
        try:
            parsed = read(data)
        except InvalidInput as error:
            code = error.code
        else:
            code = "read"
            assert parsed.rows >= len(parsed.accepted)
        assert code in ("read", "file-empty", "file-encoding", "file-not-csv", "column-missing")


CELL = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")) | st.just("\n"), max_size=8)


@given(
    rows=st.lists(st.tuples(CELL, CELL), max_size=6),
    line_end=st.sampled_from(["\n", "\r\n"]),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    bom=st.sampled_from(["utf-8", "utf-8-sig"]),
)
@settings(max_examples=100)
def test_what_the_csv_module_writes_is_read_back(
    rows: list[tuple[str, str]], line_end: str, quoting: int, bom: str
) -> None:
    stream = io.StringIO()
    writer = csv.writer(stream, delimiter=";", lineterminator=line_end, quoting=quoting)  # type: ignore[arg-type]
    writer.writerow(COLUMNS)
    writer.writerows([("x" + a, b) for a, b in rows])
    parsed = parse_table(stream.getvalue().encode(bom), COLUMNS, lambda row: row, lambda row: row.line)
    assert [tuple(row.cells.values()) for row in parsed.accepted] == [
        (("x" + a).strip(), b.strip()) for a, b in rows
    ]
