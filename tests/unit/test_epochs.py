# SPDX-License-Identifier: EUPL-1.2
"""The order of epochs and what may be done in each: properties of the calendar."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluis.epochs import TOLERANCE_MS, Epoch, EpochCalendar, EpochState
from sluis.errors import InvalidInput, SluisError

DAY = 86_400_000
TIMES = st.integers(min_value=0, max_value=2_000 * DAY)


def epoch(name: str, begins_at_ms: int, announced_index: int = 0, **changes: Any) -> Epoch:
    """An epoch as it was announced."""
    return Epoch(name=name, begins_at_ms=begins_at_ms, announced_index=announced_index, **changes)


@st.composite
def calendars(draw: st.DrawFn) -> EpochCalendar:
    """Calendars as the log can have them: different moments, some compromised, some retired."""
    begins = draw(st.lists(TIMES, min_size=1, max_size=6, unique=True))
    names = draw(st.lists(st.from_regex(r"[A-Za-z0-9-]{1,16}", fullmatch=True), unique=True, min_size=6))
    made = []
    for index, (name, at) in enumerate(zip(names, begins, strict=False)):
        compromised = draw(st.none() | TIMES)
        stopped = draw(st.booleans()) if compromised is not None else False
        made.append(epoch(name, at, index, compromised_at_ms=compromised, questions_stopped=stopped))
    return EpochCalendar(made)


def known_at(calendar: EpochCalendar, now_ms: int) -> EpochCalendar:
    """The calendar as it was at a moment: a later compromise was not known yet."""

    def at(one: Epoch) -> Epoch:
        known = one.compromised_at_ms is not None and one.compromised_at_ms <= now_ms
        return one if known else replace(one, compromised_at_ms=None, questions_stopped=False)

    return EpochCalendar(at(one) for one in calendar.epochs)


@given(calendars(), st.randoms(use_true_random=False))
def test_the_order_does_not_depend_on_names_or_on_how_they_come(calendar: EpochCalendar, random: Any) -> None:
    shuffled = list(calendar.epochs)
    random.shuffle(shuffled)
    renamed = [replace(one, name=f"e{index}") for index, one in enumerate(calendar.epochs)]
    assert EpochCalendar(shuffled).epochs == calendar.epochs
    assert [one.place for one in EpochCalendar(renamed).epochs] == [one.place for one in calendar.epochs]
    assert [one.place for one in calendar.epochs] == sorted({one.place for one in calendar.epochs})


@given(calendars(), TIMES, TIMES)
def test_what_is_current_never_goes_back(calendar: EpochCalendar, one: int, other: int) -> None:
    first, second = sorted((one, other))
    before = known_at(calendar, first).current(first)
    after = known_at(calendar, second).current(second)
    if before and after:
        assert before.place <= after.place


@given(calendars(), TIMES)
def test_the_current_epoch_takes_signals_and_is_asked(calendar: EpochCalendar, now: int) -> None:
    calendar = known_at(calendar, now)
    current = calendar.current(now)
    if current:
        calendar.check_signal(current.name, now, now)
        assert current in calendar.to_ask(now)
        assert calendar.state(current, now) is EpochState.CURRENT
    assert sum(calendar.state(one, now) is EpochState.CURRENT for one in calendar.epochs) == bool(current)


@given(calendars(), TIMES, TIMES)
def test_an_epoch_that_is_past_takes_no_signal(calendar: EpochCalendar, now: int, oldest: int) -> None:
    for one in calendar.epochs:
        if calendar.is_past(one, now, oldest):
            for created in (now - oldest, now):
                with pytest.raises(SluisError):
                    calendar.check_signal(one.name, created, now)


@given(calendars(), TIMES)
def test_whatever_takes_signals_can_be_asked(calendar: EpochCalendar, now: int) -> None:
    """Else a deposit could be made that nobody can find."""
    for one in calendar.epochs:
        try:
            calendar.check_signal(one.name, now, now)
        except SluisError:
            continue
        assert one in calendar.to_ask(now + TOLERANCE_MS)
        assert one in calendar.to_load()


YEAR = epoch("2026", 100 * DAY)
NEXT = epoch("2027", 400 * DAY, 1)
EMERGENCY = epoch("2026-2", 200 * DAY, 2)


def code(calendar: EpochCalendar, name: str, created: int, now: int) -> str:
    """The code of the refusal of a signal; empty when it is taken."""
    try:
        calendar.check_signal(name, created, now)
    except SluisError as error:
        return error.code
    return ""


def test_an_emergency_epoch_takes_its_place_before_the_next_year() -> None:
    calendar = EpochCalendar([YEAR, NEXT, EMERGENCY])
    assert [one.name for one in calendar.epochs] == ["2026", "2026-2", "2027"]
    assert [getattr(calendar.current(day * DAY), "name", None) for day in (99, 100, 200, 399, 400)] == [
        None,
        "2026",
        "2026-2",
        "2026-2",
        "2027",
    ]


def test_a_signal_sealed_before_the_switch_may_come_after_it() -> None:
    calendar = EpochCalendar([YEAR, NEXT])
    switch = NEXT.begins_at_ms
    assert code(calendar, "2026", switch - 1, switch + 5 * DAY) == ""
    assert code(calendar, "2026", switch + TOLERANCE_MS - 1, switch + DAY) == ""
    assert code(calendar, "2026", switch + TOLERANCE_MS, switch + DAY) == "epoch-closed"
    assert code(calendar, "2027", switch, switch - TOLERANCE_MS) == ""
    assert code(calendar, "2027", switch, switch - TOLERANCE_MS - 1) == "epoch-not-begun"
    assert code(calendar, "2028", switch, switch) == "unknown-epoch"


def test_after_a_compromise_nothing_older_becomes_current() -> None:
    broken = replace(EMERGENCY, compromised_at_ms=250 * DAY)
    calendar = EpochCalendar([YEAR, broken, NEXT])
    assert calendar.current(300 * DAY) is None
    assert code(calendar, "2026-2", 299 * DAY, 300 * DAY) == "epoch-closed"
    assert [one.name for one in calendar.to_ask(300 * DAY)] == ["2026", "2026-2"]
    assert getattr(calendar.current(400 * DAY), "name", None) == "2027"
    stopped = EpochCalendar([YEAR, replace(broken, questions_stopped=True)])
    assert [one.name for one in stopped.to_ask(300 * DAY)] == ["2026"]
    with pytest.raises(SluisError, match=r"epoch"):
        stopped.check_open("2026-2")


def test_an_epoch_compromised_before_it_begins_never_begins() -> None:
    calendar = EpochCalendar([YEAR, replace(NEXT, compromised_at_ms=300 * DAY)])
    assert getattr(calendar.current(500 * DAY), "name", None) == "2026"
    assert code(calendar, "2026", 499 * DAY, 500 * DAY) == ""
    assert [one.name for one in calendar.to_load()] == ["2026"]
    assert not calendar.is_past(YEAR, 900 * DAY, 0)


def test_one_name_is_one_epoch() -> None:
    with pytest.raises(InvalidInput):
        EpochCalendar([YEAR, replace(NEXT, name="2026")])
