# SPDX-License-Identifier: EUPL-1.2
"""Statistics: no small number can be read or worked out, also by somebody who knows every number that is shown.

The attacker here is stronger than a reader: she knows the exact, unrounded value of everything that is not hidden.
"""

from collections.abc import Collection, Mapping
from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from broker.oversight.statistics import (
    GRAND,
    MIN_PERSONS,
    ROUND_TO,
    TOTAL,
    Cell,
    Table,
    release,
    release_counts,
    release_series,
    rounded,
    suppress,
)
from tests.attacker import Attacker, Name, Sum, sums_of, truth_of

PARTS = st.dictionaries(st.sampled_from("abcdefgh"), st.integers(0, 40), min_size=1)


@st.composite
def tables(draw: st.DrawFn, largest: int = 40, name: str = "t", most: int = 5) -> Table:
    rows = [f"r{number}" for number in range(draw(st.integers(1, most)))]
    columns = [f"c{number}" for number in range(draw(st.integers(1, min(most, 4))))]
    counts = {
        (row, column): draw(st.one_of(st.just(0), st.integers(0, largest)))
        for row in rows
        for column in columns
    }
    return Table(name=name, rows=rows, columns=columns, counts=counts, minimum=MIN_PERSONS)


def determined(table: Table, hidden: frozenset[Cell]) -> set[Cell]:
    """Which hidden cells follow from the rest: Gauss-Jordan over the sums of all rows and columns."""
    unknown = sorted(hidden)
    sums: list[list[Fraction]] = []

    def add(parts: list[Cell], total: Cell) -> None:
        line = [Fraction(0)] * (len(unknown) + 1)
        for cell, sign in [(part, 1) for part in parts] + [(total, -1)]:
            if cell in hidden:
                line[unknown.index(cell)] += sign
            else:
                line[-1] -= sign * table.value(cell)
        sums.append(line)

    for row in (*table.rows, TOTAL):
        add([(row, column) for column in table.columns], (row, TOTAL))
    for column in (*table.columns, TOTAL):
        add([(row, column) for row in table.rows], (TOTAL, column))
    pivots = 0
    for column in range(len(unknown)):
        found = next((at for at in range(pivots, len(sums)) if sums[at][column]), None)
        if found is None:
            continue
        sums[pivots], sums[found] = sums[found], sums[pivots]
        scale = sums[pivots][column]
        sums[pivots] = [value / scale for value in sums[pivots]]
        for at, line in enumerate(sums):
            if at != pivots and line[column]:
                factor = line[column]
                sums[at] = [value - factor * base for value, base in zip(line, sums[pivots], strict=True)]
        pivots += 1
    return {
        unknown[places[0]]
        for line in sums
        if len(places := [at for at, value in enumerate(line[:-1]) if value]) == 1
    }


@given(tables())
def test_no_hidden_cell_follows_from_what_is_shown(table: Table) -> None:
    assert determined(table, suppress(table)) == set()


def leaks(attacker: Attacker, truth: Mapping[Name, int], hidden: Collection[Name]) -> set[Name]:
    """The hidden numbers that are pinned, and the small ones that are seen to be small."""
    found = set()
    for name in hidden:
        most = attacker.most(name)
        pinned = most == truth[name] == attacker.least(name)
        if pinned or (truth[name] < MIN_PERSONS and most is not None and most < MIN_PERSONS):
            found.add(name)
    return found


@given(tables(largest=12) | tables())
def test_who_solves_the_table_can_pin_no_hidden_number_nor_see_that_one_is_small(table: Table) -> None:
    truth = truth_of(table)
    hidden = [name for name, cell in zip(truth, table.cells, strict=True) if cell in suppress(table)]
    assert leaks(Attacker(sums_of(table), truth, hidden), truth, hidden) == set()


def test_two_hidden_ones_whose_sum_shows_take_a_third_with_them() -> None:
    counts = {("a", "x"): 1, ("a", "y"): 1, ("a", "z"): 40, ("b", "x"): 1, ("b", "y"): 1, ("b", "z"): 50}
    table = Table(name="t", rows=["a", "b"], columns=["x", "y", "z"], counts=counts, minimum=10)
    truth = truth_of(table)
    hidden = frozenset((row, column) for row in ("a", "b", TOTAL) for column in "xy")
    on_a_cycle: list[Name] = [("t", *cell) for cell in sorted(hidden)]
    assert determined(table, hidden) == set()  # but each is at least one
    assert leaks(Attacker(sums_of(table), truth, on_a_cycle), truth, on_a_cycle) == set(on_a_cycle)
    assert {("a", "z"), ("b", "z")} & suppress(table)


@settings(max_examples=40)
@given(tables(largest=12, name="one", most=3), tables(largest=12, name="two", most=3), PARTS, st.booleans())
def test_who_solves_tables_and_parts_of_one_whole_together_learns_no_more(
    one: Table, two: Table, parts: dict[str, int], hide_total: bool
) -> None:
    most = max(one.value((TOTAL, TOTAL)), two.value((TOTAL, TOTAL)), sum(parts.values()))
    one, two = filled(one, most), filled(two, most)
    parts = {**parts, min(parts): parts[min(parts)] + most - sum(parts.values())}
    released = release([one, two], hide_total=hide_total)
    series = release_series(parts, MIN_PERSONS, hide_total=released[0].shown[TOTAL, TOTAL] is None)
    truth = truth_of(one) | truth_of(two)
    truth |= dict(parts)
    whole: Sum = {**dict.fromkeys(parts, 1), "grand": -1}
    sums = [*sums_of(one), *sums_of(two), whole]
    hidden: set[Name] = {name for name, value in series.shown.items() if value is None}
    for table, shown in zip((one, two), released, strict=True):
        hidden |= {
            name for name, cell in zip(truth_of(table), table.cells, strict=True) if shown.shown[cell] is None
        }
    names = sorted(hidden, key=str)
    assert leaks(Attacker(sums, truth, names), truth, names) == set()


