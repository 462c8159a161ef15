# SPDX-License-Identifier: EUPL-1.2
"""Group commit: one writer thread per process, one transaction for all that has queued.

    handler ──submit(work)──▶ queue ──▶ batch ──▶ begin · read · settle each · commit ──▶ answers

Each piece of work says what it `needs` to read, so that a batch reads once, and then settles: it decides
and writes through a `Step`. Nobody is answered before the commit returned. A work that raises a SluisError
before it wrote anything fails alone; any other exception undoes the batch, and its members are tried one
by one, so that one bad message never takes its neighbours with it. A work that must see what earlier ones wrote
(`Needs.alone`) has a transaction of its own. A frame's works are handed over together: one place in the queue and
one answer cost less than one for each.
"""

import asyncio
import queue
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Generic, Protocol, TypeVar, cast

import structlog

from broker.step import Needs, Step
from broker.storage.port import Store, Transaction
from sluis.errors import Defect, SluisError, Unavailable

A = TypeVar("A")
A_co = TypeVar("A_co", covariant=True)

log = structlog.get_logger("broker.committer")


class Work(Protocol[A_co]):
    """Something to decide and write."""

    def needs(self) -> Needs:
        """What to read beforehand."""
        ...

    def settle(self, step: Step) -> A_co:
        """Decide and write; checks come before the first write. Runs in the writer's thread."""
        ...


@dataclass(slots=True)
class _Ticket(Generic[A]):
    work: Work[A]
    result: A | None = None
    error: SluisError | None = None
    wake: set[str] = field(default_factory=set)

    def outcome(self) -> A | SluisError:
        """Its answer, or what it raised; to be read once the parcel is answered."""
        return cast(A, self.result) if self.error is None else self.error


@dataclass(slots=True)
class _Parcel(Generic[A]):
    """What one caller handed over, and waits for."""

    tickets: Sequence[_Ticket[A]]
    answered: "asyncio.Future[None]"


class Committer:
    """Runs work in batches.

    `on_begin` is called in each transaction before anything is read for it, `on_commit` on the event loop with
    the recipients to wake.
    """

    def __init__(
        self,
        store: Store,
        clock: Callable[[], datetime],
        on_commit: Callable[[set[str]], None],
        *,
        on_begin: Callable[[Transaction], None] = lambda tx: None,
        linger: float = 0.001,
        max_batch: int = 256,
        max_waiting: int = 20_000,
    ) -> None:
        self._store = store
        self._clock = clock
        self._on_commit = on_commit
        self._on_begin = on_begin
        self._linger = linger
        self._max_batch = max_batch
        self._max_waiting = max_waiting
        self._waiting = 0  # works not yet answered; counted on the event loop alone
        self._queue: queue.SimpleQueue[_Parcel[Any] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="committer", daemon=True)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._closed = False

    def start(self) -> None:
        """Start the writer's thread; call on the event loop."""
        self._loop = asyncio.get_running_loop()
        self._thread.start()

    async def submit(self, work: Work[A]) -> A:
        """Wait until the work is durable and return its answer.

        Raises what the work raised, Unavailable `overloaded` when too much waits, `shutting-down` at the end.
        """
        (outcome,) = await self.submit_all([work])
        if isinstance(outcome, SluisError):
            raise outcome
        return outcome

    async def submit_all(self, works: Sequence[Work[A]]) -> list[A | SluisError]:
        """Wait until all works are durable; for each its answer or what it raised, in order.

        They may share their transaction with others, and fail each alone. Raises Unavailable as `submit` does.
        """
        if self._closed or self._loop is None:
            raise Unavailable("shutting-down")
        if self._waiting + len(works) > self._max_waiting:
            raise Unavailable("overloaded")
        parcel = _Parcel([_Ticket(work) for work in works], self._loop.create_future())
        self._waiting += len(works)
        self._queue.put(parcel)
        await parcel.answered
        return [ticket.outcome() for ticket in parcel.tickets]

    async def close(self) -> None:
        """Finish what has been submitted, then stop."""
        if self._closed:
            return
        self._closed = True
        self._queue.put(None)
        await asyncio.to_thread(self._thread.join)

    def _run(self) -> None:
        crowd = False
        while (first := self._queue.get()) is not None:
            if crowd and self._linger:
                time.sleep(self._linger)
            parcels, last = self._drain(first)
            tickets = [ticket for parcel in parcels for ticket in parcel.tickets]
            crowd = len(tickets) > 1
            while tickets:
                tickets = tickets[self._commit(tickets) :]
            self._answer(parcels)
            if last:
                return

    def _drain(self, first: _Parcel[Any]) -> tuple[list[_Parcel[Any]], bool]:
        parcels, works = [first], len(first.tickets)
        while works < self._max_batch:
            try:
                parcel = self._queue.get_nowait()
            except queue.Empty:
                break
            if parcel is None:
                return parcels, True
            parcels.append(parcel)
            works += len(parcel.tickets)
        return parcels, False

    def _commit(self, tickets: Sequence[_Ticket[Any]]) -> int:
        """Settle the first of these together; returns how many."""
        try:
            return self._settle(tickets)
        except Unavailable as error:
            for ticket in tickets:
                ticket.error = error
            log.warning("batch.failed", code=error.code, works=len(tickets))
        except Exception as error:  # one work is broken: find it by trying each alone
            if len(tickets) == 1:
                log.exception("work.defect", work=type(tickets[0].work).__name__, kind=type(error).__name__)
                tickets[0].error = error if isinstance(error, SluisError) else Defect("defect")
                return 1
            for ticket in tickets:
                ticket.result, ticket.error = None, None
                ticket.wake.clear()
                self._commit([ticket])
        return len(tickets)

    def _settle(self, tickets: Sequence[_Ticket[Any]]) -> int:
        with self._store.transaction() as tx:
            self._on_begin(tx)
            needs = _of_one_batch(ticket.work.needs() for ticket in tickets)
            step = Step(tx, self._clock(), needs)
            for ticket in tickets[: len(needs)]:
                step.begin(ticket.wake)
                try:
                    ticket.result = ticket.work.settle(step)
                except SluisError as error:
                    if step.wrote:
                        raise RuntimeError("a work failed after it wrote") from error
                    ticket.error = error
            tx.commit()
        return len(needs)

    def _answer(self, parcels: Sequence[_Parcel[Any]]) -> None:
        loop = self._loop
        if loop is None or loop.is_closed():
            return
        loop.call_soon_threadsafe(self._resolve, parcels)

    def _resolve(self, parcels: Sequence[_Parcel[Any]]) -> None:
        wake: set[str] = set()
        for parcel in parcels:
            self._waiting -= len(parcel.tickets)
            if not parcel.answered.cancelled():
                parcel.answered.set_result(None)
            for ticket in parcel.tickets:
                if ticket.error is None:
                    wake |= ticket.wake
        if wake:
            self._on_commit(wake)


def _of_one_batch(all_needs: Iterable[Needs]) -> list[Needs]:
    """The first ones: up to a work that must be alone, or that one by itself."""
    batch: list[Needs] = []
    for needs in all_needs:
        if needs.alone and batch:
            break
        batch.append(needs)
        if needs.alone:
            break
    return batch
