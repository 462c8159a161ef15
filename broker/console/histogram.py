# SPDX-License-Identifier: EUPL-1.2
"""Results over time as SVG that the server draws: a column for each day or month, with its parts on top of each other.

Places and widths are percentages of the room there is, so that the drawing reflows; its page has a table twin.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from broker.storage.projected import Column, Results

HEIGHT = 140
PARTS = ("released", "partly", "denied")  # from the ground up
_GAP = 0.16  # of a column


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """A part of a column; heights in pixels from the top, widths in percent."""

    part: str
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Histogram:
    """Pieces to draw, and the numbers they stand for; `most` is the highest column."""

    pieces: Sequence[Piece]
    columns: Sequence[Column]
    most: int
    by_month: bool

    @property
    def height(self) -> int:
        """The height of the drawing."""
        return HEIGHT

    @property
    def first(self) -> date:
        """Where it begins."""
        return self.columns[0].first

    @property
    def last(self) -> date:
        """Where it ends."""
        return self.columns[-1].last


def histogram(columns: Sequence[Column]) -> Histogram:
    """Draw columns in order; there is at least one."""
    most = max(column.results.total for column in columns)
    step = 100 / len(columns)
    pieces = []
    for place, column in enumerate(columns):
        y = float(HEIGHT)
        for part in PARTS:
            height = HEIGHT * _count(column.results, part) / most if most else 0.0
            if height:
                y -= height
                pieces.append(
                    Piece(
                        part=part,
                        x=round(step * (place + _GAP / 2), 3),
                        y=round(y, 2),
                        width=round(step * (1 - _GAP), 3),
                        height=round(height, 2),
                    )
                )
    by_month = any(column.first != column.last for column in columns)
    return Histogram(pieces=pieces, columns=columns, most=most, by_month=by_month)


def _count(results: Results, part: str) -> int:
    counted: int = getattr(results, part)
    return counted
