# SPDX-License-Identifier: EUPL-1.2
"""Bit slices count as a dictionary does."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.storage.slices import added, counted, counts_of, mask_of, numbers_in, present, size_of, sliced

SIZE = 70
numbers = st.integers(0, SIZE - 1)
counts = st.dictionaries(numbers, st.one_of(st.integers(0, 5), st.integers(0, (1 << 64) - 1)))
masks = st.sets(numbers)


@given(counts, masks)
def test_what_is_under_a_mask_is_counted_exactly(found: dict[int, int], chosen: set[int]) -> None:
    slices, mask = sliced(found.items(), SIZE), mask_of(chosen, SIZE)
    wanted = {number: count for number, count in found.items() if number in chosen and count}
    assert counted(slices, mask) == sum(wanted.values())
    assert counts_of(slices, mask) == wanted
    assert set(numbers_in(present(slices))) == {number for number, count in found.items() if count}


@given(st.lists(counts, max_size=5), masks)
def test_counts_are_added_thing_by_thing(many: list[dict[int, int]], chosen: set[int]) -> None:
    together: Counter[int] = Counter()
    for one in many:
        together.update(one)
    slices = added(sliced(one.items(), SIZE) for one in many)
    assert counts_of(slices, (1 << SIZE) - 1) == {number: n for number, n in together.items() if n}
    assert counted(slices, mask_of(chosen, SIZE)) == sum(together[number] for number in chosen)


@given(masks)
def test_a_mask_tells_its_numbers_in_order(chosen: set[int]) -> None:
    assert list(numbers_in(mask_of(chosen, SIZE))) == sorted(chosen)


def test_the_example_of_the_page() -> None:
    slices = sliced([(0, 1), (1, 2), (3, 1), (4, 3)], 6)
    assert [f"{one:06b}" for one in slices] == ["011001", "010010"]
    assert counted(slices, 0b010011) == 6


def test_nothing_counts_nothing_and_little_takes_little() -> None:
    assert sliced([], 0) == added([]) == ()
    assert counted((), 7) == present(()) == 0
    assert size_of(sliced([(0, 1)], 1)) < size_of(sliced([(9_999, 1)], 10_000)) < 2_000


def test_a_count_below_zero_is_no_count() -> None:
    with pytest.raises(OverflowError):
        sliced([(0, -1)], 1)
