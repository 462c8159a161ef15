# SPDX-License-Identifier: EUPL-1.2
"""The operator's acts and the evaluators' keys: each is logged, and holds from the next exchange on."""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from functools import partial

import pytest
from cryptography import x509

from broker.administration import PublishDomainKey
from broker.storage.port import PartyStatus
from evaluator.service import to_wire
from evaluator.shares import EvaluatorShares
from sluis.cards import PartyCard
from sluis.errors import SluisError
from sluis.pseudonyms import PseudonymisationDomain
from sluis.sealing_keys import SealingKey
from sluis.signing import SigningKey
from sluis.v1 import directory_pb2, envelope_pb2, pseudonym_pb2
from sluis.wire import receipt_from_wire
from tests.actors import START, Actor, authority, cast, make_actor
from tests.world import AGREEMENT, FIRM, ORIGIN, World

PERMIT = envelope_pb2.EFFECT_PERMIT
ROOTS: list[x509.Certificate] = [authority().certificate]


async def refused(call: Awaitable[object]) -> str:
    with pytest.raises(SluisError) as caught:
        await call
    return caught.value.code


def code(act: Callable[[], object]) -> str:
    with pytest.raises(SluisError) as caught:
        act()
    return caught.value.code


def renewed(actor: Actor, **changes: object) -> Actor:
    """The same party with a new signing key, on a new card under its certificate."""
    signing = SigningKey.generate()
    card = PartyCard.create(
        oin=actor.oin,
        name=actor.name,
        signing_key=signing.public,
        sealing_key=SealingKey.generate().public,
        created_at=START + timedelta(hours=1),
        certificate_chain=actor.card.certificate_chain,
        private_key=actor.tls,
    )
    return replace(actor, signing=signing, card=card)


# admitting


def test_a_participant_is_admitted_with_its_card_and_logged_by_digest(world: World) -> None:
    stranger, before = world.cast.stranger, world.size
    card = stranger.card.encode()
    row = world.operator.admit(card, stranger.role, ROOTS)
    assert world.store.party(stranger.oin) == row
    assert (row.oin, row.name, row.role, row.status) == (
        stranger.oin,
        "Onbekend",
        stranger.role,
        PartyStatus.ACTIVE,
    )
    (entry,) = world.entries(before)
    assert entry == {
        "v": 1,
        "time": "2026-06-22T10:00:00.000Z",
        "operation": "party.admit",
        "party": stranger.oin,
        "role": "certification-body",
        "card": hashlib.sha256(card).hexdigest(),
    }


def test_admitting_the_same_card_again_changes_nothing(world: World) -> None:
    size, nla = world.size, world.cast.nla
    world.operator.admit(nla.card.encode(), nla.role, ROOTS)
    assert world.size == size


async def test_a_renewed_card_replaces_the_old_keys(world: World) -> None:
    await world.certify(FIRM)
    new = renewed(world.cast.nla)
    world.operator.admit(new.card.encode(), new.role, ROOTS)
    assert world.operations()[-1] == "party.admit"
    world.broker.desk.directory._known.clear()  # it remembers a party for a second
    assert (await world.push(world.envelope(FIRM, signing=new.signing))).decision.effect == PERMIT
    assert await refused(world.push(world.envelope(FIRM))) == "signing-key-replaced"


async def test_keys_that_changed_during_a_call_do_not_count_any_more(world: World) -> None:
    await world.push(world.envelope(FIRM))  # the directory remembers the old card
    new = renewed(world.cast.nla)
    world.operator.admit(new.card.encode(), new.role, ROOTS)
    assert await refused(world.push(world.envelope(FIRM))) == "card-changed"


def test_a_role_does_not_change_and_must_be_in_the_catalogue(world: World) -> None:
    size, body = world.size, world.cast.body
    assert (
        code(lambda: world.operator.admit(body.card.encode(), "labour-inspectorate", ROOTS)) == "party-exists"
    )
    for role in ("", "certification_body", "admin"):
        assert code(partial(world.operator.admit, body.card.encode(), role, ROOTS)) == "unknown-value"
    assert world.size == size


