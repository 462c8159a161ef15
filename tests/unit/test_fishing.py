# SPDX-License-Identifier: EUPL-1.2
"""Who tries out numbers is told of; an honest body is not, whether it stays, grows, or takes over another."""

import random
from collections.abc import Callable, Iterable
from datetime import date, timedelta

import pytest

from broker.oversight.anomalies import Anomaly
from broker.oversight.fishing import HISTORY, Asked, fishing
from broker.storage.asked_port import AskedCount, AskedKey, AskedMode

START = date(2026, 1, 5)
BODY = "00000099000000003000"
SEEDS = range(12)
Day = tuple[int, int]  # asked and hits


def history(days: Iterable[Day], mode: AskedMode = AskedMode.PLAIN, every: int = 1) -> list[Asked]:
    return [
        (
            AskedKey(
                day=START + timedelta(days=every * number),
                participant=BODY,
                agreement="waadi-14b",
                kind="FINE_IMPOSED",
                mode=mode,
            ),
            AskedCount(questions=1 + asked // 4096, asked=asked, hits=hits),
        )
        for number, (asked, hits) in enumerate(days)
    ]


def told(days: list[Day], registered: int | Callable[[int], int] = 0, **how: object) -> list[Anomaly]:
    """What is told, looking each day at that day with what was known by then."""
    rows = history(days, **how)  # type: ignore[arg-type]
    found = []
    for number, (key, _) in enumerate(rows):
        size = registered(number) if callable(registered) else registered
        known = {(BODY, "waadi-14b"): size} if size else {}
        found += fishing(rows[: number + 1], [key.day], known)
    return found


def some(chance: random.Random, asked: int, rate: float) -> int:
    """How many of those asked hit."""
    return (
        sum(chance.random() < rate for _ in range(asked))
        if asked < 3_000
        else max(0, round(chance.gauss(asked * rate, (asked * rate) ** 0.5)))
    )


def honest(
    chance: random.Random, size_on: Callable[[int], float], days: int = 180, rate: float = 0.01
) -> list[Day]:
    """A body that asks about all its clients each day, a few more or fewer."""
    sizes = [max(1, round(size_on(day) * chance.uniform(0.95, 1.05))) for day in range(days)]
    return [(size, some(chance, size, rate)) for size in sizes]


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("rate", [0.002, 0.01, 0.2])
def test_a_body_that_asks_the_same_each_day_is_not_told_of(seed: int, rate: float) -> None:
    days = honest(random.Random(seed), lambda day: 20_000, rate=rate)
    assert told(days, registered=20_000) == []
    assert [one.kind for one in told(days) if one.day > START + timedelta(days=3)] == []


@pytest.mark.parametrize("seed", SEEDS)
def test_a_body_that_grows_is_not_told_of_with_or_without_registers(seed: int) -> None:
    chance = random.Random(seed)
    days = honest(chance, lambda day: 3_000 * 1.012**day)  # eightfold in half a year
    assert told(days, registered=lambda day: round(3_000 * 1.012**day)) == []
    assert [one for one in told(days) if one.day > START + timedelta(days=3)] == []


@pytest.mark.parametrize("seed", SEEDS)
def test_a_body_that_takes_over_another_is_not_told_of(seed: int) -> None:
    days = honest(random.Random(seed), lambda day: 4_000 if day < 90 else 20_000)
    assert told(days, registered=lambda day: 4_000 if day < 90 else 20_000) == []
    assert [one for one in told(days) if one.day > START + timedelta(days=3)] == []


@pytest.mark.parametrize("seed", SEEDS)
def test_a_body_that_asks_four_times_a_year_is_not_told_of(seed: int) -> None:
    days = honest(random.Random(seed), lambda quarter: 5_000 * 1.2**quarter, days=12)
    assert told(days, registered=lambda quarter: round(5_000 * 1.2**quarter), every=91) == []


@pytest.mark.parametrize("seed", SEEDS)
def test_a_small_body_whose_hits_come_and_go_is_not_told_of(seed: int) -> None:
    days = honest(random.Random(seed), lambda day: 300, rate=0.01)
    assert told(days, registered=300) == []


def fisher(seed: int, then: Callable[[random.Random, int], Day], after: int = 60) -> list[Day]:
    chance = random.Random(seed)
    before = honest(chance, lambda day: 20_000, days=after)
    return before + [then(chance, day) for day in range(120)]


@pytest.mark.parametrize("seed", SEEDS)
def test_who_asks_others_in_place_of_its_clients_is_told_of_at_once(seed: int) -> None:
    days = fisher(seed, lambda chance, day: (20_000, some(chance, 20_000, 0.0005)))
    first = told(days, registered=20_000)[0]
    assert (first.kind, first.day) == ("look-ups-rate", START + timedelta(days=60))
    assert (first.asked, first.flow.sender) == (20_000, BODY)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("registered", [0, 20_000])
def test_who_adds_a_heap_of_numbers_is_told_of_at_once(seed: int, registered: int) -> None:
    days = fisher(seed, lambda chance, day: (80_000, some(chance, 20_000, 0.01)))
    first = next(one for one in told(days, registered) if one.day >= START + timedelta(days=60))
    assert (first.kind, first.day) == ("look-ups-volume", START + timedelta(days=60))


@pytest.mark.parametrize("seed", SEEDS)
def test_who_adds_a_few_more_each_day_is_told_of_in_time(seed: int) -> None:
    days = fisher(seed, lambda chance, day: (round(20_000 * 1.02**day), some(chance, 20_000, 0.01)), after=90)
    first = told(days, registered=20_000)[0]
    assert first.kind in ("look-ups-growth", "look-ups-volume", "look-ups-rate")
    assert first.asked < 120_000


@pytest.mark.parametrize("seed", SEEDS)
def test_who_tries_numbers_on_a_digest_shows_by_what_was_found_for_nothing(seed: int) -> None:
    chance = random.Random(seed)
    usual = [
        (200 + 52 + chance.randint(-9, 9), 200) for _ in range(60)
    ]  # 20,000 clients, one in 384 for nothing
    days = [*usual, (200 + 2_600 + chance.randint(-99, 99), 205)]  # a million numbers
    (found,) = told(days, registered=2_000, mode=AskedMode.CLAIM)
    assert (found.kind, found.day) == ("look-ups-rate", START + timedelta(days=60))
    assert told(usual, registered=2_000, mode=AskedMode.CLAIM) == []


def test_a_newcomer_is_held_against_the_registers() -> None:
    assert [one.kind for one in told([(5_000, 3)])] == ["look-ups"]
    assert told([(5_000, 3)], registered=4_000) == []
    assert [one.kind for one in told([(5_000, 3)], registered=3_000)] == ["look-ups"]
    assert told([(49, 0)]) == []
    assert told([(50, 1)]) == []


def test_digests_are_counted_and_not_held_against_anybody() -> None:
    assert told([(10_000_000, 0)] * 10, mode=AskedMode.DIGEST) == []


def test_history_of_longer_ago_does_not_count() -> None:
    days = [(20_000, 200)] * 10
    rows = history(days)
    late = rows[-1][0].day + HISTORY + timedelta(days=1)
    key = AskedKey(
        day=late, participant=BODY, agreement="waadi-14b", kind="FINE_IMPOSED", mode=AskedMode.PLAIN
    )
    (found,) = fishing([*rows, (key, AskedCount(questions=1, asked=20_000, hits=0))], [late], {})
    assert found.kind == "look-ups"


def test_each_domain_is_held_against_itself() -> None:
    rows: list[tuple[AskedKey, AskedCount]] = history([(100, 50)] * 20)
    other = [
        (AskedKey(day=key.day, participant=BODY, agreement="other", kind=key.kind, mode=key.mode), count)
        for key, count in history([(90_000, 900)] * 20)
    ]
    assert fishing([*rows, *other], [rows[-1][0].day], {(BODY, "other"): 90_000}) == []
