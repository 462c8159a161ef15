# SPDX-License-Identifier: EUPL-1.2
"""Days and months of the cube: each day of a range is counted once."""

from datetime import date, timedelta

from hypothesis import example, given, settings
from hypothesis import strategies as st

from broker.storage.buckets import ranges
from broker.storage.projected import Days, day_bucket, month_bucket


def days_in(low: int, high: int) -> list[date]:
    """Every day of a range of buckets, by trying all."""
    first = date(2023, 12, 1)
    tried = [first + timedelta(days=number) for number in range(1_300)]
    by_day = [day for day in tried if low <= day_bucket(day) <= high]
    return by_day + [day for day in tried if low <= month_bucket(day) <= high]


@given(st.dates(date(2024, 1, 1), date(2026, 6, 1)), st.integers(0, 300))
@settings(max_examples=150, deadline=None)
@example(date(2024, 1, 31), 1)
@example(date(2024, 1, 31), 30)
@example(date(2024, 2, 1), 28)
def test_the_ranges_of_buckets_hold_each_day_once(first: date, more: int) -> None:
    days = Days(first, first + timedelta(days=more))
    found = [day for low, high in ranges(days) for day in days_in(low, high)]
    assert sorted(found) == [first + timedelta(days=number) for number in range(more + 1)]
    assert len(list(ranges(days))) <= 3
