# SPDX-License-Identifier: EUPL-1.2
"""A long question: in frames, resumed without asking twice, and with a digest about the found ones only."""

import asyncio
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from broker.epochs import EpochOffice
from sluis.client import matcher
from sluis.client.receiver import ReceivedSignal
from sluis.errors import SluisError
from tests.unit.match_samples import Body, deposit, firm, firms, pseudonym_of, publish_epochs
from tests.world import World

CLIENTS = firms(20)
ORDER = sorted(CLIENTS, key=pseudonym_of)
HITS = {ORDER[at] for at in (1, 9, 18)}  # each in a frame of its own


@pytest.fixture
def body(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Body]:
    """The body's kit, which asks four at a time."""
    monkeypatch.setattr(matcher, "FRAME", 4)
    kit = Body(world, tmp_path)
    yield kit
    kit.close()


def questions(world: World, start: int = 0) -> list[dict[str, Any]]:
    return [entry for entry in world.entries(start) if entry["operation"] == "match.question"]


async def test_every_client_is_asked_once_and_the_hits_are_opened(world: World, body: Body) -> None:
    await deposit(world, *HITS)
    report = await body.match([*CLIENTS, firm(3)])
    assert (report.asked, report.misses, report.resumed) == (20, 17, False)
    assert report.hits.keys() == HITS
    assert {signal.fields["establishment_number"] for signal in body.kept} == {one.value for one in HITS}
    assert [entry["asked"] for entry in questions(world)] == [4] * 5
    assert sum(entry["hits"] for entry in questions(world)) == 3
    assert sum(body.progress) == 2 * 20
    assert world.waiting(world.cast.body) == []


async def test_the_order_of_the_frames_says_nothing_of_the_clients(world: World, body: Body) -> None:
    await body.match(CLIENTS)
    asked = b"".join(frame.pseudonyms for frame in body.asked)
    ordered = [asked[at : at + 16] for at in range(0, len(asked), 16)]
    assert ordered == sorted(ordered)
    first = [frame.pseudonyms for frame in body.asked]
    body.asked.clear()
    await body.match(reversed(CLIENTS))
    assert [frame.pseudonyms for frame in body.asked] == first


async def test_a_new_question_has_new_keys(world: World, body: Body) -> None:
    await body.match(CLIENTS)
    await body.match(CLIENTS)
    keys = [frame.idempotency_key for frame in body.asked]
    assert len(keys) == len(set(keys)) == 10
    assert len(questions(world)) == 10


@pytest.mark.parametrize("lost", [[0], [2], [1, 0, 1], [4]])
async def test_a_broken_stream_goes_on_and_no_frame_is_asked_twice_in_effect(
    world: World, body: Body, lost: list[int]
) -> None:
    await deposit(world, *HITS)
    body.lose = lost
    report = await body.match(CLIENTS)
    assert report.hits.keys() == HITS
    assert len({frame.idempotency_key for frame in body.asked}) == 5
    assert [entry["asked"] for entry in questions(world)] == [4] * 5
    assert len(body.kept) == 3


async def test_a_kit_that_was_ended_goes_on_where_it_was(world: World, body: Body) -> None:
    await deposit(world, *HITS)

    async def fall_over(signals: Sequence[ReceivedSignal]) -> None:
        if body.kept:
            raise asyncio.CancelledError
        await body.keep(signals)

    with pytest.raises(asyncio.CancelledError):
        await body.match(CLIENTS, keep=fall_over)
    assert len(body.kept) == 1
    before = {frame.idempotency_key for frame in body.asked}
    body.asked.clear()
    body.progress.clear()
    report = await body.match(CLIENTS)
    assert report.resumed
    assert len(body.kept) == 3
    assert report.earlier | report.hits.keys() == HITS
    assert (len(report.earlier), report.misses) == (1, 17)
    assert sum(body.progress) == 2 * 20
    again = {frame.idempotency_key for frame in body.asked}
    assert 0 < len(again) < 5
    assert len(before | again) == 5
    assert [entry["asked"] for entry in questions(world)] == [4] * 5


async def test_anew_forgets_what_was_broken_off(world: World, body: Body) -> None:
    body.lose = [2] + [0] * 60
    with pytest.raises(SluisError) as caught:
        await body.match(CLIENTS)
    assert caught.value.code == "peer-unavailable"
    body.lose = []
    before = {frame.idempotency_key for frame in body.asked}
    body.asked.clear()
    report = await body.match(CLIENTS, anew=True)
    assert not report.resumed
    assert len(body.asked) == 5
    assert before.isdisjoint(frame.idempotency_key for frame in body.asked)


async def test_a_run_of_yesterday_is_not_gone_on_with(world: World, body: Body) -> None:
    body.lose = [2] + [0] * 60
    with pytest.raises(SluisError):
        await body.match(CLIENTS)
    body.lose = []
    world.clock.move(hours=25)
    assert not (await body.match(CLIENTS)).resumed


async def test_a_client_base_that_changed_meanwhile_is_asked_as_it_is(world: World, body: Body) -> None:
    await deposit(world, *HITS, firm(25))
    body.lose = [1] + [0] * 60
    with pytest.raises(SluisError):
        await body.match(CLIENTS)
    body.lose = []
    report = await body.match([*(one for one in CLIENTS if one != ORDER[2]), firm(25)])
    assert report.earlier | report.hits.keys() == {*HITS, firm(25)}


