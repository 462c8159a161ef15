# SPDX-License-Identifier: EUPL-1.2
"""A watch list: a question that stays; both legs are decided when a signal arrives, and the sender learns nothing."""

import sqlite3
from contextlib import closing
from typing import Any

import pytest

from broker.epochs import EpochOffice
from broker.storage.port import PartyStatus
from sluis.errors import SluisError
from sluis.header import Delivery
from sluis.v1 import envelope_pb2, register_pb2
from tests.retention_world import sweep
from tests.unit.test_matching import deposit, refused
from tests.world import FIRM, KIND, OTHER_FIRM, PURPOSE, World, pseudonym

PERMIT, DENY = envelope_pb2.EFFECT_PERMIT, envelope_pb2.EFFECT_DENY
THIRD = pseudonym("third")


async def clients(world: World, *subjects: bytes) -> None:
    """The foundation's register holds these firms in the body's domain: they are its clients."""
    await world.certify(*subjects, recipient=world.cast.body)


def reasons(answer: register_pb2.LoadResponse) -> list[str]:
    return [reason.code for reason in answer.decision.reasons]


def outcomes(world: World, start: int) -> list[tuple[str, str]]:
    return [(entry["operation"], entry["outcome"]) for entry in world.entries(start)]


async def test_a_watched_signal_goes_to_the_mailbox_at_once(world: World) -> None:
    await clients(world, FIRM, OTHER_FIRM)
    answer = await world.watch(FIRM)
    assert answer.decision.effect == PERMIT, answer.decision.reasons
    assert world.entries()[-1]["valid_until"] == "2026-09-01"
    before = world.size
    pushed = await world.push(world.deposit(FIRM))
    assert outcomes(world, before) == [
        ("signal.push", "on_match"),
        ("watch.hit", "answered"),
        ("signal.release", "released"),
    ]
    push, hit, release = world.entries(before)
    assert hit["previous"] == release["previous"] == before
    assert push["exchange"] == hit["exchange"] == release["exchange"]
    assert (hit["rules"][0]["id"], hit["sender"]) == ("watch-list-until-2026-06-30", world.cast.body.oin)
    (view,) = world.waiting(world.cast.body)
    assert (view.log_index, pushed.receipt.log_index) == (before + 2, before)


async def test_the_sender_cannot_tell_whether_anyone_watches(world: World) -> None:
    await clients(world, FIRM, OTHER_FIRM)
    await world.watch(FIRM)
    watched = await world.push(world.deposit(FIRM))
    not_watched = await world.push(world.deposit(OTHER_FIRM))
    for answer in (watched, not_watched):
        answer.ClearField("receipt")
        answer.ClearField("entry")
    assert watched == not_watched


async def test_another_subject_kind_epoch_or_delivery_is_not_told(world: World) -> None:
    await clients(world, FIRM, OTHER_FIRM)
    EpochOffice(world.store, world.clock).announce("2026-2", None, "the next")
    await world.certify(FIRM, recipient=world.cast.body, epoch="2026-2")
    await world.watch(FIRM)
    before = world.size
    await deposit(world, OTHER_FIRM)
    await world.push(world.deposit(FIRM, epoch="2026-2"))
    await world.certify(FIRM)
    await world.push(world.envelope(FIRM))
    assert "watch.hit" not in world.operations(before)


async def test_a_signal_from_before_the_list_stays_to_be_asked_for(world: World) -> None:
    await deposit(world, FIRM)
    await world.watch(FIRM)
    assert world.waiting(world.cast.body) == []
    assert len((await world.ask(FIRM)).hits) == 1


async def test_a_list_ends_on_its_last_day(world: World) -> None:
    await clients(world, FIRM)
    await world.watch(FIRM, valid_until="2026-06-24")
    world.clock.move(days=2)
    await world.push(world.deposit(FIRM))
    assert world.operations()[-1] == "signal.release"
    world.clock.move(days=1)
    await world.push(world.deposit(FIRM))
    assert world.operations()[-1] == "signal.push"


async def test_a_list_that_ended_is_destroyed_with_a_record(world: World) -> None:
    await clients(world, FIRM)
    await world.watch(FIRM, valid_until="2026-07-02")
    world.clock.move(days=10)
    assert (await sweep(world)).registers == 0
    world.clock.move(days=1)
    assert (await sweep(world)).registers == 1
    record = world.entries()[-1]
    assert (record["operation"], record["register"]) == ("register.destroy", "watch")
    assert await world.broker.registers.watch_lists(world.cast.body.caller) == []


async def test_each_leg_is_decided_when_the_signal_arrives(world: World) -> None:
    await clients(world, FIRM)
    await world.watch(FIRM)
    world.operator.stop("rule", "watch-list-until-2026-06-30", "test")
    before = world.size
    await world.push(world.deposit(FIRM))
    assert outcomes(world, before) == [("signal.push", "on_match"), ("watch.hit", "refused")]
    assert world.waiting(world.cast.body) == []
    world.operator.resume("rule", "watch-list-until-2026-06-30", "test")
    await clients(world, OTHER_FIRM)
    before = world.size
    await world.push(world.deposit(FIRM))
    assert outcomes(world, before) == [("signal.push", "refused")]


