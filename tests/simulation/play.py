# SPDX-License-Identifier: EUPL-1.2
"""Senders, recipients, a broker, a clock, crashes and a network, played in one process on a real database.

What a party does may go wrong (`trouble.py`): it asks again under the same key, as the kit does, and whether it ever
had an answer is all that it knows. Each act tells the model what it did and what it saw; what must then be true is
the model's to say. The tests' parties are those of `tests/actors.py`; a firm has another pseudonym in each epoch.
Epochs, evaluators and the certification body's kit are in `epochs.py` and `matching.py`.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any, TypeVar
from uuid import UUID

from broker.app import make_broker
from broker.storage.open import open_store
from broker.storage.port import DeliveryView, PartyStatus
from sluis.envelope import Envelope, KeptField, open_envelope
from sluis.errors import SluisError, Unavailable
from sluis.followup import Act, FollowUp
from sluis.merkle import Hash
from sluis.v1 import envelope_pb2, followup_pb2
from sluis.wire import envelope_from_wire, follow_up_from_wire
from tests.actors import Actor
from tests.retention_world import sweep
from tests.simulation import model_follow_ups as after
from tests.simulation.model import AGREEMENT as STOPPED_AGREEMENT
from tests.simulation.model import FIELDS, Listed, Model, Signal
from tests.simulation.trouble import Died, Dying, Trouble
from tests.unit.match_samples import firms, pseudonym_of
from tests.world import AGREEMENT, CLAIMS, ORIGIN, VALUES, World, bundle, open_world

A = TypeVar("A")
FIRMS = {one.value: one for one in firms(3)}
SECRET = {"fine_amount": "27182.82"}  # a field that no rule of the agreement lets pass
PERMIT, DENY = envelope_pb2.EFFECT_PERMIT, envelope_pb2.EFFECT_DENY


def expect(told: str, expected: str) -> str:
    """An answer, which must be the one that the model expects."""
    assert told == expected, f"{told or 'done'!r} where {expected or 'done'!r} is due"
    return told


@dataclass(slots=True)
class Holder:
    """What a recipient keeps, and what it was told."""

    copies: dict[UUID, int] = field(default_factory=dict)  # times taken in, by signal
    told: set[tuple[UUID, UUID]] = field(default_factory=set)  # follow-ups done, with the copy
    unacknowledged: list[int] = field(default_factory=list)  # deliveries that it took in and did not confirm


class Play:
    """One run. Everything a test does goes through `call`, with what goes wrong."""

    def __init__(self, folder: Path, template: Path) -> None:
        self._loop = asyncio.new_event_loop()
        self._stack = AsyncExitStack()
        self.world: World = self.run(self._stack.enter_async_context(open_world(folder, template)))
        self.cast = self.world.cast
        self.actors = {actor.oin: actor for actor in self.cast.registered}
        self.model = Model(self.world.clock.ms, foundation=self.cast.sna.oin, body=self.cast.body.oin)
        self.envelopes: dict[UUID, Envelope] = {}
        self.keys: dict[UUID, str] = {}
        self.seen: list[Hash] = []  # the log as it was when it was last looked at
        self.holders: dict[str, Holder] = {}

    def close(self) -> None:
        """End everything."""
        self.run(self._stack.aclose())
        self.run(self._loop.shutdown_default_executor())
        self._loop.close()

    def holder(self, actor: Actor) -> Holder:
        """What a party keeps."""
        return self.holders.setdefault(actor.oin, Holder())

    def run(self, call: Awaitable[A]) -> A:
        """Wait for something."""
        return self._loop.run_until_complete(call)  # type: ignore[arg-type]  # any awaitable will do

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
            return self.run(make())

    def _once(self, trouble: Trouble, make: Callable[[], Awaitable[A]]) -> A:
        if trouble not in (Trouble.DIES_BEFORE, Trouble.DIES_AFTER):
            return self.run(make())
        with Dying(after=trouble is Trouble.DIES_AFTER), suppress(Unavailable):
            self.run(make())
        self.restart()
        raise Died

    def restart(self) -> None:
        """A new process on the same database."""
        world = self.world

        async def anew() -> None:
            await world.broker.desk.committer.close()
            world.store.close()
            world.store = open_store(f"sqlite:///{world.folder}/broker.db", now_ms=world.clock.ms)
            world.broker = make_broker(world.store, bundle(), world.receipt_key, ORIGIN, world.clock)
            world.broker.desk.committer.start()
            self._stack.push_async_callback(world.broker.desk.committer.close)
            self._stack.callback(world.store.close)

        self.run(anew())

    # signals

    def seal(self, firm: str, *, by: Actor, to: Actor, previous: UUID | None = None, **made: Any) -> Signal:
        """Seal a fine about a firm; what it is made of is what `Signal` has. The receiver's copy is kept apart."""
        now = self.world.clock.ms()
        values: dict[str, Any] = {"created_ms": now, "expires_ms": now + 365 * 86_400_000, **made}
        deposit = to is self.cast.body
        claims = {**CLAIMS, **({"severity": "4"} if made.get("severe") else {})}
        claims |= {"handling": "H5"} if made.get("investigation") else {}
        fields = {**VALUES, "establishment_number": firm, **(SECRET if made.get("extra") else {})}
        fields |= {"severity": "4"} if made.get("severe") else {}
        fields |= {"count": "2"} if previous and not deposit else {}
        make = self.world.deposit if deposit else self.world.envelope
        epoch = values.pop("epoch")
        envelope = make(
            pseudonym_of(FIRMS[firm], epoch),
            fields=fields,
            claims=claims,
            sender=by.oin,
            recipient=to.oin,
            epoch=epoch,
            created_at_ms=values["created_ms"],
            expires_at_ms=values["expires_ms"],
            previous=previous,
        )
        signal_id = envelope.header.signal_id
        self.envelopes[signal_id] = envelope
        return Signal(
            signal_id=signal_id,
            sender=by.oin,
            recipient=to.oin,
            firm=firm,
            epoch=epoch,
            deposit=deposit,
            previous=previous,
            **values,
        )

    def push(self, signal: Signal, trouble: Trouble = Trouble.NONE) -> str:
        """Push a signal until it is answered, and see that the answer is what it must be."""
        expected = self.model.offer(signal)
        key = self.world.key()
        envelope = self.envelopes[signal.signal_id]
        try:
            answer = self.call(trouble, lambda: self.world.push(envelope, key=key, strict=signal.strict))
        except SluisError as error:
            return expect(error.code, expected)
        told = expect("permit" if answer.decision.effect == PERMIT else "deny", expected)
        self.keys[signal.signal_id] = key
        self.model.accept(signal, told, answer.receipt.log_index)
        return told

    def push_again(self, signal: Signal) -> bool:
        """Push it once more under its key; True when that was answered as a repetition."""
        envelope, key = self.envelopes[signal.signal_id], self.keys[signal.signal_id]
        return bool(self.run(self.world.push(envelope, key=key, strict=signal.strict)).repeated_request)

    def read(self, actor: Actor) -> list[DeliveryView]:
        """Read the mailbox, open and keep what is new. Raises NotPermitted for a party that may not."""
        found: list[DeliveryView] = []

        async def read() -> None:
            async for rows, _ in self.world.broker.mailbox.deliveries(actor.caller, follow=False):
                found.extend(rows)

        self.run(read())
        keeps = self.holder(actor)
        for view in found:
            envelope = self.opened(view, actor)
            keeps.copies.setdefault(envelope.header.signal_id, 1)
        keeps.unacknowledged = sorted({*keeps.unacknowledged, *(view.log_index for view in found)})
        return found

    def acknowledge(self, actor: Actor, trouble: Trouble = Trouble.NONE) -> None:
        """Confirm what was read, however long ago."""
        keeps, model = self.holder(actor), self.model
        indexes = keeps.unacknowledged
        ended = [
            (index, signal) for signal in model.signals.values() for index in signal.waiting & set(indexes)
        ]
        answers = []

        async def acknowledge() -> None:
            answers.append(await self.world.broker.mailbox.acknowledge(actor.caller, indexes))

        self.call(trouble, acknowledge)
        now = self.world.clock.ms()
        assert set(answers[0].ended) >= {index for index, signal in ended if signal.until_ms <= now}
        assert not [index for answer in answers for index in answer.unknown]
        for index, signal in ended:
            signal.waiting.remove(index)
            model.log.append(("signal.acknowledge", "delivered"))
        keeps.unacknowledged = []

    def opened(self, view: DeliveryView, actor: Actor) -> Envelope:
        """A delivery that holds: signed by its sender, for this party, with nothing in it that may not move (G6)."""
        envelope = envelope_from_wire(envelope_pb2.Envelope.FromString(view.envelope))
        opened = open_envelope(envelope, actor.sealing, self.actors[envelope.header.sender].signing.public)
        kept = [item.name for item in envelope.fields if isinstance(item, KeptField)]
        assert [item.name for item in opened.fields] == kept
        assert FIELDS >= set(kept) == set(VALUES)
        return envelope

    # what is said afterwards

    def say(
        self,
        act: Act,
        signal: Signal,
        by: Actor,
        trouble: Trouble = Trouble.NONE,
        *,
        refers_to: UUID | None = None,
        codes: dict[str, str] | None = None,
    ) -> str:
        """Send a follow-up until it is answered, and see that the answer is what it must be."""
        expected = after.answer_to(self.model, act, signal, by.oin, refers_to)
        changes: dict[str, Any] = {"codes": codes} if codes else {}
        changes |= {"refers_to": refers_to} if refers_to else {}
        statement = self.world.statement(act.value, signal.signal_id, by, **changes)
        told = expect(self.send(statement, by, trouble)[0], expected)
        if told == "deny":
            self.model.log.append((f"followup.{act}", "refused"))
        elif told == "sent" and codes == {"outcome": "RECEIVED"}:
            after.interim(self.model, signal, statement.follow_up_id)
        elif told == "sent":
            after.said(self.model, act, signal, statement.follow_up_id, refers_to)
        return told

    def correct(self, first: Signal, trouble: Trouble = Trouble.NONE, **made: Any) -> Signal | None:
        """A sender puts the right signal in the place of a wrong one; returns it, if that was taken."""
        by = self.actors[first.sender]
        expected = after.answer_to(self.model, "correct", first, first.sender)
        right = self.seal(
            first.firm,
            by=by,
            to=self.actors[first.recipient],
            epoch=first.epoch,
            previous=first.signal_id,
            **made,
        )
        statement = self.world.statement("correct", first.signal_id, by, replacement=right.signal_id)
        told, answer = self.send(statement, by, trouble, self.envelopes[right.signal_id])
        expect(told, expected)
        if answer is None:
            return None
        after.said(self.model, "correct", first, statement.follow_up_id)
        after.replaced(self.model, first, right, answer.replacement_receipt.log_index)
        return right

    def send(
        self, statement: FollowUp, by: Actor, trouble: Trouble = Trouble.NONE, signal: Envelope | None = None
    ) -> tuple[str, followup_pb2.SendFollowUpResponse | None]:
        """Send a statement until it is answered: `sent` with the answer, `deny`, or the code of a refusal."""
        key = self.world.key()
        try:
            answer = self.call(trouble, lambda: self.world.send(statement, by, key, signal=signal))
        except SluisError as error:
            return error.code, None
        return ("deny", None) if answer.decision.effect == DENY else ("sent", answer)

    def hear(self, actor: Actor, trouble: Trouble = Trouble.NONE) -> list[FollowUp]:
        """Read follow-ups, do what they ask with one's copies, answer, acknowledge."""
        deliveries = self.run(self.world.told(actor))
        keeps, heard = self.holder(actor), []
        for delivery in deliveries:
            statement = follow_up_from_wire(delivery.follow_up).statement
            copy = UUID(bytes=delivery.signal_id)
            if statement.act in after.BINDING and (statement.follow_up_id, copy) not in keeps.told:
                self._fulfil(statement, copy, actor, trouble)
            keeps.told.add((statement.follow_up_id, copy))
            heard.append(statement)
        indexes = [delivery.log_index for delivery in deliveries]
        self.call(trouble, lambda: self.world.broker.follow_up_mailbox.acknowledge(actor.caller, indexes))
        self.model.told[actor.oin] = []
        self.model.log += [("followup.acknowledge", "delivered")] * len(indexes)
        return heard

    def _fulfil(self, statement: FollowUp, copy: UUID, actor: Actor, trouble: Trouble) -> None:
        keeps, model = self.holder(actor), self.model
        if copy in keeps.copies and statement.act in (Act.RECALL, Act.DESTROY):
            keeps.copies[copy] = 0
        done = {None: "NOT_FOUND", 0: "DESTROYED", 1: "MARKED"}[keeps.copies.get(copy)]
        told = self.world.statement(
            "fulfil",
            copy,
            actor,
            refers_to=statement.follow_up_id,
            codes={"done": done},
        )
        assert self.send(told, actor, trouble)[0] == "sent"
        duties = after.owed(model, "fulfil", model.signals[copy])
        (duty,) = [duty for duty in duties if duty.follow_up == statement.follow_up_id]
        after.fulfilled(model, duty, told.follow_up_id, statement.signal_id)

    # the world around them

    def new_entries(self) -> list[dict[str, Any]]:
        """What came into the log since it was last looked at, with its place."""
        start = len(self.seen)
        return [{"index": start + place, **entry} for place, entry in enumerate(self.world.entries(start))]

    def sweep(self) -> None:
        """Destroy what has ended, by a clock that is to be believed."""
        start, ended = self.world.size, self.model.sweep()
        assert self.run(sweep(self.world)).signals == len(ended)
        asked = {
            entry["exchange"]: UUID(entry["follow_up"])
            for entry in self.world.entries(start)
            if entry["operation"] == "followup.destroy"
        }
        for signal in ended:
            if signal.released and "recall" not in signal.said:
                after.destroyed(self.model, signal, asked[str(signal.signal_id)])

    def register(self, *listed: str, epoch: str, to: Actor, last_day: str = "2029-12-31") -> str:
        """Load the foundation's register in a domain; returns what it was refused with."""
        model, sna = self.model, self.cast.sna
        expected = model.caller(sna.oin) or model.questions(epoch)
        expected = expected or ("deny" if {STOPPED_AGREEMENT, to.oin} & model.stopped else "")
        pseudonyms = [pseudonym_of(FIRMS[firm], epoch) for firm in listed]
        try:
            answer = self.run(
                self.world.certify(*pseudonyms, recipient=to, epoch=epoch, valid_until=last_day)
            )
            told = "" if answer.decision.effect == PERMIT else "deny"
        except SluisError as error:
            told = error.code
        if not expect(told, expected):
            days = dict.fromkeys(listed, date.fromisoformat(last_day))
            model.registers[to.oin, epoch] = Listed(last_days=days, loaded_ms=model.now())
        return told

    def stop(self, target: str) -> None:
        """Stop a party, or the agreement."""
        if target in self.actors:
            self._was_admitted(self.actors[target])
        if target == STOPPED_AGREEMENT:
            self.world.operator.stop("agreement", AGREEMENT, "INCIDENT")
        else:
            self.world.operator.set_status(target, PartyStatus.STOPPED, "INCIDENT")
        self.model.stopped.add(target)
        if target in self.actors:
            self._a_moment_later(self.actors[target])

    def resume(self, target: str) -> None:
        """Lift the stop."""
        if target == STOPPED_AGREEMENT:
            self.world.operator.resume("agreement", AGREEMENT, "SOLVED")
        else:
            self.world.operator.set_status(target, PartyStatus.ACTIVE, "SOLVED")
        self.model.stopped.remove(target)
        self.world.broker.desk.directory._known.clear()

    def _was_admitted(self, actor: Actor) -> None:
        """Let the broker have just admitted a party."""
        if not self.model.caller(actor.oin):
            self.run(self.world.broker.desk.directory.admit(actor.caller))

    def _a_moment_later(self, actor: Actor) -> None:
        """G11: a stop counts from its commit, also for who was admitted just before; then a second goes by."""
        to = self.cast.sna if actor is self.cast.nla else self.cast.body
        if actor in (self.cast.nla, self.cast.sna):
            self.push(self.seal(next(iter(FIRMS)), by=actor, to=to, epoch=next(iter(self.model.ages))))
        self.world.broker.desk.directory._known.clear()

    def revoke(self, actor: Actor) -> None:
        """Stop a party's certificate: nothing of it is heard any more, not even what it owes."""
        self._was_admitted(actor)
        self.world.operator.stop("certificate", actor.caller.fingerprint, "STOLEN")
        self.model.revoked.add(actor.oin)
        self._a_moment_later(actor)

    def reinstate(self, actor: Actor) -> None:
        """Lift that stop."""
        self.world.operator.resume("certificate", actor.caller.fingerprint, "FOUND")
        self.model.revoked.remove(actor.oin)
        self.world.broker.desk.directory._known.clear()
