# SPDX-License-Identifier: EUPL-1.2
"""Delivering follow-ups to whom they are for, and listing who still owes what.

As with signals: oldest first, at least once, until acknowledged. A participant that was stopped is served too, since
a recall must reach it.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from uuid import UUID

from broker.admission import Admitted, admit
from broker.exchange import Desk
from broker.mailbox.delivery import Doorbell, Frames, distinct_indexes
from broker.step import Needs, Step
from broker.storage.follow_up_port import Duty, FollowUpView
from broker.storage.port import Store
from sluis.errors import InvalidInput
from sluis.followup import BINDING, FollowUp
from sluis.merkle import Hash
from sluis.rpc.caller import Caller
from sluis.v1 import directory_pb2, followup_pb2

MAX_PAGE = 1000
PAGE = 100


class FollowUpMailbox:
    """Delivers follow-ups, takes acknowledgements, lists duties."""

    def __init__(self, desk: Desk, store: Store, doorbell: Doorbell, stopping: Callable[[], bool]) -> None:
        self._desk = desk
        self._store = store
        self._frames = Frames(desk, doorbell, stopping, even_stopped=True)

    def deliveries(
        self, caller: Caller, *, follow: bool
    ) -> AsyncIterator[tuple[Sequence[followup_pb2.FollowUpDelivery], bool]]:
        """Yield frames of at most 20 deliveries, with True when nothing more waits.

        Ends after everything has been delivered unless `follow`. Raises what admission raises, also midway.
        """
        return self._frames.of(caller, self._read, follow=follow)

    def _read(self, recipient: str, after: int, limit: int) -> list[followup_pb2.FollowUpDelivery]:
        return [self._message(view) for view in self._store.follow_ups.mailbox(recipient, after, limit)]

    def _message(self, view: FollowUpView) -> followup_pb2.FollowUpDelivery:
        message = followup_pb2.FollowUpDelivery(
            log_index=view.log_index,
            follow_up=followup_pb2.SignedFollowUp(statement=view.statement, signature=view.signature),
            entry=view.entry,
            receipt=self._desk.signer.receipt(view.log_index, Hash(view.leaf_hash)),
            signal_id=view.signal_id,
        )
        if view.signal_id != view.about and FollowUp.decode(view.statement).act in BINDING:
            message.links.extend(
                directory_pb2.LoggedEntry(entry=entry, receipt=self._desk.signer.receipt(index, leaf))
                for index, entry, leaf in self._store.follow_ups.chain(view.signal_id, view.about)
            )
        return message

    async def acknowledge(
        self, caller: Caller, log_indexes: Sequence[int]
    ) -> followup_pb2.AcknowledgeFollowUpsResponse:
        """Confirm deliveries; each is logged behind what it confirms. Repeating it is harmless."""
        indexes = distinct_indexes(log_indexes)
        recipient = await self._desk.directory.admit(caller, even_stopped=True)
        return await self._desk.committer.submit(_Acknowledge(recipient, indexes))

    async def duties(
        self, caller: Caller, request: followup_pb2.ListDutiesRequest
    ) -> followup_pb2.ListDutiesResponse:
        """List what the caller owes, and what it is owed, soonest first."""
        if not 0 <= request.page_size <= MAX_PAGE:
            raise InvalidInput("malformed-request", f"at most {MAX_PAGE} a page", where="page_size")
        limit = request.page_size or PAGE
        party = (await self._desk.directory.admit(caller, even_stopped=True)).oin
        now_ms = int(self._desk.clock().timestamp() * 1000)
        rows = await asyncio.to_thread(
            self._store.follow_ups.duties,
            party,
            due_before=now_ms if request.overdue_only else None,
            after=_read_token(request.page_token),
            limit=limit,
        )
        token = f"{rows[-1][1].due_at_ms}.{rows[-1][0]}" if len(rows) == limit else ""
        return followup_pb2.ListDutiesResponse(
            duties=[_duty_message(duty, now_ms) for _, duty in rows], next_page_token=token
        )


def _read_token(token: str) -> tuple[int, int]:
    if not token:
        return (-1, -1)
    due_at, _, number = token.partition(".")
    if not (due_at.isdecimal() and number.isdecimal() and len(token) <= 40 and token.isascii()):
        raise InvalidInput("malformed-request", where="page_token")
    return (int(due_at), int(number))


def _duty_message(duty: Duty, now_ms: int) -> followup_pb2.Duty:
    return followup_pb2.Duty(
        log_index=duty.log_index,
        act=duty.act,
        debtor_oin=duty.debtor,
        creditor_oin=duty.creditor,
        signal_id=duty.signal_id,
        follow_up_id=duty.follow_up_id or b"",
        due_at_ms=duty.due_at_ms,
        overdue=duty.due_at_ms < now_ms,
    )


@dataclass(frozen=True, slots=True)
class _Acknowledge:
    recipient: Admitted
    log_indexes: tuple[int, ...]

    def needs(self) -> Needs:
        return Needs(parties=frozenset({self.recipient.oin}), alone=True)

    def settle(self, step: Step) -> followup_pb2.AcknowledgeFollowUpsResponse:
        admit(step, self.recipient, even_stopped=True)
        answer = followup_pb2.AcknowledgeFollowUpsResponse()
        rows = step.tx.waiting(self.log_indexes)
        for log_index in self.log_indexes:
            row = rows.get(log_index)
            if row is None or row.recipient != self.recipient.oin:
                answer.unknown.append(log_index)
            elif row.acknowledged_index is not None:
                answer.already += 1
            else:
                entry = json.loads(step.tx.log_entry(log_index))
                logged = step.log(
                    {
                        "operation": "followup.acknowledge",
                        "recipient": self.recipient.oin,
                        "exchange": entry["exchange"],
                        "previous": log_index,
                        "follow_up": str(UUID(bytes=row.follow_up_id)),
                        "outcome": "delivered",
                    }
                )
                step.acknowledge_follow_up(log_index, logged.index)
                answer.acknowledged += 1
        return answer
