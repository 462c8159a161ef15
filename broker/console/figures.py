# SPDX-License-Identifier: EUPL-1.2
"""A bar chart as SVG that the server draws; its page shows the same numbers as a table beside it."""

from collections.abc import Sequence
from dataclasses import dataclass

ROW, LABEL, WIDTH = 28, 180, 640
_NUMBER = 64  # room for the number behind the longest bar


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """A bar in the coordinates of the drawing, with what it stands for."""

    label: str
    value: int
    y: int
    width: int


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
    room = WIDTH - LABEL - _NUMBER
    bars = [
        Bar(label=label, value=value, y=ROW * place, width=round(room * value / longest))
        for place, (label, value) in enumerate(values)
    ]
    return BarChart(name=name, caption=caption, unit=unit, bars=bars)
