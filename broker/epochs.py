# SPDX-License-Identifier: EUPL-1.2
"""What begins and ends an epoch of pseudonyms; each act is an entry in the log.

epoch.announce     this epoch begins at this moment          the operator, once both evaluators have its keys
epoch.compromise   a seed is suspected: no new signals       the operator, at once
key.retire         no datum of the epoch is left             the broker itself, once an hour; evaluators may
                                                             destroy their seeds when they saw it in the log
key.destroy        an evaluator has destroyed its seed       the evaluator, over the wire
"""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

import structlog

from broker.exchange import MAX_AGE_MS
from broker.step import Logged, Step, rfc3339
from broker.storage.epoch_port import EpochRow
from broker.storage.port import Store, Transaction
from sluis.epochs import Epoch, EpochCalendar
from sluis.errors import Conflict, InvalidInput, SluisError
from sluis.pseudonyms import EVALUATORS, check_epoch

LOCK = "epochs"
HOUR = 3600.0

log = structlog.get_logger("broker")


class EpochOffice:
    """Announces, closes and retires epochs, straight on the store; a running broker sees it at once."""

    def __init__(self, store: Store, clock: Callable[[], datetime]) -> None:
        self._store = store
        self._clock = clock

    def calendar(self) -> EpochCalendar:
        """The epochs as they stand."""
        return EpochCalendar(row.epoch for row in self._store.epochs.all())

    def now_ms(self) -> int:
        """The time now, Unix milliseconds."""
        return int(self._clock().timestamp() * 1000)

    def announce(self, name: str, begins: datetime | None, reason: str) -> EpochRow:
        """Announce an epoch that begins at a moment, or now.

        Only the very first may have begun before. Raises Conflict `epoch-exists`, or `wrong-state` when evaluators
        have not published its keys or another begins at that moment; InvalidInput `date-order` for the past.
        """
        check_epoch(name)
        self._check_keys(name)
        with self._store.transaction() as tx:
            row = self._announce(Step(tx, self._clock(), []), name, begins, reason)
            tx.commit()
        return row

    def compromise(self, name: str, reason: str, *, stop_questions: bool = False) -> None:
        """Take no new signals in an epoch, and no questions either when asked so; there is no way back.

        Raises InvalidInput `unknown-epoch`, Conflict `wrong-state` when it is so already.
        """
        with self._store.transaction() as tx:
            self._compromise(Step(tx, self._clock(), []), name, reason, stop_questions=stop_questions)
            tx.commit()

    def rotate(self, name: str, compromised: str, reason: str, *, stop_questions: bool = False) -> EpochRow:
        """Close a compromised epoch and begin another, in one act."""
        check_epoch(name)
        self._check_keys(name)
        with self._store.transaction() as tx:
            step = Step(tx, self._clock(), [])
            self._compromise(step, compromised, reason, stop_questions=stop_questions)
            row = self._announce(step, name, None, reason)
            tx.commit()
        return row

    def retire(self, name: str) -> Logged:
        """Log that nothing of an epoch is left, and drop its registers, which prove nothing any more.

        Raises InvalidInput `unknown-epoch`, Conflict `wrong-state` while a signal may come or is kept.
        """
        epoch = self.calendar().find(name)
        if not self._is_past(epoch):
            raise Conflict("wrong-state", "signals may still come in this epoch", where=name)
        # Beside the writer: an epoch that is past gets nothing new, so what is empty now stays empty.
        if self._store.epochs.in_use(name):
            raise Conflict("wrong-state", "pseudonyms of this epoch are still kept", where=name)
        with self._store.transaction() as tx:
            step = Step(tx, self._clock(), [])
            row = _row(tx, name)
            if row.retired_index is not None:
                raise Conflict("wrong-state", "this epoch was retired before", where=name)
            cleared = tx.epochs.clear_registers(name)
            logged = step.log(
                {
                    "operation": "key.retire",
                    "epoch": name,
                    "announced": row.announced_index,
                    "registers": cleared,
                }
            )
            tx.epochs.put(replace(row, retired_index=logged.index))
            tx.commit()
        return logged

    def retire_all(self) -> list[str]:
        """Retire every epoch of which nothing is left; returns their names."""
        retired = []
        for epoch in self.calendar().epochs:
            if (
                epoch.retired_index is None
                and self._is_past(epoch)
                and not self._store.epochs.in_use(epoch.name)
            ):
                self.retire(epoch.name)
                retired.append(epoch.name)
        return retired

    def adopt(self) -> list[str]:
        """Announce the epochs of a database from before epochs were announced: those with published keys.

        Until then a name was a year, and the year began the epoch.
        """
        names = sorted({key.epoch for key in self._store.every_domain_key()})
        if not names or self._store.epochs.all():
            return []
        with self._store.transaction() as tx:
            if tx.epochs.all():
                return []
            step = Step(tx, self._clock(), [])
            for name in names:
                begins_at_ms = _year_ms(name) or step.now_ms
                _log_announcement(step, name, begins_at_ms, "in use before epochs were announced")
            tx.commit()
        return names

    def _is_past(self, epoch: Epoch) -> bool:
        return self.calendar().is_past(epoch, self.now_ms(), MAX_AGE_MS)

    def _check_keys(self, name: str) -> None:
        """Where the epoch before has keys of two evaluators, this one must too, or exchange would stop there."""
        before = self.calendar().epochs
        if not before:
            return
        published: dict[str, dict[tuple[str, str], int]] = {}
        for key in self._store.every_domain_key():
            domains = published.setdefault(key.epoch, {})
            place = (key.agreement, key.recipient)
            domains[place] = domains.get(place, 0) + 1
        begun = [epoch for epoch in before if epoch.begun(self.now_ms())]
        needed = published.get((begun or before)[-1].name, {})
        ready = published.get(name, {})
        short = [place for place, count in needed.items() if count >= EVALUATORS > ready.get(place, 0)]
        if short:
            message = f"{len(short)} domains lack the keys of two evaluators in this epoch"
            raise Conflict("wrong-state", message, where=name)

    def _announce(self, step: Step, name: str, begins: datetime | None, reason: str) -> EpochRow:
        rows = step.tx.epochs.all()
        if any(row.name == name for row in rows):
            raise Conflict("epoch-exists", where=name)
        begins_at_ms = int(begins.timestamp() * 1000) if begins else step.now_ms
        if rows and begins_at_ms < step.now_ms:
            raise InvalidInput("date-order", "an epoch does not begin in the past", where="begins")
        if any(row.begins_at_ms == begins_at_ms for row in rows):
            raise Conflict("wrong-state", "another epoch begins at this moment", where="begins")
        return _log_announcement(step, name, begins_at_ms, reason)

    def _compromise(self, step: Step, name: str, reason: str, *, stop_questions: bool) -> None:
        row = _row(step.tx, name)
        if row.retired_index is not None or row.questions_stopped:
            raise Conflict("wrong-state", "nothing is taken in this epoch any more", where=name)
        if row.compromised_at_ms is not None and not stop_questions:
            raise Conflict("wrong-state", "this epoch is compromised already", where=name)
        at_ms = step.now_ms if row.compromised_at_ms is None else row.compromised_at_ms
        logged = step.log(
            {
                "operation": "epoch.compromise",
                "epoch": name,
                "since": rfc3339(at_ms),
                "questions": "stopped" if stop_questions else "asked",
                "reason": reason,
            }
        )
        step.tx.epochs.put(
            replace(
                row,
                compromised_at_ms=at_ms,
                questions_stopped=stop_questions,
                changed_index=logged.index,
            )
        )


