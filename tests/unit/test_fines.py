# SPDX-License-Identifier: EUPL-1.2
"""The list of fines: every column, every reason to reject a row, every way to write the file."""

from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.fines import COLUMNS, Fine, read_fines
from sluis.errors import InvalidInput
from sluis.identifiers import Identifier, IdentifierType

TODAY = date(2026, 11, 23)
GOOD = {
    "vestigingsnr": "099900123456",
    "wet": "WML",
    "artikel": "18b(2)",
    "aantal": "3",
    "datum_constatering": "2026-02-10",
    "datum_boetebeschikking": "2026-05-28",
}
FINE = Fine(
    line=2,
    establishment=Identifier(type=IdentifierType.VESTIGING, value="099900123456"),
    law="WML",
    article="18b(2)",
    count=3,
    found_on=date(2026, 2, 10),
    decided_on=date(2026, 5, 28),
)


def table(*rows: dict[str, str], columns: tuple[str, ...] = COLUMNS, end: str = "\n") -> bytes:
    """Write a file of these rows."""
    lines = [";".join(columns), *(";".join(row[name] for name in columns) for row in rows)]
    return "".join(line + end for line in lines).encode()


@pytest.mark.parametrize(
    "data",
    [
        table(GOOD),
        table(GOOD, end="\r\n"),
        b"\xef\xbb\xbf" + table(GOOD),
        table(GOOD, columns=COLUMNS[::-1]),
        table({name: f"  {text} " for name, text in GOOD.items()}),
        table({name: f'"{text}"' for name, text in GOOD.items()}),
    ],
    ids=["plain", "CRLF", "BOM", "other order", "spaces", "quotes"],
)
def test_a_fine_is_read_however_the_file_is_written(data: bytes) -> None:
    parsed = read_fines(data, today=TODAY)
    assert parsed.accepted == (FINE,)
    assert parsed.rejected == ()


@pytest.mark.parametrize(
    ("law", "article", "provision"),
    [
        ("WML", "18b(2)", "WML 18b(2)"),
        ("WML", "18pa", "WML 18pa"),
        ("Wav", "2(1)", "Wav 2(1)"),
        ("Wav", "15", "Wav 15"),
        ("Waadi", "7a(1b)", "Waadi 7a(1b)"),
    ],
)
def test_law_and_article_make_one_provision(law: str, article: str, provision: str) -> None:
    (fine,) = read_fines(table(GOOD | {"wet": law, "artikel": article}), today=TODAY).accepted
    assert fine.provision == provision


@pytest.mark.parametrize(
    ("column", "text", "code"),
    [
        ("vestigingsnr", "", "identifier-format"),
        ("vestigingsnr", "00123456", "identifier-format"),
        ("vestigingsnr", "999990019", "identifier-format"),
        ("vestigingsnr", "0999001234567", "identifier-format"),
        *(("wet", text, "unknown-value") for text in ("", "wml", "WAV", "Atw", "WML 7")),
        *(
            ("artikel", text, "unknown-value")
            for text in (
                "",
                "7A",
                "a",
                "07",
                "7abc",
                "18b (2)",
                "18b lid 2",
                "18b()",
                "18b(2",
                "18b2)",
                "18b(2)(3)",
                "٧",
            )
        ),
        *(
            ("aantal", text, "number-format")
            for text in (
                "",
                "0",
                "-1",
                "+1",
                "01",
                "1.0",
                "2,5",
                "1e3",
                "1 000",
                "1_000",
                "1000001",
                "9" * 5000,
                "٣",
                "³",
            )
        ),
        ("datum_constatering", "", "date-format"),
        ("datum_constatering", "10-02-2026", "date-format"),
        ("datum_constatering", "2026-02-30", "date-format"),
        ("datum_constatering", "2026-11-24", "date-future"),
        ("datum_boetebeschikking", "", "date-format"),
        ("datum_boetebeschikking", "2026-05-28T00:00", "date-format"),
        ("datum_boetebeschikking", "2026-11-24", "date-future"),
        ("datum_boetebeschikking", "2026-02-09", "date-order"),
    ],
)
def test_a_wrong_row_is_rejected_with_its_line_column_and_code(column: str, text: str, code: str) -> None:
    parsed = read_fines(table(GOOD, GOOD | {column: text}), today=TODAY)
    (problem,) = parsed.rejected
    assert (problem.line, problem.column, problem.code) == (3, column, code)
    assert parsed.accepted == (FINE,)
    assert len(text) < 4 or text not in problem.message


