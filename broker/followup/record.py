# SPDX-License-Identifier: EUPL-1.2
"""What the log says of a follow-up (docs/log-format.md, "Follow-ups"): ids, codes of the catalogue, and OINs."""

import hashlib
from uuid import UUID

from broker.step import Step
from broker.storage.follow_up_port import FollowUpDelivery, FollowUpRow, KnownSignal
from sluis.followup import SignedFollowUp


def statement_record(signed: SignedFollowUp, signal: KnownSignal) -> dict[str, object]:
    """The part of an entry that every follow-up has; `previous` is the entry of the signal's push."""
    statement = signed.statement
    record: dict[str, object] = {
        "operation": f"followup.{statement.act}",
        "sender": statement.author or "",
        "agreement": signal.agreement,
        "kind": signal.kind,
        "exchange": str(UUID(bytes=signal.signal_id)),
        "previous": signal.pushed_index,
        "follow_up": str(statement.follow_up_id),
        "codes": dict(statement.codes),
        "statement": hashlib.sha256(statement.encode()).hexdigest(),
    }
    if statement.refers_to:
        record["refers_to"] = str(statement.refers_to)
    if statement.replacement:
        record["replacement"] = str(statement.replacement)
    return record


def row_of(signed: SignedFollowUp, log_index: int) -> FollowUpRow:
    """The row of a follow-up that was logged."""
    statement = signed.statement
    return FollowUpRow(
        follow_up_id=statement.follow_up_id.bytes,
        log_index=log_index,
        act=statement.act.value,
        signal_id=statement.signal_id.bytes,
        author=statement.author or "",
        refers_to=statement.refers_to.bytes if statement.refers_to else None,
        replacement=statement.replacement.bytes if statement.replacement else None,
        statement=statement.encode(),
        signature=signed.signature,
    )


def deliver(step: Step, log_index: int, recipient: str, signed: SignedFollowUp, signal_id: bytes) -> None:
    """Let a follow-up wait for a party, about a signal that it sent or holds."""
    step.deliver_follow_up(
        FollowUpDelivery(
            log_index=log_index,
            recipient=recipient,
            follow_up_id=signed.statement.follow_up_id.bytes,
            signal_id=signal_id,
        )
    )
