# SPDX-License-Identifier: EUPL-1.2
"""Cards of other times: what each still proves, and what a revoked one does not."""

import hashlib
from datetime import datetime, timedelta
from typing import Any

import pytest

from broker.cards import CardOffice, digest_of
from sluis.cards import PartyCard
from sluis.client.receiver import pushed_index
from sluis.errors import Conflict, NotFound, SluisError
from sluis.v1 import directory_pb2, exchange_pb2
from tests.actors import START
from tests.unit.epoch_samples import (
    Calls,
    directory,
    sql,
)
from tests.unit.flow_samples import Flow, admit, code, permitted, refused
from tests.world import FIRM, World


def revoke(flow: Flow, since: datetime | None = None) -> None:
    """Revoke the inspectorate's first card."""
    flow.world.clock.move(seconds=1)
    digest = digest_of(flow.world.cast.nla.card.encode())
    CardOffice(flow.world.store, flow.world.clock).revoke(flow.world.cast.nla.oin, digest, since, "stolen")
    flow.world.broker.desk.directory._known.clear()
    flow.forget_cards()


async def test_a_revoked_card_signs_nothing_any_more(flow: Flow) -> None:
    assert permitted(await flow.push(1)) == [True]
    nla, envelope = flow.world.cast.nla, flow.world.envelope(FIRM)
    revoke(flow)
    assert await refused(flow.world.push(envelope)) == "certificate-revoked"
    assert await refused(flow.push(2)) == "certificate-revoked"
    assert code(lambda: admit(flow.world, nla, nla.card)) == "certificate-revoked"
    flow.renew("sender")
    flow.forget_cards()
    flow.desks["sender"].ring.reload()
    assert permitted(await flow.push(3)) == [True]
    assert await flow.receive() == []  # what it signed before it was revoked holds
    assert len(flow.kept) == 2


async def test_what_was_accepted_after_the_theft_is_not_opened(flow: Flow) -> None:
    assert permitted(await flow.push(1)) == [True]
    flow.world.clock.move(hours=1)
    theft = flow.world.clock.now
    flow.world.clock.move(hours=1)
    assert permitted(await flow.push(2)) == [True]  # by the thief
    flow.renew("sender")
    assert permitted(await flow.push(3)) == [True]
    revoke(flow, theft)
    assert await flow.receive() == ["certificate-revoked"]
    assert len(flow.kept) == 2
    revoked = [one for one in flow.world.entries() if one["operation"] == "card.revoke"]
    assert [(one["party"], one["reason"]) for one in revoked] == [(flow.world.cast.nla.oin, "stolen")]


async def test_an_old_key_cannot_sign_for_a_later_time(flow: Flow) -> None:
    """Not even with a broker that lets it pass: the recipient looks which card counted then."""
    old = flow.desks["sender"].ring.keys.signing
    flow.renew("sender")
    await flow.push(1)
    (view,) = flow.world.waiting(flow.world.cast.sna)
    at = flow.world.clock.now
    trust = flow.desks["recipient"].trust
    nla = flow.world.cast.nla
    assert (await trust.card_at(nla.oin, view.log_index, at)).signing_key != old.public
    assert (await trust.card_at(nla.oin, view.log_index - 1, at)).signing_key == old.public
    assert await refused(trust.card_at(nla.oin, 0, at)) == "not-found"


async def test_a_card_counts_only_as_its_entries_say(flow: Flow, monkeypatch: pytest.MonkeyPatch) -> None:
    flow.renew("sender")
    desk, nla, sna = flow.desks["recipient"], flow.world.cast.nla, flow.world.cast.sna
    request = directory_pb2.ListCardsRequest(oin=nla.oin)
    shown = await desk.directory.ListCards(request)
    assert len(shown.cards) == 2
    other = (await desk.directory.ListCards(directory_pb2.ListCardsRequest(oin=sna.oin))).cards[0]
    lies = {}
    for name in ("swapped", "foreign", "order", "entry"):
        lies[name] = directory_pb2.ListCardsResponse()
        lies[name].CopyFrom(shown)
    lies["swapped"].cards[0].card = shown.cards[1].card
    lies["foreign"].cards[1].CopyFrom(other)
    lies["order"].cards[0].CopyFrom(shown.cards[1])
    lies["entry"].cards[1].admitted.entry = shown.cards[0].admitted.entry
    for lie in lies.values():

        class Liar(Calls):
            async def ListCards(self, *_: object, lie: Any = lie, **__: object) -> Any:
                return lie

        monkeypatch.setattr(desk.connections, "directory", Liar(directory(flow.world), sna))
        desk.trust.forget_card(nla.oin)
        call = desk.trust.card_at(nla.oin, flow.world.size, flow.world.clock.now)
        assert await refused(call) in ("log-inconsistent", "signature-wrong")