async def test_a_denied_question_is_asked_anew_next_time(world: World, body: Body) -> None:
    world.operator.stop("rule", "match-question-until-2026-06-30", "test")
    with pytest.raises(SluisError) as caught:
        await body.match(CLIENTS)
    assert (caught.value.code, "RULE_STOPPED" in caught.value.message) == ("not-your-role", True)
    world.operator.resume("rule", "match-question-until-2026-06-30", "test")
    assert not (await body.match(CLIENTS)).resumed


async def test_with_a_digest_the_broker_learns_the_found_ones_only(world: World, body: Body) -> None:
    clients = firms(1_500)
    publish_epochs(world, "2026")
    await deposit(world, *HITS)
    start = world.size
    report = await body.match(clients, private=True)
    assert report.hits.keys() == HITS
    assert (report.asked, report.misses) == (1_500, 1_497)
    assert report.claimed is not None
    assert 3 <= report.claimed < 1_500 / 40
    digest, *claims = [entry for entry in world.entries(start) if entry["operation"].startswith("match.")]
    assert (digest["operation"], digest["outcome"], digest["decision"]) == ("match.digest", "given", "permit")
    assert (digest["epoch"], digest["since"], digest["signals"]) == ("2026", 0, 3)
    assert sum(entry["asked"] for entry in claims) == report.claimed
    assert sum(entry["hits"] for entry in claims) == 3
    assert (
        sum(entry["missed"] for entry in claims) == report.claimed - 3
    )  # found for nothing, and logged as such
    assert {entry["digest"] for entry in claims} == {start}
    assert report.digest_bytes < 20
    assert sum(body.progress) == 2 * 1_500


async def test_the_next_digest_is_an_addition(world: World, body: Body) -> None:
    publish_epochs(world, "2026")
    await deposit(world, *firms(40, 100))
    await body.match(CLIENTS, private=True)
    await deposit(world, firm(5))
    start = world.size
    report = await body.match(CLIENTS, private=True)
    assert report.hits.keys() == {firm(5)}
    assert [bool(request.since_index) for request in body.fetched] == [False, True]
    (digest,) = [entry for entry in world.entries(start) if entry["operation"] == "match.digest"]
    assert (digest["since"], digest["signals"]) == (body.fetched[1].since_index, 1)


async def test_a_digest_that_doubled_comes_as_a_whole(world: World, body: Body) -> None:
    publish_epochs(world, "2026")
    await deposit(world, firm(1))
    await body.match(CLIENTS, private=True)
    await deposit(world, *firms(30, 100), firm(5), still=[firm(1)])
    report = await body.match(CLIENTS, private=True)
    assert report.hits.keys() == {firm(1), firm(5)}
    assert world.entries()[-1]["operation"] == "signal.acknowledge"
    given = [entry for entry in world.entries() if entry["operation"] == "match.digest"]
    assert [entry["since"] for entry in given] == [0, 0]


async def test_after_a_month_a_whole_digest_is_fetched(world: World, body: Body) -> None:
    publish_epochs(world, "2026")
    await deposit(world, *firms(40, 100))
    await body.match(CLIENTS, private=True)
    world.clock.move(days=31)
    await body.match(CLIENTS, private=True)
    assert [request.since_index for request in body.fetched] == [0, 0]


async def test_a_broken_off_claim_goes_on_under_its_own_digest(world: World, body: Body) -> None:
    publish_epochs(world, "2026")
    await deposit(world, *firms(10))
    body.lose = [1] + [0] * 60
    with pytest.raises(SluisError):
        await body.match(CLIENTS, private=True)
    body.lose = []
    await deposit(world, firm(15))
    report = await body.match(CLIENTS, private=True)
    assert (report.resumed, len(body.fetched)) == (True, 1)
    assert report.earlier | report.hits.keys() == set(firms(10))


async def test_each_live_epoch_is_asked(world: World, body: Body) -> None:
    body.epochs = ("2026", "2026-2")
    await deposit(world, firm(2), epoch="2026")
    EpochOffice(world.store, world.clock).announce("2026-2", None, "the next")
    publish_epochs(world, *body.epochs)
    await deposit(world, firm(9), epoch="2026-2")
    for private in (False, True):
        report = await body.match(CLIENTS, private=private)
        assert report.hits.keys() == {firm(2), firm(9)}


async def test_when_the_evaluators_budget_is_spent_what_was_answered_is_not_asked_again(
    world: World, body: Body
) -> None:
    body.epochs, body.spent = ("2025", "2026"), ("2026",)
    with pytest.raises(SluisError) as caught:
        await body.match(CLIENTS)
    assert caught.value.code == "budget-spent"
    assert len(questions(world)) == 5
    body.spent = ()
    assert (await body.match(CLIENTS)).resumed
    assert [entry["asked"] for entry in questions(world)] == [4] * 10


async def test_nobody_to_ask_about_asks_nothing(world: World, body: Body) -> None:
    start = world.size
    assert (await body.match([])).asked == 0
    assert (await body.match([], private=True)).claimed == 0
    assert world.size == start
