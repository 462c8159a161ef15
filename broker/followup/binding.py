# SPDX-License-Identifier: EUPL-1.2
"""What binds every holder: correct, rectify, recall, and the broker's own destroy.

    statement ──▶ entry `followup.recall`
              ├─▶ each copy at a holder: entry `followup.notify`, its mailbox, a duty to answer with `fulfil`
              └─▶ at the broker: nothing of these signals is delivered or released any more, and of what is sealed
                  in them only hashes are kept

Holders do not learn of each other: each gets an entry of its own. The author does, from the duties: it must be
able to tell the person concerned who received the data (GDPR 19).
"""

from collections.abc import Sequence
from uuid import UUID

from broker.followup.duties import Owed, lapse
from broker.followup.holders import with_copies
from broker.followup.record import deliver, row_of, statement_record
from broker.retention.holds import held_by
from broker.step import Logged, Step
from broker.storage.follow_up_port import Duty, KnownSignal
from sluis.envelope import withhold
from sluis.errors import Conflict
from sluis.followup import Act, FollowUp, SignedFollowUp
from sluis.policy.bundle import Bundle
from sluis.v1 import envelope_pb2
from sluis.wire import envelope_from_wire, envelope_to_wire


def check_against_earlier(step: Step, statement: FollowUp) -> None:
    """Insist that the sender did not say the same, or more, of this signal before.

    After a recall nothing follows; each of the others once. Raises Conflict `contradicts-earlier`.
    """
    said = {row.act for row in step.tx.follow_ups_about(statement.signal_id.bytes)}
    if Act.RECALL in said or statement.act in said:
        raise Conflict("contradicts-earlier")


def bind(step: Step, bundle: Bundle, signed: SignedFollowUp, first: KnownSignal) -> tuple[Logged, int]:
    """Log a statement of a signal's sender, and bind every holder; returns the entry and how many copies."""
    signals = with_copies(step.tx, first)
    logged = issue(step, bundle, signed, first, signals)
    for signal in signals:
        withdraw(step, signal, logged.index)
        lapse(step, signal.signal_id, logged.index)
    return logged, sum(signal.released for signal in signals)


def issue(
    step: Step, bundle: Bundle, signed: SignedFollowUp, first: KnownSignal, signals: Sequence[KnownSignal]
) -> Logged:
    """Log a statement about `first`, and tell each holder of a released copy, who then owes a `fulfil`."""
    held = [signal for signal in signals if signal.released]
    record = {**statement_record(signed, first), "holders": len(held), "outcome": "sent"}
    logged = step.log(record)
    step.follow_up(row_of(signed, logged.index))
    statement = signed.statement
    for signal in held:
        told = step.log(
            {
                "operation": "followup.notify",
                "recipient": signal.recipient,
                "exchange": str(UUID(bytes=signal.signal_id)),
                "previous": signal.pushed_index,
                "told_by": logged.index,
                "follow_up": str(statement.follow_up_id),
                "act": statement.act.value,
                "outcome": "told",
            }
        )
        deliver(step, told.index, signal.recipient, signed, signal.signal_id)
        step.owe(
            Duty(
                log_index=told.index,
                act=Owed.FULFIL,
                debtor=signal.recipient,
                creditor=statement.author or "",
                signal_id=signal.signal_id,
                follow_up_id=statement.follow_up_id.bytes,
                due_at_ms=bundle.catalog.follow_ups.terms.due_at_ms(Owed.FULFIL, step.now_ms),
            )
        )
    return logged


def withdraw(step: Step, signal: KnownSignal, log_index: int) -> None:
    """Let a signal go out no more; of its fields only the leaves stay, which say nothing of a value.

    Under a legal hold the whole stays until its end: it is kept, and goes out no more either.
    """
    if signal.withdrawn_index is not None:
        return
    # Nothing is kept of one that was destroyed, but its holders may still have it, and would pass it on.
    kept = signal.envelope
    if kept and not _is_held(step, signal):
        envelope = envelope_from_wire(envelope_pb2.Envelope.FromString(kept))
        kept = envelope_to_wire(withhold(envelope, range(len(envelope.fields)))).SerializeToString()
    step.withdraw(signal.signal_id, log_index, kept)


def _is_held(step: Step, signal: KnownSignal) -> bool:
    holds = step.tx.retention.holds()
    return any(held_by(retained, holds) for retained in step.tx.retention.signals([signal.signal_id]))
