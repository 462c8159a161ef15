# SPDX-License-Identifier: EUPL-1.2
"""One entry of the log by its number, as one officer may read it (`broker.operations.Readers`)."""

import json
from collections.abc import Callable, Mapping
from typing import Any

from broker.console.people import Officer, Role
from broker.console.reading_exchanges import Exchange, recorded
from broker.operations import OPERATIONS, Readers
from broker.storage.port import Store
from broker.storage.projected import Sight
from sluis.errors import NotFound


class Entries:
    """Entries that are of no exchange in the index, and which of them she may read."""

    def __init__(self, store: Store, officer: Officer, may_see: Callable[[Mapping[str, Any]], bool]) -> None:
        self._store = store
        self._officer = officer
        self._may_see = may_see

    def is_of_exchange(self, log_index: int) -> bool:
        """Whether the page of an exchange shows this entry, to those who may see it."""
        return self._store.exchange_index.at(Sight.everything(), log_index) is not None

    def find(self, log_index: int) -> Exchange:
        """An entry with its proof. Raises NotFound also for one that is not for her to read."""
        row = self._store.log_row(log_index)
        if row is None or not self._may_read(json.loads(row.entry)):
            raise NotFound("not-found")
        return recorded(self._store, "", [log_index])

    def _may_read(self, entry: Mapping[str, Any]) -> bool:
        known = OPERATIONS.get(entry["operation"])
        if known is None:
            return False
        if known.readers is Readers.EVERYONE:
            return True
        if known.readers is Readers.PARTIES:
            return self._may_see(entry)
        officer = self._officer
        # A kit reads under its organisation's OIN.
        whose = (entry.get("organisation"), entry.get("reader"), entry.get("party"))
        return officer.role is not Role.OPERATOR and (not officer.scope or officer.scope in whose)
