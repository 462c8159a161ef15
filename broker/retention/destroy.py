# SPDX-License-Identifier: EUPL-1.2
"""Destroying what has come to its end, in bounded batches; each is one transaction with its entries in the log.

    1 take the next signals that ended, and leave those under a legal hold (holds.py)
    2 log each: the destruction record (AVG 5(1)(e); "proces-verbaal van vernietiging")
    3 ask who received it to destroy its copy (asking.py)
    4 empty its envelope (payload and wrapped key), redaction and pseudonym; the row stays as a stub
    5 remove the salts of its entries, what was decided on, and the first answers: nobody can open a link any more
    6 the same for entries without a kept signal (questions, refusals, registers), a record for each sort
    7 the same for a register that was not renewed within its term

The entries stay, so the log is provable as before. What they commit to can no longer be opened.

{"operation": "signal.destroy", "exchange": UUID, "previous": LOG INDEX OF THE PUSH, "sender", "recipient", "agreement",
 "kind", "term": "P5Y", "rule": ID, "counted_from": "decision" | "loss" | "expiry", "ended": TIME,
 "destroyed": ["envelope", ...], "links": [LOG INDEX, ...], "outcome": "destroyed"}
{"operation": "link.destroy", "of": "match.question", "count": 2, "entries": [LOG INDEX, ...], "destroyed": [...]}
"""

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from broker.retention.asking import CERTIFICATE_LOST, RETENTION_ENDED, Asker
from broker.retention.holds import held_by, holds_entry
from broker.retention.terms import EXPIRY, REFUSED, later
from broker.step import Needs, Step, rfc3339
from broker.storage.retention_port import START, Cursor, EndedLink, HeldRegister, RetainedSignal

PORTION = 50  # the log's head is held meanwhile, and exchanges wait
DESTROY, LINKS, REGISTER = "signal.destroy", "link.destroy", "register.destroy"
LAPSE = "register.lapse"
OF_SIGNAL = ("envelope", "wrapped-key", "redaction", "pseudonym", "salt", "inputs", "first-answer")
OF_LINK = ("salt", "inputs", "first-answer")


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """What a batch did; `more` is where the next one begins, None at the end."""

    destroyed: int
    held: int
    more: Any = None


@dataclass(frozen=True, slots=True)
class DestroySignals:
    """One batch of signals. It asks those who received them to destroy their copies too."""

    asker: Asker
    after: Cursor = START
    portion: int = PORTION

    def needs(self) -> Needs:
        """Nothing but the head: what ended is read inside the transaction."""
        return Needs(alone=True)

    def next(self, after: Cursor) -> "DestroySignals":
        """The batch that follows."""
        return replace(self, after=after)

    def settle(self, step: Step) -> Done:
        """Destroy the next portion."""
        due = step.tx.retention.signals_due(step.now_ms, self.after, self.portion)
        holds = step.tx.retention.holds()
        ended = [signal for signal in due if held_by(signal, holds) is None]
        destroyed = []
        links: list[int] = []
        for signal in ended:
            mine = step.tx.retention.links_of(signal)
            logged = step.log(_record(signal, mine))
            destroyed.append((signal.signal_id, logged.index))
            lost = counted_from(signal)[2] == "loss"
            self.asker.ask(step, signal.signal_id, CERTIFICATE_LOST if lost else RETENTION_ENDED)
            links += mine
        if ended:
            step.tx.retention.empty_signals(destroyed)
            step.tx.retention.drop_links(links)
        last = due[-1] if len(due) == self.portion else None
        return Done(
            destroyed=len(ended),
            held=len(due) - len(ended),
            more=(last.retain_until_ms, last.signal_id) if last else None,
        )


