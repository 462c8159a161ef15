# SPDX-License-Identifier: EUPL-1.2
"""A signal is deposited, and its recipient may have asked to hear of its subject.

A watch list is a question that stays. So both legs are decided at the moment of the hit, and both are logged:
    1 the question: may this party, now, watch for this kind, for this purpose?
    2 the release: under the rules and facts of this moment
The sender learns nothing of it: its answer is the same with and without a watch. A refused leg leaves the
signal where it was, to be asked for.
"""

from uuid import UUID

from broker.decide.model import Request
from broker.exchange import Desk
from broker.facts import subject_of
from broker.match.question import decide_release, hand_over
from broker.ruling import rule_on
from broker.step import RegisterKey, Step
from broker.storage.port import StoredSignal
from sluis.header import Header
from sluis.policy.rules import Operation
from sluis.register_snapshot import watch_list_name


class Watching:
    """Tells recipients of deposits about subjects on their watch lists."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def needs(self, header: Header) -> frozenset[RegisterKey]:
        """What to read before a deposit is told to its recipient."""
        return frozenset({_watched_at(header)})

    def tell(self, step: Step, signal: StoredSignal, header: Header) -> None:
        """Release a signal that was deposited just now, if its recipient watches for it and may have it."""
        today = step.now.astimezone(self._desk.bundle.zone).date().isoformat()
        if not any(
            period.owner == header.recipient and period.valid_from <= today <= period.valid_until
            for period in step.periods(_watched_at(header))
        ):
            return
        if not self._may_watch(step, signal, header):
            return
        verdict = decide_release(self._desk, step, signal, header.purpose)
        hand_over(self._desk, step, signal, verdict)

    def _may_watch(self, step: Step, signal: StoredSignal, header: Header) -> bool:
        watcher = self._desk.directory.party_of(step, header.recipient)
        question = Request(
            operation=Operation.WATCH,
            sender=watcher,
            recipient=watcher,
            agreement=header.agreement,
            kind=header.kind,
            purpose=header.purpose,
            fields=(),
            at=step.now,
        )
        ruling = rule_on(step, question, self._desk.bundle)
        ruling.log(
            step,
            "watch.hit",
            {
                "exchange": str(UUID(bytes=signal.signal_id)),
                "previous": signal.pushed_index,
                "outcome": "answered" if ruling.permitted else "refused",
            },
        )
        return ruling.permitted


def _watched_at(header: Header) -> RegisterKey:
    return subject_of(header).in_register(watch_list_name(header.kind, header.purpose))
