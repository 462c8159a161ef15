# SPDX-License-Identifier: EUPL-1.2
"""Asking the holder of a copy to destroy it, in the transaction in which the broker destroys its own.

The broker signs `destroy` with its receipt key. The holder answers with `fulfil`, and owes that answer within the
term of the catalogue; one that does not give it shows as overdue (broker/followup). Each copy that was passed on is a
signal of its own, with a term and an end of its own. A signal that was recalled was to be destroyed then.
"""

from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

from broker.followup.binding import issue
from broker.signer import ReceiptSigner
from broker.step import Step
from sluis.followup import Act, FollowUp
from sluis.header import new_uuid7
from sluis.policy.bundle import Bundle

RETENTION_ENDED, CERTIFICATE_LOST = "RETENTION_ENDED", "CERTIFICATE_LOST"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asker:
    """Asks under the words of the rules in force."""

    signer: ReceiptSigner
    bundle: Callable[[], Bundle]

    def ask(self, step: Step, signal_id: bytes, reason: str) -> bool:
        """Tell who received the signal; whether anybody did."""
        signal = step.tx.signals([signal_id])[signal_id]
        recalled = any(row.act == Act.RECALL for row in step.tx.follow_ups_about(signal_id))
        if not signal.released or recalled:
            return False
        statement = FollowUp(
            follow_up_id=new_uuid7(step.now_ms),
            act=Act.DESTROY,
            signal_id=UUID(bytes=signal_id),
            author=None,
            created_at_ms=step.now_ms,
            codes={"reason": reason},
        )
        issue(step, self.bundle(), self.signer.follow_up(statement), signal, [signal])
        return True
