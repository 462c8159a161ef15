# SPDX-License-Identifier: EUPL-1.2
"""What a watch list must be: named after its kind and purpose, of limited length and duration.

A watch list is a register that its owner keeps in its own pseudonymisation domain: a question that stays. Its
rule says how long the broker may keep it; the register from which the same agreement proves its facts says how
many clients the owner has. `broker/match/watch.py` says what happens when a signal arrives.
"""

from datetime import timedelta

from broker.exchange import Desk
from broker.messages import WATCH_TOO_LARGE, WATCH_TOO_LONG
from broker.ruling import Ruling
from broker.step import Step
from sluis.errors import InvalidInput
from sluis.policy.rules import Operation
from sluis.policy.schema import period_days
from sluis.register_snapshot import SnapshotHeader, is_watch_list, watch_list_name
from sluis.v1 import register_pb2

OPEN_END = "9999-12-31"


def check_name(name: str, start: register_pb2.LoadStart, *, watch: bool) -> None:
    """Refuse a register that is named as a watch list, and the reverse. Raises InvalidInput `malformed-request`."""
    if not watch and is_watch_list(name):
        raise InvalidInput("malformed-request", "a watch list is left with Watch", where="register_name")
    if watch and name != watch_list_name(start.kind, start.purpose):
        raise InvalidInput(
            "malformed-request", "a watch list is named `watch.KIND.PURPOSE`", where="register_name"
        )


def within_bounds(step: Step, desk: Desk, ruling: Ruling, header: SnapshotHeader, last_day: str) -> Ruling:
    """The ruling, turned into a denial where the list is too long or too large. An empty list is taken back."""
    if not ruling.permitted or not header.entry_count:
        return ruling
    today = step.now.astimezone(desk.bundle.zone).date()
    latest = (today + timedelta(days=period_days(ruling.decision.obligations["retention"]))).isoformat()
    if last_day > latest:
        return ruling.denied(WATCH_TOO_LONG, {"latest": latest})
    registers = desk.bundle.register_facts(header.agreement, Operation.RELEASE)
    if registers:
        clients = max(
            step.tx.register_size(
                header.agreement, spec.register_name, header.recipient, header.epoch, today.isoformat()
            )
            for spec in registers.values()
        )
        if header.entry_count > clients:
            return ruling.denied(WATCH_TOO_LARGE, {"registered": str(clients)})
    return ruling
