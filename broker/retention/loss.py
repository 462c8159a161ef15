# SPDX-License-Identifier: EUPL-1.2
"""Ends that a register moves: a firm loses its certificate, and what is known about it goes six months later.

A rule may give `retention_after_loss`. For each signal that has one, the register of its domain is read again whenever
a register changed, and each day. The day of loss is the day after the last period that ended; for a subject that is no
longer listed, the day on which that was first seen. Is the certificate there again before the end, then the ordinary
term holds again; what has ended stays so, also where a hold keeps it. A register that nobody keeps any more says
nothing, and moves no end.

{"operation": "retention.shorten" | "retention.restore", "exchange": UUID, "previous": LOG INDEX OF THE PUSH,
 "sender", "recipient", "term": "P6M", "counted_from": TIME, "until": TIME, "outcome": ...}
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from broker.decide.model import FactState
from broker.facts import FactProver, subject_of
from broker.retention.terms import later
from broker.step import Needs, Step, rfc3339
from broker.storage.retention_port import RetainedSignal

PORTION = 200


@dataclass(frozen=True, slots=True)
class LookForLoss:
    """One batch of signals, by id."""

    signal_ids: tuple[bytes, ...]
    prover: Callable[[], FactProver]
    zone: ZoneInfo

    def needs(self) -> Needs:
        """What the registers say is read once the signals are known."""
        return Needs()

    def settle(self, step: Step) -> int:
        """Move the ends of these signals; how many moved."""
        prover = self.prover()
        found = [
            signal
            for signal in step.tx.retention.signals(self.signal_ids)
            if signal.destroyed_index is None and signal.after_loss and step.now_ms < signal.retain_until_ms
        ]
        step.read_more(
            Needs(registers=frozenset(key for signal in found for key in prover.needs(subject_of(signal))))
        )
        return sum(self._move(step, prover, signal) for signal in found)

    def _move(self, step: Step, prover: FactProver, signal: RetainedSignal) -> bool:
        lost = self._lost_at(step, prover, signal)
        until = signal.term_until_ms
        if lost is not None:
            until = min(until, later(lost, signal.after_loss))
        if (lost, until) == (signal.lost_at_ms, signal.retain_until_ms):
            return False
        step.tx.retention.set_loss(signal.signal_id, lost, until)
        if until != signal.retain_until_ms:
            sooner = until < signal.retain_until_ms
            step.log(
                {
                    "operation": "retention.shorten" if sooner else "retention.restore",
                    "exchange": str(UUID(bytes=signal.signal_id)),
                    "previous": signal.pushed_index,
                    "sender": signal.sender,
                    "recipient": signal.recipient,
                    "term": signal.after_loss if lost is not None else signal.term.partition(" ")[0],
                    **({"counted_from": rfc3339(lost)} if lost is not None else {}),
                    "until": rfc3339(until),
                    "outcome": "shortened" if sooner else "restored",
                }
            )
        return True

    def _lost_at(self, step: Step, prover: FactProver, signal: RetainedSignal) -> int | None:
        """Since when no register holds the subject, in Unix milliseconds."""
        subject = subject_of(signal)
        states = {fact.state for fact in prover.prove(step, subject).values()}
        if FactState.PROVEN in states:
            return None
        if FactState.DISPROVEN not in states:
            return signal.lost_at_ms  # no register says anything: what was known last holds
        today = step.now.astimezone(self.zone).date().isoformat()
        ended = [
            period.valid_until
            for key in prover.needs(subject)
            for period in step.periods(key)
            if period.valid_until and period.valid_until < today
        ]
        moments = [step.now_ms if signal.lost_at_ms is None else signal.lost_at_ms]
        if ended:
            day = datetime.fromisoformat(max(ended)).date() + timedelta(days=1)
            midnight = datetime.combine(day, time(), self.zone)
            moments.append(int(midnight.timestamp() * 1000))
        return min(moments)
