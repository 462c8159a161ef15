# SPDX-License-Identifier: EUPL-1.2
"""Registers: a signed snapshot takes effect as a whole, or leaves no row behind."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import closing
from typing import Any

import pytest

from broker.register.loading import MAX_BATCH, MAX_ENTRIES
from broker.storage.port import PartyStatus
from sluis.errors import SluisError
from sluis.identifiers import Oin
from sluis.register_snapshot import SnapshotEntry
from sluis.v1 import envelope_pb2, register_pb2
from sluis.wire import receipt_from_wire
from tests.world import FIRM, ORIGIN, OTHER_FIRM, World, pseudonym

PERMIT, DENY = envelope_pb2.EFFECT_PERMIT, envelope_pb2.EFFECT_DENY
Parts = list[register_pb2.LoadRequest]

FIVE = [SnapshotEntry(pseudonym=pseudonym(str(n)), valid_from="2026-01-01", valid_until="") for n in range(5)]


async def refused(call: Awaitable[object]) -> str:
    with pytest.raises(SluisError) as caught:
        await call
    return caught.value.code


def rows(world: World) -> int:
    """How many register entries are stored, in force or not."""
    with closing(sqlite3.connect(world.folder / "broker.db")) as database:
        return int(database.execute("SELECT count(*) FROM register_entry").fetchone()[0])


async def certified(world: World, *firms: bytes) -> list[bool]:
    """For which firms a fine would be permitted now."""
    answers = [await world.push(world.envelope(firm)) for firm in firms]
    return [answer.decision.effect == PERMIT for answer in answers]


async def test_a_snapshot_comes_into_force_and_is_logged_by_digest(world: World) -> None:
    before = world.size
    answer = await world.load(world.cast.sna, world.load_parts(world.cast.sna, FIVE))
    assert (answer.decision.effect, answer.entries, rows(world)) == (PERMIT, 5, 5)
    (entry,) = world.entries(before)
    assert (entry["operation"], entry["register"], entry["entries"]) == ("register.load", "certificates", 5)
    assert (entry["outcome"], entry["sender"], entry["recipient"]) == ("in-force", *[world.cast.sna.oin] * 2)
    assert entry["rules"][0]["id"] == "register-own-until-2026-06-30"
    receipt_from_wire(answer.receipt).verify(world.receipt_key.public, log_origin=ORIGIN, entry=answer.entry)
    for item in FIVE:
        assert item.pseudonym not in answer.entry
        assert item.pseudonym.hex().encode() not in answer.entry
    assert await certified(world, FIVE[0].pseudonym, FIVE[4].pseudonym, FIRM) == [True, True, False]


async def test_a_new_snapshot_replaces_the_whole_of_the_one_before(world: World) -> None:
    await world.certify(FIRM, OTHER_FIRM)
    assert await certified(world, FIRM, OTHER_FIRM) == [True, True]
    await world.certify(OTHER_FIRM, pseudonym("third"))
    assert await certified(world, FIRM, OTHER_FIRM, pseudonym("third")) == [False, True, True]
    assert rows(world) == 2


async def test_an_empty_snapshot_empties_the_register(world: World) -> None:
    await world.certify(FIRM)
    assert (await world.certify()).entries == 0
    assert await certified(world, FIRM) == [False]
    assert rows(world) == 0
    assert world.entries()[-1]["facts"][0]["state"] == "disproven"


async def test_registers_of_different_domains_and_epochs_do_not_touch(world: World) -> None:
    await world.certify(FIRM)
    await world.certify(OTHER_FIRM, recipient=world.cast.body)
    await world.certify(OTHER_FIRM, epoch="2027")
    assert await certified(world, FIRM, OTHER_FIRM) == [True, False]
    assert rows(world) == 3


async def test_a_firm_may_have_several_periods(world: World) -> None:
    entries = [
        SnapshotEntry(pseudonym=FIRM, valid_from="2020-01-01", valid_until="2020-12-31"),
        SnapshotEntry(pseudonym=FIRM, valid_from="2026-06-22", valid_until=""),
        SnapshotEntry(pseudonym=FIRM, valid_from="2026-06-22", valid_until=""),
        SnapshotEntry(pseudonym=OTHER_FIRM, valid_from="2020-01-01", valid_until="2020-12-31"),
    ]
    await world.load(world.cast.sna, world.load_parts(world.cast.sna, entries))
    assert await certified(world, FIRM, OTHER_FIRM) == [True, False]


# refused loads leave the register as it was


def _without_finish(parts: Parts) -> None:
    del parts[-1]


def _without_start(parts: Parts) -> None:
    del parts[0]


def _start_twice(parts: Parts) -> None:
    parts.insert(1, parts[0])


def _one_batch_less(parts: Parts) -> None:
    del parts[1]


def _one_batch_more(parts: Parts) -> None:
    parts.insert(1, parts[1])


def _wrong_signature(parts: Parts) -> None:
    parts[-1].finish.signature = bytes(64)


def _short_signature(parts: Parts) -> None:
    parts[-1].finish.signature = b""


def _other_entry(parts: Parts) -> None:
    parts[2].batch.entries[0].pseudonym = bytes(16)


def _other_date(parts: Parts) -> None:
    parts[2].batch.entries[0].valid_until = "2030-01-01"


def _no_date(parts: Parts) -> None:
    parts[2].batch.entries[0].valid_from = "01-01-2026"


def _dates_reversed(parts: Parts) -> None:
    parts[2].batch.entries[0].valid_until = "2025-01-01"


def _short_pseudonym(parts: Parts) -> None:
    parts[2].batch.entries[0].pseudonym = bytes(15)


def _empty_part(parts: Parts) -> None:
    parts.insert(2, register_pb2.LoadRequest())


def _batch_too_large(parts: Parts) -> None:
    entries = [parts[1].batch.entries[0]] * (MAX_BATCH + 1)
    parts[2].batch.entries.extend(entries)


def _no_key(parts: Parts) -> None:
    parts[0].start.idempotency_key = ""


def _long_key(parts: Parts) -> None:
    parts[0].start.idempotency_key = "k" * 65


def _broken_header(parts: Parts) -> None:
    parts[0].start.header = parts[0].start.header[:-1]


SPOILED: list[tuple[Callable[[Parts], None], str]] = [
    (_without_finish, "malformed-request"),
    (_without_start, "malformed-request"),
    (_start_twice, "malformed-request"),
    (_one_batch_less, "malformed-request"),
    (_one_batch_more, "malformed-request"),
    (_empty_part, "malformed-request"),
    (_wrong_signature, "signature-wrong"),
    (_short_signature, "signature-wrong"),
    (_other_entry, "signature-wrong"),
    (_other_date, "signature-wrong"),
    (_no_date, "date-format"),
    (_dates_reversed, "date-order"),
    (_short_pseudonym, "malformed-request"),
    (_batch_too_large, "batch-too-large"),
    (_no_key, "malformed-request"),
    (_long_key, "malformed-request"),
    (_broken_header, "malformed-encoding"),
]


@pytest.mark.parametrize(("spoil", "code"), SPOILED, ids=[spoil.__name__ for spoil, _ in SPOILED])
async def test_a_load_that_does_not_hold_is_refused_whole(
    world: World, spoil: Callable[[Parts], None], code: str
) -> None:
    await world.certify(FIRM)
    before = world.size
    parts = world.load_parts(world.cast.sna, FIVE)
    spoil(parts)
    assert await refused(world.load(world.cast.sna, parts)) == code
    assert world.size == before
    assert rows(world) == 1
    assert await certified(world, FIRM) == [True]


async def test_an_empty_stream_is_refused(world: World) -> None:
    assert await refused(world.load(world.cast.sna, [])) == "malformed-request"


async def test_a_register_over_the_limit_is_refused_before_anything_is_read(world: World) -> None:
    parts = world.load_parts(world.cast.sna, FIVE, entry_count=MAX_ENTRIES + 1)
    assert await refused(world.load(world.cast.sna, parts)) == "batch-too-large"
    assert rows(world) == 0


async def test_nobody_loads_in_the_name_of_another(world: World) -> None:
    parts = world.load_parts(world.cast.sna, FIVE)
    assert await refused(world.load(world.cast.body, parts)) == "not-your-identity"
    own_signature = world.load_parts(world.cast.body, FIVE, owner=world.cast.sna.oin)
    assert await refused(world.load(world.cast.sna, own_signature)) == "signature-wrong"
    assert rows(world) == 0


async def test_the_caller_may_vanish_in_the_middle(world: World) -> None:
    parts = world.load_parts(world.cast.sna, FIVE)
    reached = asyncio.Event()

    async def stalling() -> AsyncIterator[register_pb2.LoadRequest]:
        for part in parts[:3]:
            yield part
        reached.set()
        await asyncio.sleep(60)

    task = asyncio.create_task(world.broker.registers.load(world.cast.sna.caller, stalling()))
    await reached.wait()
    assert rows(world) == 4
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert rows(world) == 0


# denied loads are logged


@pytest.mark.parametrize(
    ("who", "changes", "reason"),
    [
        ("nla", {}, "NO_RULE"),
        ("body", {}, "NO_RULE"),
        ("sna", {"kind": "FINE_IMPOSED"}, "NO_RULE"),
        ("sna", {"kind": "K999990019"}, "UNKNOWN_KIND"),
        ("sna", {"purpose": "P999990019"}, "UNKNOWN_PURPOSE"),
        ("sna", {"agreement": "a999990019"}, "UNKNOWN_AGREEMENT"),
        ("sna", {"recipient": "00000099000000008000"}, "UNKNOWN_PARTY"),
    ],
)
async def test_a_denied_load_is_logged_and_leaves_no_row(
    world: World, who: str, changes: dict[str, str], reason: str
) -> None:
    await world.certify(FIRM)
    before, owner = world.size, getattr(world.cast, who)
    values: dict[str, Any] = {
        name: Oin(value) if name == "recipient" else value for name, value in changes.items()
    }
    answer = await world.load(owner, world.load_parts(owner, FIVE, **values))
    assert (answer.decision.effect, answer.decision.reasons[0].code) == (DENY, reason)
    (entry,) = world.entries(before)
    assert (entry["decision"], entry["outcome"]) == ("deny", "refused")
    assert b"999990019" not in answer.entry
    assert rows(world) == 1
    assert await certified(world, FIRM, FIVE[0].pseudonym) == [True, False]


async def test_an_unknown_register_is_not_named_in_the_log(world: World) -> None:
    answer = await world.load(
        world.cast.sna, world.load_parts(world.cast.sna, FIVE, register_name="r999990019")
    )
    assert world.entries()[-1]["register"] == "?"
    assert b"999990019" not in answer.entry


async def test_a_stopped_rule_stops_the_register(world: World) -> None:
    world.operator.stop("rule", "register-own-until-2026-06-30", "test")
    answer = await world.certify(FIRM)
    assert (answer.decision.effect, answer.decision.reasons[0].code) == (DENY, "RULE_STOPPED")
    assert rows(world) == 0


async def test_a_stop_between_the_first_part_and_the_last_counts(world: World) -> None:
    parts = world.load_parts(world.cast.sna, FIVE)

    async def stopped_midway() -> AsyncIterator[register_pb2.LoadRequest]:
        for part in parts[:-1]:
            yield part
        world.operator.set_status(world.cast.sna.oin, PartyStatus.STOPPED, "test")
        yield parts[-1]

    call = world.broker.registers.load(world.cast.sna.caller, stopped_midway())
    assert await refused(call) == "party-stopped"
    assert rows(world) == 0


# the same again


async def test_a_repeated_load_gets_the_first_answer_and_changes_nothing(world: World) -> None:
    parts = world.load_parts(world.cast.sna, FIVE)
    first = await world.load(world.cast.sna, parts)
    await world.certify(FIRM)
    size = world.size
    second = await world.load(world.cast.sna, parts)
    assert second.SerializeToString() == first.SerializeToString()
    assert world.size == size
    assert rows(world) == 1
    assert await certified(world, FIRM, FIVE[0].pseudonym) == [True, False]


async def test_a_key_that_was_used_for_another_snapshot_is_a_conflict(world: World) -> None:
    key = world.key()
    await world.load(world.cast.sna, world.load_parts(world.cast.sna, FIVE, key=key))
    size = world.size
    other = world.load_parts(world.cast.sna, FIVE[:3], key=key)
    assert await refused(world.load(world.cast.sna, other)) == "idempotency-conflict"
    assert (world.size, rows(world)) == (size, 5)


async def test_two_loads_at_once_leave_one_of_them_whole(world: World) -> None:
    three = [SnapshotEntry(pseudonym=pseudonym(f"x{n}"), valid_from="2026-01-01") for n in range(3)]
    loads = [
        world.load(world.cast.sna, world.load_parts(world.cast.sna, entries))
        for entries in (FIVE, three, FIVE, three)
    ]
    answers = await asyncio.gather(*loads)
    newest = max(answers, key=lambda answer: answer.receipt.log_index)
    assert rows(world) == newest.entries
    assert {answer.decision.effect for answer in answers} == {PERMIT}
