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
        self._lines = []
        for line in sums:
            row = [Fraction(line.get(name, 0)) for name in self._names]
            if any(row):
                known = sum(factor * truth[name] for name, factor in line.items() if name not in hidden)
                # Each unknown is counted from one, so that it is zero or more.
                right = -known - sum(row)
                self._lines.append(
                    [*row, Fraction(right)] if right >= 0 else [-x for x in (*row, Fraction(right))]
                )

    def bounds(self, name: Name) -> tuple[Fraction, Fraction | None]:
        """The least and the most that a hidden number can be; None: as much as you like."""
        at = self._names.index(name)
        least = _maximum(self._lines, [Fraction(-(place == at)) for place in range(len(self._names))])
        most = _maximum(self._lines, [Fraction(place == at) for place in range(len(self._names))])
        assert least is not None
        return 1 - least, None if most is None else 1 + most


def _maximum(lines: Sequence[Sequence[Fraction]], gain: Sequence[Fraction]) -> Fraction | None:
    """The most that `gain` can be over numbers of zero or more that meet the lines; None without a limit."""
    size, rows = len(gain), len(lines)
    # An extra unknown for each line makes a first solution; phase one drives them to zero.
    table = [
        [*line[:-1], *(Fraction(at == place) for at in range(rows)), line[-1]]
        for place, line in enumerate(lines)
    ]
    basis = [size + place for place in range(rows)]
    left = _climb(table, basis, [Fraction(0)] * size + [Fraction(-1)] * rows, size + rows)
    assert left == 0, "the truth itself meets the sums"
    for place, one in enumerate(basis):  # an extra unknown that stays, at zero, is turned out where it can be
        if one >= size:
            column = next((at for at in range(size) if table[place][at]), None)
            if column is not None:
                _turn(table, basis, place, column)
    return _climb(table, basis, [*gain, *[Fraction(0)] * rows], size)


def _climb(
    table: list[list[Fraction]], basis: list[int], gain: Sequence[Fraction], usable: int
) -> Fraction | None:
    while True:
        worth = [gain[one] for one in basis]
        better = next(
            (
                column
                for column in range(usable)
                if gain[column] > sum(w * line[column] for w, line in zip(worth, table, strict=True))
            ),
            None,
        )
        if better is None:
            return sum((w * line[-1] for w, line in zip(worth, table, strict=True)), Fraction(0))
        steps = [
            (line[-1] / line[better], basis[at], at) for at, line in enumerate(table) if line[better] > 0
        ]
        if not steps:
            return None
        _turn(table, basis, min(steps)[2], better)


def _turn(table: list[list[Fraction]], basis: list[int], place: int, column: int) -> None:
    scale = table[place][column]
    table[place] = [value / scale for value in table[place]]
    for at, line in enumerate(table):
        if at != place and line[column]:
            factor = line[column]
            table[at] = [value - factor * base for value, base in zip(line, table[place], strict=True)]
    basis[place] = column
