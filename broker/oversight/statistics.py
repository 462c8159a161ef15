# SPDX-License-Identifier: EUPL-1.2
"""Statistics that may leave the house: tables in which no small number can be read or worked out.

A cell with fewer than `minimum` units is suppressed; an empty one may be shown. Then more is suppressed, so that
no suppressed cell follows from the rest. Cells and totals are the edges of a graph, rows and columns its nodes. A
suppressed number can be worked out exactly where its edge lies on no cycle of such edges. So each gets one, the
cheapest, through cells and totals that are not empty. What is shown is rounded to 5.

Tables that share a total hide it all or not at all. The units are exchanges: the log cannot tell persons apart,
which is its purpose, so a minimum of 10 stands for 10 persons when each exchange is about another. Five would do for
organisations, but among firms are sole traders, who are persons; so 10 holds everywhere.
"""

import heapq
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

MIN_PERSONS = 10
ROUND_TO = 5
TOTAL = "total"

Cell: TypeAlias = tuple[str, str]  # row and column; TOTAL for a margin
_MARGIN_COST = 1_000_000  # a total is worth more than cells


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Counts by row and column, before anything is hidden. Never shown as it is."""

    name: str
    rows: Sequence[str]
    columns: Sequence[str]
    counts: Mapping[Cell, int]
    minimum: int

    def value(self, cell: Cell) -> int:
        """A cell or, with TOTAL, a margin."""
        rows = self.rows if cell[0] == TOTAL else (cell[0],)
        columns = self.columns if cell[1] == TOTAL else (cell[1],)
        return sum(self.counts.get((row, column), 0) for row in rows for column in columns)

    @property
    def cells(self) -> list[Cell]:
        """Every cell and margin."""
        return [(row, column) for row in (*self.rows, TOTAL) for column in (*self.columns, TOTAL)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Released:
    """A table as it may be shown: rounded numbers, None where suppressed."""

    name: str
    rows: Sequence[str]
    columns: Sequence[str]
    shown: Mapping[Cell, int | None]
    minimum: int

    @property
    def suppressed(self) -> int:
        """How many cells and margins are hidden."""
        return sum(value is None for value in self.shown.values())


def release(tables: Sequence[Table]) -> tuple[Released, ...]:
    """Hide and round tables over the same exchanges; the grand total is hidden in all of them or in none."""
    grand = (TOTAL, TOTAL)
    hidden = [suppress(table) for table in tables]
    if any(grand in cells for cells in hidden):
        hidden = [suppress(table, also=grand) for table in tables]
    return tuple(
        Released(
            name=table.name,
            rows=table.rows,
            columns=table.columns,
            shown={cell: None if cell in cells else rounded(table.value(cell)) for cell in table.cells},
            minimum=table.minimum,
        )
        for table, cells in zip(tables, hidden, strict=True)
    )


def suppress(table: Table, also: Cell | None = None) -> frozenset[Cell]:
    """Which cells and margins to hide so that no small one can be worked out."""
    small = [cell for cell in table.cells if 0 < table.value(cell) < table.minimum]
    if also is not None and table.value(also) and also not in small:
        small.append(also)
    hidden = set(small)
    for cell in sorted(small, key=lambda item: (table.value(item), item)):
        hidden |= set(_way_around(table, cell, hidden))
    return frozenset(hidden)


def _way_around(table: Table, cell: Cell, hidden: set[Cell]) -> list[Cell]:
    """The cheapest way from a cell's row to its column through other cells that are not empty (Dijkstra).

    There is always one: through the row's total, the grand total and the column's total.
    """
    edges: dict[str, list[tuple[str, Cell]]] = {}
    for other in table.cells:
        if other != cell and table.value(other) > 0:
            row, column = f"r {other[0]}", f"c {other[1]}"
            edges.setdefault(row, []).append((column, other))
            edges.setdefault(column, []).append((row, other))
    start, goal = f"r {cell[0]}", f"c {cell[1]}"
    queue: list[tuple[int, str, tuple[Cell, ...]]] = [(0, start, ())]
    done: set[str] = set()
    while queue:
        cost, node, way = heapq.heappop(queue)
        if node == goal:
            return list(way)
        if node in done:
            continue
        done.add(node)
        for near, edge in edges.get(node, []):
            if near not in done:
                heapq.heappush(queue, (cost + _cost(table, edge, hidden), near, (*way, edge)))
    # Only where the cell is all there is: then its margins, which equal it, go with it.
    return [(cell[0], TOTAL), (TOTAL, cell[1]), (TOTAL, TOTAL)]


def _cost(table: Table, cell: Cell, hidden: set[Cell]) -> int:
    if cell in hidden:
        return 0
    return table.value(cell) + 1 + (_MARGIN_COST if TOTAL in cell else 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleasedSeries:
    """The parts of a whole as they may be shown, and the whole; None where suppressed."""

    shown: Mapping[str, int | None]
    total: int | None

    @property
    def suppressed(self) -> int:
        """How many numbers are hidden."""
        return sum(value is None for value in (*self.shown.values(), self.total))


def release_series(counts: Mapping[str, int], minimum: int, *, hide_total: bool = False) -> ReleasedSeries:
    """Hide and round parts of a whole. The whole counts as known, for other tables may tell it.

    So what is hidden is never one part alone, nor so little together that it would say what each part is. With
    `hide_total` the whole is hidden as well, and does not follow from its parts.
    """
    total = sum(counts.values())
    hidden = {name for name, value in counts.items() if 0 < value < minimum}
    rest = sorted((name for name, value in counts.items() if value >= minimum), key=lambda name: counts[name])
    if hide_total and total and not hidden and rest:
        hidden.add(rest.pop(0))
    while hidden and rest and not _covers(counts, hidden, minimum):
        hidden.add(rest.pop(0))
    no_total = 0 < total < minimum or (hide_total and total > 0)
    return ReleasedSeries(
        shown={name: None if name in hidden else rounded(value) for name, value in counts.items()},
        total=None if no_total else rounded(total),
    )


def _covers(counts: Mapping[str, int], hidden: set[str], minimum: int) -> bool:
    """Whether hidden parts stay hidden from who knows their sum, and that none of them is empty."""
    together = sum(counts[name] for name in hidden)
    return len(hidden) > 1 and together >= minimum and together > len(hidden)


def release_counts(counts: Mapping[str, int], minimum: int) -> Mapping[str, int | None]:
    """Hide and round numbers that are no parts of a whole: each stands for itself."""
    return {name: None if 0 < value < minimum else rounded(value) for name, value in counts.items()}


def rounded(value: int) -> int:
    """To the nearest multiple of five; the same number always gives the same."""
    return (value + ROUND_TO // 2) // ROUND_TO * ROUND_TO
