# SPDX-License-Identifier: EUPL-1.2
"""Receipts: kept the moment they are checked, turned into proofs, and an alarm when a promise is not kept.

    kept ──▶ a checkpoint that the kit trusts covers the index ──▶ inclusion proof ──▶ proven | broken

A promise is broken when the broker refuses the proof, or shows one of another leaf; it is overdue when nothing
covers it within `promise_seconds`, whatever the reason. A receipt whose own signature does not hold was changed
in the kit's file: that is no accusation against the broker.
"""

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from sluis.checkpoint import Checkpoint
from sluis.client.receipt_book import ReceiptBook
from sluis.client.settings import KitSettings
from sluis.client.trust import Trust
from sluis.errors import InvalidInput, NotAuthentic, NotFound, SluisError
from sluis.merkle import Hash, verify_inclusion
from sluis.receipt import Receipt

AT_ONCE = 16
PORTION = 200
MOST = 20_000  # receipts in one run


@dataclass(frozen=True, slots=True, kw_only=True)
class Alarm:
    """Something that a person must look at; `evidence` is the file that shows it, where there is one."""

    # promise-broken, promise-overdue, log-contradicts, receipt-damaged, receipt-foreign or state-damaged
    kind: str
    message: str
    log_index: int | None = None
    evidence: Path | None = None


@dataclass(slots=True)
class ReceiptReport:
    """What a check of receipts brought. `trouble` is a code: the broker did not answer, which proves nothing."""

    proven: int = 0
    waiting: int = 0
    trouble: str = ""
    alarms: list[Alarm] = field(default_factory=list)


class ReceiptKeeper:
    """Checks the receipts that a kit keeps."""

    def __init__(self, book: ReceiptBook, trust: Trust, settings: KitSettings) -> None:
        self.book = book
        self.seconds = settings.receipt_seconds
        self._trust = trust
        self._promise_seconds = settings.promise_seconds

    async def settle(self, seconds: float, *, wait: bool = False) -> ReceiptReport:
        """Prove what can be proven within a time; with `wait`, wait for a checkpoint over all of it.

        Raises nothing of the broker's: what it does not keep is an alarm, what it does not answer is `trouble`.
        """
        report = ReceiptReport()
        self.book.flush()
        try:
            async with asyncio.timeout(seconds):
                await self._settle(report, wait=wait)
        except TimeoutError:
            report.trouble = "overloaded"
        except NotAuthentic as error:
            if error.code == "not-witnessed":
                report.trouble = error.code
            else:
                report.alarms.append(
                    Alarm(
                        kind="log-contradicts", message=error.message, evidence=self.book.accusations.newest
                    )
                )
        except SluisError as error:
            if error.code == "state-damaged":
                report.alarms.append(Alarm(kind=error.code, message=error.message))
            report.trouble = error.code
        self._tell_overdue(report)
        return report

    def told(self) -> list[Alarm]:
        """The alarms of earlier runs about receipts that were broken or damaged."""
        return [
            Alarm(kind=f"{kind}", message=_MESSAGES[kind], log_index=index)
            for kind in ("promise-broken", "receipt-damaged")
            for index in self.book.indexes(_STATES[kind])
        ]

    async def _settle(self, report: ReceiptReport, *, wait: bool) -> None:
        receipts = self._sound(report)
        if not receipts:
            return
        checkpoint, note = await self._checkpoint(receipts[-1].log_index + 1 if wait else 0)
        due = [receipt for receipt in receipts if receipt.log_index < checkpoint.size]
        for start in range(0, len(due), PORTION):
            await self._prove(due[start : start + PORTION], checkpoint, note, report)

    def _sound(self, report: ReceiptReport) -> list[Receipt]:
        """Open receipts of this log with a signature that holds; the others are alarms."""
        receipts, spoilt = self.book.open_receipts(self._trust.origin, MOST)
        kind = "receipt-damaged"
        report.alarms += [Alarm(kind=kind, message=_MESSAGES[kind], log_index=index) for index in spoilt]
        sound, damaged = [], []
        for receipt in receipts:
            try:
                receipt.verify(self._trust.receipt_keys, log_origin=self._trust.origin)
            except NotAuthentic:
                damaged.append(receipt)
                report.alarms.append(_alarm(kind, receipt))
                continue
            sound.append(receipt)
        self.book.mark(damaged, _STATES[kind])
        if foreign := self.book.foreign(self._trust.origin):
            message = f"{foreign} kept receipts are of another log than the one in your sluis.toml"
            report.alarms.append(Alarm(kind="receipt-foreign", message=message))
        return sound

    async def _checkpoint(self, minimum: int) -> tuple[Checkpoint, str]:
        try:
            verified, note = await self._trust.signed_checkpoint(minimum)
        except NotFound:
            if not minimum:
                raise
            verified, note = await self._trust.signed_checkpoint()
        return verified.checkpoint, note

    async def _prove(
        self, receipts: Sequence[Receipt], checkpoint: Checkpoint, note: str, report: ReceiptReport
    ) -> None:
        room = asyncio.Semaphore(AT_ONCE)
        proven: list[Receipt] = []
        trouble: list[SluisError] = []

        async def prove(receipt: Receipt) -> None:
            async with room:
                try:
                    proof = await self._trust.inclusion(receipt.log_index, checkpoint.size)
                except (InvalidInput, NotFound):
                    self._accuse(receipt, note, None, report)
                    return
                except SluisError as error:
                    trouble.append(error)
                    return
            try:
                leaf = Hash(receipt.leaf_hash)
                verify_inclusion(leaf, receipt.log_index, checkpoint.size, proof, checkpoint.root)
            except NotAuthentic:
                self._accuse(receipt, note, proof, report)
                return
            proven.append(receipt)

        try:
            async with asyncio.TaskGroup() as group:
                for receipt in receipts:
                    group.create_task(prove(receipt))
        finally:
            # What was proven counts, also when the time is out.
            self.book.mark(proven, "proven", checkpoint.size)
            report.proven += len(proven)
        if trouble:
            raise trouble[0]

    def _accuse(
        self, receipt: Receipt, note: str, proof: Sequence[Hash] | None, report: ReceiptReport
    ) -> None:
        key = receipt.signed_by(self._trust.receipt_keys)
        path = self.book.accusations.broken_promise(receipt, key, note, proof)
        self.book.mark([receipt], _STATES["promise-broken"])
        report.alarms.append(_alarm("promise-broken", receipt, path))

    def _tell_overdue(self, report: ReceiptReport) -> None:
        left = self.book.open_since(self._trust.origin)
        report.waiting = sum(left.values())
        before = time.time() - self._promise_seconds
        overdue = sum(count for kept_at, count in left.items() if kept_at < before)
        if overdue:
            message = (
                f"{overdue} receipts are older than {self._promise_seconds:.0f} seconds, and no checkpoint "
                "that you trust was shown to cover them"
            )
            report.alarms.append(Alarm(kind="promise-overdue", message=message))


_MESSAGES: Mapping[str, str] = {
    "promise-broken": "the broker signed a receipt for this entry, and its log does not hold it",
    "receipt-damaged": "the signature of a kept receipt does not hold: the kit's file was changed",
}
_STATES: Mapping[str, str] = {"promise-broken": "broken", "receipt-damaged": "damaged"}


def _alarm(kind: str, receipt: Receipt, evidence: Path | None = None) -> Alarm:
    return Alarm(kind=kind, message=_MESSAGES[kind], log_index=receipt.log_index, evidence=evidence)
