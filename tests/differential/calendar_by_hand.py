# SPDX-License-Identifier: EUPL-1.2
"""Days in Amsterdam and working days, by other means than the product: no zone database, another Easter rule.

Summer time: from the last Sunday of March to the last Sunday of October, 01:00 UTC (Directive 2000/84/EC).
Easter: the formula of Gauss as amended by Lichtenberg (1997). Holidays: Algemene termijnenwet, article 3.
"""

from datetime import UTC, date, datetime, timedelta
from functools import cache

# Article 3(3): days that the decrees of 2023-2025 and 2026-2028 equate with a holiday.
EQUATED = """
    2023-04-28 2023-05-19 2024-05-10 2024-12-27 2025-05-30
    2026-01-02 2026-05-15 2027-05-07 2028-04-28 2028-05-26
"""
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def microseconds(at: datetime) -> int:
    """Since 1970-01-01T00:00Z."""
    return (at - EPOCH) // timedelta(microseconds=1)


def day_in_amsterdam(at: datetime) -> date:
    """The day on the wall; for the years in which this rule of summer time stands (1996 and later)."""
    utc = at.astimezone(UTC)
    begin, end = (
        datetime.combine(_last_sunday(utc.year, month), datetime.min.time(), UTC) + timedelta(hours=1)
        for month in (3, 10)
    )
    return (utc + timedelta(hours=2 if begin <= utc < end else 1)).date()


def _last_sunday(year: int, month: int) -> date:
    last = date(year, month, 31)
    return last - timedelta(days=last.isoweekday() % 7)


def easter(year: int) -> date:
    """Easter Sunday."""
    century = year // 100
    secular = (3 * century + 3) // 4
    golden = year % 19
    seed = (19 * golden + 15 + secular - (8 * century + 13) // 25) % 30
    full_moon = 21 + seed - (seed + golden // 11) // 29
    first_sunday = 7 - (year + year // 4 + 2 - secular) % 7
    return date(year, 3, 1) + timedelta(days=full_moon + 6 - (full_moon - first_sunday) % 7)


@cache
def days_off(year: int) -> frozenset[date]:
    """The public holidays of a year that fall on a weekday."""
    sunday = easter(year)
    king = date(year, 4, 26) if date(year, 4, 27).isoweekday() == 7 else date(year, 4, 27)
    moving = (sunday + timedelta(days=days) for days in (-2, 1, 39, 50))
    fixed = (date(year, month, day) for month, day in ((1, 1), (5, 5), (12, 25), (12, 26)))
    equated = (day for day in map(date.fromisoformat, EQUATED.split()) if day.year == year)
    return frozenset(day for day in (king, *moving, *fixed, *equated) if day.isoweekday() < 6)


def working_days(earlier: date, later: date) -> int:
    """After the one day and before the other: weekdays by whole weeks, minus the holidays among them.

    Looks back a thousand days: no rule asks for as many working days as lie in those.
    """
    earlier = max(earlier, later - timedelta(days=1000))
    if later - earlier <= timedelta(days=1):
        return 0
    span = (later - earlier).days - 1
    weeks, rest = divmod(span, 7)
    start = earlier.isoweekday()
    weekdays = 5 * weeks + sum((start + step) % 7 not in (6, 0) for step in range(1, rest + 1))
    free = sum(
        earlier < day < later for year in range(earlier.year, later.year + 1) for day in days_off(year)
    )
    return weekdays - free
