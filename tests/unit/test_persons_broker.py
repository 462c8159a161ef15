# SPDX-License-Identifier: EUPL-1.2
"""Persons without a number at the broker: found by any of their pseudonyms, one by one, never by a private party."""

import random
from collections.abc import Awaitable
from typing import Any

import pytest
from person_samples import FIELDS, IND, KIND, PURPOSE, Persons, keys, many, statements

from sluis.errors import SluisError
from sluis.header import MAX_ALIASES, Delivery
from sluis.v1 import envelope_pb2, exchange_pb2
from sluis.wire import envelope_to_wire
from tests.retention_world import row, sweep
from tests.world import CLAIMS, World

PERMIT, DENY = envelope_pb2.EFFECT_PERMIT, envelope_pb2.EFFECT_DENY
LUKASZ = keys("E", "P", "S", "G", "D1", "D2", "D3", "D4")
STRANGER = keys("e", "p", "s", "g")


@pytest.fixture
def persons(world: World) -> Persons:
    return Persons(world)


async def refused(call: Awaitable[object]) -> str:
    with pytest.raises(SluisError) as caught:
        await call
    return caught.value.code


def reason(answer: exchange_pb2.MatchAnswer | exchange_pb2.PushResponse) -> str:
    assert answer.decision.effect == DENY
    return answer.decision.reasons[0].code


# found by any key


@pytest.mark.parametrize("key", LUKASZ)
async def test_a_person_is_found_by_any_key(persons: Persons, key: bytes) -> None:
    envelope = await persons.lay(LUKASZ)
    answer = await persons.ask(*STRANGER, key)
    assert [hit.position for hit in answer.hits] == [len(STRANGER)]
    assert persons.named(answer) == [str(envelope.header.signal_id)]


async def test_a_person_who_shares_no_key_is_a_miss(persons: Persons) -> None:
    await persons.lay(LUKASZ)
    before = persons.world.size
    assert await persons.hits(*STRANGER) == []
    assert persons.world.operations(before) == ["match.question"]


async def test_a_signal_that_several_keys_find_is_released_once_at_the_lowest_position(
    persons: Persons,
) -> None:
    await persons.lay(LUKASZ)
    before = persons.world.size
    assert await persons.hits(STRANGER[0], LUKASZ[5], LUKASZ[0], LUKASZ[2]) == [1]
    assert persons.world.operations(before) == ["match.question", "signal.release"]
    assert persons.world.entries(before)[0]["hits"] == 1
    assert len(persons.world.waiting(persons.world.cast.nla)) == 1


async def test_two_persons_who_share_a_key_both_come(persons: Persons) -> None:
    first = await persons.lay(LUKASZ)
    second = await persons.lay((*STRANGER, LUKASZ[1]))
    answer = await persons.ask(LUKASZ[1])
    assert persons.named(answer) == [str(one.header.signal_id) for one in (first, second)]
    assert [hit.position for hit in answer.hits] == [0, 0]


async def test_what_is_found_agrees_with_a_search_through_everything(persons: Persons) -> None:
    rng = random.Random(8)
    pool = keys(*map(str, range(12)))
    laid = []
    for _ in range(12):
        own = rng.sample(pool, rng.randint(1, 5))
        laid.append((str((await persons.lay(own)).header.signal_id), set(own)))
    for _ in range(12):
        asked = rng.sample(pool, rng.randint(1, 4))
        answer = await persons.ask(*asked)
        found = list(zip([hit.position for hit in answer.hits], persons.named(answer), strict=True))
        expected = [
            (min(at for at, key in enumerate(asked) if key in own), name)
            for name, own in laid
            if own.intersection(asked)
        ]
        assert found == expected


async def test_a_question_that_is_repeated_gets_the_same_answer(persons: Persons) -> None:
    await persons.lay(LUKASZ)
    key = persons.world.key()
    first = await persons.ask(LUKASZ[3], key=key)
    again = await persons.ask(LUKASZ[3], key=key)
    assert again.SerializeToString() == first.SerializeToString()
    assert len(persons.world.waiting(persons.world.cast.nla)) == 1


