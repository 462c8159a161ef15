# SPDX-License-Identifier: EUPL-1.2
"""Senders, recipients, a broker, a clock, crashes and a network, played in one process on a real database.

What a party does may go wrong in three ways: the request does not arrive, the answer does not arrive, or the broker
dies before or after its commit. A party whose call failed asks again under the same key, as the kit does; whether it
ever had an answer is all that it knows. `Model` is what must then be true (design, G5-G10).
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, TypeVar
from uuid import UUID

from broker.app import make_broker
from broker.storage.open import open_store
from broker.storage.port import DeliveryView
from broker.storage.transaction import SqlTransaction
from sluis.envelope import Envelope, KeptField, open_envelope
from sluis.errors import SluisError, Unavailable
from sluis.followup import Act, FollowUp
from sluis.merkle import Hash, leaf_hash
from sluis.v1 import envelope_pb2, followup_pb2
from sluis.wire import envelope_from_wire, follow_up_from_wire
from tests.actors import Actor
from tests.retention_world import sweep
from tests.world import ORIGIN, World, bundle, open_world, pseudonym

A = TypeVar("A")
FIRMS = tuple(pseudonym(f"firm {number}") for number in range(3))


class Trouble(StrEnum):
    """What goes wrong with one call."""

    NONE = "none"
    REQUEST_LOST = "the request does not arrive"
    ANSWER_LOST = "the answer does not arrive"
    DIES_BEFORE = "the broker dies before its commit"
    DIES_AFTER = "the broker dies after its commit"


class Died(Exception):
    """The process is gone."""


@dataclass(slots=True)
class Sent:
    """A signal as its sender knows it."""

    envelope: Envelope
    sender: Actor
    recipient: Actor
    key: str
    permitted: bool
    index: int
    taken_back: bool = False  # recalled or replaced: it must not be delivered any more

    @property
    def signal_id(self) -> UUID:
        """Its id."""
        return self.envelope.header.signal_id


@dataclass(slots=True)
class Holder:
    """What a recipient keeps, and what it was told."""

    copies: dict[UUID, int] = field(default_factory=dict)  # times taken in, by signal
    gone: set[UUID] = field(default_factory=set)  # destroyed on demand
    told: set[UUID] = field(default_factory=set)  # follow-ups taken in


class Play:
    """One run. Everything a test does goes through `call`, with what goes wrong."""

    def __init__(self, folder: Path, template: Path) -> None:
        self._loop = asyncio.new_event_loop()
        self._stack = AsyncExitStack()
        self.world: World = self._run(self._stack.enter_async_context(open_world(folder, template)))
        self.sent: dict[UUID, Sent] = {}
        self.holders: dict[str, Holder] = {}
        self.seen: list[Hash] = []  # the log as it was when it was last looked at
        self.crashes = 0

    def close(self) -> None:
        """End everything."""
        self._run(self._stack.aclose())
        self._loop.close()

    def holder(self, actor: Actor) -> Holder:
        """What a party keeps."""
        return self.holders.setdefault(actor.oin, Holder())

    def call(self, trouble: Trouble, make: Callable[[], Awaitable[A]]) -> A:
        """Call until there is an answer; `make` must make the same request each time.

        Raises SluisError for what the broker refuses.
        """
        try:
            if trouble is Trouble.REQUEST_LOST:
                raise Died
            answer = self._once(trouble, make)
            if trouble is Trouble.ANSWER_LOST:
                raise Died
            return answer
        except (Died, Unavailable):
            return self._run(make())

    def _once(self, trouble: Trouble, make: Callable[[], Awaitable[A]]) -> A:
        if trouble not in (Trouble.DIES_BEFORE, Trouble.DIES_AFTER):
            return self._run(make())
        with dying(after=trouble is Trouble.DIES_AFTER), suppress(Unavailable):
            self._run(make())
        self.restart()
        raise Died

    def restart(self) -> None:
        """A new process on the same database."""
        self.crashes += 1
        world = self.world

        async def anew() -> None:
            await world.broker.desk.committer.close()
            world.store.close()
            world.store = open_store(f"sqlite:///{world.folder}/broker.db", now_ms=world.clock.ms)
            world.broker = make_broker(world.store, bundle(), world.receipt_key, ORIGIN, world.clock)
            world.broker.desk.committer.start()
            self._stack.push_async_callback(world.broker.desk.committer.close)
            self._stack.callback(world.store.close)

        self._run(anew())

    def _run(self, call: Awaitable[A]) -> A:
        return self._loop.run_until_complete(call)  # type: ignore[arg-type]  # any awaitable will do

    # what parties do

    def push(self, envelope: Envelope, trouble: Trouble) -> Sent:
        """Push a signal until it is answered."""
        parties = {actor.oin: actor for actor in self.world.cast.registered}
        key = self.world.key()
        answer = self.call(trouble, lambda: self.world.push(envelope, key=key))
        header = envelope.header
        sent = Sent(
            envelope=envelope,
            sender=parties[header.sender],
            recipient=parties[header.recipient],
            key=key,
            permitted=answer.decision.effect == envelope_pb2.EFFECT_PERMIT,
            index=answer.receipt.log_index,
        )
        self.sent[header.signal_id] = sent
        return sent

    def push_again(self, sent: Sent) -> bool:
        """Push it once more under its key; True when that was answered as a repetition."""
        return bool(self._run(self.world.push(sent.envelope, key=sent.key)).repeated_request)

    def take_in(self, actor: Actor, trouble: Trouble) -> list[DeliveryView]:
        """Read the mailbox, open what is new, acknowledge all of it."""
        waiting = self.world.waiting(actor)
        keeps = self.holder(actor)
        for view in waiting:
            envelope = self.opened(view, actor)
            if envelope.header.signal_id not in keeps.copies:
                keeps.copies[envelope.header.signal_id] = 1
        indexes = [view.log_index for view in waiting]
        self.call(trouble, lambda: self.world.broker.mailbox.acknowledge(actor.caller, indexes))
        return waiting

    def opened(self, view: DeliveryView, actor: Actor) -> Envelope:
        """A delivery that holds: signed by its sender, for this party, with nothing in it that was not released."""
        envelope = envelope_from_wire(envelope_pb2.Envelope.FromString(view.envelope))
        sender = next(one for one in self.world.cast.registered if one.oin == envelope.header.sender)
        opened = open_envelope(envelope, actor.sealing, sender.signing.public)
        kept = [item.name for item in envelope.fields if isinstance(item, KeptField)]
        assert [item.name for item in opened.fields] == kept
        return envelope

    def ask(self, firm: bytes, trouble: Trouble) -> int:
        """Ask about a firm, as the certification body; returns the number of hits."""
        key = self.world.key()
        return len(self.call(trouble, lambda: self.world.ask(firm, key=key)).hits)

    def say(
        self, act: Act, about: UUID, by: Actor, trouble: Trouble, **changes: Any
    ) -> followup_pb2.SendFollowUpResponse | SluisError:
        """Send a follow-up until it is answered; what the broker refuses is returned."""
        statement = self.world.statement(act.value, about, by, **changes)
        return self.send(statement, by, trouble)

    def send(
        self, statement: FollowUp, by: Actor, trouble: Trouble, signal: Envelope | None = None
    ) -> followup_pb2.SendFollowUpResponse | SluisError:
        """Send a statement until it is answered."""
        key = self.world.key()
        try:
            return self.call(trouble, lambda: self.world.send(statement, by, key, signal=signal))
        except SluisError as error:
            return error

    def hear(self, actor: Actor, trouble: Trouble) -> list[FollowUp]:
        """Read follow-ups, do what they ask with one's copies, answer, acknowledge."""
        deliveries = self._run(self.world.told(actor))
        keeps, heard = self.holder(actor), []
        for delivery in deliveries:
            statement = follow_up_from_wire(delivery.follow_up).statement
            heard.append(statement)
            copy = UUID(bytes=delivery.signal_id)
            if statement.act in (Act.RECALL, Act.RECTIFY, Act.CORRECT, Act.DESTROY):
                if statement.act in (Act.RECALL, Act.DESTROY):
                    keeps.gone.add(copy)
                if statement.follow_up_id not in keeps.told:
                    done = "DESTROYED" if copy in keeps.gone else "MARKED"
                    codes = {"done": done if copy in keeps.copies else "NOT_FOUND"}
                    self.say(Act.FULFIL, copy, actor, trouble, refers_to=statement.follow_up_id, codes=codes)
            keeps.told.add(statement.follow_up_id)
        indexes = [delivery.log_index for delivery in deliveries]
        self.call(trouble, lambda: self.world.broker.follow_up_mailbox.acknowledge(actor.caller, indexes))
        return heard

    def sweep(self) -> int:
        """Destroy what has ended; returns how many signals."""
        return self._run(sweep(self.world)).signals

    def register(self, *firms: bytes) -> None:
        """Load the register of certified firms in the domains of the foundation and of the certification body."""
        for recipient in (self.world.cast.sna, self.world.cast.body):
            self._run(self.world.certify(*firms, recipient=recipient, valid_until="2029-12-31"))

    def watch(self, firms: list[bytes], valid_until: str) -> bool:
        """Leave a watch list; True when it is in force."""
        answer = self._run(self.world.watch(*firms, valid_until=valid_until))
        return answer.decision.effect == envelope_pb2.EFFECT_PERMIT

    # what must be true

    def leaves(self) -> list[Hash]:
        """The leaf hashes of the log."""
        return [leaf_hash(entry) for entry in self.world.raw_entries()]


class dying:
    """A broker that dies at its next commit, before or after the database has it."""

    def __init__(self, *, after: bool) -> None:
        self._after = after
        self._commit = SqlTransaction.commit

    def __enter__(self) -> None:
        commit, after = self._commit, self._after

        def die(transaction: SqlTransaction) -> None:
            if after:
                commit(transaction)
            raise Unavailable("storage-unavailable", "the process died")

        SqlTransaction.commit = die  # type: ignore[method-assign]

    def __exit__(self, *_: object) -> None:
        SqlTransaction.commit = self._commit  # type: ignore[method-assign]
