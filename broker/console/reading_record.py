# SPDX-License-Identifier: EUPL-1.2
"""The log as a tree: its checkpoints and the proofs between them. Nothing here tells of an exchange."""

from collections.abc import Sequence

from broker.storage.log_port import KeptCheckpoint
from broker.storage.port import Store
from sluis.errors import InvalidInput, NotFound
from sluis.merkle import Hash, consistency_proof

_ALL = 1 << 62


class Record:
    """Reads checkpoints and proves that one continues another."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def newest(self) -> KeptCheckpoint | None:
        """The newest checkpoint."""
        return next(iter(self.checkpoints(_ALL, 1)), None)

    def checkpoints(self, before: int, limit: int) -> Sequence[KeptCheckpoint]:
        """Checkpoints of less than `before` entries, newest first."""
        return self._store.checkpoints(before, limit)

    def checkpoint(self, size: int) -> KeptCheckpoint:
        """The checkpoint of a size. Raises NotFound."""
        found = next(iter(self._store.checkpoints(size + 1, 1)), None)
        if found is None or found.size != size:
            raise NotFound("not-found", "there is no checkpoint of this size", where=str(size))
        return found

    def consistency(self, first: int, second: int) -> Sequence[Hash]:
        """Prove that the log of the first size is how that of the second begins. Any sizes up to today's.

        Raises InvalidInput `malformed-request` for other sizes.
        """
        if not 0 <= first <= second <= self._store.head().tree.size:
            raise InvalidInput("malformed-request", "the log has no two such sizes", where="first, second")
        return consistency_proof(first, second, self._store.node)
