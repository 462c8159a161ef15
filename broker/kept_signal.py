# SPDX-License-Identifier: EUPL-1.2
"""How a signal is kept: as its header says, minimised, until its term ends; the same for a push and a correction."""

from uuid import UUID

from broker.followup.duties import severity_of
from broker.persons import keep_aliases
from broker.retention.terms import Term
from broker.step import Step
from broker.storage.port import StoredSignal
from sluis.header import Header
from sluis.v1 import envelope_pb2


def keep_signal(
    step: Step,
    header: Header,
    index: int,
    envelope: envelope_pb2.Envelope,
    redaction: envelope_pb2.RedactionReceipt,
    term: Term,
    *,
    previous: UUID | None = None,
) -> StoredSignal:
    """Keep a signal whose push or correction stands at a log index, as minimised, until its term ends."""
    signal = StoredSignal(
        signal_id=header.signal_id.bytes,
        pushed_index=index,
        sender=header.sender,
        recipient=header.recipient,
        agreement=header.agreement,
        kind=header.kind,
        purpose=header.purpose,
        delivery=header.delivery.value,
        epoch=header.epoch,
        pseudonym=header.pseudonym,
        expires_at_ms=header.expires_at_ms,
        envelope=envelope.SerializeToString(),
        redaction=redaction.SerializeToString(),
        retain_until_ms=term.until_ms,
        term_until_ms=term.until_ms,
        term=term.text,
        after_loss=term.after_loss,
        previous=previous.bytes if previous else None,
        severity=severity_of(header.claims),
    )
    step.keep(signal)
    keep_aliases(step, signal, header)
    return signal
