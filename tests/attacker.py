# SPDX-License-Identifier: EUPL-1.2
"""Somebody who solves published tables: between which bounds each hidden number must lie.

She knows every sum that holds, the exact value of every number that is shown, and that a hidden one is not zero. A
reader of rounded numbers knows less. The bounds come from linear programming (the two-phase simplex method with exact
fractions, Bland's rule), which shares nothing with the way in which numbers are hidden.
"""

from collections.abc import Collection, Mapping, Sequence
from fractions import Fraction
from typing import TypeAlias

from broker.oversight.statistics import TOTAL, Table

Name: TypeAlias = str | tuple[str, str, str]  # of a number
Number: TypeAlias = int | Fraction
Sum: TypeAlias = Mapping[Name, int]  # coefficients of numbers; together they are zero


def sums_of(table: Table) -> list[Sum]:
    """That each row and column adds up to its margin; the grand total is one number for all tables."""

    def name(row: str, column: str) -> Name:
        return "grand" if row == column == TOTAL else (table.name, row, column)

    lines: list[Sum] = [
        {**{name(row, column): 1 for column in table.columns}, name(row, TOTAL): -1}
        for row in (*table.rows, TOTAL)
    ]
    return lines + [
        {**{name(row, column): 1 for row in table.rows}, name(TOTAL, column): -1}
        for column in (*table.columns, TOTAL)
    ]


def truth_of(table: Table) -> dict[Name, int]:
    """Every number of a table, under the names that `sums_of` gives."""
    return {
        "grand" if cell == (TOTAL, TOTAL) else (table.name, *cell): table.value(cell) for cell in table.cells
    }


class Attacker:
    """Knows sums and what is shown, and looks for what is `hidden`; `truth` says what she has to be fitted to."""

    def __init__(self, sums: Sequence[Sum], truth: Mapping[Name, int], hidden: Collection[Name]) -> None:
        self._names = list(hidden)
        lines = []
        for line in sums:
            row: list[Number] = [line.get(name, 0) for name in self._names]
            known = sum(factor * truth[name] for name, factor in line.items() if name not in hidden)
            right = -known - sum(row)  # each unknown is counted from one, so that it is zero or more
            lines.append([*row, right] if right >= 0 else [-value for value in (*row, right)])
        self._lines, self._basis = _first_solution(lines, len(self._names))

    def most(self, name: Name) -> Number | None:
        """The most that a hidden number can be; None: as much as you like."""
        most = self._maximum(name, 1)
        return None if most is None else 1 + most

    def least(self, name: Name) -> Number:
        """The least that it can be."""
        least = self._maximum(name, -1)
        assert least is not None
        return 1 - least

    def _maximum(self, name: Name, sign: int) -> Number | None:
        gain = [sign * (one == name) for one in self._names]
        return _climb([list(line) for line in self._lines], list(self._basis), gain)


def _first_solution(lines: list[list[Number]], size: int) -> tuple[list[list[Number]], list[int]]:
    """Numbers of zero or more that meet the lines, as a table in which each line has an unknown of its own."""
    rows = len(lines)
    # An extra unknown for each line makes a beginning; phase one drives them to zero.
    table = [
        [*line[:-1], *(int(at == place) for at in range(rows)), line[-1]] for place, line in enumerate(lines)
    ]
    basis = [size + place for place in range(rows)]
    left = _climb(table, basis, [0] * size + [-1] * rows)
    assert left == 0, "the truth itself meets the sums"
    for place, one in enumerate(basis):  # an extra unknown that stays, at zero, is turned out where it can be
        column = next((at for at in range(size) if table[place][at]), None)
        if one >= size and column is not None:
            _turn(table, basis, place, column)
    kept = [place for place, one in enumerate(basis) if one < size]  # the other lines follow from these
    return [[*table[place][:size], table[place][-1]] for place in kept], [basis[place] for place in kept]


def _climb(table: list[list[Number]], basis: list[int], gain: Sequence[int]) -> Number | None:
    """The most that `gain` can be from here on; None without a limit."""
    while True:
        counting = [(gain[one], line) for one, line in zip(basis, table, strict=True) if gain[one]]
        better = next(
            (at for at, more in enumerate(gain) if more > sum(worth * line[at] for worth, line in counting)),
            None,
        )
        if better is None:
            return sum(worth * line[-1] for worth, line in counting)
        steps = [
            (Fraction(line[-1]) / line[better], basis[at], at)
            for at, line in enumerate(table)
            if line[better] > 0
        ]
        if not steps:
            return None
        _turn(table, basis, min(steps)[2], better)


def _turn(table: list[list[Number]], basis: list[int], place: int, column: int) -> None:
    scale = table[place][column]
    if scale != 1:
        table[place] = [_divided(value, scale) for value in table[place]]
    mine = [(at, value) for at, value in enumerate(table[place]) if value]
    for other, line in enumerate(table):
        if other != place and (factor := line[column]):
            for at, value in mine:
                line[at] -= factor * value
    basis[place] = column


def _divided(value: Number, scale: Number) -> Number:
    """Exactly; a whole number where it is one, which is quicker."""
    found = Fraction(value) / scale
    return found.numerator if found.denominator == 1 else found
