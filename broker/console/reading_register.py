# SPDX-License-Identifier: EUPL-1.2
"""Who takes part: participants with their cards, evaluators' keys, officers, stops. No secret among participants."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from broker.storage.port import DomainKeyRow, Officer, PartyRow, Stop, Store
from sluis.cards import PartyCard
from sluis.errors import SluisError

PORTION = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Participant:
    """A participant with what its card says; without dates when the card cannot be read."""

    row: PartyRow
    card_digest: str
    card_made: datetime | None
    valid_from: datetime | None
    valid_until: datetime | None


class Register:
    """Reads the directory."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def participants(self, after: str, limit: int) -> list[Participant]:
        """Participants with an OIN above `after`, in order."""
        return [_participant(row) for row in self._store.party_page(after, limit, "")]

    def names(self) -> dict[str, str]:
        """The name of every participant, by OIN."""
        found: dict[str, str] = {}
        page = self._store.party_page("", PORTION, "")
        while page:
            found |= {row.oin: row.name for row in page}
            page = self._store.party_page(page[-1].oin, PORTION, "") if len(page) == PORTION else ()
        return found

    def published_keys(self) -> Sequence[DomainKeyRow]:
        """What evaluators published, in the order of publication."""
        return self._store.every_domain_key()

    def officers(self) -> list[Officer]:
        """Everybody who may or might sign a change of the rules."""
        found: list[Officer] = []
        page = self._store.officer_page("", PORTION)
        while page:
            found += page
            page = self._store.officer_page(page[-1].officer, PORTION) if len(page) == PORTION else ()
        return found

    def stops(self) -> list[Stop]:
        """The stops in force."""
        return sorted(self._store.stops(), key=lambda stop: (stop.scope, stop.target))


def _participant(row: PartyRow) -> Participant:
    digest = hashlib.sha256(row.card).hexdigest()
    try:
        card = PartyCard.parse(row.card)
    except SluisError:
        return Participant(row=row, card_digest=digest, card_made=None, valid_from=None, valid_until=None)
    leaf = card.certificate_chain[0]
    return Participant(
        row=row,
        card_digest=digest,
        card_made=card.created_at,
        valid_from=leaf.not_valid_before_utc,
        valid_until=leaf.not_valid_after_utc,
    )
