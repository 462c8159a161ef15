# SPDX-License-Identifier: EUPL-1.2
"""What stands out in a flow, and what does not."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.oversight.anomalies import (
    Anomaly,
    Band,
    Flow,
    Stated,
    anomalies,
    counted,
    is_out_of_hours,
    out_of_hours,
    resent,
    usual,
)
from broker.storage.projected import DENIED, RELEASED, Cell, Shape

DAY = date(2026, 11, 25)
LONG_AGO = date(2026, 1, 1)
FLOW = Flow("A", "B", "FINE")


def cell(day: date, entries: int = 1, **changes: Any) -> Cell:
    """So many exchanges on a day."""
    names = ("operation", "agreement", "rule", "reason", "policy", "delivery", "outcome", "acknowledged")
    values: dict[str, Any] = {
        **dict.fromkeys(names, ""),
        "sender": "A",
        "recipient": "B",
        "kind": "FINE",
        "purpose": "P",
        "result": RELEASED,
    }
    return Cell(day=day, shape=Shape(**{**values, **changes}), entries=entries)


def weeks(*counts: int) -> dict[date, int]:
    """Counts of the same weekday, the week before first."""
    return {DAY - timedelta(weeks=number): count for number, count in enumerate(counts, 1)}


def found(cells: list[Cell], **more: Any) -> list[Anomaly]:
    """What stands out on the day."""
    return anomalies(cells, [DAY], LONG_AGO, **more)


def test_the_band_is_of_the_same_weekday_alone() -> None:
    counts = weeks(1, 2, 3, 4, 5, 6, 7, 8)
    noise = {DAY - timedelta(days=number): 1000 for number in range(1, 60) if number % 7}
    assert usual({**counts, **noise}, DAY, LONG_AGO) == Band(2.75, 4.5, 6.25)


def test_a_young_record_has_no_band() -> None:
    counts = weeks(1, 2, 3, 4)
    assert usual(counts, DAY, DAY - timedelta(weeks=3)) is None
    assert usual(counts, DAY, DAY - timedelta(weeks=4)) == Band(1.75, 2.5, 3.25)


@pytest.mark.parametrize(
    ("count", "expected"), [(4, False), (5, True), (6, True)], ids=["few", "least", "more"]
)
def test_a_flow_that_is_new_stands_out_from_five_on(count: int, expected: bool) -> None:
    kinds = [one.kind for one in found([cell(DAY, count)])]
    assert kinds == (["volume"] if expected else [])


def test_a_spike_is_beyond_the_fence_and_twice_the_median() -> None:
    band = Band(10, 12, 14)
    assert not band.is_exceeded(24)
    assert band.is_exceeded(25)
    assert not Band(10, 10, 30).is_exceeded(60)
    assert Band(10, 10, 30).is_exceeded(61)


def test_refusals_above_usual_are_told_apart() -> None:
    usually = [cell(DAY - timedelta(weeks=number), 20) for number in range(1, 9)]
    [one] = found([*usually, cell(DAY, 6, result=DENIED), cell(DAY, 14)])
    assert (one.kind, one.count, one.band) == ("refusals", 6, Band(0, 0, 0))


def test_refused_and_then_sent_for_a_purpose_that_is_new() -> None:
    refused = cell(DAY, 2, result=DENIED, purpose="P")
    for later in (DAY, DAY + timedelta(days=1)):
        [one] = found([refused, cell(later, purpose="Q")])
        assert (one.kind, one.before, one.purpose, one.count) == ("resent", "P", "Q", 1)
    assert found([refused, cell(DAY + timedelta(days=2), purpose="Q")]) == []
    assert found([refused, cell(DAY - timedelta(days=1), purpose="Q")]) == []
    assert found([refused, cell(DAY, purpose="P")]) == []
    assert found([refused, cell(DAY, purpose="Q", kind="OTHER")]) == []
    assert found([refused, cell(DAY, purpose="Q", result=DENIED)]) == []


def test_a_purpose_that_the_flow_used_before_is_not_new() -> None:
    cells = [cell(DAY, result=DENIED), cell(DAY, purpose="Q")]
    assert resent([*cells, cell(DAY - timedelta(weeks=8), purpose="Q")], [DAY], LONG_AGO) == []
    assert len(resent([*cells, cell(DAY - timedelta(days=57), purpose="Q")], [DAY], LONG_AGO)) == 1
    # Of a record that is younger than four weeks nobody can tell what is new.
    assert resent(cells, [DAY], DAY - timedelta(days=27)) == []


@pytest.mark.parametrize(
    ("at", "expected"),
    [
        ("2026-11-25T06:00:00+00:00", False),  # 07:00 in Amsterdam
        ("2026-11-25T05:59:59+00:00", True),
        ("2026-11-25T18:59:59+00:00", False),
        ("2026-11-25T19:00:00+00:00", True),
        ("2026-07-01T05:00:00+00:00", False),  # summer time
        ("2026-11-28T12:00:00+00:00", True),  # Saturday
        ("2026-11-29T23:30:00+00:00", True),  # Monday, but at night
    ],
)
def test_hours_are_those_of_amsterdam(at: str, expected: bool) -> None:
    assert is_out_of_hours(datetime.fromisoformat(at)) is expected


def test_a_statement_at_night_leads_to_its_entry() -> None:
    night, day = datetime(2026, 11, 25, 2, tzinfo=UTC), datetime(2026, 11, 25, 12, tzinfo=UTC)
    [one] = out_of_hours([Stated(flow=FLOW, at=night, log_index=7), Stated(flow=FLOW, at=day, log_index=8)])
    assert (one.log_index, one.at, one.day) == (7, night, DAY)


# properties

COUNTS = st.dictionaries(st.integers(0, 80).map(lambda back: DAY - timedelta(days=back)), st.integers(0, 500))


@given(COUNTS)
def test_the_band_is_in_order_and_within_what_was_counted(counts: dict[date, int]) -> None:
    band = usual(counts, DAY, LONG_AGO)
    assert band is not None
    history = [counts.get(DAY - timedelta(weeks=week), 0) for week in range(1, 9)]
    assert min(history) <= band.low <= band.median <= band.high <= max(history)


@given(COUNTS, st.integers(0, 2000), st.integers(0, 100))
def test_more_on_a_day_never_makes_it_less_remarkable(counts: dict[date, int], count: int, more: int) -> None:
    band = usual(counts, DAY, LONG_AGO)
    assert band is not None
    assert not band.is_exceeded(count) or band.is_exceeded(count + more)


@given(COUNTS)
def test_what_comes_later_does_not_change_what_was_usual(counts: dict[date, int]) -> None:
    later = {DAY + timedelta(days=number): 999 for number in range(30)}
    assert usual({**counts, **later}, DAY, LONG_AGO) == usual(counts, DAY, LONG_AGO)


@given(st.lists(st.tuples(st.integers(0, 80), st.integers(1, 40), st.sampled_from([RELEASED, DENIED]))))
def test_every_exchange_is_counted_once(items: list[tuple[int, int, str]]) -> None:
    cells = [cell(DAY - timedelta(days=back), number, result=result) for back, number, result in items]
    total = sum(sum(one.total.values()) for one in counted(cells).values())
    denied = sum(sum(one.denied.values()) for one in counted(cells).values())
    assert total == sum(number for _, number, _ in items)
    assert denied == sum(number for _, number, result in items if result == DENIED)


@given(st.permutations([cell(DAY, 9), cell(DAY, 7, result=DENIED), cell(DAY, 6, sender="C")]))
def test_the_order_of_counting_does_not_matter(cells: list[Cell]) -> None:
    assert found(cells) == found(sorted(cells, key=lambda item: item.shape.content))
