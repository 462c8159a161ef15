# SPDX-License-Identifier: EUPL-1.2
"""Group commit: one writer thread per process, one transaction for all that has queued.

    handler ──submit(work)──▶ queue ──▶ batch ──▶ begin · read · settle each · commit ──▶ answers

Each piece of work says what it `needs` to read, so that a batch reads once, and then settles: it decides
and writes through a `Step`. Nobody is answered before the commit returned. A work that raises a SluisError
before it wrote anything fails alone; any other exception undoes the batch, and its members are tried one
by one, so that one bad message never takes its neighbours with it. A work that must see what earlier ones wrote
(`Needs.alone`) has a transaction of its own.
"""

import asyncio
import queue
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Generic, Protocol, TypeVar

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
    future: "asyncio.Future[A]"
    result: A | None = None
    error: SluisError | None = None
    wake: set[str] = field(default_factory=set)


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
        self._queue: queue.Queue[_Ticket[Any] | None] = queue.Queue(maxsize=max_waiting)
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
        if self._closed or self._loop is None:
            raise Unavailable("shutting-down")
        ticket = _Ticket(work, self._loop.create_future())
        try:
            self._queue.put_nowait(ticket)
        except queue.Full:
            raise Unavailable("overloaded") from None
        answer: A = await ticket.future
        return answer

    async def close(self) -> None:
        """Finish what has been submitted, then stop."""
        if self._closed:
            return
        self._closed = True
        await asyncio.to_thread(self._queue.put, None)
        await asyncio.to_thread(self._thread.join)

    def _run(self) -> None:
        crowd = False
        while (first := self._queue.get()) is not None:
            if crowd and self._linger:
                time.sleep(self._linger)
            tickets, last = self._drain(first)
            crowd = len(tickets) > 1
            for together in _together(tickets):
                self._commit(together)
                self._answer(together)
            if last:
                return

    def _drain(self, first: _Ticket[Any]) -> tuple[list[_Ticket[Any]], bool]:
        tickets = [first]
        while len(tickets) < self._max_batch:
            try:
                ticket = self._queue.get_nowait()
            except queue.Empty:
                break
            if ticket is None:
                return tickets, True
            tickets.append(ticket)
        return tickets, False

    def _commit(self, tickets: Sequence[_Ticket[Any]]) -> None:
        try:
            self._settle(tickets)
        except Unavailable as error:
            for ticket in tickets:
                ticket.error = error
            log.warning("batch.failed", code=error.code, works=len(tickets))
        except Exception as error:  # one work is broken: find it by trying each alone
            if len(tickets) == 1:
                log.exception("work.defect", work=type(tickets[0].work).__name__, kind=type(error).__name__)
                tickets[0].error = error if isinstance(error, SluisError) else Defect("defect")
                return
            for ticket in tickets:
                ticket.result, ticket.error = None, None
                ticket.wake.clear()
                self._commit([ticket])

    def _settle(self, tickets: Sequence[_Ticket[Any]]) -> None:
        with self._store.transaction() as tx:
            self._on_begin(tx)
            step = Step(tx, self._clock(), [ticket.work.needs() for ticket in tickets])
            for ticket in tickets:
                step.begin(ticket.wake)
                try:
                    ticket.result = ticket.work.settle(step)
                except SluisError as error:
                    if step.wrote:
                        raise RuntimeError("a work failed after it wrote") from error
                    ticket.error = error
            tx.commit()

    def _answer(self, tickets: Sequence[_Ticket[Any]]) -> None:
        loop = self._loop
        if loop is None or loop.is_closed():
            return
        loop.call_soon_threadsafe(self._resolve, tickets)

    def _resolve(self, tickets: Sequence[_Ticket[Any]]) -> None:
        wake: set[str] = set()
        for ticket in tickets:
            if ticket.future.cancelled():
                pass
            elif ticket.error is not None:
                ticket.future.set_exception(ticket.error)
            else:
                ticket.future.set_result(ticket.result)
            if ticket.error is None:
                wake |= ticket.wake
        if wake:
            self._on_commit(wake)


def _together(tickets: Sequence[_Ticket[Any]]) -> Iterator[list[_Ticket[Any]]]:
    """Split a batch, in its order, where a work must be alone in its transaction."""
    batch: list[_Ticket[Any]] = []
    for ticket in tickets:
        if ticket.work.needs().alone:
            if batch:
                yield batch
            yield [ticket]
            batch = []
        else:
            batch.append(ticket)
    if batch:
        yield batch
