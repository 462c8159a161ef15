# SPDX-License-Identifier: EUPL-1.2
"""Who has a copy of a signal: its recipient, whoever that passed it on to, and so on.

    sender ──signal──▶ holder ──signal, previous = the first──▶ holder ──▶ ...

A signal that was never released has no holder: only the broker has it. What a sender sends in the place of an
earlier signal of its own is not a copy of it.
"""

from collections.abc import Sequence

from broker.storage.follow_up_port import FollowUpTransaction, KnownSignal
from sluis.errors import NotPermitted
from sluis.followup import FollowUp


def sent_signal(tx: FollowUpTransaction, statement: FollowUp) -> KnownSignal:
    """The signal of a statement, which its author sent. Raises NotPermitted `not-the-sender`."""
    signal = _signal(tx, statement)
    if signal is None or signal.sender != statement.author:
        raise NotPermitted("not-the-sender")
    return signal


def held_signal(tx: FollowUpTransaction, statement: FollowUp) -> KnownSignal:
    """The signal of a statement, which its author received. Raises NotPermitted `not-a-holder`."""
    signal = _signal(tx, statement)
    if signal is None or signal.recipient != statement.author or not signal.released:
        raise NotPermitted("not-a-holder")
    return signal


def _signal(tx: FollowUpTransaction, statement: FollowUp) -> KnownSignal | None:
    return tx.signals([statement.signal_id.bytes]).get(statement.signal_id.bytes)


def with_copies(tx: FollowUpTransaction, first: KnownSignal) -> Sequence[KnownSignal]:
    """A signal, and all that was passed on from it, each after the one that it was passed on from."""
    found = {first.signal_id: first}
    newest = [first]
    while newest:
        recipients = {signal.signal_id: signal.recipient for signal in newest}
        newest = [
            signal
            for signal in tx.passed_on(recipients)
            if signal.signal_id not in found and signal.sender == recipients[signal.previous or b""]
        ]
        found |= {signal.signal_id: signal for signal in newest}
    return list(found.values())
