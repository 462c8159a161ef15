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
from functools import partial
from typing import Protocol, TypeVar
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


class Indexed(Protocol):
    """What lies in a mailbox, in the order of the log."""

    @property
    def log_index(self) -> int: ...


M = TypeVar("M", bound=Indexed)


@dataclass(frozen=True, slots=True)
class Frames:
    """Reads a recipient's mailbox in frames, and goes on as long as its caller may."""

    desk: Desk
    doorbell: Doorbell
    stopping: Callable[[], bool]
    even_stopped: bool = False

    async def of(
        self, caller: Caller, read: Callable[[str, int, int], Sequence[M]], *, follow: bool
    ) -> AsyncIterator[tuple[Sequence[M], bool]]:
        """Yield frames of at most 20, with True when nothing more waits; `read` has recipient, after, limit.

        Ends after everything has been delivered unless `follow`. Raises what admission raises, also midway.
        """
        admit = partial(self.desk.directory.admit, caller, even_stopped=self.even_stopped)
        recipient = (await admit()).oin
        bell = self.doorbell.listen(recipient)
        after = -1
        try:
            while not self.stopping():
                bell.clear()
                rows = await asyncio.to_thread(read, recipient, after, FRAME)
                # Also while nothing comes: a stream ends soon after its party was stopped.
                caller.check_validity(self.desk.clock())
                await admit()
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
            self.doorbell.leave(recipient, bell)


class Mailbox:
    """Delivers and takes acknowledgements."""

    def __init__(self, desk: Desk, store: Store, doorbell: Doorbell, stopping: Callable[[], bool]) -> None:
        self._desk = desk
        self._store = store
        self._frames = Frames(desk, doorbell, stopping)

    def deliveries(
        self, caller: Caller, *, follow: bool
    ) -> AsyncIterator[tuple[Sequence[DeliveryView], bool]]:
        """Yield frames of at most 20 deliveries, with True when nothing more waits.

        Ends after the mailbox has been delivered unless `follow`. Raises what admission raises, also midway.
        """
        return self._frames.of(caller, self._store.mailbox, follow=follow)

    async def acknowledge(
        self, caller: Caller, log_indexes: Sequence[int]
    ) -> exchange_pb2.AcknowledgeResponse:
        """Confirm deliveries; each is logged behind its release. Repeating it is harmless."""
        indexes = distinct_indexes(log_indexes)
        recipient = await self._desk.directory.admit(caller)
        return await self._desk.committer.submit(_Acknowledge(recipient, indexes))


def distinct_indexes(log_indexes: Sequence[int]) -> tuple[int, ...]:
    """What is acknowledged, each once. Raises InvalidInput `batch-too-large`, `malformed-request`."""
    if len(log_indexes) > MAX_ACKNOWLEDGE:
        raise InvalidInput("batch-too-large", f"at most {MAX_ACKNOWLEDGE} acknowledgements at once")
    if any(index >= 1 << 62 for index in log_indexes):
        raise InvalidInput("malformed-request", where="log_indexes")
    return tuple(dict.fromkeys(log_indexes))


@dataclass(frozen=True, slots=True)
class _Acknowledge:
    recipient: Admitted
    log_indexes: tuple[int, ...]

    def needs(self) -> Needs:
        return Needs(parties=frozenset({self.recipient.oin}), deliveries=frozenset(self.log_indexes))

    def settle(self, step: Step) -> exchange_pb2.AcknowledgeResponse:
        admit(step, self.recipient)
        answer = exchange_pb2.AcknowledgeResponse()
        for log_index in self.log_indexes:
            row, done = step.delivery(log_index)
            if row is None or row.recipient != self.recipient.oin:
                answer.unknown.append(log_index)
                continue
            if row.ends_at_ms is not None and row.ends_at_ms <= step.now_ms:
                answer.ended.append(log_index)  # that it was received is logged all the same
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
