# SPDX-License-Identifier: EUPL-1.2
"""Which exchanges are looked at: the same for everybody who draws, of the right size, none twice."""

import random
from collections import Counter
from datetime import date, timedelta

from hypothesis import given
from hypothesis import strategies as st

from broker.oversight.sampling import (
    PER_RULE,
    Candidate,
    Ground,
    draw,
    months_later,
    refusals_above,
    seed_of,
)

DAY = date(2026, 3, 1)
SEED = seed_of(bytes(32), "00000001000000010000", 0, 500)


def candidates(count: int, rule: str = "r", **changes: object) -> list[Candidate]:
    return [
        Candidate(
            **{
                "exchange": f"{rule}-{number}",
                "log_index": number,
                "rule": rule,
                "recipient": "b",
                "day": DAY,
                **changes,
            }  # type: ignore[arg-type]
        )
        for number in range(count)
    ]


@st.composite
def populations(draw_from: st.DrawFn) -> list[Candidate]:
    return draw_from(
        st.lists(
            st.builds(
                Candidate,
                exchange=st.sampled_from([f"x{number}" for number in range(40)]),
                log_index=st.integers(0, 200),
                rule=st.sampled_from(["r", "s"]),
                recipient=st.sampled_from(["b", "c"]),
                day=st.dates(DAY, DAY + timedelta(days=200)),
                private_recipient=st.booleans(),
                delayed=st.booleans(),
                severity=st.sampled_from([None, 1, 4]),
            ),
            max_size=80,
        )
    )


@given(populations(), st.binary(min_size=32, max_size=32), st.integers(0, 12), st.randoms())
def test_a_draw_is_the_same_for_whoever_repeats_it(
    population: list[Candidate], seed: bytes, size: int, shuffle: random.Random
) -> None:
    unique = list({(item.log_index, item.exchange): item for item in population}.values())
    first = draw(unique, seed, {}, size)
    shuffle.shuffle(unique)
    assert draw(unique, seed, {}, size) == first


@given(populations(), st.binary(min_size=32, max_size=32), st.integers(0, 12))
def test_no_exchange_is_drawn_twice_and_each_rule_gives_its_number(
    population: list[Candidate], seed: bytes, size: int
) -> None:
    unique = list({(item.log_index, item.exchange): item for item in population}.values())
    sample = draw(unique, seed, {}, size)
    names = [item.candidate.exchange for item in sample]
    assert len(names) == len(set(names))
    once: dict[str, Candidate] = {}
    for item in sorted(unique, key=lambda one: (one.log_index, one.exchange)):
        once.setdefault(item.exchange, item)
    risky = {
        item.exchange
        for item in once.values()
        if item.severity == 4 or item.delayed or item.private_recipient
    }
    left = Counter(item.rule for item in once.values() if item.exchange not in risky)
    by_chance = Counter(item.candidate.rule for item in sample if item.ground is Ground.RANDOM)
    assert {item.candidate.exchange for item in sample if item.ground is not Ground.RANDOM} == risky
    assert by_chance == Counter({rule: min(size, number) for rule, number in left.items() if size})


def test_another_seed_draws_others_and_every_exchange_has_its_chance() -> None:
    population = candidates(100)
    drawn: Counter[str] = Counter()
    for number in range(200):
        seed = seed_of(number.to_bytes(32, "big"), "", 0, 100)
        drawn.update(item.candidate.exchange for item in draw(population, seed, {}, 10))
    assert len(drawn) == 100
    assert max(drawn.values()) < 60  # about 20 each


def test_sixty_of_each_rule_or_all_of_fewer() -> None:
    sample = draw([*candidates(500), *candidates(7, "s")], SEED, {})
    assert Counter(item.candidate.rule for item in sample) == {"r": PER_RULE, "s": 7}


def test_a_private_recipient_is_looked_at_in_full_for_three_months() -> None:
    first_use = {("r", "b"): DAY}
    days = [DAY, date(2026, 5, 31), date(2026, 6, 1), date(2027, 1, 1)]
    population = [
        Candidate(exchange=str(day), log_index=at, rule="r", recipient="b", day=day, private_recipient=True)
        for at, day in enumerate(days)
    ]
    grounds = [item.ground for item in draw(population, SEED, first_use)]
    assert grounds == [Ground.PRIVATE_START, Ground.PRIVATE_START, Ground.RANDOM, Ground.RANDOM]


def test_the_seed_follows_from_the_log_the_organisation_and_the_entries() -> None:
    seeds = {
        seed_of(root, organisation, first, end)
        for root in (bytes(32), b"\1" * 32)
        for organisation in ("", "00000001000000010000")
        for first in (0, 1)
        for end in (10, 11)
    }
    assert len(seeds) == 16


def test_refusals_count_when_there_are_more_than_the_threshold() -> None:
    refused = [("a", "b", "NO_RULE", at) for at in range(20, 9, -1)] + [("a", "c", "NO_RULE", 3)] * 10
    [found] = refusals_above(refused)
    assert (found.recipient, found.count, found.log_index) == ("b", 11, 10)


def test_months_end_where_the_month_does() -> None:
    assert months_later(date(2026, 11, 30), 3) == date(2027, 2, 28)
    assert months_later(date(2026, 1, 15), 3) == date(2026, 4, 15)