def filled(table: Table, total: int) -> Table:
    """The table with more in its first cell, so that it has this total."""
    first = (table.rows[0], table.columns[0])
    more = total - table.value((TOTAL, TOTAL))
    return replace(table, counts={**table.counts, first: table.counts.get(first, 0) + more})


@given(tables())
def test_every_small_number_is_hidden_and_every_hidden_one_is_not_empty(table: Table) -> None:
    hidden = suppress(table)
    for cell in table.cells:
        if 0 < table.value(cell) < table.minimum:
            assert cell in hidden
        if cell in hidden:
            assert table.value(cell) > 0


@given(tables(largest=12), tables(largest=12))
def test_a_total_that_tables_share_is_hidden_in_all_or_in_none(first: Table, second: Table) -> None:
    released = release([first, second])
    totals = {
        one.shown[TOTAL, TOTAL] is None
        for one, table in zip(released, (first, second), strict=True)
        if table.value((TOTAL, TOTAL))
    }
    assert len(totals) <= 1
    for table, one in zip((first, second), released, strict=True):
        hidden = frozenset(cell for cell, value in one.shown.items() if value is None)
        assert determined(table, hidden) == set()


@given(tables())
def test_what_is_shown_is_rounded_and_near(table: Table) -> None:
    [released] = release([table])
    shared = frozenset({GRAND}) & suppress(table)  # what is shared needs more room when it is hidden
    hidden = suppress(replace(table, also=shared))
    assert released.suppressed == len(hidden)
    for cell, shown in released.shown.items():
        if shown is not None:
            assert shown % ROUND_TO == 0
            assert abs(shown - table.value(cell)) <= ROUND_TO // 2
            assert not 0 < table.value(cell) < table.minimum


def possible(counts: dict[str, int], hidden: set[str]) -> dict[str, set[int]]:
    """What each hidden part may be for who knows the rest and the whole exactly, and that no hidden one is empty."""
    together, others = sum(counts[name] for name in hidden), len(hidden) - 1
    return {name: set(range(1, together - others + 1)) if others else {together} for name in hidden}


@given(PARTS, st.booleans())
def test_no_part_follows_from_the_others_and_the_whole(counts: dict[str, int], hide_total: bool) -> None:
    released = release_series(counts, MIN_PERSONS, hide_total=hide_total)
    hidden = {name for name, value in released.shown.items() if value is None}
    total = sum(counts.values())
    for name, value in counts.items():
        if 0 < value < MIN_PERSONS:
            assert name in hidden
        assert name not in hidden or value > 0
        assert released.shown[name] in (None, rounded(value))
    if total >= MIN_PERSONS:  # and known from elsewhere
        small = {name for name in hidden if counts[name] < MIN_PERSONS}
        assert all(len(possible(counts, hidden)[name]) > 1 for name in small)
    assert released.total == (None if 0 < total < MIN_PERSONS or (hide_total and total) else rounded(total))
    if released.total is None:
        assert hidden, "the whole follows from its parts"


def test_a_single_small_part_takes_another_with_it_and_two_tiny_ones_a_third() -> None:
    one = release_series({"a": 3, "b": 50, "c": 20, "d": 0}, MIN_PERSONS)
    assert one.shown == {"a": None, "b": 50, "c": None, "d": 0}
    two = release_series({"a": 1, "b": 1, "c": 20, "d": 30}, MIN_PERSONS)
    assert two.shown == {"a": None, "b": None, "c": None, "d": 30}


def test_numbers_that_are_no_parts_are_hidden_alone() -> None:
    assert release_counts({"a": 3, "b": 50, "c": 0}, MIN_PERSONS) == {"a": None, "b": 50, "c": 0}


@given(st.integers(0, 10_000), st.integers(0, 10_000))
def test_rounding_is_consistent(one: int, other: int) -> None:
    assert rounded(one) == rounded(one)
    assert (one <= other) <= (rounded(one) <= rounded(other))


def test_primary_suppression_alone_would_not_do() -> None:
    table = Table(
        name="t",
        rows=["a", "b"],
        columns=["x", "y"],
        counts={("a", "x"): 3, ("a", "y"): 50, ("b", "x"): 60, ("b", "y"): 70},
        minimum=10,
    )
    assert determined(table, frozenset({("a", "x")})) == {("a", "x")}
    assert suppress(table) == {("a", "x"), ("a", "y"), ("b", "x"), ("b", "y")}


def test_a_table_of_one_small_cell_shows_nothing_of_it() -> None:
    table = Table(name="t", rows=["a"], columns=["x"], counts={("a", "x"): 3}, minimum=10)
    assert suppress(table) == set(table.cells)


@pytest.mark.parametrize(("value", "shown"), [(0, 0), (2, 0), (3, 5), (7, 5), (8, 10), (12, 10), (13, 15)])
def test_rounding(value: int, shown: int) -> None:
    assert rounded(value) == shown
