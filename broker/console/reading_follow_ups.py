# SPDX-License-Identifier: EUPL-1.2
"""What an officer may read of the rest of a signal's life: what is overdue, and what recipients told back."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from broker.storage.follow_up_port import Duty
from broker.storage.port import Store
from broker.storage.projected import ZONE, Sight
from sluis.followup import Act, FollowUp


class FollowUpReader:
    """Duties and feedback of or towards one organisation, or of all."""

    def __init__(self, store: Store, sight: Sight) -> None:
        self._store = store
        self._party = sight.organisation or ""

    def overdue(self, now_ms: int, limit: int) -> Sequence[Duty]:
        """The duties that are longest overdue."""
        rows = self._store.follow_ups.duties(self._party, due_before=now_ms, after=(-1, -1), limit=limit)
        return [duty for _, duty in rows]

    def owed_about(self, exchange: str) -> Sequence[Duty]:
        """What is still to be done about a signal, by its holder and by those whom it was passed on to."""
        return self._store.follow_ups.owed_about(UUID(exchange).bytes, self._party)

    def count_overdue(self, now_ms: int) -> int:
        """How many duties are overdue."""
        return sum(self._store.follow_ups.count_overdue(self._party, now_ms).values())

    def feedback(self, agreement: str, year: int) -> Mapping[str, Mapping[str, int]]:
        """How often each word was given in a year, by sort of code; of each signal the last feedback counts."""
        last: dict[bytes, FollowUp] = {}
        for row in self._store.follow_ups.of_agreement(Act.FEEDBACK, agreement, self._party):
            statement = FollowUp.decode(row.statement)
            if datetime.fromtimestamp(statement.created_at_ms / 1000, ZONE).year == year:
                last[row.signal_id] = statement
        found: dict[str, Counter[str]] = {}
        for statement in last.values():
            for sort, word in statement.codes.items():
                found.setdefault(sort, Counter())[word] += 1
        return found
