# SPDX-License-Identifier: EUPL-1.2
"""Whether the clock can be believed, before anything is destroyed by it.

What is destroyed never comes back, so a clock that leaps a year ahead must not be enough. The broker notes how far its
clock has come (`retention_clock`) each time it looks for what ended. It goes on only when now is near to

    that note: the clock has gone on steadily since; or
    the time of a witness that cosigned the newest checkpoint: another clock says the same; or
    a moment that the operator confirmed (`sluis broker expire --clock-is`), which stands in the log.

A clock that is behind the log is refused everywhere (`broker.step.Step`).
"""

from collections.abc import Sequence

from broker.storage.port import Store
from sluis.checkpoint import Checkpoint, verify_cosignatures
from sluis.errors import Conflict, SluisError
from sluis.note import Note, VKey

LEAP_MS = 2 * 24 * 3_600_000


class TrustedClock:
    """Knows until when the clock could be believed."""

    def __init__(self, store: Store, witnesses: Sequence[VKey] = ()) -> None:
        self._store = store
        self._witnesses = witnesses

    def check(self, now_ms: int) -> None:
        """Note that it is now, if that can be believed. Raises Conflict `clock-leapt`."""
        noted = self._store.retention.swept_at_ms()
        known = self._first(now_ms) if noted is None else noted
        if now_ms - known > LEAP_MS and now_ms - self._witnessed_ms() > LEAP_MS:
            days = (now_ms - known) // 86_400_000
            raise Conflict("clock-leapt", f"the clock is {days} days further than when it was last believed")
        if noted is None or now_ms > noted:
            self._store.retention.set_swept(now_ms)

    def _first(self, now_ms: int) -> int:
        """Before the first note: the log's newest time, which is now for a log without entries."""
        head = self._store.head()
        return head.last_time_ms if head.tree.size else now_ms

    def _witnessed_ms(self) -> int:
        """The newest time at which a known witness cosigned; 0 without one."""
        text = self._store.checkpoint()
        if text is None or not self._witnesses:
            return 0
        try:
            note = Note.parse(text)
            times = verify_cosignatures(note, Checkpoint.parse(note.text), self._witnesses)
        except SluisError:
            return 0
        return max(times.values(), default=0) * 1000