def test_a_card_that_does_not_hold_admits_nobody(world: World) -> None:
    size, stranger = world.size, world.cast.stranger
    forged = replace(stranger.card, name="Inspectie").encode()
    foreign = replace(world.cast.nla.card, oin=stranger.oin).encode()
    expired = make_actor(9, "certification-body", "Te laat", valid_until=START - timedelta(days=1))
    assert code(lambda: world.operator.admit(forged, stranger.role, ROOTS)) == "signature-wrong"
    assert code(lambda: world.operator.admit(foreign, stranger.role, ROOTS)) == "signature-wrong"
    assert (
        code(lambda: world.operator.admit(expired.card.encode(), expired.role, ROOTS))
        == "certificate-expired"
    )
    assert (
        code(lambda: world.operator.admit(stranger.card.encode(), stranger.role, []))
        == "certificate-untrusted"
    )
    assert code(lambda: world.operator.admit(b"{}", stranger.role, ROOTS)) == "malformed-encoding"
    assert world.size == size
    assert world.store.party(stranger.oin) is None


# stopping


async def test_a_stopped_party_is_refused_at_once_although_it_was_just_admitted(world: World) -> None:
    await world.certify(FIRM)
    await world.push(world.envelope(FIRM))
    before = world.size
    world.operator.set_status(world.cast.nla.oin, PartyStatus.STOPPED, "incident 7")
    assert await refused(world.push(world.envelope(FIRM))) == "party-stopped"
    assert await refused(world.ask(FIRM, by=world.cast.nla)) == "party-stopped"
    world.operator.set_status(world.cast.nla.oin, PartyStatus.ACTIVE, "solved")
    assert (await world.push(world.envelope(FIRM))).decision.effect == PERMIT
    entries = world.entries(before)
    assert [(entry["operation"], entry.get("reason")) for entry in entries[:2]] == [
        ("party.stop", "incident 7"),
        ("party.resume", "solved"),
    ]
    assert {entry["party"] for entry in entries[:2]} == {world.cast.nla.oin}


def test_a_new_card_does_not_lift_a_stop(world: World) -> None:
    nla = world.cast.nla
    world.operator.set_status(nla.oin, PartyStatus.STOPPED, "test")
    for actor in (nla, renewed(nla)):
        assert world.operator.admit(actor.card.encode(), actor.role, ROOTS).status is PartyStatus.STOPPED
    row = world.store.party(nla.oin)
    assert row is not None
    assert (row.status, row.card) == (PartyStatus.STOPPED, actor.card.encode())


async def test_a_revoked_certificate_is_refused_at_once_and_another_of_the_same_party_is_not(
    world: World,
) -> None:
    await world.certify(FIRM)
    nla = world.cast.nla
    await world.push(world.envelope(FIRM))
    world.operator.stop("certificate", nla.caller.fingerprint, "stolen")
    assert await refused(world.push(world.envelope(FIRM))) == "certificate-revoked"
    spare = make_actor(1, nla.role, nla.name)
    assert spare.oin == nla.oin
    assert (await world.push(world.envelope(FIRM), by=spare)).decision.effect == PERMIT
    world.operator.resume("certificate", nla.caller.fingerprint, "found")
    world.broker.desk.directory._known.clear()
    assert (await world.push(world.envelope(FIRM))).decision.effect == PERMIT


@pytest.mark.parametrize(
    ("scope", "target"),
    [
        ("agreement", AGREEMENT),
        ("rule", "fine-to-foundation-until-2026-06-30"),
        ("rule", "no-bsn-to-private"),
        ("certificate", "0" * 64),
    ],
)
def test_a_stop_and_its_end_are_logged_with_reasons(world: World, scope: str, target: str) -> None:
    before = world.size
    world.operator.stop(scope, target, "why")
    assert {(stop.scope, stop.target) for stop in world.store.stops()} == {(scope, target)}
    world.operator.stop(scope, target, "why again")
    world.operator.resume(scope, target, "why not")
    assert world.store.stops() == frozenset()
    entries = [
        {name: value for name, value in entry.items() if name not in ("v", "time")}
        for entry in world.entries(before)
    ]
    both = {"scope": scope, "target": target}
    assert entries == [
        {"operation": "stop.set", **both, "reason": "why"},
        {"operation": "stop.set", **both, "reason": "why again"},
        {"operation": "stop.lift", **both, "reason": "why not"},
    ]
    assert code(lambda: world.operator.resume(scope, target, "twice")) == "not-found"


