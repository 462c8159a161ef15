# SPDX-License-Identifier: EUPL-1.2
"""The demo's files: the same every time, every outcome in them, and counted alike by two counters."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from adapters.certified_register import read_certified
from adapters.fines import read_fines
from adapters.table import ParsedFile, RowProblem
from demo.data import DemoData, write_demo_data
from tests.independent_count import count

DAYS = [date(2026, 11, 23), date(2026, 6, 30), date(2026, 7, 1), date(2028, 2, 29), date(2027, 1, 1)]
TODAY = DAYS[0]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> DemoData:
    """Write the files at their usual size."""
    return write_demo_data(tmp_path_factory.mktemp("demo"), today=TODAY)


def counts(parsed: ParsedFile[Any]) -> dict[str, Any]:
    """Say what the second counter says of a file."""
    return {
        "rows": parsed.rows,
        "accepted": len(parsed.accepted),
        "duplicates": parsed.duplicates,
        "rejected": [brief(problem) for problem in parsed.rejected],
    }


def brief(problem: RowProblem) -> dict[str, Any]:
    """Leave out the message."""
    return {name: value for name, value in asdict(problem).items() if name != "message"}


def codes(problems: Sequence[RowProblem]) -> set[tuple[str, str]]:
    """Gather each column with its code."""
    return {(problem.column, problem.code) for problem in problems}


def assert_counted_alike(data: DemoData, today: date) -> None:
    """Compare the adapters with the second counter."""
    expected = count(data.certified, data.fines, today)
    assert counts(read_certified(data.certified, today=today)) == expected["register"]
    pushed = counts(read_fines(data.fines, today=today))
    assert pushed == {name: expected["push"][name] for name in pushed}


@pytest.mark.parametrize("today", DAYS)
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_adapters_and_the_second_counter_agree(tmp_path: Path, today: date, seed: int) -> None:
    assert_counted_alike(write_demo_data(tmp_path, today=today, seed=seed, firms=250, fines=120), today)


def test_they_agree_on_the_usual_size_also_on_another_day(data: DemoData) -> None:
    assert_counted_alike(data, TODAY)
    assert_counted_alike(data, date(2026, 3, 1))


def test_the_second_counter_sees_every_outcome(data: DemoData) -> None:
    seen = count(data.certified, data.fines, TODAY)
    assert (seen["register"]["rows"], seen["push"]["rows"]) == (3_000, 400)
    assert seen["register"]["duplicates"] > 5
    assert seen["push"]["duplicates"] > 5
    assert seen["push"]["permitted"] > 150
    assert {reason for reason, number in seen["push"]["denied"].items() if number > 9} == {
        "PROVISION_NOT_LISTED",
        "NO_CERTIFICATE",
        "LOOKBACK",
    }
    assert seen["match"]["hits"] > 50
    assert seen["match"]["asked"] == seen["match"]["hits"] + seen["match"]["misses"] > 2_500


def test_before_july_2026_more_provisions_were_listed(tmp_path: Path) -> None:
    data = write_demo_data(tmp_path, today=date(2026, 6, 30))
    old, new = (count(data.certified, data.fines, day)["push"]["denied"] for day in DAYS[1:3])
    assert 0 < old["PROVISION_NOT_LISTED"] < new["PROVISION_NOT_LISTED"]


def test_every_error_that_the_register_can_hold_occurs(data: DemoData) -> None:
    assert codes(read_certified(data.certified, today=TODAY).rejected) >= {
        ("", "row-shape"),
        *((name, "column-missing") for name in ("naam", "adres", "plaats", "certificerende_instelling")),
        *((name, "identifier-format") for name in ("postcode", "kvk", "vestigingsnr")),
        *((name, "date-format") for name in ("certificaat_van", "certificaat_tot")),
        *((name, "hidden-identifier") for name in ("naam", "adres")),
        ("certificaat_tot", "date-order"),
    }


def test_every_error_that_the_fines_can_hold_occurs(data: DemoData) -> None:
    assert codes(read_fines(data.fines, today=TODAY).rejected) == {
        ("", "row-shape"),
        ("vestigingsnr", "identifier-format"),
        ("wet", "unknown-value"),
        ("artikel", "unknown-value"),
        ("aantal", "number-format"),
        *(
            (name, code)
            for name in ("datum_constatering", "datum_boetebeschikking")
            for code in ("date-format", "date-future")
        ),
        ("datum_boetebeschikking", "date-order"),
    }


def test_the_same_seed_and_day_give_the_same_files(tmp_path: Path) -> None:
    written = []
    for name, seed in (("one", 7), ("two", 7), ("three", 8)):
        (tmp_path / name).mkdir()
        data = write_demo_data(tmp_path / name, today=TODAY, seed=seed, firms=200, fines=100)
        written.append((data.certified.read_bytes(), data.fines.read_bytes(), data.canaries))
    assert written[0] == written[1]
    assert all(one != other for one, other in zip(written[0], written[2], strict=True))


def test_each_canary_is_planted_and_long_enough(data: DemoData) -> None:
    text = data.certified.read_text("utf-8-sig") + data.fines.read_text()
    assert len(set(data.canaries)) == len(data.canaries) >= 50
    for canary in data.canaries:
        assert canary.isascii()
        assert len(canary) >= 8
        assert canary in text or canary in text.replace(".", "")  # one BSN stands there in groups


def test_firms_of_every_outcome_are_among_the_canaries(data: DemoData) -> None:
    fined = {fine.establishment.value for fine in read_fines(data.fines, today=TODAY).accepted}
    firms = read_certified(data.certified, today=TODAY).accepted
    valid = {firm.establishment.value for firm in firms if firm.valid_on(TODAY)}
    planted = set(data.canaries) & fined
    assert len(planted & valid) > 9
    assert len(planted - valid) > 9


@pytest.mark.parametrize(("firms", "fines"), [(199, 100), (200, 99)])
def test_too_few_rows_for_every_outcome_are_refused(tmp_path: Path, firms: int, fines: int) -> None:
    with pytest.raises(ValueError, match="at least"):
        write_demo_data(tmp_path, today=TODAY, firms=firms, fines=fines)
