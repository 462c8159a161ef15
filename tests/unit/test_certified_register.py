# SPDX-License-Identifier: EUPL-1.2
"""The list of certified firms: every column, every reason to reject a row, every way to write the file."""

from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.certified_register import COLUMNS, CertifiedFirm, read_certified
from sluis.errors import InvalidInput
from sluis.identifiers import Identifier, IdentifierType

TODAY = date(2026, 11, 23)
GOOD = {
    "naam": "Roerdompveld Uitzenden B.V.",
    "adres": "Handelskade 12",
    "postcode": "3011 AB",
    "plaats": "Rotterdam",
    "kvk": "00123456",
    "vestigingsnr": "099900123456",
    "certificaat_van": "2025-03-01",
    "certificaat_tot": "2028-02-29",
    "certificerende_instelling": "Noordster Certificatie B.V.",
}
FIRM = CertifiedFirm(
    line=2,
    name="Roerdompveld Uitzenden B.V.",
    address="Handelskade 12",
    postcode="3011AB",
    city="Rotterdam",
    kvk=Identifier(type=IdentifierType.KVK, value="00123456"),
    establishment=Identifier(type=IdentifierType.VESTIGING, value="099900123456"),
    valid_from=date(2025, 3, 1),
    valid_until=date(2028, 2, 29),
    certified_by="Noordster Certificatie B.V.",
)
BSN = "999990019"


def table(*rows: dict[str, str], columns: tuple[str, ...] = COLUMNS, end: str = "\n") -> bytes:
    """Write a file of these rows."""
    lines = [";".join(columns), *(";".join(row[name] for name in columns) for row in rows)]
    return "".join(line + end for line in lines).encode()


@pytest.mark.parametrize(
    "data",
    [
        table(GOOD),
        table(GOOD, end="\r\n"),
        b"\xef\xbb\xbf" + table(GOOD, end="\r\n"),
        table(GOOD, columns=COLUMNS[::-1]),
        table({name: f"  {text} " for name, text in GOOD.items()}),
        table({name: f'"{text}"' for name, text in GOOD.items()}),
        table(GOOD | {"postcode": "3011ab"}),
    ],
    ids=["plain", "CRLF", "BOM", "other order", "spaces", "quotes", "other postcode"],
)
def test_a_firm_is_read_however_the_file_is_written(data: bytes) -> None:
    parsed = read_certified(data, today=TODAY)
    assert parsed.accepted == (FIRM,)
    assert parsed.rejected == ()


@pytest.mark.parametrize(
    ("column", "text", "code"),
    [
        ("naam", "", "column-missing"),
        ("naam", f"A. de Vries {BSN}", "hidden-identifier"),
        ("adres", " ", "column-missing"),
        ("adres", "Kade 1, 9999.90.019", "hidden-identifier"),
        ("postcode", "", "identifier-format"),
        ("postcode", "3011 SD", "identifier-format"),
        ("plaats", "", "column-missing"),
        ("plaats", f"Tiel {BSN}", "hidden-identifier"),
        ("kvk", "", "identifier-format"),
        ("kvk", "1234567", "identifier-format"),
        ("kvk", BSN, "identifier-format"),
        ("vestigingsnr", "", "identifier-format"),
        ("vestigingsnr", "99900123456", "identifier-format"),
        ("certificaat_van", "", "date-format"),
        ("certificaat_van", "01-03-2025", "date-format"),
        ("certificaat_van", "20250301", "date-format"),
        ("certificaat_van", "2025-W09-6", "date-format"),
        ("certificaat_van", "2025-3-1", "date-format"),
        ("certificaat_van", "٢٠٢٥-٠٣-٠١", "date-format"),
        ("certificaat_van", "1899-12-31", "date-format"),
        ("certificaat_tot", "", "date-format"),
        ("certificaat_tot", "2027-02-29", "date-format"),
        ("certificaat_tot", "2200-01-01", "date-format"),
        ("certificaat_tot", "2025-02-28", "date-order"),
        ("certificerende_instelling", "", "column-missing"),
        ("certificerende_instelling", BSN, "hidden-identifier"),
    ],
)
def test_a_wrong_row_is_rejected_with_its_line_column_and_code(column: str, text: str, code: str) -> None:
    parsed = read_certified(table(GOOD, GOOD | {column: text}), today=TODAY)
    (problem,) = parsed.rejected
    assert (problem.line, problem.column, problem.code) == (3, column, code)
    assert parsed.accepted == (FIRM,)
    assert not text.strip() or text not in problem.message


def test_a_row_with_too_few_or_too_many_cells_is_rejected() -> None:
    short, long = ";".join([*GOOD.values()][:-1]), ";".join([*GOOD.values(), "x"])
    parsed = read_certified(table(GOOD) + f"{short}\n{long}\n".encode(), today=TODAY)
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
    (problem,) = read_certified(table(row, columns=tuple(order)), today=TODAY).rejected
    assert problem.column == next(name for name in COLUMNS if name in wrong)


def test_a_date_order_comes_before_a_later_column() -> None:
    row = GOOD | {"certificaat_tot": "2025-02-28", "certificerende_instelling": ""}
    (problem,) = read_certified(table(row), today=TODAY).rejected
    assert problem.code == "date-order"


def test_a_certificate_of_one_day_or_in_the_future_is_accepted() -> None:
    day = GOOD | {"certificaat_tot": "2025-03-01"}
    future = GOOD | {"certificaat_van": "2199-12-31", "certificaat_tot": "2199-12-31"}
    assert len(read_certified(table(day, future), today=TODAY).accepted) == 2


def test_the_same_certificate_twice_is_one_whatever_the_name() -> None:
    parsed = read_certified(table(GOOD, GOOD | {"naam": "Anders B.V.", "kvk": "00654321"}), today=TODAY)
    assert (parsed.accepted, parsed.duplicates) == ((FIRM,), 1)


@pytest.mark.parametrize(
    ("column", "text"),
    [
        ("vestigingsnr", "099900123457"),
        ("certificaat_van", "2025-03-02"),
        ("certificaat_tot", "2028-02-28"),
        ("certificerende_instelling", "Keurhuis"),
    ],
)
def test_another_certificate_is_no_duplicate(column: str, text: str) -> None:
    parsed = read_certified(table(GOOD, GOOD | {column: text}), today=TODAY)
    assert (len(parsed.accepted), parsed.duplicates) == (2, 0)


@pytest.mark.parametrize("column", COLUMNS)
def test_a_file_without_a_column_is_refused_by_its_name(column: str) -> None:
    columns = tuple(name for name in COLUMNS if name != column)
    with pytest.raises(InvalidInput, match=f"`{column}`") as caught:
        read_certified(table(GOOD, columns=columns), today=TODAY)
    assert caught.value.code == "column-missing"


def test_a_certificate_is_valid_on_its_first_and_last_day() -> None:
    days = [date(2025, 2, 28), date(2025, 3, 1), date(2028, 2, 29), date(2028, 3, 1)]
    assert [FIRM.valid_on(day) for day in days] == [False, True, True, False]


def test_a_certificate_that_ends_before_it_begins_cannot_be_made() -> None:
    with pytest.raises(InvalidInput):
        replace(FIRM, valid_until=date(2025, 2, 28))
