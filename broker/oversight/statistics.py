# SPDX-License-Identifier: EUPL-1.2
"""Statistics that may leave the house: tables in which no small number can be read or worked out.

A cell with fewer than `minimum` units is suppressed; an empty one may be shown. Then more is suppressed, so that no
suppressed cell follows from the rest. A table is a circulation: each cell an arc from its row to its column, each
margin an arc back. So what is hidden may change without changing a number that is shown exactly by going round a
cycle of hidden arcs: up along those that it follows, down along those that it meets, which stay above zero. Each
small cell gets the cheapest cycle along which it could be `minimum`. What is shown is rounded to 5.

Tables that share a total hide it all or not at all. The units are exchanges: the log cannot tell persons apart,
which is its purpose, so a minimum of 10 stands for 10 persons when each exchange is about another. Five would do for
organisations, but among firms are sole traders, who are persons; so 10 holds everywhere.
"""

import heapq
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from sluis.errors import Defect

MIN_PERSONS = 10
ROUND_TO = 5
TOTAL = "total"

Cell: TypeAlias = tuple[str, str]  # row and column; TOTAL for a margin
GRAND: Cell = (TOTAL, TOTAL)
_MARGIN_COST = 1_000_000  # a total is worth more than cells


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Counts by row and column, before anything is hidden. Never shown as it is.

    What another release tells too, beside the grand total, is `linked`; some of it may have to be hidden: `also`.
    """

    name: str
    rows: Sequence[str]
    columns: Sequence[str]
    counts: Mapping[Cell, int]
    minimum: int
    linked: frozenset[Cell] = frozenset()
    also: frozenset[Cell] = frozenset()

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


def release(tables: Sequence[Table], *, hide_total: bool = False) -> tuple[Released, ...]:
    """Hide and round tables over the same exchanges; the grand total is hidden in all of them or in none.

    With `hide_total` it is hidden in any case, because another release hides it.
    """
    hidden = [suppress(table) for table in tables]
    if hide_total or any(GRAND in cells for cells in hidden):
        hidden = [suppress(replace(table, also=table.also | {GRAND})) for table in tables]
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


def suppress(table: Table) -> frozenset[Cell]:
    """Which cells and margins to hide so that no small one can be worked out, nor that it is small."""
    due = {cell: table.minimum - table.value(cell) for cell in table.cells if table.value(cell) > 0}
    small = {cell: room for cell, room in due.items() if room > 0}
    # As far as any number of another release may need these to move.
    small |= {cell: table.minimum for cell in table.also if table.value(cell)}
    hidden = set(small)
    for cell, room in sorted(small.items(), key=lambda item: (-item[1], item[0])):
        hidden |= set(_way_around(table, cell, room, hidden))
    return frozenset(hidden)


def _way_around(table: Table, cell: Cell, room: int, hidden: set[Cell]) -> list[Cell]:
    """The cheapest way back from a cell's head to its tail, along which it could be more by `room` (Dijkstra).

    Against an arc it goes only where the cell keeps at least one, for who sees that it is hidden knows that it is not
    empty. What others tell too only ever grows, so that all can agree. There is always a way: the margins.
    """
    steps: dict[str, list[tuple[str, Cell]]] = {}
    only_up = {GRAND, *table.linked}
    for other in table.cells:
        if other != cell and table.value(other) > 0:
            tail, head = _arc(other)
            steps.setdefault(tail, []).append((head, other))
            if table.value(other) > room and other not in only_up:
                steps.setdefault(head, []).append((tail, other))
    goal, start = _arc(cell)
    queue: list[tuple[int, str, tuple[Cell, ...]]] = [(0, start, ())]
    done: set[str] = set()
    while queue:
        cost, node, way = heapq.heappop(queue)
        if node == goal:
            return list(way)
        if node in done:
            continue
        done.add(node)
        for near, over in steps.get(node, []):
            if near not in done:
                heapq.heappush(queue, (cost + _cost(table, over, hidden), near, (*way, over)))
    raise Defect("defect", "a cell that is not empty has margins that are not empty")


def _arc(cell: Cell) -> tuple[str, str]:
    """From where to where a cell goes: from its row to its column, and a margin back."""
    row, column = f"row {cell[0]}", f"column {cell[1]}"
    return (column, row) if (cell[0] == TOTAL) != (cell[1] == TOTAL) else (row, column)


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

    So what is hidden is never one part alone, nor so little together that it would say that a part is small. With
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


def release_within(
    counts: Mapping[str, int], minimum: int, outer: ReleasedSeries, but: str
) -> ReleasedSeries:
    """Hide and round parts of what another series has without its part `but`; their whole follows where that shows."""
    return release_series(counts, minimum, hide_total=outer.total is None or outer.shown[but] is None)


def _covers(counts: Mapping[str, int], hidden: set[str], minimum: int) -> bool:
    """Whether each hidden part may be `minimum` or more, for who knows their sum and that none of them is empty."""
    together = sum(counts[name] for name in hidden)
    return len(hidden) > 1 and together - (len(hidden) - 1) >= minimum


def release_counts(counts: Mapping[str, int], minimum: int) -> Mapping[str, int | None]:
    """Hide and round numbers that are no parts of a whole: each stands for itself."""
    return {name: None if 0 < value < minimum else rounded(value) for name, value in counts.items()}


def rounded(value: int) -> int:
    """To the nearest multiple of five; the same number always gives the same."""
    return (value + ROUND_TO // 2) // ROUND_TO * ROUND_TO
