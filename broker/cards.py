# SPDX-License-Identifier: EUPL-1.2
"""The history of participants' cards: each stands in the log at its admission, and some are revoked.

    party.admit    this card counts from this entry on, until the next admission of the same participant
    card.revoke    what was accepted under it from the entry `from` on is not to be believed

A card that was merely replaced goes on proving what was accepted in its time, so that a signal may cross a change of
keys. A revoked one does so only for what was accepted before `from`.
"""

import hashlib
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from broker.step import Logged, Needs, Step, rfc3339
from broker.storage.epoch_port import CardRow
from broker.storage.port import PartyRow, Stop, Store
from sluis.canonical import parse_canonical
from sluis.errors import Conflict, NotFound

CARD = "card"  # the scope of the stop that a revocation leaves


class CardOffice:
    """The operator's acts on cards, straight on the store."""

    def __init__(self, store: Store, clock: Callable[[], datetime]) -> None:
        self._store = store
        self._clock = clock

    def revoke(self, oin: str, digest: str, since: datetime | None, reason: str) -> Logged:
        """Revoke a card (SHA-256 of its bytes in hex; empty: the present one) from a moment, or from now on.

        Raises NotFound for an unknown participant or card, Conflict `wrong-state` for one that was revoked before.
        """
        first = self._first_since(since) if since else None
        with self._store.transaction() as tx:
            step = Step(tx, self._clock(), [Needs(parties=frozenset({oin}))])
            party = step.party(oin)
            if party is None:
                raise NotFound("not-found", "no participant has this OIN")
            digest = digest or digest_of(party.card)
            rows = [row for row in tx.epochs.cards(oin) if digest_of(row.card) == digest]
            if not rows:
                raise NotFound("not-found", "this participant never had such a card")
            if all(row.revoked_index is not None for row in rows):
                raise Conflict("wrong-state", "this card was revoked before")
            start = tx.head.tree.size if first is None else first
            entry = {
                "operation": "card.revoke",
                "party": oin,
                "card": digest,
                "from": start,
                "reason": reason,
            }
            logged = step.log(entry)
            for row in rows:
                tx.epochs.put_card(replace(row, revoked_index=logged.index))
            tx.add_stop(Stop(scope=CARD, target=digest), logged.index)
            tx.commit()
        return logged

    def adopt(self) -> int:
        """Enter the present cards of a database from before cards were kept, at their admissions in the log."""
        missing: dict[str, PartyRow] = {}
        after = ""
        while page := self._store.party_page(after, 100, ""):
            after = page[-1].oin
            missing |= {digest_of(row.card): row for row in page if not self._store.epochs.cards(row.oin)}
        if not missing:
            return 0
        found = {}
        for row in self._store.entries(0, self._store.head().tree.size):
            entry = parse_canonical(row.entry)
            if entry.get("operation") == "party.admit" and str(entry.get("card")) in missing:
                found[str(entry["card"])] = row.log_index
        with self._store.transaction() as tx:
            for digest, index in found.items():
                party = missing[digest]
                tx.epochs.put_card(CardRow(log_index=index, oin=party.oin, card=party.card))
            tx.commit()
        return len(found)

    def _first_since(self, since: datetime) -> int:
        """The index of the first entry at or after a moment; the log's times never go back."""
        wanted = rfc3339(int(since.timestamp() * 1000))
        low, high = 0, self._store.head().tree.size
        while low < high:
            middle = (low + high) // 2
            row = self._store.log_row(middle)
            if row is None or str(parse_canonical(row.entry).get("time")) >= wanted:
                high = middle
            else:
                low = middle + 1
        return low


def digest_of(card: bytes) -> str:
    """The SHA-256 of a card's bytes, as `party.admit` has it."""
    return hashlib.sha256(card).hexdigest()
