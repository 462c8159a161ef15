# SPDX-License-Identifier: EUPL-1.2
"""A data subject's exchanges, found by pseudonym: one's own only, while the salt exists, and logged by counts."""

from collections.abc import Awaitable

import pytest
from sqlalchemy import create_engine, text

from broker.audit.projection import Projection
from broker.oversight.subject import Allowance
from broker.wire.audit_service import AuditService
from sluis.client.subject import SubjectEntry, SubjectExchange
from sluis.errors import SluisError, Unavailable
from sluis.policy.catalog import Category
from sluis.subject_answer import CATEGORIES, exchange_answer, header, letter, officer_note
from sluis.v1 import audit_pb2
from tests.actors import Actor
from tests.world import AGREEMENT, EPOCH, FIRM, OTHER_FIRM, FakeContext, Refused, World, bundle


async def find(
    world: World, actor: Actor, *pseudonyms: bytes, service: AuditService | None = None
) -> list[audit_pb2.SubjectExchange]:
    while Projection(world.store).advance():
        pass
    questions = [
        audit_pb2.SubjectQuestion(
            domain=audit_pb2.SubjectDomain(
                agreement=AGREEMENT, recipient_oin=world.cast.sna.oin, epoch=EPOCH
            ),
            pseudonym=pseudonym,
        )
        for pseudonym in pseudonyms
    ]
    asked = service or AuditService(world.broker.desk, world.store, world.clock)
    answer = await asked.FindSubject(audit_pb2.FindSubjectRequest(questions=questions), FakeContext(actor))
    return list(answer.exchanges)


async def refused(call: Awaitable[object]) -> SluisError:
    with pytest.raises(Refused) as caught:
        await call
    return caught.value.error


async def pushed(world: World, subject: bytes = FIRM) -> str:
    await world.certify(FIRM, OTHER_FIRM)
    envelope = world.envelope(subject)
    await world.push(envelope)
    return str(envelope.header.signal_id)


async def test_sender_and_recipient_find_their_exchange_and_nobody_else_does(world: World) -> None:
    exchange = await pushed(world)
    index = world.size - 1
    for actor in (world.cast.nla, world.cast.sna):
        [found] = await find(world, actor, FIRM)
        assert (found.exchange, [row.log_index for row in found.entries]) == (exchange, [index])
    for actor in (world.cast.body, world.cast.officer):
        assert await find(world, actor, FIRM) == []
    assert await find(world, world.cast.nla, OTHER_FIRM) == []


async def test_the_log_tells_counts_and_never_the_pseudonym(world: World) -> None:
    await pushed(world)
    await find(world, world.cast.nla, FIRM)
    entry = world.entries()[-1]
    assert entry.pop("time")
    assert entry == {
        "operation": "subject.find",
        "reader": world.cast.nla.oin,
        "asked": 1,
        "found": 1,
        "v": 1,
    }
    assert FIRM.hex().encode() not in b"".join(world.raw_entries())


async def test_once_the_salt_is_destroyed_nothing_is_found(world: World) -> None:
    await pushed(world)
    engine = create_engine(f"sqlite:///{world.folder}/broker.db")
    with engine.begin() as connection:
        connection.execute(text("DELETE FROM entry_salt"))
    engine.dispose()
    assert await find(world, world.cast.nla, FIRM) == []


async def test_a_signal_whose_commitment_does_not_open_is_not_shown(world: World) -> None:
    await pushed(world)
    engine = create_engine(f"sqlite:///{world.folder}/broker.db")
    with engine.begin() as connection:  # a row that claims another subject than its entry commits to
        connection.execute(text("UPDATE signal SET pseudonym = :other"), {"other": OTHER_FIRM})
    engine.dispose()
    assert await find(world, world.cast.nla, OTHER_FIRM) == []


async def test_a_call_is_about_one_subject_and_so_many_an_hour(world: World) -> None:
    for pseudonyms in ((), (FIRM, OTHER_FIRM), (FIRM[:15],)):
        assert (await refused(find(world, world.cast.nla, *pseudonyms))).code == "malformed-request"
    service = AuditService(world.broker.desk, world.store, world.clock)
    service._allowance = Allowance(calls=1)
    await find(world, world.cast.nla, FIRM, service=service)
    again = await refused(find(world, world.cast.nla, FIRM, service=service))
    assert again.code == "too-many-requests"
    await find(world, world.cast.sna, FIRM, service=service)


def test_every_category_has_words() -> None:
    assert set(CATEGORIES) == set(Category)


def test_an_hour_later_one_may_ask_again() -> None:
    now = [0.0]
    allowance = Allowance(1, lambda: now[0])
    allowance.spend("a")
    with pytest.raises(Unavailable):
        allowance.spend("a")
    now[0] = 3600.0
    allowance.spend("a")


async def test_domains_are_those_of_ones_own_signals(world: World) -> None:
    await pushed(world)
    service = AuditService(world.broker.desk, world.store, world.clock)
    for actor, count in ((world.cast.nla, 1), (world.cast.sna, 1), (world.cast.body, 0)):
        answer = await service.ListSubjectDomains(audit_pb2.ListSubjectDomainsRequest(), FakeContext(actor))
        assert len(answer.domains) == count


async def test_the_answer_says_what_article_15_asks_and_marks_what_an_officer_decides(world: World) -> None:
    await pushed(world)
    entry = world.entries()[-1]
    oin = world.cast.nla.oin
    names = {oin: "Inspectie", world.cast.sna.oin: "Stichting"}

    def answer(content: dict[str, object]) -> dict[str, object]:
        found = SubjectExchange(
            exchange=str(entry["exchange"]),
            expires_at_ms=world.clock.ms(),
            entries=(SubjectEntry(log_index=7, content=content),),
        )
        return {
            **header(oin, "Inspectie", world.clock.now),
            "domains_asked": 1,
            "domains_not_asked": [
                {"agreement": "a", "recipient": "b", "epoch": "2026", "code": "budget-spent"}
            ],
            "exchanges": [exchange_answer(found, oin, names, bundle())],
        }

    duties = {key: value for key, value in entry["obligations"].items() if key != "delay_grounds"}
    told = answer({**entry, "obligations": {**duties, "notice": "may-inform"}})
    [item] = told["exchanges"]  # type: ignore[misc]
    assert (item["direction"], item["state"], item["hold_back"]) == ("sent", "delivered", None)
    assert all(item[key] for key in ("purpose", "categories", "fields", "retention", "legal_basis"))
    assert told["automated_decision"] is False
    assert "Stichting" in letter(told)
    assert "budget-spent" in officer_note(told)

    held = answer({**entry, "obligations": {**duties, "notice": "must-not-inform"}})
    assert "Stichting" not in letter(held)
    assert "Stichting" in officer_note(held)
    assert "BESLISSEN" in officer_note(held)
