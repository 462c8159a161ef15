# SPDX-License-Identifier: EUPL-1.2
"""What parties owe each other about a signal, and when it is done.

    released under a rule with `feedback_within`   the recipient owes the sender feedback
    released with severity 4                       the recipient owes the sender the attention of a person
    asked                                          the sender owes the recipient an answer
    corrected, rectified, recalled, destroyed      each holder owes its author that it did so with its copy

A duty that is done late was still done; one that is not done shows as overdue to both.
"""

from collections.abc import Mapping
from enum import StrEnum

from broker.step import Step
from broker.storage.follow_up_port import Duty
from sluis.errors import NotFound
from sluis.policy.bundle import Bundle
from sluis.policy.terms import end_ms

MOST_SEVERE = 4
SEVERITY = "severity"


class Owed(StrEnum):
    """What is owed: the act that fulfils it."""

    FEEDBACK = "feedback"
    ATTEND = "attend"
    ANSWER = "answer"
    FULFIL = "fulfil"


def severity_of(claims: Mapping[str, str]) -> int | None:
    """The severity that the sender claims, 1 to 4, if it claims one."""
    text = claims.get(SEVERITY, "")
    return int(text) if text in ("1", "2", "3", "4") else None


def owe_after_release(
    step: Step,
    log_index: int,
    *,
    sender: str,
    recipient: str,
    signal_id: bytes,
    severity: int | None,
    obligations: Mapping[str, str],
    bundle: Bundle,
) -> None:
    """Note what a recipient owes once a signal has been put into its mailbox."""

    def owe(act: Owed, due_at_ms: int) -> None:
        step.owe(
            Duty(
                log_index=log_index,
                act=act,
                debtor=recipient,
                creditor=sender,
                signal_id=signal_id,
                follow_up_id=None,
                due_at_ms=due_at_ms,
            )
        )

    if within := obligations.get("feedback_within"):
        owe(Owed.FEEDBACK, end_ms(step.now, within, bundle.zone))
    if severity is not None and severity >= MOST_SEVERE:
        owe(Owed.ATTEND, bundle.catalog.follow_ups.terms.due_at_ms(Owed.ATTEND, step.now_ms))


def do_duty(
    step: Step,
    act: Owed,
    debtor: str,
    signal_id: bytes,
    log_index: int,
    *,
    follow_up_id: bytes | None = None,
) -> None:
    """Note that what a party owed about a signal was done."""
    for duty in open_duties(step, act, debtor, signal_id, follow_up_id):
        step.done(duty, log_index)


def open_duties(
    step: Step, act: Owed, debtor: str, signal_id: bytes, follow_up_id: bytes | None = None
) -> list[Duty]:
    """What a party still owes about a signal."""
    return [
        duty
        for duty in step.tx.open_duties(signal_id)
        if duty.act == act and duty.debtor == debtor and follow_up_id in (None, duty.follow_up_id)
    ]


def demand_duty(step: Step, act: Owed, debtor: str, signal_id: bytes, follow_up_id: bytes | None) -> None:
    """Insist that a party owes this. Raises NotFound `not-demanded`."""
    if not open_duties(step, act, debtor, signal_id, follow_up_id):
        raise NotFound("not-demanded")


def lapse(step: Step, signal_id: bytes, log_index: int) -> None:
    """Let go of the feedback, attention and answers that were owed about a signal that was taken back."""
    for duty in step.tx.open_duties(signal_id):
        if duty.act != Owed.FULFIL:
            step.done(duty, log_index)
