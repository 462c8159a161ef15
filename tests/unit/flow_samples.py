# SPDX-License-Identifier: EUPL-1.2
"""Two kits with key folders of their own, and what goes from one to the other while keys change."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from sluis.cards import PartyCard
from sluis.certificates import certificate_pem
from sluis.client import sender as sender_module
from sluis.client.inbox import Inbox
from sluis.client.keyring import KeyRing
from sluis.client.outbox import Outbox
from sluis.client.receiver import ReceivedSignal, Receiver, ReceiveReport
from sluis.client.sender import Draft, PushOutcome, Sender
from sluis.envelope import Suite
from sluis.errors import SluisError
from sluis.key_renewal import (
    begin_renewal,
    next_folder,
)
from sluis.keys import ROOTS, TLS_CERTIFICATE, KeyFolder, private_key_pem, write_new
from sluis.v1 import exchange_pb2
from tests.actors import START, Actor, authority
from tests.unit.epoch_samples import (
    Desk,
    Evaluators,
    both_evaluators,
    desk_of,
    firm,
    forget_epochs,
    office,
)
from tests.unit.test_sender import FIELDS, GOOD, Line
from tests.world import AGREEMENT, DAY_MS, KIND, PURPOSE, FakeContext, World, bundle

ROOT = [authority().certificate]


def code(act: Callable[[], object]) -> str:
    """The code of a refusal."""
    with pytest.raises(SluisError) as caught:
        act()
    return caught.value.code


async def refused(call: Any) -> str:
    """The code of a refused call."""
    with pytest.raises(SluisError) as caught:
        await call
    return caught.value.code


def key_folder(path: Path, actor: Actor) -> KeyFolder:
    """A key folder that holds an actor's keys."""
    folder = KeyFolder.create(path, name=actor.name, oin=actor.oin)
    for name, secret in (
        ("signing.key", actor.signing.to_bytes()),
        ("sealing.key", actor.sealing.to_bytes()),
    ):
        (path / name).write_text(secret.hex() + "\n")
    (path / "tls.key").write_bytes(private_key_pem(actor.tls))
    write_new(path / TLS_CERTIFICATE, actor.pem, mode=0o644)
    write_new(path / ROOTS, certificate_pem(authority().certificate), mode=0o644)
    return folder


def card_of(folder: KeyFolder, actor: Actor, at: datetime = START) -> PartyCard:
    """The card of the keys in a folder, under the actor's certificate."""
    return PartyCard.create(
        oin=actor.oin,
        name=actor.name,
        signing_key=folder.signing().public,
        sealing_key=folder.sealing().public,
        created_at=at,
        certificate_chain=actor.card.certificate_chain,
        private_key=actor.tls,
    )


def admit(world: World, actor: Actor, card: PartyCard) -> None:
    """Let the operator admit a card, and the broker forget the one that it remembers for a second."""
    world.operator.admit(card.encode(), actor.role, ROOT)
    world.broker.desk.directory._known.clear()


@pytest.fixture
async def year_evaluators(world: World, tmp_path: Path) -> AsyncIterator[Evaluators]:
    """Evaluators with keys of the year of today, which is announced; the kits' clock is the world's."""
    forget_epochs(world)
    world.clock.now = datetime.now(UTC)
    with both_evaluators(world, tmp_path) as made:
        year = str(world.clock.now.year)
        await made.publish(year)
        office(world).announce(year, datetime(world.clock.now.year, 1, 1, tzinfo=UTC), "the first")
        yield made