@dataclass(frozen=True, slots=True)
class DestroyLinks:
    """One batch of links that have an end of their own."""

    after: tuple[int, int] = (-1, -1)
    portion: int = PORTION

    def needs(self) -> Needs:
        """Nothing but the head."""
        return Needs()

    def next(self, after: tuple[int, int]) -> "DestroyLinks":
        """The batch that follows."""
        return replace(self, after=after)

    def settle(self, step: Step) -> Done:
        """Destroy the next portion, with one record for each operation among them."""
        due = step.tx.retention.links_due(step.now_ms, self.after, self.portion)
        holds = step.tx.retention.holds()
        groups: dict[str, list[EndedLink]] = defaultdict(list)
        for link in due:
            entry = _read(link.entry)
            if not holds_entry(entry, holds):
                groups[str(entry.get("operation", "?"))].append(link)
        for operation, links in sorted(groups.items()):
            indexes = sorted(link.log_index for link in links)
            step.log(
                {
                    "operation": LINKS,
                    "of": operation,
                    "count": len(indexes),
                    "entries": indexes,
                    "destroyed": list(OF_LINK),
                    "outcome": "destroyed",
                }
            )
            step.tx.retention.drop_links(indexes)
        destroyed = sum(map(len, groups.values()))
        last = due[-1] if len(due) == self.portion else None
        more = (last.ends_at_ms, last.log_index) if last else None
        return Done(destroyed=destroyed, held=len(due) - destroyed, more=more)


@dataclass(frozen=True, slots=True)
class DestroyRegister:
    """A register that its owner did not renew within the term of the rule by which it was loaded."""

    register: HeldRegister

    def has_ended(self, now_ms: int) -> bool:
        """Whether its term is over."""
        return register_end(_read(self.register.entry)) <= now_ms

    def needs(self) -> Needs:
        """Nothing but the head."""
        return Needs()

    def settle(self, step: Step) -> Done:
        """Destroy it. One that is held only goes out of force: a hold keeps, and lets nothing be proven."""
        retention, snapshot_id = step.tx.retention, self.register.snapshot_id
        active = retention.is_active(snapshot_id)
        if not self.has_ended(step.now_ms) or not (active or retention.has_content(snapshot_id)):
            return Done(destroyed=0, held=0)
        entry = _read(self.register.entry)
        held = holds_entry(entry, retention.holds())
        if held and not active:
            return Done(destroyed=0, held=1)
        step.log(
            {
                "operation": LAPSE if held else REGISTER,
                "previous": self.register.log_index,
                "sender": entry.get("sender", ""),
                "recipient": entry.get("recipient", ""),
                "agreement": entry.get("agreement", ""),
                "register": entry.get("register", "watch"),
                "term": _period(entry),
                "ended": rfc3339(register_end(entry)),
                "destroyed": [] if held else ["pseudonym", "period"],
                "outcome": "held" if held else "destroyed",
            }
        )
        if held:
            retention.lapse_register(snapshot_id)
            return Done(destroyed=0, held=1)
        retention.drop_register(snapshot_id)
        return Done(destroyed=1, held=0)


def register_end(entry: Mapping[str, Any]) -> int:
    """When a register ends that was loaded by this entry and not renewed since; a watch list, on its last day."""
    loaded = datetime.fromisoformat(entry["time"])
    end = later(round(loaded.timestamp() * 1000), _period(entry))
    if last_day := entry.get("valid_until"):
        day_before = datetime.fromisoformat(f"{last_day}T12:00Z") - timedelta(days=1)
        end = min(end, later(round(day_before.timestamp() * 1000), "P1D"))
    return end


def _period(entry: Mapping[str, Any]) -> str:
    return str(entry.get("obligations", {}).get("retention", REFUSED))


def counted_from(signal: RetainedSignal) -> tuple[str, str, str]:
    """The term by which a signal ends: the period, its rule, and from what it is counted."""
    period, _, rule = signal.term.partition(" ")
    if signal.lost_at_ms is not None and signal.retain_until_ms < signal.term_until_ms:
        return signal.after_loss, rule, "loss"
    return period, rule, "expiry" if period == EXPIRY else "decision"


def _record(signal: RetainedSignal, links: Sequence[int]) -> dict[str, object]:
    period, rule, start = counted_from(signal)
    return {
        "operation": DESTROY,
        "exchange": str(UUID(bytes=signal.signal_id)),
        "previous": signal.pushed_index,
        "sender": signal.sender,
        "recipient": signal.recipient,
        "agreement": signal.agreement,
        "kind": signal.kind,
        "term": period,
        "rule": rule,
        "counted_from": start,
        "ended": rfc3339(signal.retain_until_ms),
        "destroyed": list(OF_SIGNAL),
        "links": list(links),
        "outcome": "destroyed",
    }


def _read(entry: bytes) -> dict[str, Any]:
    try:
        found = json.loads(entry)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
