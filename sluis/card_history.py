# SPDX-License-Identifier: EUPL-1.2
"""Which card of a participant counted when: each from its own entry in the log until that of the next.

    {"card":sha256 hex,"operation":"party.admit","party":oin,...}                  the card counts from here
    {"card":sha256 hex,"from":17,"operation":"card.revoke","party":oin,...}        not for what entry 17 or later took

A card that was only replaced proves what was accepted in its time for ever. That the entries stand in the log is the
caller's to prove.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from cryptography import x509

from sluis.canonical import parse_canonical
from sluis.cards import PartyCard
from sluis.errors import NotAuthentic, NotFound, NotPermitted
from sluis.identifiers import Oin

WINDOW: Final = timedelta(hours=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class CardTerm:
    """A card, the entry from which it counts, and the entry from which it was revoked, if it was."""

    card: PartyCard
    first: int
    revoked_from: int | None = None


class CardHistory:
    """The cards of one participant, oldest first."""

    def __init__(self, terms: Iterable[CardTerm]) -> None:
        """Raises NotAuthentic `log-inconsistent` unless each begins after the one before."""
        self.terms = tuple(terms)
        self._held: dict[
            int, tuple[datetime, datetime]
        ] = {}  # since when and until when a chain is known to hold
        starts = [term.first for term in self.terms]
        if starts != sorted(set(starts)):
            raise NotAuthentic("log-inconsistent", "the cards of a participant are out of order")

    def card_at(self, log_index: int, roots: Sequence[x509.Certificate], at: datetime) -> PartyCard:
        """The verified card that counted for an entry.

        Raises NotFound when there was none, NotPermitted `certificate-revoked`, NotAuthentic as `PartyCard.verify`.
        """
        before = [term for term in self.terms if term.first < log_index]
        if not before:
            raise NotFound("not-found", "the participant had no card then")
        term = before[-1]
        if term.revoked_from is not None and log_index >= term.revoked_from:
            raise NotPermitted("certificate-revoked", "signed with a card that was revoked")
        since, until = self._held.get(term.first, (at, at))
        if not since <= at < until:
            term.card.verify(roots, at)
            self._held[term.first] = (at, self._holds_until(term.card, roots, at))
        return term.card

    def _holds_until(self, card: PartyCard, roots: Sequence[x509.Certificate], at: datetime) -> datetime:
        """An hour on when it holds then too, so that a full mailbox does not check one chain for every signal."""
        try:
            card.verify(roots, at + WINDOW)
        except NotAuthentic:
            return at
        return at + WINDOW


def read_term(oin: Oin, card: bytes, first: int, admitted: bytes, revoked: bytes = b"") -> CardTerm:
    """Read a card with the entries that tell of it. Raises NotAuthentic when they tell of another."""
    digest = hashlib.sha256(card).hexdigest()
    expected = {"operation": "party.admit", "party": oin, "card": digest}
    entry = parse_canonical(admitted)
    if {name: entry.get(name) for name in expected} != expected:
        raise NotAuthentic("log-inconsistent", "the entry shown admitted another card")
    revoked_from: int | None = None
    if revoked:
        expected["operation"] = "card.revoke"
        entry = parse_canonical(revoked)
        start = entry.get("from")
        if {name: entry.get(name) for name in expected} != expected or not isinstance(start, int):
            raise NotAuthentic("log-inconsistent", "the entry shown revoked another card")
        revoked_from = start
    parsed = PartyCard.parse(card)
    if parsed.oin != oin:
        raise NotAuthentic("signature-wrong", "the directory shows the card of another party")
    return CardTerm(card=parsed, first=first, revoked_from=revoked_from)