class Flow:
    """From the inspectorate's kit to the foundation's, with key folders of their own."""

    def __init__(self, world: World, sender: Desk, recipient: Desk, folder: Path) -> None:
        self.world = world
        self.desks = {"sender": sender, "recipient": recipient}
        exchange = sender.connections.exchange._service
        self.line = Line(exchange, sender.actor)
        sender.connections.exchange = self.line
        self.outbox = Outbox(folder / "outbox.sqlite", bytes(range(32)))
        self.inbox = Inbox(folder / "inbox.sqlite")
        self.sender = Sender(
            oin=sender.actor.oin,
            agreement=AGREEMENT,
            keys=sender.ring,
            connections=sender.connections,
            trust=sender.trust,
            pseudonymiser=sender.pseudonymiser,
            outbox=self.outbox,
            bundle=bundle(),
            suite=Suite.X25519,
        )
        self.receiver = Receiver(
            oin=recipient.actor.oin,
            keys=recipient.ring,
            connections=recipient.connections,
            trust=recipient.trust,
            inbox=self.inbox,
            bundle=bundle(),
        )
        self.kept: list[ReceivedSignal] = []

    async def certify(self) -> None:
        """Load the register of all firms in the current epoch."""
        desk = self.desks["sender"]
        sna = self.world.cast.sna.oin
        desk.pseudonymiser.forget_epochs()
        epoch = await desk.pseudonymiser.current_epoch(AGREEMENT, sna)
        firms = [firm(number) for number in range(10)]
        subjects = await desk.pseudonymiser.pseudonyms(firms, AGREEMENT, sna, epoch)
        await self.world.certify(*subjects, epoch=epoch, valid_from="2020-01-01", valid_until="")

    def draft(self, number: int) -> Draft:
        """A fine about a firm."""
        return Draft(
            identity=f"fine {number}".encode(),
            recipient=self.world.cast.sna.oin,
            subject=firm(number),
            kind=KIND,
            purpose=PURPOSE,
            fields=FIELDS,
            claims=GOOD,
            expires_at_ms=self.world.clock.ms() + 100 * DAY_MS,
        )

    async def push(self, *numbers: int) -> list[PushOutcome]:
        """Push fines."""
        return await self.sender.push([self.draft(number) for number in numbers])

    async def receive(self) -> list[str]:
        """Take everything that waits; returns the codes of what was refused."""
        service = self.desks["recipient"].connections.exchange._service
        request = exchange_pb2.ReceiveRequest(follow=False)
        frames = service.Receive(request, FakeContext(self.world.cast.sna))
        deliveries = [delivery async for frame in frames for delivery in frame.deliveries]

        async def keep(signals: Sequence[ReceivedSignal]) -> None:
            self.kept.extend(signals)

        report = ReceiveReport(refused=[])
        await self.receiver.take(deliveries, keep, report)
        return [one.code for one in report.refused or []]

    def renew(self, which: str) -> None:
        """Make next keys, and have their card admitted."""
        actor = self.desks[which].actor
        folder = self.folder(which)
        begin_renewal(folder)
        made = next_folder(folder)
        assert made is not None
        self.world.clock.move(seconds=1)
        admit(self.world, actor, card_of(made, actor, self.world.clock.now.replace(microsecond=0)))

    def folder(self, which: str) -> KeyFolder:
        """A party's key folder."""
        folder = self.desks[which].ring._folder
        assert folder is not None
        return folder

    def forget_cards(self) -> None:
        """Let five minutes pass: kits know a card no longer than that."""
        for desk in self.desks.values():
            for actor in self.world.cast.registered:
                desk.trust.forget_card(actor.oin)


@pytest.fixture
async def flow(
    world: World, year_evaluators: Evaluators, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Flow]:
    """Both kits, with the register loaded."""
    monkeypatch.setattr(sender_module, "FRAME", 2)
    nla, sna = world.cast.nla, world.cast.sna
    rings = [KeyRing.load(key_folder(tmp_path / actor.oin, actor)) for actor in (nla, sna)]
    with (
        desk_of(world, year_evaluators, nla, tmp_path / "nla", rings[0]) as sender,
        desk_of(world, year_evaluators, sna, tmp_path / "sna", rings[1]) as recipient,
    ):
        made = Flow(world, sender, recipient, tmp_path)
        await made.certify()
        with closing(made.outbox), closing(made.inbox):
            yield made


def permitted(outcomes: Sequence[PushOutcome]) -> list[bool]:
    """Which of them passed."""
    return [outcome.permitted for outcome in outcomes]