async def test_the_log_holds_no_pseudonym(persons: Persons) -> None:
    await persons.lay(LUKASZ)
    await persons.ask(*LUKASZ)
    for entry in persons.world.raw_entries():
        for key in LUKASZ:
            assert key not in entry
            assert key.hex().encode() not in entry


async def test_a_weighing_of_more_than_a_year_ago_releases_nothing(persons: Persons) -> None:
    expires = persons.world.clock.ms() + 800 * 86_400_000
    await persons.lay(LUKASZ, expires_at_ms=expires)
    persons.world.clock.move(days=364)
    assert await persons.hits(LUKASZ[1]) == [0]
    persons.world.clock.move(days=2)  # the rule keeps it a year too, from the push on
    assert await persons.hits(LUKASZ[1]) == []


# what is refused


@pytest.mark.parametrize(
    "changes",
    [
        {"delivery": Delivery.MAILBOX},
        {"kind": "WAV-ILLEGAAL"},
        {"kind": "WAV-ILLEGAAL", "delivery": Delivery.MAILBOX},
        {"kind": "NOBODY-KNOWS"},
    ],
)
async def test_aliases_go_with_a_deposit_about_a_person_alone(
    persons: Persons, changes: dict[str, Any]
) -> None:
    before = persons.world.size
    assert await refused(persons.push(persons.deposit(LUKASZ, **changes))) == "aliases-not-due"
    assert persons.world.size == before
    assert persons.aliases() == []
    assert (await persons.push(persons.deposit(LUKASZ[:1], **changes))).decision.effect == DENY


async def test_one_in_a_frame_with_aliases_that_are_not_due_fails_alone(persons: Persons) -> None:
    envelopes = [
        persons.deposit(LUKASZ),
        persons.deposit(LUKASZ, kind="WAV-IDENT"),
        persons.deposit(STRANGER),
    ]
    pushes = [
        exchange_pb2.PushRequest(idempotency_key=persons.world.key(), envelope=envelope_to_wire(one))
        for one in envelopes
    ]
    outcomes = await persons.world.broker.exchange.push_all(IND.caller, pushes)
    codes = [one.code if isinstance(one, SluisError) else "" for one in outcomes]
    assert codes == ["", "aliases-not-due", ""]
    assert len(persons.aliases()) == len(LUKASZ) - 1 + len(STRANGER) - 1


async def test_a_denied_signal_leaves_no_alias(persons: Persons) -> None:
    claims = {"necessity": statements(IND)["necessity"]}
    assert reason(await persons.push(persons.deposit(LUKASZ, claims=claims))) == "NO_GATE"
    assert persons.aliases() == []


async def test_a_private_party_neither_gets_nor_asks(persons: Persons) -> None:
    body = persons.world.cast.body
    answer = await persons.push(persons.deposit(LUKASZ, recipient=body.oin))
    assert reason(answer) == "WORKER_IDENTITY"
    assert persons.aliases() == []
    assert reason(await persons.ask(*LUKASZ, by=body)) == "WORKER_IDENTITY"


async def test_who_asks_about_more_than_the_cap_learns_nothing(persons: Persons) -> None:
    await persons.lay(LUKASZ)
    before = persons.world.size
    assert reason(await persons.ask(LUKASZ[0], *many(120))) == "TOO_MANY_AT_ONCE"
    assert persons.world.operations(before) == ["match.question"]
    assert await persons.hits(LUKASZ[0], *many(119)) == [0]


async def test_a_day_has_six_hundred_keys_however_they_are_split(persons: Persons) -> None:
    await persons.lay(LUKASZ)
    for _ in range(5):
        await persons.ask(*many(119))
    assert await persons.hits(LUKASZ[4], *many(4)) == [0]
    assert reason(await persons.ask(LUKASZ[4])) == "TOO_MANY_TODAY"
    persons.world.clock.move(days=1)
    assert await persons.hits(LUKASZ[4]) == [0]


