# SPDX-License-Identifier: EUPL-1.2
"""Legal holds: what they keep, what they never open, and who may set and lift them."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from broker.retention.holds import Holds
from sluis.canonical import canonical_json
from sluis.errors import SluisError
from sluis.hold import HoldAct, HoldReason, HoldScope, HoldStatement, SubjectOpening, new_hold
from sluis.signing import SigningKey
from tests.retention_world import Office, kept, row, sweep
from tests.world import AGREEMENT, EPOCH, FIRM, OTHER_FIRM, World


@pytest.fixture
def office(world: World) -> Office:
    """Three officers of two organisations."""
    return Office(world)


async def pushed(world: World, subject: bytes = FIRM) -> tuple[Any, int]:
    """Push a signal that ends in a year; its id and the index of the push."""
    await world.certify(FIRM, OTHER_FIRM)
    envelope = world.envelope(subject)
    answer = await world.push(envelope)
    return envelope.header.signal_id, answer.receipt.log_index


def opening(world: World, subject: bytes = FIRM) -> SubjectOpening:
    return SubjectOpening(salt=bytes(32), subjects=((AGREEMENT, world.cast.sna.oin, EPOCH, subject),))


def refused(call: Callable[[], object]) -> str:
    with pytest.raises(SluisError) as caught:
        call()
    return caught.value.code


async def test_a_held_exchange_stays_past_its_end_and_goes_once_the_hold_is_lifted(
    world: World, office: Office
) -> None:
    exchange, index = await pushed(world)
    other, _ = await pushed(world)
    hold = office.hold(str(exchange))
    world.clock.move(days=366)
    swept = await sweep(world)
    assert (swept.signals, swept.held) == (1, 1)
    assert row(world, exchange)["envelope"]
    assert not row(world, other)["envelope"]
    assert kept(world, index) == (True, True)
    assert world.waiting(world.cast.sna) == []  # kept, and opened to nobody
    office.lift(hold)
    assert (await sweep(world)).signals == 1
    assert not row(world, exchange)["envelope"]
    assert world.store.retention.holds() == []


async def test_a_hold_on_a_party_keeps_all_that_it_sends_or_receives(world: World, office: Office) -> None:
    exchange, _ = await pushed(world)
    refusal = await world.push(world.envelope(FIRM, kind="CERTIFICATE_STATUS"))
    office.hold(world.cast.nla.oin, HoldScope.PARTY)
    world.clock.move(days=366)
    swept = await sweep(world)
    assert (swept.signals, row(world, exchange)["destroyed_index"]) == (0, None)
    assert kept(world, refusal.receipt.log_index)[0]


async def test_a_hold_on_a_subject_keeps_its_exchanges_and_the_log_names_nobody(
    world: World, office: Office
) -> None:
    exchange, _ = await pushed(world)
    other, _ = await pushed(world, OTHER_FIRM)
    secret = opening(world)
    hold = office.hold(secret.commitment(), HoldScope.SUBJECT, opening=secret)
    world.clock.move(days=366)
    assert (await sweep(world)).held == 1
    assert row(world, exchange)["envelope"]
    assert not row(world, other)["envelope"]
    assert FIRM.hex() not in json.dumps(world.entries())
    assert {item.pseudonym for item in world.store.retention.holds()[0].subjects} == {FIRM}
    office.lift(hold)
    assert (await sweep(world)).signals == 1


async def test_the_entries_tell_who_signed_and_why(world: World, office: Office) -> None:
    exchange, _ = await pushed(world)
    hold = office.hold(str(exchange), officers=("jz-1", "fg-1"))
    entry = world.entries()[-1]
    assert {name: entry[name] for name in ("operation", "scope", "target", "reason", "organisation")} == {
        "operation": "hold.set",
        "scope": "exchange",
        "target": str(exchange),
        "reason": "LITIGATION",
        "organisation": world.cast.nla.oin,
    }
    assert [(item["act"], item["officer"], item["function"]) for item in entry["statements"]] == [
        ("hold", "jz-1", "legal"),
        ("approve-hold", "fg-1", "privacy"),
    ]
    office.lift(hold)
    assert world.entries()[-1]["operation"] == "hold.lift"


async def test_a_recipients_officer_may_hold_what_it_received(world: World, office: Office) -> None:
    exchange, _ = await pushed(world)
    assert office.hold(str(exchange), officers=("jz-2", "fg-1")).organisation == world.cast.sna.oin


# who may not


async def test_two_different_officers_must_sign_for_the_same(world: World, office: Office) -> None:
    exchange, _ = await pushed(world)
    holds = Holds(world.store, world.clock)
    about = {"hold": new_hold(), "target": str(exchange)}
    asked = office.sign(HoldAct.HOLD, "fg-1", **about)
    agreed = office.sign(HoldAct.APPROVE_HOLD, "jz-1", **about)
    size = world.size
    wrong: list[tuple[str, list[HoldStatement]]] = [
        ("approvals-missing", []),
        ("approvals-missing", [asked]),
        ("approvals-missing", [asked, asked]),
        ("approvals-missing", [asked, agreed, agreed]),
        ("approvals-missing", [asked, office.sign(HoldAct.APPROVE_HOLD, "fg-1", **about)]),
        ("approvals-missing", [asked, office.sign(HoldAct.APPROVE_LIFT, "jz-1", **about)]),
        ("wrong-state", [asked, office.sign(HoldAct.APPROVE_HOLD, "jz-1", **{**about, "hold": new_hold()})]),
        (
            "wrong-state",
            [asked, office.sign(HoldAct.APPROVE_HOLD, "jz-1", **about, reason=HoldReason.OVERSIGHT)],
        ),
        ("signature-wrong", [asked, replace(agreed, signature=bytes(64))]),
        ("signature-wrong", [asked, replace(agreed, signature=b"").signed(SigningKey.generate())]),
        ("officer-unknown", [asked, replace(agreed, officer="jz-9")]),
    ]
    for code, statements in wrong:
        assert refused(lambda given=statements: holds.set(given)) == code  # type: ignore[misc]
    assert world.size == size
    holds.set([agreed, asked])
    assert refused(lambda: holds.set([asked, agreed])) == "wrong-state"


async def test_two_legal_officers_do_not_suffice(world: World, office: Office) -> None:
    exchange, _ = await pushed(world)
    assert refused(lambda: office.hold(str(exchange), officers=("jz-1", "jz-2"))) == "approvals-missing"


async def test_nobody_holds_what_is_anothers_or_not_there(world: World, office: Office) -> None:
    await world.certify(FIRM, recipient=world.cast.body)
    deposit = world.deposit(FIRM)  # from the foundation to the certification body
    await world.push(deposit)
    exchange = str(deposit.header.signal_id)
    assert refused(lambda: office.hold(exchange)) == "not-found"
    assert refused(lambda: office.hold("0198c0de-0000-7000-8000-000000000000")) == "not-found"
    assert refused(lambda: office.hold(world.cast.sna.oin, HoldScope.PARTY)) == "not-your-identity"
    office.hold(exchange, officers=("jz-2", "fg-1"))


async def test_a_hold_on_anothers_subject_keeps_nothing_of_others(world: World, office: Office) -> None:
    await world.certify(FIRM, recipient=world.cast.body)
    deposit = world.deposit(FIRM)
    await world.push(deposit)
    secret = SubjectOpening(salt=bytes(32), subjects=((AGREEMENT, world.cast.body.oin, EPOCH, FIRM),))
    office.hold(secret.commitment(), HoldScope.SUBJECT, opening=secret)
    world.clock.move(days=366)
    assert (await sweep(world)).signals == 1


async def test_an_opening_must_be_of_what_was_signed(world: World, office: Office) -> None:
    secret = opening(world)
    for given in (None, opening(world, OTHER_FIRM), replace(secret, salt=bytes([1]) * 32)):
        code = refused(
            lambda given=given: office.hold(  # type: ignore[misc]
                secret.commitment(), HoldScope.SUBJECT, opening=given
            )
        )
        assert code == "malformed-request"


async def test_only_who_asked_for_a_hold_lifts_it_once(world: World, office: Office) -> None:
    exchange, _ = await pushed(world)
    hold = office.hold(str(exchange))
    assert refused(lambda: office.lift(hold, ("jz-2", "fg-1"))) == "not-your-identity"
    assert refused(lambda: office.lift(replace(hold, hold_id=new_hold()))) == "not-found"
    assert (
        refused(lambda: office.lift(replace(hold, target=world.cast.nla.oin, scope="party"))) == "wrong-state"
    )
    office.lift(hold)
    assert refused(lambda: office.lift(hold)) == "not-found"


async def test_old_statements_do_not_count(world: World, office: Office) -> None:
    exchange, _ = await pushed(world)
    about = {"hold": new_hold(), "target": str(exchange)}
    statements = [
        office.sign(HoldAct.HOLD, "fg-1", **about),
        office.sign(HoldAct.APPROVE_HOLD, "jz-1", **about),
    ]
    world.clock.now += timedelta(days=91)
    assert refused(lambda: Holds(world.store, world.clock).set(statements)) == "clock-skew"


# the statement itself


def statements() -> Iterator[HoldStatement]:
    office_key = SigningKey.generate()
    for scope, target in (
        (HoldScope.EXCHANGE, "0198c0de-0000-7000-8000-000000000000"),
        (HoldScope.PARTY, "00000001000000000001"),
        (HoldScope.SUBJECT, "sha256:" + "0a" * 32),
    ):
        yield HoldStatement(
            act=HoldAct.HOLD,
            hold=new_hold(),
            scope=scope,
            target=target,
            reason=HoldReason.RESTRICTION,
            officer="fg-1",
            at=datetime(2026, 11, 26, tzinfo=UTC),
        ).signed(office_key)


def test_a_statement_comes_back_as_it_was_written() -> None:
    for statement in statements():
        assert HoldStatement.parse(statement.encode()) == statement


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("act", "keep"),
        ("scope", "everything"),
        ("reason", "BECAUSE"),
        ("hold", "0123456789abcdef"),
        ("target", "00000001000000000001"),
        ("target", "0198C0DE-0000-7000-8000-000000000000"),
        ("officer", "Jan Jansen"),
        ("at", "2026-11-26"),
        ("signature", "00"),
        ("v", 2),
        ("note", "x"),
    ],
)
def test_a_statement_of_another_form_is_refused(name: str, value: object) -> None:
    members = json.loads(next(statements()).encode())
    data = canonical_json({**members, name: value})
    assert refused(lambda: HoldStatement.parse(data)) in (
        "malformed-encoding",
        "malformed-request",
        "identifier-format",
    )


def test_an_opening_comes_back_and_is_checked() -> None:
    rows = (("a", "r", "2026", bytes(16)), ("a", "r", "2027", bytes(16)))
    secret = SubjectOpening(salt=bytes(32), subjects=rows)
    assert SubjectOpening.parse(secret.encode()) == secret
    for bad in (
        lambda: SubjectOpening(salt=b"", subjects=rows),
        lambda: SubjectOpening(salt=bytes(32), subjects=()),
        lambda: SubjectOpening(salt=bytes(32), subjects=(rows[1], rows[0])),
        lambda: SubjectOpening(salt=bytes(32), subjects=(("a", "r", "2026", b"x"),)),
    ):
        assert refused(bad) == "malformed-request"
    assert refused(lambda: SubjectOpening.parse(b'{"salt": "zz"}')) == "malformed-encoding"