@pytest.mark.parametrize("text", ["1", "10", "999999", "1000000"])
def test_a_whole_number_from_one_to_a_million_is_accepted(text: str) -> None:
    (fine,) = read_fines(table(GOOD | {"aantal": text}), today=TODAY).accepted
    assert fine.count == int(text)


def test_a_fine_found_and_decided_today_is_accepted() -> None:
    row = GOOD | {"datum_constatering": "2026-11-23", "datum_boetebeschikking": "2026-11-23"}
    (fine,) = read_fines(table(row), today=TODAY).accepted
    assert fine.found_on == fine.decided_on == TODAY


def test_a_row_with_too_few_or_too_many_cells_is_rejected() -> None:
    short, long = ";".join([*GOOD.values()][:-1]), ";".join([*GOOD.values(), "x"])
    parsed = read_fines(table(GOOD) + f"{short}\n{long}\n".encode(), today=TODAY)
    assert [(p.line, p.column, p.code) for p in parsed.rejected] == [
        (3, "", "row-shape"),
        (4, "", "row-shape"),
    ]


@given(st.sets(st.sampled_from(COLUMNS), min_size=1), st.permutations(COLUMNS))
@settings(max_examples=50)
def test_of_several_wrong_columns_the_first_of_the_list_is_reported(
    wrong: set[str], order: list[str]
) -> None:
    row = {name: "" if name in wrong else text for name, text in GOOD.items()}
    (problem,) = read_fines(table(row, columns=tuple(order)), today=TODAY).rejected
    assert problem.column == next(name for name in COLUMNS if name in wrong)


def test_the_same_fine_twice_is_one_whatever_the_count() -> None:
    again = GOOD | {"aantal": "4", "datum_constatering": "2026-02-11"}
    parsed = read_fines(table(GOOD, again, GOOD | {"aantal": "0"}), today=TODAY)
    assert (parsed.rows, parsed.accepted, parsed.duplicates, len(parsed.rejected)) == (3, (FINE,), 1, 1)


def test_a_wrong_row_does_not_make_the_right_one_a_duplicate() -> None:
    parsed = read_fines(table(GOOD | {"aantal": "0"}, GOOD), today=TODAY)
    assert (len(parsed.accepted), parsed.duplicates) == (1, 0)


@pytest.mark.parametrize(
    ("column", "text"),
    [
        ("vestigingsnr", "099900123457"),
        ("wet", "Wav"),
        ("artikel", "18b"),
        ("datum_boetebeschikking", "2026-05-29"),
    ],
)
def test_another_fine_is_no_duplicate(column: str, text: str) -> None:
    parsed = read_fines(table(GOOD, GOOD | {column: text}), today=TODAY)
    assert (len(parsed.accepted), parsed.duplicates) == (2, 0)


@pytest.mark.parametrize("column", COLUMNS)
def test_a_file_without_a_column_is_refused_by_its_name(column: str) -> None:
    columns = tuple(name for name in COLUMNS if name != column)
    with pytest.raises(InvalidInput, match=f"`{column}`") as caught:
        read_fines(table(GOOD, columns=columns), today=TODAY)
    assert caught.value.code == "column-missing"


def test_a_fine_decided_before_it_was_found_cannot_be_made() -> None:
    with pytest.raises(InvalidInput):
        replace(FINE, decided_on=date(2026, 2, 9))
