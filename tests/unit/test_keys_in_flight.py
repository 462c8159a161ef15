# SPDX-License-Identifier: EUPL-1.2
"""New keys and epochs with messages in flight: each is delivered once and opens."""

from contextlib import closing
from pathlib import Path

import pytest

from broker.storage.port import PartyStatus
from sluis.client.inbox import Inbox
from sluis.client.receiver import Receiver
from sluis.errors import Conflict, Unavailable
from sluis.key_renewal import begin_renewal, next_folder, switch
from tests.unit.epoch_samples import (
    MOMENTS,
    Evaluators,
    both_evaluators,
    desk_of,
    forget_epochs,
    office,
)
from tests.unit.flow_samples import Flow, admit, card_of, key_folder, permitted
from tests.world import FIRM, World, bundle

PERMIT = 1


async def test_what_was_sealed_and_signed_before_new_keys_opens_after_them(flow: Flow) -> None:
    assert permitted(await flow.push(1, 2)) == [True, True]
    flow.renew("sender")
    flow.renew("recipient")
    assert permitted(await flow.push(3)) == [True]  # signed anew, and sealed for the recipient's old key
    flow.forget_cards()
    assert permitted(await flow.push(4)) == [True]  # and for its new one
    assert await flow.receive() == []
    assert len(flow.kept) == 4
    assert not (flow.folder("sender").path / "next").exists()
    # The recipient makes its switch when it next signs; what was sealed for either key opens all the while.
    switch(flow.folder("recipient"), flow.world.clock.ms())
    assert permitted(await flow.push(5)) == [True]
    assert await flow.receive() == []
    assert len(flow.kept) == 5


async def test_a_signal_that_was_taken_under_old_keys_is_not_sent_again_under_new_ones(flow: Flow) -> None:
    flow.line.breaks = [1, *[0] * 50]  # of two frames both are taken, one is answered; then nothing answers
    with pytest.raises(Unavailable):
        await flow.push(1, 2, 3, 4, 5, 6)
    flow.line.breaks = []
    waiting = len(flow.world.waiting(flow.world.cast.sna))
    assert 2 < waiting < 6  # some were taken without an answer, some never came
    flow.renew("sender")
    assert permitted(await flow.push(1, 2, 3, 4, 5, 6)) == [True] * 6
    assert len(flow.world.waiting(flow.world.cast.sna)) == 6
    assert await flow.receive() == []
    assert len(flow.kept) == 6


async def test_a_signal_that_was_taken_in_a_closed_epoch_is_not_sent_again_in_the_next(
    flow: Flow, year_evaluators: Evaluators
) -> None:
    flow.line.breaks = [1, *[0] * 50]
    with pytest.raises(Unavailable):
        await flow.push(1, 2, 3, 4, 5, 6)
    flow.line.breaks = []
    year = str(flow.world.clock.now.year)
    await year_evaluators.publish("noodgeval")
    office(flow.world).rotate("noodgeval", year, "a seed is suspected")
    await flow.certify()
    assert permitted(await flow.push(1, 2, 3, 4, 5, 6)) == [True] * 6
    assert await flow.receive() == []
    assert len(flow.kept) == 6
    epochs = [signal.header.epoch for signal in flow.kept]
    assert set(epochs) == {year, "noodgeval"}


async def test_a_parcel_waits_through_a_stop_of_its_sender(flow: Flow) -> None:
    """A refusal of the caller says nothing of the parcel: the broker may have it already."""
    flow.line.breaks = [1, *[0] * 50]
    with pytest.raises(Unavailable):
        await flow.push(1, 2, 3, 4)
    flow.line.breaks = []
    nla = flow.world.cast.nla.oin
    flow.world.operator.set_status(nla, PartyStatus.STOPPED, "test")
    flow.world.broker.desk.directory._known.clear()
    outcomes = await flow.push(1, 2, 3, 4)
    assert {outcome.error for outcome in outcomes[2:]} == {"party-stopped"}
    flow.world.operator.set_status(nla, PartyStatus.ACTIVE, "test")
    flow.world.broker.desk.directory._known.clear()
    assert permitted(await flow.push(1, 2, 3, 4)) == [True] * 4
    assert await flow.receive() == []
    assert len(flow.kept) == 4


async def test_without_an_epoch_the_refusals_stand_and_the_next_run_sends(
    flow: Flow, year_evaluators: Evaluators
) -> None:
    await flow.push(1)
    year = str(flow.world.clock.now.year)
    office(flow.world).compromise(year, "test")
    (outcome,) = await flow.push(2)
    assert outcome.error == "epoch-closed"
    await year_evaluators.publish("noodgeval")
    office(flow.world).announce("noodgeval", None, "in its place")
    await flow.certify()
    assert permitted(await flow.push(1, 2)) == [True, True]
    assert await flow.receive() == []
    assert len(flow.kept) == 2


async def test_the_directory_says_which_key_signs(flow: Flow) -> None:
    folder, ring = flow.folder("sender"), flow.desks["sender"].ring
    trust, oin = flow.desks["sender"].trust, flow.world.cast.nla.oin
    begin_renewal(folder)
    ring.reload()
    assert (await ring.signing_key(trust, oin)).public == flow.world.cast.nla.signing.public
    made = next_folder(folder)
    assert made is not None
    coming = made.signing().public
    actor = flow.world.cast.nla
    flow.world.clock.move(seconds=1)
    admit(flow.world, actor, card_of(made, actor))
    trust.forget_card(oin)
    assert (await ring.signing_key(trust, oin)).public == coming
    begin_renewal(folder)
    ring.reload()
    admit(flow.world, actor, actor.card)  # a card of keys that this folder no longer has
    trust.forget_card(oin)
    with pytest.raises(Conflict, match="another signing key"):
        await ring.signing_key(trust, oin)


async def test_a_deposit_opens_after_its_sender_has_new_keys_and_the_epoch_is_former(
    world: World, tmp_path: Path
) -> None:
    sna, body = world.cast.sna, world.cast.body
    forget_epochs(world)
    office(world).announce("2026", MOMENTS["2026"], "the first")
    await world.certify(FIRM, recipient=body)
    assert (await world.push(world.deposit(FIRM))).decision.effect == PERMIT
    folder = key_folder(tmp_path / "sna", sna)
    begin_renewal(folder)
    made = next_folder(folder)
    assert made is not None
    world.clock.move(seconds=1)
    admit(world, sna, card_of(made, sna, world.clock.now))
    office(world).announce("zomer", None, "another has begun")
    world.clock.move(days=3)
    (hit,) = (await world.ask(FIRM)).hits
    with (
        both_evaluators(world, tmp_path) as evaluators,
        closing(Inbox(tmp_path / "inbox.sqlite")) as inbox,
        desk_of(world, evaluators, body, tmp_path / "body") as desk,
    ):
        receiver = Receiver(
            oin=body.oin,
            keys=desk.ring,
            connections=desk.connections,
            trust=desk.trust,
            inbox=inbox,
            bundle=bundle(),
        )
        (view,) = world.store.deliveries_at([hit.delivery.log_index])
        signal = await receiver.open(desk.connections.exchange._service._delivery(view))
    assert (signal.header.epoch, signal.fields["law"]) == ("2026", "WML")
