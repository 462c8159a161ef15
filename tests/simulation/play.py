# SPDX-License-Identifier: EUPL-1.2
"""Senders, recipients, a broker, a clock, crashes and a network, played in one process on a real database.

Each act tells the model what it did and what it saw; what must then be true is the model's to say. The parties are
those of `tests/actors.py`. Signals are in `signals.py`, what is said of them afterwards and the world around them
here; epochs, evaluators and the certification body's kit in `epochs.py` and `matching.py`.
"""

from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any
from uuid import UUID

from broker.storage.port import PartyStatus
from sluis.cards import PartyCard
from sluis.envelope import Envelope
from sluis.errors import SluisError
from sluis.followup import Act, FollowUp
from sluis.signing import SigningKey
from sluis.v1 import followup_pb2
from sluis.wire import follow_up_from_wire
from tests.actors import Actor, authority
from tests.retention_world import sweep
from tests.simulation import model_follow_ups as after
from tests.simulation.model import AGREEMENT as STOPPED_AGREEMENT
from tests.simulation.model import WATCHING, Listed, Signal
from tests.simulation.process import expect
from tests.simulation.signals import DENY, FIRMS, PERMIT, Signals
from tests.simulation.trouble import Trouble
from tests.unit.match_samples import pseudonym_of
from tests.world import AGREEMENT

STOPS = {
    STOPPED_AGREEMENT: [("agreement", AGREEMENT)],
    WATCHING: [
        ("rule", f"watch-list-{days}-2026-0{day}") for days, day in (("until", "6-30"), ("from", "7-01"))
    ],
}


@dataclass(frozen=True, slots=True)
class Sent:
    """A follow-up as it was sent, and when it was answered."""

    statement: FollowUp
    by: Actor
    key: str
    signal: Envelope | None
    signing: SigningKey
    denied: bool
    at_ms: int


class Play(Signals):
    """One run."""

    def __init__(self, folder: Path, template: Path) -> None:
        super().__init__(folder, template)
        self.sent: list[Sent] = []

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
        old_key: bool = False,
    ) -> str:
        """Send a follow-up until it is answered, and see that the answer is what it must be."""
        keys = self.signing[by.oin]
        signing = keys[-2] if old_key and len(keys) > 1 else keys[-1]
        expected = after.answer_to(
            self.model, act, signal, by.oin, refers_to, current_key=signing is keys[-1]
        )
        changes: dict[str, Any] = {"codes": codes} if codes else {}
        changes |= {"refers_to": refers_to} if refers_to else {}
        statement = self.world.statement(act.value, signal.signal_id, by, **changes)
        told = expect(self.send(statement, by, trouble, signing=signing)[0], expected)
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
        self,
        statement: FollowUp,
        by: Actor,
        trouble: Trouble = Trouble.NONE,
        signal: Envelope | None = None,
        signing: SigningKey | None = None,
    ) -> tuple[str, followup_pb2.SendFollowUpResponse | None]:
        """Send a statement until it is answered: `sent` with the answer, `deny`, or the code of a refusal."""
        key, signing = self.world.key(), signing or self.signing[by.oin][-1]
        try:
            answer = self.call(
                trouble, lambda: self.world.send(statement, by, key, signing=signing, signal=signal)
            )
        except SluisError as error:
            return error.code, None
        denied = answer.decision.effect == DENY
        self.sent.append(Sent(statement, by, key, signal, signing, denied, self.model.now()))
        return ("deny", None) if denied else ("sent", answer)

    def send_again(self, sent: Sent) -> str:
        """Send a follow-up once more under its key: `repeated`, or the code of a refusal."""
        try:
            answer = self.run(
                self.world.send(sent.statement, sent.by, sent.key, signing=sent.signing, signal=sent.signal)
            )
        except SluisError as error:
            return error.code
        return "repeated" if answer.repeated_request else "sent"

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
        """Stop a party, the agreement, or the rule of watch lists."""
        if actor := self.actors.get(target):
            self._was_admitted(actor)
            self.world.operator.set_status(target, PartyStatus.STOPPED, "INCIDENT")
        for scope, name in STOPS.get(target, ()):
            self.world.operator.stop(scope, name, "INCIDENT")
        self.model.stopped.add(target)
        if actor:
            self._a_moment_later(actor)

    def resume(self, target: str) -> None:
        """Lift the stop."""
        if target in self.actors:
            self.world.operator.set_status(target, PartyStatus.ACTIVE, "SOLVED")
        for scope, name in STOPS.get(target, ()):
            self.world.operator.resume(scope, name, "SOLVED")
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

    def renew_keys(self, actor: Actor) -> None:
        """A party gets a new signing key; what is on its way under the old one gets its first answer, if it has one."""
        signing = SigningKey.generate()
        card = PartyCard.create(
            oin=actor.oin,
            name=actor.name,
            signing_key=signing.public,
            sealing_key=actor.sealing.public,
            created_at=self.world.clock(),
            certificate_chain=actor.card.certificate_chain,
            private_key=actor.tls,
        )
        self.world.operator.admit(card.encode(), actor.role, [authority().certificate])
        self.signing[actor.oin].append(signing)
        self.model.keys[actor.oin] = self.model.keys.get(actor.oin, 0) + 1
        self.world.broker.desk.directory._known.clear()
