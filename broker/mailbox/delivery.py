# SPDX-License-Identifier: EUPL-1.2
"""Delivery, at least once, until acknowledged.

A mailbox is the recipient's unacknowledged releases in log order. A stream reads it from the start, so what a
broken connection lost comes again; the recipient's kit drops what it has already. New releases wake the
streams of this process at once; those of another replica are found by a poll.
"""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from uuid import UUID

from broker.admission import Admitted, admit
from broker.exchange import Desk
from broker.step import Needs, Step
from broker.storage.port import DeliveryView, Store
from sluis.errors import InvalidInput
from sluis.rpc.caller import Caller
from sluis.v1 import exchange_pb2

FRAME = 20
MAX_ACKNOWLEDGE = 1000
POLL_SECONDS = 1.0


class Doorbell:
    """Wakes the streams of recipients for whom something arrived."""

    def __init__(self) -> None:
        self._events: dict[str, set[asyncio.Event]] = defaultdict(set)

    def ring(self, recipients: set[str]) -> None:
        """Wake the streams of these recipients; call on the event loop."""
        for recipient in recipients:
            for event in self._events.get(recipient, ()):
                event.set()

    def ring_all(self) -> None:
        """Wake every stream, for a stop of the server."""
        self.ring(set(self._events))

    def listen(self, recipient: str) -> asyncio.Event:
        """Register an event that rings for a recipient."""
        event = asyncio.Event()
        self._events[recipient].add(event)
        return event

    def leave(self, recipient: str, event: asyncio.Event) -> None:
        """Forget an event."""
        self._events[recipient].discard(event)
        if not self._events[recipient]:
            del self._events[recipient]


class Mailbox:
    """Delivers and takes acknowledgements."""

    def __init__(self, desk: Desk, store: Store, doorbell: Doorbell, stopping: Callable[[], bool]) -> None:
        self._desk = desk
        self._store = store
        self._doorbell = doorbell
        self._stopping = stopping

    async def deliveries(
        self, caller: Caller, *, follow: bool
    ) -> AsyncIterator[tuple[Sequence[DeliveryView], bool]]:
        """Yield frames of at most 20 deliveries, with True when nothing more waits.

        Ends after the mailbox has been delivered unless `follow`. Raises what admission raises, also midway.
        """
        recipient = (await self._desk.directory.admit(caller)).oin
        bell = self._doorbell.listen(recipient)
        after = -1
        try:
            while not self._stopping():
                bell.clear()
                rows = await asyncio.to_thread(self._store.mailbox, recipient, after, FRAME)
                # Also while nothing comes: a stream ends soon after its party was stopped.
                caller.check_validity(self._desk.clock())
                await self._desk.directory.admit(caller)
                if rows or not follow:
                    after = rows[-1].log_index if rows else after
                    yield rows, len(rows) < FRAME
                if len(rows) == FRAME:
                    continue
                if not follow:
                    return
                try:
                    async with asyncio.timeout(POLL_SECONDS):
                        await bell.wait()
                except TimeoutError:
                    continue
        finally:
            self._doorbell.leave(recipient, bell)

    async def acknowledge(
        self, caller: Caller, log_indexes: Sequence[int]
    ) -> exchange_pb2.AcknowledgeResponse:
        """Confirm deliveries; each is logged behind its release. Repeating it is harmless."""
        if len(log_indexes) > MAX_ACKNOWLEDGE:
            raise InvalidInput("batch-too-large", f"at most {MAX_ACKNOWLEDGE} acknowledgements at once")
        if any(index >= 1 << 62 for index in log_indexes):
            raise InvalidInput("malformed-request", where="log_indexes")
        recipient = await self._desk.directory.admit(caller)
        return await self._desk.committer.submit(_Acknowledge(recipient, tuple(dict.fromkeys(log_indexes))))


@dataclass(frozen=True, slots=True)
class _Acknowledge:
    recipient: Admitted
    log_indexes: tuple[int, ...]

    def needs(self) -> Needs:
        return Needs(parties=frozenset({self.recipient.oin}), deliveries=frozenset(self.log_indexes))

    def settle(self, step: Step) -> exchange_pb2.AcknowledgeResponse:
        admit(step, self.recipient)
        answer = exchange_pb2.AcknowledgeResponse()
        ended = self._ended(step)
        for log_index in self.log_indexes:
            row, done = step.delivery(log_index)
            if row is None or row.recipient != self.recipient.oin:
                answer.unknown.append(log_index)
                continue
            if row.signal_id in ended:
                answer.ended.append(log_index)
            if done:
                answer.already += 1
            else:
                logged = step.log(
                    {
                        "operation": "signal.acknowledge",
                        "recipient": self.recipient.oin,
                        "exchange": str(UUID(bytes=row.signal_id)),
                        "previous": log_index,
                        "outcome": "delivered",
                    }
                )
                step.acknowledge(log_index, logged.index)
                answer.acknowledged += 1
        return answer

    def _ended(self, step: Step) -> frozenset[bytes]:
        """Signals past their end, destroyed here or not yet. That they were received is logged all the same."""
        asked = {row.signal_id for index in self.log_indexes if (row := step.delivery(index)[0]) is not None}
        found = step.tx.retention.signals(asked)
        return frozenset(signal.signal_id for signal in found if signal.retain_until_ms <= step.now_ms)
