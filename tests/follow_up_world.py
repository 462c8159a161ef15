# SPDX-License-Identifier: EUPL-1.2
"""Follow-ups in the small world of `tests/world.py`: what its parties say of signals, and what they owe."""

from typing import Any
from uuid import UUID

from broker.app import Broker
from sluis.envelope import Envelope
from sluis.followup import Act, FollowUp, SignedFollowUp
from sluis.header import new_uuid7
from sluis.signing import SigningKey
from sluis.v1 import followup_pb2
from sluis.wire import envelope_to_wire, follow_up_to_wire
from tests.actors import Actor

CODES = {
    "ask": {"question": "STILL_CURRENT"},
    "answer": {"answer": "YES"},
    "feedback": {"outcome": "CONFIRMED"},
    "correct": {"reason": "WRONG_CONTENT"},
    "rectify": {"reason": "FINE_WITHDRAWN"},
    "recall": {"reason": "WRONG_SUBJECT"},
    "fulfil": {"done": "DESTROYED"},
    "attend": {"function": "inspector"},
}


class FollowUpWorld:
    """The part of a world that is about follow-ups."""

    __slots__ = ()
    broker: Broker
    clock: Any

    def key(self) -> str:
        """A new idempotency key."""
        raise NotImplementedError

    def statement(self, act: str, about: UUID, by: Actor, **changes: Any) -> FollowUp:
        """What a party says of a signal."""
        now_ms = self.clock.ms()
        values: dict[str, Any] = {
            "follow_up_id": new_uuid7(now_ms),
            "act": Act(act),
            "signal_id": about,
            "author": by.oin,
            "created_at_ms": now_ms,
            "codes": CODES.get(act, {}),
        }
        return FollowUp(**{**values, **changes})

    async def follow_up(
        self,
        act: str,
        about: UUID,
        by: Actor,
        *,
        key: str = "",
        signing: SigningKey | None = None,
        caller: Actor | None = None,
        signal: Envelope | None = None,
        **changes: Any,
    ) -> followup_pb2.SendFollowUpResponse:
        """Send a follow-up as `by`."""
        return await self.send(self.statement(act, about, by, **changes), by, key, signing, caller, signal)

    async def send(
        self,
        statement: FollowUp,
        by: Actor,
        key: str = "",
        signing: SigningKey | None = None,
        caller: Actor | None = None,
        signal: Envelope | None = None,
    ) -> followup_pb2.SendFollowUpResponse:
        """Send a statement."""
        request = followup_pb2.SendFollowUpRequest(
            idempotency_key=key or self.key(),
            follow_up=follow_up_to_wire(SignedFollowUp.sign(signing or by.signing, statement)),
            replacement=envelope_to_wire(signal) if signal else None,
        )
        return await self.broker.follow_ups.send((caller or by).caller, request)

    async def told(self, actor: Actor) -> list[followup_pb2.FollowUpDelivery]:
        """The follow-ups that wait for a party."""
        found: list[followup_pb2.FollowUpDelivery] = []
        async for rows, _ in self.broker.follow_up_mailbox.deliveries(actor.caller, follow=False):
            found.extend(rows)
        return found

    async def duties(self, actor: Actor, *, overdue: bool = False) -> list[followup_pb2.Duty]:
        """What a party owes or is owed."""
        request = followup_pb2.ListDutiesRequest(overdue_only=overdue)
        return list((await self.broker.follow_up_mailbox.duties(actor.caller, request)).duties)
