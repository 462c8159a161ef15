# SPDX-License-Identifier: EUPL-1.2
"""Columns beside each other: what is drawn stands for its numbers."""

from hypothesis import given
from hypothesis import strategies as st

from broker.console.figures import PLOT_HEIGHT, ColumnChart, Range, Stack

NUMBERS = st.lists(st.tuples(*(st.integers(0, 10_000) for _ in range(3))), min_size=1, max_size=40)


def chart(numbers: list[tuple[int, int, int]], ranges: list[Range | None] | None = None) -> ColumnChart:
    """A chart of these columns."""
    stacks = [Stack(label=str(place), values=values) for place, values in enumerate(numbers)]
    return ColumnChart(
        name="c", caption="C", what="Day", series=("a", "b", "c"), stacks=stacks, ranges=ranges or ()
    )


@given(NUMBERS)
def test_heights_are_in_proportion_and_within_the_drawing(numbers: list[tuple[int, int, int]]) -> None:
    figure = chart(numbers)
    drawn = [segment for segment in figure.segments if segment.height]
    assert len(drawn) <= sum(value > 0 for column in numbers for value in column)
    for segment in drawn:
        assert 0 <= segment.x < segment.x + segment.width <= 100
        assert 0 <= segment.y <= segment.y + segment.height <= PLOT_HEIGHT + 0.01
    unit = (PLOT_HEIGHT - 8) / figure.top
    total = sum(segment.height for segment in figure.segments)
    assert abs(total - unit * sum(map(sum, numbers))) <= 0.02 * 3 * len(numbers)


def test_parts_of_a_column_stand_on_each_other() -> None:
    one, two, three = chart([(1, 2, 3)]).segments
    assert (one.y + one.height, two.y + two.height) == (PLOT_HEIGHT, one.y)
    assert (three.y, [one.kind, two.kind, three.kind]) == (8, [1, 2, 3])


def test_a_range_is_drawn_around_its_own_column_and_told_in_the_table() -> None:
    figure = chart([(1, 0, 0), (2, 0, 0)], [None, Range(low=1.25, median=2, high=3.5)])
    [band] = figure.bands
    assert (band.x, band.width) == (50, 50)
    assert [figure.range_of(place) for place in (0, 1)] == ["–", "1–4"]
    assert figure.top == 4