async def test_a_recipient_that_was_stopped_is_not_told(world: World) -> None:
    await clients(world, FIRM)
    await world.watch(FIRM)
    world.operator.set_status(world.cast.body.oin, PartyStatus.STOPPED, "test")
    before = world.size
    answer = await world.push(world.deposit(FIRM))
    assert answer.decision.effect == DENY
    assert world.operations(before) == ["signal.push"]


async def test_a_new_list_replaces_the_one_before_and_an_empty_one_takes_it_back(world: World) -> None:
    await clients(world, FIRM, OTHER_FIRM)
    await world.watch(FIRM)
    await world.watch(OTHER_FIRM)
    before = world.size
    await world.push(world.deposit(FIRM))
    assert world.operations(before) == ["signal.push"]
    await world.watch()
    assert outcomes(world, world.size - 1) == [("watch.load", "taken-back")]
    before = world.size
    await world.push(world.deposit(OTHER_FIRM))
    assert world.operations(before) == ["signal.push"]
    with closing(sqlite3.connect(world.folder / "broker.db")) as database:
        kept = "SELECT count(*) FROM register_entry JOIN register_snapshot USING (snapshot_id) "
        assert database.execute(kept + "WHERE register LIKE 'watch.%'").fetchone() == (0,)


async def test_a_list_can_be_taken_back_when_no_rule_permits_it_any_more(world: World) -> None:
    await clients(world, FIRM)
    await world.watch(FIRM)
    world.operator.stop("agreement", "waadi-14b", "test")
    answer = await world.watch()
    assert (answer.decision.effect, outcomes(world, world.size - 1)) == (DENY, [("watch.load", "taken-back")])
    assert await world.broker.registers.watch_lists(world.cast.body.caller) == []


async def test_the_owner_sees_its_own_lists(world: World) -> None:
    await clients(world, FIRM, OTHER_FIRM)
    await world.watch(FIRM, OTHER_FIRM)
    (row,) = await world.broker.registers.watch_lists(world.cast.body.caller)
    assert (row.register, row.epoch, row.entry_count, row.last_day) == (
        f"watch.{KIND}.{PURPOSE}",
        "2026",
        2,
        "2026-09-01",
    )
    assert row.log_index == world.size - 1
    assert await world.broker.registers.watch_lists(world.cast.sna.caller) == []


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"valid_until": "2027-06-01"}, "WATCH_TOO_LONG"),
        ({"valid_until": ""}, "WATCH_TOO_LONG"),
        ({"purpose": "COMMERCIEEL"}, "PURPOSE_LOCK"),
        ({"kind": "A1_VERDICT"}, "NO_RULE"),
    ],
)
async def test_a_list_that_no_rule_permits_is_refused(
    world: World, change: dict[str, Any], reason: str
) -> None:
    await clients(world, FIRM)
    answer = await world.watch(FIRM, **change)
    assert (answer.decision.effect, reasons(answer)[0]) == (DENY, reason)
    assert outcomes(world, world.size - 1) == [("watch.load", "refused")]
    assert await world.broker.registers.watch_lists(world.cast.body.caller) == []


async def test_a_list_is_no_larger_than_the_registered_client_base(world: World) -> None:
    await clients(world, FIRM, OTHER_FIRM)
    assert reasons(await world.watch(FIRM, OTHER_FIRM, THIRD)) == ["WATCH_TOO_LARGE"]
    assert (await world.watch(FIRM, THIRD)).decision.effect == PERMIT
    await clients(world)
    assert reasons(await world.watch(FIRM)) == ["WATCH_TOO_LARGE"]


async def test_certificates_that_have_ended_do_not_count(world: World) -> None:
    await world.certify(FIRM, OTHER_FIRM, recipient=world.cast.body, valid_until="2026-02-01")
    answer = await world.watch(FIRM)
    assert reasons(answer) == ["WATCH_TOO_LARGE"]
    assert dict(answer.decision.reasons[0].params) == {"registered": "0"}


async def test_nobody_leaves_a_list_in_the_domain_of_another(world: World) -> None:
    await clients(world, FIRM)
    answer = await world.watch(FIRM, by=world.cast.sna, recipient=world.cast.body.oin)
    assert answer.decision.effect == DENY
    with pytest.raises(SluisError) as caught:
        await world.watch(FIRM, owner=world.cast.sna.oin)
    assert caught.value.code == "not-your-identity"


async def test_a_register_and_a_list_do_not_bear_each_others_names(world: World) -> None:
    await clients(world, FIRM)
    body = world.cast.body
    assert await refused(world.watch(FIRM, register_name="certificates")) == "malformed-request"
    assert await refused(world.watch(FIRM, register_name=f"watch.{KIND}.OTHER")) == "malformed-request"
    parts = world.load_parts(body, [], register_name=f"watch.{KIND}.{PURPOSE}", kind=KIND)
    assert await refused(world.load(body, parts)) == "malformed-request"


async def test_a_mailbox_signal_is_no_deposit(world: World) -> None:
    await clients(world, FIRM)
    await world.watch(FIRM)
    answer = await world.push(world.deposit(FIRM, delivery=Delivery.MAILBOX))
    assert answer.decision.effect == DENY