def _log_announcement(step: Step, name: str, begins_at_ms: int, reason: str) -> EpochRow:
    logged = step.log(
        {
            "operation": "epoch.announce",
            "epoch": name,
            "begins": rfc3339(begins_at_ms),
            "reason": reason,
        }
    )
    row = EpochRow(name=name, begins_at_ms=begins_at_ms, announced_index=logged.index)
    step.tx.epochs.put(row)
    return row


def _row(tx: Transaction, name: str) -> EpochRow:
    for row in tx.epochs.all():
        if row.name == name:
            return row
    raise InvalidInput("unknown-epoch", "no epoch of this name was announced", where=name)


def _year_ms(name: str) -> int | None:
    if len(name) != 4 or not name.isascii() or not name.isdecimal() or name < "1970":
        return None
    return int(datetime.fromisoformat(f"{name}-01-01T00:00:00+00:00").timestamp() * 1000)


class EpochKeeper:
    """Retires epochs of a running broker, once an hour and on one replica."""

    def __init__(self, store: Store, clock: Callable[[], datetime], pause: float = HOUR) -> None:
        self._store = store
        self._office = EpochOffice(store, clock)
        self._pause = pause

    async def run(self) -> None:
        """Retire until cancelled."""
        while True:
            try:
                await asyncio.to_thread(self.once)
            except SluisError as error:
                log.warning("epoch.retiring-failed", code=error.code)
            await asyncio.sleep(self._pause)

    def once(self) -> None:
        """Retire what can be, if this replica leads."""
        if self._store.try_lead(LOCK):
            for name in self._office.retire_all():
                log.info("epoch.retired", epoch=name)