async def test_a_certificate_that_has_run_out_since_still_proves_what_was_made_in_its_time(
    flow: Flow,
) -> None:
    await flow.push(1)
    trust, nla = flow.desks["recipient"].trust, flow.world.cast.nla
    before = flow.world.clock.now
    until = nla.card.certificate_chain[0].not_valid_after_utc
    size = flow.world.size
    assert (await trust.card_at(nla.oin, size, before)).signing_key == nla.signing.public
    assert await refused(trust.card_at(nla.oin, size, until + timedelta(days=1))) == "certificate-expired"


def test_only_cards_that_were_admitted_can_be_revoked(world: World) -> None:
    cards = CardOffice(world.store, world.clock)
    nla = world.cast.nla
    with pytest.raises(NotFound):
        cards.revoke(world.cast.stranger.oin, "", None, "x")
    with pytest.raises(NotFound):
        cards.revoke(nla.oin, hashlib.sha256(b"").hexdigest(), None, "x")
    size = world.size
    cards.revoke(nla.oin, "", START - timedelta(days=1), "x")
    entry = world.entries(size)[0]
    assert (entry["operation"], entry["from"], entry["card"]) == (
        "card.revoke",
        0,
        digest_of(nla.card.encode()),
    )
    with pytest.raises(Conflict):
        cards.revoke(nla.oin, "", None, "x")


def test_cards_from_before_are_entered_from_the_log(world: World) -> None:
    before = {one.oin: world.store.epochs.cards(one.oin) for one in world.cast.registered}
    sql(world, "DELETE FROM party_card")
    cards = CardOffice(world.store, world.clock)
    assert cards.adopt() == len(world.cast.registered)
    assert {one.oin: world.store.epochs.cards(one.oin) for one in world.cast.registered} == before
    assert cards.adopt() == 0


async def test_a_delivery_that_does_not_say_when_it_was_pushed_is_refused() -> None:
    for entry in (b"{}", b'{"operation":"signal.release"}', b'{"operation":"signal.release","previous":9}'):
        with pytest.raises(SluisError) as caught:
            pushed_index(exchange_pb2.Delivery(log_index=5, entry=entry))
        assert caught.value.code == "log-inconsistent"
    released = exchange_pb2.Delivery(log_index=5, entry=b'{"operation":"signal.release","previous":3}')
    assert pushed_index(released) == 3


async def test_nothing_is_sealed_for_a_revoked_card(flow: Flow) -> None:
    assert permitted(await flow.push(1)) == [True]
    sna = flow.world.cast.sna
    envelope = flow.world.envelope(FIRM, epoch=str(flow.world.clock.now.year))
    CardOffice(flow.world.store, flow.world.clock).revoke(sna.oin, "", None, "stolen")
    answer = await flow.world.push(envelope)  # sealed before
    assert answer.decision.reasons[0].code == "UNKNOWN_PARTY"
    flow.forget_cards()
    assert await refused(flow.push(2)) == "party-stopped"


async def test_one_chain_is_not_checked_for_every_signal_and_still_ends(
    flow: Flow, monkeypatch: pytest.MonkeyPatch
) -> None:
    trust, nla = flow.desks["recipient"].trust, flow.world.cast.nla
    until = nla.card.certificate_chain[0].not_valid_after_utc
    size, checks = flow.world.size, 0
    real = PartyCard.verify

    def count(self: PartyCard, *given: Any) -> None:
        nonlocal checks
        checks += 1
        real(self, *given)

    monkeypatch.setattr(PartyCard, "verify", count)
    start = until - timedelta(minutes=90)
    for minute in range(60):
        await trust.card_at(nla.oin, size, start + timedelta(minutes=minute))
    assert checks == 2
    await trust.card_at(nla.oin, size, until - timedelta(minutes=1))  # an hour on it would not hold
    for seconds in (1, 59, 3600):
        late = until + timedelta(seconds=seconds)
        assert await refused(trust.card_at(nla.oin, size, late)) == "certificate-expired"
    assert await refused(trust.card_at(nla.oin, size, START - timedelta(days=3000))) == "certificate-expired"
