# SPDX-License-Identifier: EUPL-1.2
"""A bar chart as SVG that the server draws; its page shows the same numbers as a table beside it.

Widths are a percentage of the room there is, so that the chart reflows and its letters keep their size.
"""

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
