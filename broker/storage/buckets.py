# SPDX-License-Identifier: EUPL-1.2
"""Days and months of the cube: how a range of days is covered with the fewest numbers to add up."""

from collections.abc import Iterator
from datetime import date, timedelta

from broker.storage.projected import Days, day_bucket, month_bucket

BY_DAY = 100  # a longer range is shown by month
ALL_MONTHS = ((100_001, 999_912),)

_DAY = timedelta(days=1)


def ranges(days: Days) -> Iterator[tuple[int, int]]:
    """The buckets of a range, as (lowest, highest): days, whole months, and days again."""
    first = days.first if days.first.day == 1 else next_month(days.first)
    after = next_month(days.last) if (days.last + _DAY).day == 1 else days.last.replace(day=1)
    if first >= after:
        yield day_bucket(days.first), day_bucket(days.last)
        return
    if days.first < first:
        yield day_bucket(days.first), day_bucket(first - _DAY)
    yield month_bucket(first), month_bucket(after - _DAY)
    if after <= days.last:
        yield day_bucket(after), day_bucket(days.last)


def is_by_day(days: Days) -> bool:
    """Whether a range is shown day by day."""
    return (days.last - days.first).days < BY_DAY


def columns(days: Days) -> Iterator[tuple[date, date]]:
    """First and last day of each column of the histogram."""
    first = days.first
    while first <= days.last:
        end = first + _DAY if is_by_day(days) else next_month(first)
        yield first, min(end - _DAY, days.last)
        first = end


def first_day(bucket: int) -> date:
    """The first day of a bucket of either sort."""
    year, rest = divmod(bucket, 10_000) if not is_month(bucket) else divmod(bucket * 100 + 1, 10_000)
    return date(year, *divmod(rest, 100))


def last_day(bucket: int) -> date:
    """The last day of a bucket of either sort."""
    day = first_day(bucket)
    return next_month(day) - _DAY if is_month(bucket) else day


def is_month(bucket: int) -> bool:
    """Whether a bucket is a whole month."""
    return bucket <= ALL_MONTHS[0][1]


def next_month(day: date) -> date:
    """The first day of the month after."""
    return (day.replace(day=1) + timedelta(days=32)).replace(day=1)
