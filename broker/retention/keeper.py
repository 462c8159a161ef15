# SPDX-License-Identifier: EUPL-1.2
"""Looks every minute for what came to its end, at the replica that leads, and destroys it batch by batch.

    1 is the clock to be believed (clock.py)? else nothing is destroyed, and the broker says so
    2 did a register change, or the day? then the ends that depend on it move (loss.py)
    3 signals, then links, then registers that ended are destroyed (destroy.py)
    4 SQLite's write-ahead log is emptied, for old pages stand in it

A sweep may stop anywhere: what it did is done whole, and the next one goes on with the rest.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Protocol, TypeVar
from zoneinfo import ZoneInfo

import structlog

from broker.committer import Work
from broker.facts import FactProver
from broker.retention.asking import Asker
from broker.retention.clock import TrustedClock
from broker.retention.destroy import DestroyLinks, DestroyRegister, DestroySignals, Done
from broker.retention.loss import PORTION, LookForLoss
from broker.step import Step
from broker.storage.port import Store
from sluis.errors import Conflict, SluisError

log = structlog.get_logger("broker.retention")

LOCK = "retention"
OVERDUE_MS = 24 * 3_600_000  # a sweep comes each minute; what is still there a day later is an anomaly
A = TypeVar("A")


class Carrier(Protocol):
    """Carries out one piece of work in a transaction."""

    async def submit(self, work: Work[A]) -> A: ...


@dataclass(slots=True)
class Swept:
    """What a sweep did."""

    signals: int = 0
    links: int = 0
    registers: int = 0
    moved: int = 0
    held: int = 0

    @property
    def destroyed(self) -> int:
        """All that was destroyed."""
        return self.signals + self.links + self.registers


@dataclass(slots=True)
class _Looked:
    """As of which day and newest register the ends were moved, and which loads were in no register that day."""

    day: date | None = None
    register: int = -1
    abandoned: frozenset[bytes] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Alone:
    """A carrier without a running broker: each work in a transaction of its own."""

    store: Store
    clock: Callable[[], datetime]

    async def submit(self, work: Work[A]) -> A:
        """Settle it and commit."""
        with self.store.transaction() as tx:
            answer = work.settle(Step(tx, self.clock(), [work.needs()]))
            tx.commit()
        return answer


@dataclass(slots=True, kw_only=True)
class Keeper:
    """Sweeps; `prover` knows the registers that the rules in force ask."""

    store: Store
    carrier: Carrier
    clock: Callable[[], datetime]
    trusted: TrustedClock
    prover: Callable[[], FactProver]
    asker: Asker
    zone: ZoneInfo
    interval: float = 60.0
    _looked: _Looked = field(default_factory=_Looked)

    async def run(self) -> None:
        """Sweep until cancelled; trouble is logged and tried again."""
        while True:
            try:
                if await asyncio.to_thread(self.store.try_lead, LOCK):
                    swept = await self.sweep()
                    if swept.destroyed or swept.moved:
                        log.info(
                            "retention.swept",
                            signals=swept.signals,
                            links=swept.links,
                            registers=swept.registers,
                            moved=swept.moved,
                            held=swept.held,
                        )
            except SluisError as error:
                log.warning("retention.failed", code=error.code, reason=error.message)
            await asyncio.sleep(self.interval)

    async def sweep(self) -> Swept:
        """Do steps 1 to 4 once. Raises Conflict `clock-leapt`, Unavailable."""
        now = self.clock()
        await asyncio.to_thread(self.trusted.check, int(now.timestamp() * 1000))
        swept = Swept()
        swept.moved = await self._move(now.astimezone(self.zone).date())
        swept.signals, held = await self._all(DestroySignals(self.asker))
        swept.held += held
        swept.links, held = await self._all(DestroyLinks())
        swept.held += held
        for register in await asyncio.to_thread(self.store.retention.registers):
            done = await self.carrier.submit(DestroyRegister(register))
            swept.registers += done.destroyed
            swept.held += done.held
        if swept.destroyed:
            await asyncio.to_thread(self.store.retention.scrub)
        return swept

    async def _all(self, first: DestroySignals | DestroyLinks) -> tuple[int, int]:
        destroyed = held = 0
        work: Any = first
        while True:
            done: Done = await self.carrier.submit(work)
            destroyed, held = destroyed + done.destroyed, held + done.held
            if done.more is None:
                return destroyed, held
            work = work.next(done.more)

    async def _move(self, today: date) -> int:
        registers = await asyncio.to_thread(self.store.retention.registers)
        newest = max((register.log_index for register in registers), default=-1)
        if (self._looked.day, self._looked.register) == (today, newest):
            return 0
        abandoned = self._looked.abandoned
        if today != self._looked.day:
            abandoned = await asyncio.to_thread(self._drop_abandoned)
        moved, after = 0, b""
        while ids := await asyncio.to_thread(self.store.retention.watched, after, PORTION):
            moved += await self.carrier.submit(LookForLoss(tuple(ids), self.prover, self.zone))
            after = ids[-1]
        self._looked = _Looked(today, newest, abandoned)
        return moved

    def _drop_abandoned(self) -> frozenset[bytes]:
        """Forget loads that were given up: what was under way a day ago and is still in no register."""
        found = self.store.retention.abandoned()
        for snapshot_id in found & self._looked.abandoned:
            self.store.drop_register_entries(snapshot_id)
        return found - self._looked.abandoned


def confirm_clock(store: Store, clock: Callable[[], datetime], day: date) -> int:
    """Believe the clock from now on, for an operator who says which day it is; logged.

    Raises Conflict `wrong-state` when the clock says another day.
    """
    now = clock()
    if now.date() != day:
        raise Conflict("wrong-state", f"the clock says {now.date()} (UTC)")
    with store.transaction() as tx:
        step = Step(tx, now, [])
        logged = step.log({"operation": "retention.confirm-clock", "day": day.isoformat()})
        tx.commit()
    store.retention.set_swept(step.now_ms)
    return logged.index
