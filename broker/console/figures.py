# SPDX-License-Identifier: EUPL-1.2
"""Charts as SVG that the server draws; a page shows the same numbers as a table beside each.

Widths are a percentage of the room there is, so that the chart reflows and its letters keep their size.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

ROW = 48  # a line of text and the bar below it


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """A bar with what it stands for; the longest has 100 percent."""

    label: str
    value: int
    y: int
    percent: float


@dataclass(frozen=True, slots=True, kw_only=True)
class BarChart:
    """Bars below each other; `name` tells charts on one page apart."""

    name: str
    caption: str
    unit: str
    bars: Sequence[Bar]

    @property
    def height(self) -> int:
        """The height of the drawing."""
        return ROW * len(self.bars)


def bar_chart(*, name: str, caption: str, unit: str, values: Sequence[tuple[str, int]]) -> BarChart:
    """Draw (label, number) pairs in the order given; the numbers are 0 or more."""
    longest = max((value for _, value in values), default=0) or 1
    bars = [
        Bar(label=label, value=value, y=ROW * place, percent=round(100 * value / longest, 1))
        for place, (label, value) in enumerate(values)
    ]
    return BarChart(name=name, caption=caption, unit=unit, bars=bars)


PLOT_HEIGHT, LABEL_ROOM = 200, 24


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """A part of a column: `x` and `width` in percent, `y` and `height` in pixels; `kind` is its series from 1 on."""

    kind: int
    x: float
    width: float
    y: float
    height: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """A column: its label, its numbers in the order of the series, and whether it stands out."""

    label: str
    values: Sequence[int]
    marked: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Range:
    """From where to where a column usually reaches, with the median."""

    low: float
    median: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnChart:
    """Columns beside each other, cut into series; a range, where there is one, is drawn around its column."""

    name: str
    caption: str
    what: str
    series: Sequence[str]
    stacks: Sequence[Stack]
    ranges: Sequence[Range | None] = ()
    kinds: Sequence[int] = (1, 2, 3)  # the colour of each series, so that one thing has one colour everywhere

    @property
    def top(self) -> int:
        """The number at the top of the scale."""
        sums = [sum(stack.values) for stack in self.stacks]
        return max([1, *sums, *(math.ceil(one.high) for one in self.ranges if one)])

    @property
    def height(self) -> int:
        """The height with the room for labels."""
        return PLOT_HEIGHT + LABEL_ROOM

    @property
    def floor(self) -> int:
        """Where the columns stand."""
        return PLOT_HEIGHT

    @property
    def segments(self) -> list[Segment]:
        """What is drawn, bottom up."""
        found, step = [], 100 / len(self.stacks)
        for place, stack in enumerate(self.stacks):
            below = 0
            for kind, value in zip(self.kinds, stack.values, strict=False):
                below += value
                if value:
                    found.append(
                        Segment(
                            kind=kind,
                            x=round(step * (place + 0.15), 3),
                            width=round(step * 0.7, 3),
                            y=self.y(below),
                            height=round(self.y(0) - self.y(value), 2),
                        )
                    )
        return found

    @property
    def bands(self) -> list[Segment]:
        """The usual ranges, behind the columns."""
        step = 100 / len(self.stacks)
        return [
            Segment(
                kind=0,
                x=round(step * place, 3),
                width=round(step, 3),
                y=self.y(one.high),
                height=round(max(2.0, self.y(one.low) - self.y(one.high)), 2),
            )
            for place, one in enumerate(self.ranges)
            if one is not None
        ]

    def range_of(self, place: int) -> str:
        """The usual range of a column in figures; a dash where there is none."""
        one = self.ranges[place] if place < len(self.ranges) else None
        return f"{math.floor(one.low)}–{math.ceil(one.high)}" if one else "–"

    def y(self, value: float) -> float:
        """Where a number stands in the drawing."""
        return round(PLOT_HEIGHT - (PLOT_HEIGHT - 8) * value / self.top, 2)
