# SPDX-License-Identifier: EUPL-1.2
"""The newest decided exchanges that somebody may see, back to a moment, for as long as there is time.

A page waits for it, so it ends after some seconds; `whole` then says that older ones were not reached.
"""

import json
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from broker.policy.replay import Replay, replay
from broker.storage.log_port import Decided
from broker.storage.port import Store
from sluis.policy.bundle import Bundle

SECONDS = 4.0
_PORTION = 500


@dataclass(slots=True, kw_only=True)
class Recent:
    """Decided exchanges, newest first. Read it once."""

    store: Store
    since: datetime
    admits: Callable[[Mapping[str, Any]], bool]
    seconds: float = SECONDS
    timer: Callable[[], float] = time.monotonic
    whole: bool = True
    oldest: datetime | None = field(default=None, init=False)

    def __iter__(self) -> Iterator[Decided]:
        """Yield them."""
        until = self.timer() + self.seconds
        end = self.store.head().tree.size
        while end > 0:
            start = max(0, end - _PORTION)
            for row in reversed(list(self.store.decided(start, end))):
                if self.timer() >= until:
                    self.whole = False
                    return
                entry = json.loads(row.entry)
                at = datetime.fromisoformat(entry["time"])
                if at < self.since:
                    return
                if "decision" in entry and self.admits(entry):
                    self.oldest = at
                    yield row
            end = start


def replay_recent(recent: Recent, bundle: Bundle) -> Replay:
    """Decide them again under one bundle. Raises what `replay` raises."""
    return replay(iter(recent), lambda digest: bundle)
