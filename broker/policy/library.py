# SPDX-License-Identifier: EUPL-1.2
"""Bundles by their digest, and what differs between two of them: read and compared once, and kept for a while.

A bundle never changes under its digest, so what is kept here is never out of date.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from broker.policy.activation import Activated, Activator
from broker.policy.active import stored_bundle
from broker.policy.change.diff import PolicyDiff, diff
from broker.storage.port import Store
from sluis.errors import Defect
from sluis.policy.approval import PolicyStatement
from sluis.policy.archive import unpack
from sluis.policy.bundle import Bundle, read_bundle

MOST = 16


class Library:
    """Any thread may call it; two that ask for the same at once both do the work."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._kept: OrderedDict[tuple[str, ...], Any] = OrderedDict()
        self._lock = threading.Lock()

    def activated(self, digest: str) -> Bundle:
        """A bundle that was activated. Raises NotFound, Defect."""
        bundle: Bundle = self._find((digest,), lambda: stored_bundle(self._store, digest))
        return bundle

    def proposed(self, digest: str, archive: bytes) -> Bundle:
        """A bundle that is proposed. Raises Defect when it is not what its name says."""

        def read() -> Bundle:
            bundle = read_bundle(unpack(archive))
            if bundle.digest != digest:
                raise Defect("defect", "a proposed bundle has another digest than its name")
            return bundle

        found: Bundle = self._find((digest,), read)
        return found

    def difference(self, before: Bundle, after: Bundle) -> PolicyDiff:
        """What changes between two bundles."""
        found: PolicyDiff = self._find((before.digest, after.digest), lambda: diff(before, after))
        return found

    def activate(
        self,
        files: Mapping[str, bytes],
        statements: Sequence[PolicyStatement],
        order: Mapping[str, object],
        now: datetime,
    ) -> Activated:
        """Put rules in force. Raises what `Activator.activate` raises."""
        return Activator(self._store, lambda: now).activate(files, statements, order)

    def _find(self, key: tuple[str, ...], make: Callable[[], Any]) -> Any:
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
        made = make()
        with self._lock:
            self._kept[key] = made
            while len(self._kept) > MOST:
                self._kept.popitem(last=False)
        return made
