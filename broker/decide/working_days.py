# SPDX-License-Identifier: EUPL-1.2
"""Working days between two dates, by the Algemene termijnenwet (BWBR0002448), article 3.

Not a working day: Saturday, Sunday, New Year's Day, Good Friday, Easter Monday, the day on which the King's
birthday is celebrated, 5 May, Ascension Day, Whit Monday, and both days of Christmas. Nor a day that a decree
equates with these (third paragraph), such as the Friday after Ascension Day; decrees are known up to 2028.
"""

from bisect import bisect_left
from collections.abc import Iterator
from datetime import date, timedelta
from functools import lru_cache

FRIDAY = 4
SUNDAY = 6
LONGEST = 400

# Besluit gelijkstelling 2023-2025 and 2026-2028. Their titles list these days; the Staatscourant was not read.
EQUATED = frozenset(
    {
        date(2023, 4, 28),
        date(2023, 5, 19),
        date(2024, 5, 10),
        date(2024, 12, 27),
        date(2025, 5, 30),
        date(2026, 1, 2),
        date(2026, 5, 15),
        date(2027, 5, 7),
        date(2028, 4, 28),
        date(2028, 5, 26),
    }
)


def working_days_between(earlier: date, later: date) -> int:
    """Count the working days after `earlier` and before `later`; 0 when there are none, at most 400 days on.

    A term of ten working days after a decision on day 0 has passed on the first day for which this is ten.
    """
    first = earlier.toordinal() + 1
    end = min(later.toordinal(), earlier.toordinal() + LONGEST)
    if first >= end:
        return 0
    years = range(earlier.year, date.fromordinal(end - 1).year + 1)
    closed = sum(bisect_left(days, end) - bisect_left(days, first) for days in map(_closed_weekdays, years))
    return _weekdays_before(end) - _weekdays_before(first) - closed


def _weekdays_before(ordinal: int) -> int:
    """How many days from Monday to Friday precede a day; the first day of the calendar was a Monday."""
    weeks, days = divmod(ordinal - 1, 7)
    return 5 * weeks + min(days, 5)


@lru_cache(maxsize=64)
def _closed_weekdays(year: int) -> tuple[int, ...]:
    """The public holidays from Monday to Friday, as ordinals in order."""
    return tuple(sorted(day.toordinal() for day in holidays(year) if day.weekday() <= FRIDAY))


def is_working_day(day: date) -> bool:
    """Whether offices work on this day."""
    return day.weekday() <= FRIDAY and day not in holidays(day.year)


@lru_cache(maxsize=64)
def holidays(year: int) -> frozenset[date]:
    """The public holidays of a year, with Good Friday and what a decree equates with them."""
    return frozenset(_holidays(year)) | {day for day in EQUATED if day.year == year}


def _holidays(year: int) -> Iterator[date]:
    easter = easter_sunday(year)
    king = date(year, 4, 27)  # Koningsdag since 2014; a day earlier when that is a Sunday
    yield date(year, 1, 1)
    yield easter - timedelta(days=2)
    yield easter + timedelta(days=1)
    yield king - timedelta(days=king.weekday() == SUNDAY)
    yield date(year, 5, 5)
    yield easter + timedelta(days=39)
    yield easter + timedelta(days=50)
    yield date(year, 12, 25)
    yield date(year, 12, 26)


def easter_sunday(year: int) -> date:
    """Easter in the Gregorian calendar, after the anonymous algorithm of 1876 (Nature 13, p. 487)."""
    century, rest = divmod(year, 100)
    golden = year % 19
    epact = (19 * golden + century - century // 4 - (century - (century + 8) // 25 + 1) // 3 + 15) % 30
    weekday = (32 + 2 * (century % 4) + 2 * (rest // 4) - epact - rest % 4) % 7
    shift = (golden + 11 * epact + 22 * weekday) // 451
    month, day = divmod(epact + weekday - 7 * shift + 114, 31)
    return date(year, month, day + 1)
