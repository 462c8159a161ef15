# SPDX-License-Identifier: EUPL-1.2
"""Working days and holidays: typed from the Algemene termijnenwet, article 3, and printed calendars."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.decide.working_days import (
    LONGEST,
    easter_sunday,
    holidays,
    is_working_day,
    working_days_between,
)
from tests.differential import calendar_by_hand

# New Year's Day, Good Friday, Easter Monday, King's Day, 5 May, Ascension Day, Whit Monday, both days of Christmas;
# and the days equated with them by decree (article 3(3)): known for 2023 to 2028.
HOLIDAYS = {
    2024: "01-01 03-29 04-01 04-27 05-05 05-09 05-10 05-20 12-25 12-26 12-27",
    2025: "01-01 04-18 04-21 04-26 05-05 05-29 05-30 06-09 12-25 12-26",
    2026: "01-01 01-02 04-03 04-06 04-27 05-05 05-14 05-15 05-25 12-25 12-26",
    2027: "01-01 03-26 03-29 04-27 05-05 05-06 05-07 05-17 12-25 12-26",
    2028: "01-01 04-14 04-17 04-27 04-28 05-05 05-25 05-26 06-05 12-25 12-26",
    2029: "01-01 03-30 04-02 04-27 05-05 05-10 05-21 12-25 12-26",
    2030: "01-01 04-19 04-22 04-27 05-05 05-30 06-10 12-25 12-26",
}
days = st.dates(date(1996, 1, 1), date(2098, 12, 31))


@pytest.mark.parametrize("year", [*HOLIDAYS])
def test_the_holidays_of_a_year(year: int) -> None:
    assert holidays(year) == {date.fromisoformat(f"{year}-{day}") for day in HOLIDAYS[year].split()}


@pytest.mark.parametrize(
    ("day", "works"),
    [
        ("2025-04-26", False),  # a Saturday, and King's Day because the 27th is a Sunday
        ("2025-04-28", True),  # the Monday after it is an ordinary day
        ("2031-04-26", False),
        ("2026-11-25", True),
        ("2026-11-27", True),  # Friday
        ("2026-11-28", False),  # Saturday
        ("2026-11-29", False),  # Sunday
        ("2026-04-03", False),  # Good Friday
        ("2026-04-02", True),
        ("2026-04-04", False),
        ("2026-12-24", True),
        ("2026-12-26", False),
        ("2026-12-31", True),
        ("2026-04-30", True),  # the Queen's birthday until 2013
        ("2026-05-15", False),  # the Friday after Ascension Day, by decree
        ("2023-05-19", False),
        ("2023-04-28", False),
        ("2029-05-11", True),  # no decree yet
    ],
)
def test_whether_offices_work(day: str, works: bool) -> None:
    assert is_working_day(date.fromisoformat(day)) is works


@pytest.mark.parametrize(
    ("earlier", "later", "count"),
    [
        ("2026-11-23", "2026-11-23", 0),
        ("2026-11-23", "2026-11-24", 0),
        ("2026-11-23", "2026-11-25", 1),
        ("2026-11-24", "2026-11-23", 0),
        ("2026-11-20", "2026-11-23", 0),  # Friday and Monday: a weekend between
        ("2026-11-20", "2026-11-24", 1),
        ("2026-11-09", "2026-11-23", 9),
        ("2026-11-09", "2026-11-24", 10),  # ten working days after Monday the 9th have passed on the 24th
        ("2026-11-21", "2026-11-23", 0),  # decided on a Saturday
        ("2026-11-21", "2026-11-24", 1),
        ("2026-04-02", "2026-04-07", 0),  # Good Friday to Easter Monday
        ("2026-04-02", "2026-04-08", 1),
        ("2025-12-24", "2025-12-29", 0),
        ("2026-12-24", "2027-01-04", 4),  # 28 to 31 December
        ("2026-12-30", "2027-01-02", 1),  # the last day that could count is New Year's Day
        ("2027-05-04", "2027-05-10", 0),  # 5 May, Ascension Day, the Friday after it, a weekend
        ("2027-05-04", "2027-05-11", 1),
        ("2024-02-28", "2024-03-01", 1),  # the leap day
    ],
)
def test_working_days_between_two_dates(earlier: str, later: str, count: int) -> None:
    assert working_days_between(date.fromisoformat(earlier), date.fromisoformat(later)) == count


@pytest.mark.parametrize(
    ("year", "day"),
    [(1818, "03-22"), (2285, "03-22"), (1943, "04-25"), (2038, "04-25"), (1954, "04-18"), (1981, "04-19")],
)
def test_the_earliest_and_latest_easters_and_the_exceptions_of_gauss(year: int, day: str) -> None:
    assert easter_sunday(year) == date.fromisoformat(f"{year}-{day}")
    assert calendar_by_hand.easter(year) == date.fromisoformat(f"{year}-{day}")


def test_easter_is_a_sunday_and_follows_another_rule_too() -> None:
    for year in range(1583, 9999):
        assert easter_sunday(year).weekday() == 6
        assert easter_sunday(year) == calendar_by_hand.easter(year)


@given(days, st.integers(-30, 90))
def test_another_way_of_counting_counts_the_same(earlier: date, length: int) -> None:
    later = earlier + timedelta(days=length)
    assert working_days_between(earlier, later) == calendar_by_hand.working_days(earlier, later)


@given(days, st.integers(0, 30))
def test_a_day_later_is_at_most_one_working_day_more(earlier: date, length: int) -> None:
    later = earlier + timedelta(days=length)
    more = working_days_between(earlier, later + timedelta(days=1)) - working_days_between(earlier, later)
    assert more == (length > 0 and is_working_day(later))


def test_counting_ends_after_four_hundred_days() -> None:
    start = date(2029, 1, 1)
    most = working_days_between(start, start + timedelta(days=LONGEST))
    assert most == 277  # 285 weekdays, eight of them holidays
    assert working_days_between(start, date(9999, 12, 31)) == most
    assert working_days_between(start, start + timedelta(days=LONGEST - 1)) < most


def test_counting_near_the_end_of_time_does_not_fail() -> None:
    assert working_days_between(date(9999, 12, 24), date(9999, 12, 31)) == 4