@pytest.mark.parametrize(
    ("scope", "target", "expected"),
    [
        ("party", "00000099000000001000", "unknown-value"),
        ("", "", "unknown-value"),
        ("agreement", "waadi-14B", "not-found"),
        ("rule", "fine-to-foundation", "not-found"),
        ("certificate", "AB" * 32, "malformed-request"),
        ("certificate", "ab:" * 31 + "ab", "malformed-request"),
        ("certificate", "ab" * 31, "malformed-request"),
    ],
)
def test_a_stop_that_could_never_stop_anything_is_refused(
    world: World, scope: str, target: str, expected: str
) -> None:
    size = world.size
    assert code(lambda: world.operator.stop(scope, target, "test")) == expected
    assert world.size == size
    assert world.store.stops() == frozenset()


def test_only_a_known_party_can_be_stopped(world: World) -> None:
    size = world.size
    stranger = world.cast.stranger.oin
    assert code(lambda: world.operator.set_status(stranger, PartyStatus.STOPPED, "test")) == "not-found"
    assert world.size == size


# keys of evaluators

DOMAIN = PseudonymisationDomain(agreement=AGREEMENT, recipient=cast().sna.oin, epoch="2026")


def publication(
    evaluator: Actor, seed: int = 1, *, created: int = 1, signing: SigningKey | None = None
) -> pseudonym_pb2.KeyPublication:
    shares = EvaluatorShares(oin=evaluator.oin, seeds={"2026": bytes([seed]) * 16 + bytes(range(16))})
    return to_wire(shares.publication(DOMAIN, signing or evaluator.signing, created))


async def publish(
    world: World, message: pseudonym_pb2.KeyPublication, *, by: Actor
) -> directory_pb2.PublishDomainKeyResponse:
    admitted = await world.broker.desk.directory.require_role(by.caller, "evaluator")
    work = PublishDomainKey.checked(admitted, message, world.broker.desk.signer)
    return await world.broker.desk.committer.submit(work)


async def test_an_evaluators_key_is_kept_and_logged(world: World) -> None:
    evaluator, before = world.cast.evaluators[0], world.size
    message = publication(evaluator)
    answer = await publish(world, message, by=evaluator)
    (entry,) = world.entries(before)
    assert (entry["operation"], entry["evaluator"]) == ("key.publish", evaluator.oin)
    assert (entry["agreement"], entry["recipient"], entry["epoch"]) == (AGREEMENT, world.cast.sna.oin, "2026")
    assert entry["publication"] == hashlib.sha256(message.statement).hexdigest()
    receipt = receipt_from_wire(answer.receipt)
    receipt.verify(world.receipt_key.public, log_origin=ORIGIN, entry=world.raw_entries(before)[0])
    (row,) = world.store.domain_keys(AGREEMENT, world.cast.sna.oin)
    assert (row.evaluator, row.log_index) == (evaluator.oin, before)


async def test_the_same_share_again_is_not_logged_again_and_another_is_a_conflict(world: World) -> None:
    one, other = world.cast.evaluators
    await publish(world, publication(one), by=one)
    size = world.size
    await publish(world, publication(one, created=2), by=one)
    assert await refused(publish(world, publication(one, 2), by=one)) == "key-changed"
    assert world.size == size
    await publish(world, publication(other, 3), by=other)
    assert {row.evaluator for row in world.store.domain_keys(AGREEMENT, world.cast.sna.oin)} == {
        one.oin,
        other.oin,
    }


async def test_one_key_published_by_two_replicas_at_once_is_logged_once(world: World) -> None:
    one, before = world.cast.evaluators[0], world.size
    await asyncio.gather(*(publish(world, publication(one), by=one) for _ in range(4)))
    assert world.operations(before) == ["key.publish"]


async def test_a_publication_that_does_not_hold_is_refused(world: World) -> None:
    one, other = world.cast.evaluators
    size = world.size
    assert await refused(publish(world, publication(one), by=other)) == "not-your-identity"
    assert await refused(publish(world, publication(one, signing=other.signing), by=one)) == "signature-wrong"
    assert await refused(publish(world, publication(one), by=world.cast.nla)) == "not-your-role"
    assert await refused(publish(world, pseudonym_pb2.KeyPublication(), by=one)) == "malformed-encoding"
    assert world.size == size