async def test_there_is_no_digest_watch_list_or_register_of_persons(persons: Persons) -> None:
    world, nla = persons.world, persons.world.cast.nla
    await persons.lay(LUKASZ)
    before = world.size
    request = exchange_pb2.FetchDigestRequest(agreement="wav-16", purpose=PURPOSE, kind=KIND, epoch="2026")
    assert await refused(world.broker.matching.digests.make(nla.caller, request)) == "persons-not-in-bulk"
    watch = world.watch(*LUKASZ, by=nla, kind=KIND, purpose=PURPOSE, agreement="wav-16")
    assert await refused(watch) == "persons-not-in-bulk"
    parts = world.load_parts(nla, [], kind=KIND, purpose=PURPOSE, agreement="wav-16")
    assert await refused(world.load(nla, parts)) == "persons-not-in-bulk"
    assert world.size == before


# the rest of its life


async def test_a_recall_takes_the_aliases_away(persons: Persons) -> None:
    world = persons.world
    recalled, other = await persons.lay(LUKASZ), await persons.lay(STRANGER)
    assert await persons.hits(LUKASZ[1]) == [0]
    await world.follow_up("recall", recalled.header.signal_id, IND)
    for key in LUKASZ:
        assert await persons.hits(key) == []
    assert persons.aliases() == list(other.header.aliases)


async def test_a_correction_is_found_by_the_same_keys(persons: Persons) -> None:
    world = persons.world
    first = await persons.lay(LUKASZ)
    new = persons.deposit(
        LUKASZ, fields={**FIELDS, "observed_on": "2026-06-19"}, previous=first.header.signal_id
    )
    await world.follow_up(
        "correct", first.header.signal_id, IND, signal=new, replacement=new.header.signal_id
    )
    answer = await persons.ask(LUKASZ[6], LUKASZ[2])
    assert persons.named(answer) == [str(new.header.signal_id)]
    assert persons.aliases() == list(new.header.aliases)


@pytest.mark.parametrize("own", [LUKASZ[:1], LUKASZ[:-1], (*LUKASZ, *keys("more")), (LUKASZ[0], *STRANGER)])
async def test_a_correction_is_about_the_same_person(persons: Persons, own: tuple[bytes, ...]) -> None:
    first = await persons.lay(LUKASZ)
    new = persons.deposit(own, previous=first.header.signal_id)
    call = persons.world.follow_up(
        "correct", first.header.signal_id, IND, signal=new, replacement=new.header.signal_id
    )
    assert await refused(call) == "not-a-correction"
    assert await persons.hits(LUKASZ[6]) == [0]


async def test_destruction_takes_the_aliases_along(persons: Persons) -> None:
    world = persons.world
    envelope = await persons.lay(LUKASZ, expires_at_ms=world.clock.ms() + 86_400_000)
    later = await persons.lay(STRANGER)
    world.clock.move(days=2)
    assert await persons.hits(*LUKASZ) == []
    await sweep(world)
    assert row(world, envelope.header.signal_id)["pseudonym"] == b""
    assert persons.aliases() == list(later.header.aliases)


async def test_an_epoch_is_in_use_as_long_as_an_alias_is_kept(persons: Persons) -> None:
    world = persons.world
    await persons.lay(LUKASZ, expires_at_ms=world.clock.ms() + 86_400_000)
    assert world.store.epochs.in_use("2026")
    world.clock.move(days=2)
    await sweep(world)
    assert not world.store.epochs.in_use("2026")


async def test_a_signal_has_at_most_twelve_pseudonyms(persons: Persons) -> None:
    own = keys(*map(str, range(MAX_ALIASES + 1)))
    await persons.lay(own)
    assert len(persons.aliases()) == MAX_ALIASES
    assert await persons.hits(own[-1]) == [0]


async def test_other_kinds_are_matched_as_before(persons: Persons) -> None:
    world = persons.world
    subject = LUKASZ[0]
    await world.certify(subject, recipient=world.cast.body)
    assert (await world.push(world.deposit(subject, claims=CLAIMS))).decision.effect == PERMIT
    await persons.lay(LUKASZ)
    assert [hit.position for hit in (await world.ask(LUKASZ[1], subject)).hits] == [1]
