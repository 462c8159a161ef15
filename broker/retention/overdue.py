# SPDX-License-Identifier: EUPL-1.2
"""What should have been destroyed and was not: an expired term without a destruction record."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from broker.retention.holds import held_by
from broker.storage.port import Store

# A sweep comes each minute; what is still there a day after its end is an anomaly.
GRACE_MS = 24 * 3_600_000
MOST = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Overdue:
    """A signal that is past its end by more than a day and under no hold."""

    exchange: str
    pushed_index: int
    ended_ms: int


def overdue(store: Store, party: str, now: datetime) -> list[Overdue]:
    """The first of them, of a party or of all; at most a thousand."""
    before = int(now.timestamp() * 1000) - GRACE_MS
    holds = store.retention.holds()
    return [
        Overdue(
            exchange=str(UUID(bytes=signal.signal_id)),
            pushed_index=signal.pushed_index,
            ended_ms=signal.retain_until_ms,
        )
        for signal in store.retention.overdue(party, before, MOST)
        if held_by(signal, holds) is None
    ]
