# SPDX-License-Identifier: EUPL-1.2
"""Exchanges as one officer may read them: every question goes to the index with her own sight.

`Exchange` is the life of one signal: its entries in order, each with its inclusion proof under one checkpoint. An
entry of another organisation is not among them, and an exchange without any is not found.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from broker.audit.evidence import collect_evidence
from broker.policy.active import stored_bundle
from broker.storage.port import Store
from broker.storage.projected import Days, ExchangeRow, Filter, Sight, Survey
from sluis.checkpoint import Checkpoint
from sluis.errors import NotFound
from sluis.evidence import Evidence
from sluis.merkle import Hash, inclusion_proof
from sluis.note import Note, VKey
from sluis.policy.bundle import Bundle

PORTION = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """An entry of an exchange as it stands in the log, and the hashes that lead from it to the root."""

    log_index: int
    text: str
    proof: Sequence[Hash]

    @property
    def content(self) -> Mapping[str, Any]:
        """Its members."""
        content: Mapping[str, Any] = json.loads(self.text)
        return content

    @property
    def at(self) -> datetime:
        """When it was written."""
        return datetime.fromisoformat(self.content["time"])

    @property
    def confirms(self) -> bool:
        """Whether it tells what happened and decides nothing: a confirmation, or most follow-ups."""
        return "decision" not in self.content


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """One signal: its entries oldest first, under one checkpoint of `size` entries.

    `exchange` is empty for a question, which has no signal; `checkpoint` while there is none over its last entry, and
    then nothing is proven yet.
    """

    exchange: str
    entries: Sequence[Recorded]
    checkpoint: str
    size: int


class Exchanges:
    """The index of exchanges under one sight."""

    def __init__(self, store: Store, sight: Sight) -> None:
        self._store = store
        self._sight = sight

    def survey(self, chosen: Filter, days: Days, before: int | None, limit: int) -> Survey:
        """The newest rows, the counts by facet and the results over time, as of one moment."""
        return self._store.exchange_index.survey(self._sight, chosen, days, before, limit)

    def rows(self, chosen: Filter, days: Days, before: int | None, limit: int) -> Iterator[ExchangeRow]:
        """Up to `limit` rows, newest first, in portions of the index."""
        while limit > 0:
            found = self._store.exchange_index.exchanges(
                self._sight, chosen, days, before, min(limit, PORTION)
            )
            yield from found
            if len(found) < min(limit, PORTION):
                return
            limit -= len(found)
            before = found[-1].log_index

    def of_signal(self, exchange: str) -> int:
        """The first entry of a signal. Raises NotFound."""
        rows = self._store.exchange_index.exchange(self._sight, exchange)
        if not rows:
            raise NotFound("not-found")
        return rows[0].log_index

    def exchange(self, log_index: int) -> Exchange:
        """The whole exchange of an entry. Raises NotFound also for one that is not hers."""
        row = self._store.exchange_index.at(self._sight, log_index)
        if row is None:
            raise NotFound("not-found")
        rows = self._store.exchange_index.exchange(self._sight, row.exchange) if row.exchange else [row]
        return recorded(self._store, row.exchange, [each.log_index for each in rows])

    def evidence(
        self, log_index: int, log_vkeys: Sequence[VKey], witness_vkeys: Sequence[VKey]
    ) -> tuple[str, Evidence]:
        """The signal of an entry and the evidence of it. Raises NotFound also for one that is not hers."""
        row = self._store.exchange_index.at(self._sight, log_index)
        if row is None:
            raise NotFound("not-found")
        found = collect_evidence(self._store, self._sight, row.exchange, log_vkeys, witness_vkeys)
        return row.exchange, found

    def rules_of(self, digest: str) -> Bundle | None:
        """The rules that decided then; None when they are not kept."""
        try:
            return stored_bundle(self._store, digest)
        except NotFound:
            return None


def recorded(store: Store, exchange: str, indexes: Sequence[int]) -> Exchange:
    """Entries by their ascending indexes, with their proofs under one checkpoint. Raises NotFound."""
    signed = store.checkpoint(indexes[-1] + 1) or ""
    size = Checkpoint.parse(Note.parse(signed).text).size if signed else 0
    entries = [_recorded(store, index, size) for index in indexes]
    return Exchange(exchange=exchange, entries=entries, checkpoint=signed, size=size)


def _recorded(store: Store, log_index: int, size: int) -> Recorded:
    found = store.log_row(log_index)
    if found is None:
        raise NotFound("not-found")
    proof = inclusion_proof(log_index, size, store.node) if size else []
    return Recorded(log_index=log_index, text=found.entry.decode("utf-8"), proof=proof)
