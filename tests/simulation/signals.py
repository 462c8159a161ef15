# SPDX-License-Identifier: EUPL-1.2
"""Signals in the play: sealed, pushed, delivered, confirmed. A firm has another pseudonym in each epoch."""

from pathlib import Path
from typing import Any
from uuid import UUID

from broker.storage.port import DeliveryView
from sluis.envelope import Envelope, KeptField, open_envelope
from sluis.errors import SluisError
from sluis.signing import SigningKey, VerifyKey
from sluis.v1 import envelope_pb2, exchange_pb2
from sluis.wire import envelope_from_wire, envelope_to_wire
from tests.actors import Actor
from tests.simulation.model import DAY, FIELDS, Signal
from tests.simulation.process import Process, expect
from tests.simulation.trouble import Trouble
from tests.unit.match_samples import firms, pseudonym_of
from tests.world import CLAIMS, VALUES

FIRMS = {one.value: one for one in firms(3)}
SECRET = {"fine_amount": "27182.82"}  # a field that no rule of the agreement lets pass
PERMIT, DENY = envelope_pb2.EFFECT_PERMIT, envelope_pb2.EFFECT_DENY


class Signals(Process):
    """What senders and recipients do with signals; the model hears of each answer."""

    def __init__(self, folder: Path, template: Path) -> None:
        super().__init__(folder, template)
        self.envelopes: dict[UUID, Envelope] = {}
        self.signers: dict[UUID, VerifyKey] = {}
        self.keys: dict[UUID, str] = {}
        self.signing: dict[str, list[SigningKey]] = {
            actor.oin: [actor.signing] for actor in self.cast.registered
        }

    def seal(self, firm: str, *, by: Actor, to: Actor, previous: UUID | None = None, **made: Any) -> Signal:
        """Seal a fine about a firm; what it is made of is what `Signal` has. The receiver's copy is kept apart."""
        now = self.world.clock.ms()
        values: dict[str, Any] = {"created_ms": now, "expires_ms": now + 365 * DAY, **made}
        keys = self.signing[by.oin]
        values["key"] = len(keys) - 2 if values.pop("old_key", False) and len(keys) > 1 else len(keys) - 1
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
            signing=keys[values["key"]],
        )
        signal_id = envelope.header.signal_id
        self.envelopes[signal_id] = envelope
        self.signers[signal_id] = keys[values["key"]].public
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
        push = self._in_one_frame if trouble is Trouble.TWICE else self.world.push
        try:
            answer = self.call(
                Trouble.NONE if trouble is Trouble.TWICE else trouble,
                lambda: push(envelope, key=key, strict=signal.strict),
            )
        except SluisError as error:
            return expect(error.code, expected)
        told = expect("permit" if answer.decision.effect == PERMIT else "deny", expected)
        self.keys[signal.signal_id] = key
        self.model.accept(signal, told, answer.receipt.log_index)
        return told

    async def _in_one_frame(self, envelope: Envelope, *, key: str, strict: bool) -> exchange_pb2.PushResponse:
        """The same push twice in one frame, so in one transaction: one effect, and the same answer."""
        request = exchange_pb2.PushRequest(
            idempotency_key=key, envelope=envelope_to_wire(envelope), strict=strict
        )
        caller = self.actors[envelope.header.sender].caller
        first, second = await self.world.broker.exchange.push_all(caller, [request, request])
        if isinstance(first, SluisError):
            assert isinstance(second, SluisError)
            raise first
        assert not isinstance(second, SluisError)
        assert (first.repeated_request, second.repeated_request) == (False, True)
        assert first.receipt == second.receipt
        return first

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
        opened = open_envelope(envelope, actor.sealing, self.signers[envelope.header.signal_id])
        kept = [item.name for item in envelope.fields if isinstance(item, KeptField)]
        assert [item.name for item in opened.fields] == kept
        assert FIELDS >= set(kept) == set(VALUES)
        return envelope
