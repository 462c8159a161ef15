# SPDX-License-Identifier: EUPL-1.2
"""Checks a follow-up that came in, before anything is done with it.

Of each: the broker's receipt and that it is for the entry shown; that the entry tells of this statement; the author's
card and signature (for `destroy` the broker's own); that its codes are of the catalogue. Of one that takes a signal
back also that its author sent that signal: ours, or one that ours was passed on from, which the log's entries of those
pushes show, and the header of our own copy.
"""

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any
from uuid import UUID

from sluis.canonical import parse_canonical
from sluis.client.follow_up_book import Heard
from sluis.client.inbox import Inbox, Origin
from sluis.client.receiver import PUSHES
from sluis.client.trust import Trust
from sluis.errors import NotAuthentic
from sluis.followup import BINDING, Act, FollowUp, SignedFollowUp
from sluis.policy.bundle import Bundle
from sluis.v1 import followup_pb2
from sluis.wire import follow_up_from_wire


class FollowUpChecks:
    """Checks deliveries of follow-ups."""

    def __init__(self, trust: Trust, inbox: Inbox, bundle: Bundle) -> None:
        self._trust = trust
        self._inbox = inbox
        self._bundle = bundle

    async def check(self, delivery: followup_pb2.FollowUpDelivery) -> tuple[Heard, Origin]:
        """Return what holds, and where our copy comes from. Raises NotAuthentic, InvalidInput, NotFound."""
        entry = self._entry(delivery.log_index, delivery.entry, delivery.receipt)
        signed = follow_up_from_wire(delivery.follow_up)
        statement = signed.statement
        self._bundle.catalog.follow_ups.check(statement, self._bundle.catalog.functions)
        await self._check_signature(signed, delivery.log_index)
        if entry.get("follow_up") != str(statement.follow_up_id):
            raise NotAuthentic("log-inconsistent", "the entry is of another follow-up")
        digest = entry.get("statement", hashlib.sha256(statement.encode()).hexdigest())
        if digest != hashlib.sha256(statement.encode()).hexdigest():
            raise NotAuthentic("log-inconsistent", "the entry is of another statement")
        origin = Origin("", b"")
        if statement.act in BINDING:
            origin = self._origin(delivery, statement)
            known = self._inbox.origin_of(delivery.signal_id)
            if known and not _is_of(known, origin):
                raise NotAuthentic("log-inconsistent", "the author did not send what this copy comes from")
        heard = Heard(log_index=delivery.log_index, signal_id=delivery.signal_id, signed=signed)
        return heard, origin

    async def _check_signature(self, signed: SignedFollowUp, log_index: int) -> None:
        author = signed.statement.author
        if author is None:
            signed.verify(self._trust.receipt_keys)
        else:
            # The card that counted when the broker took it: its author may have new keys since, or be stopped.
            made_at = datetime.fromtimestamp(signed.statement.created_at_ms / 1000, UTC)
            card = await self._trust.card_at(author, log_index, made_at, even_stopped=True)
            signed.verify(card.signing_key)

    def _origin(self, delivery: followup_pb2.FollowUpDelivery, statement: FollowUp) -> Origin:
        """What our copy must come from for its author to take it back."""
        if delivery.signal_id == statement.signal_id.bytes:
            return Origin(statement.author or "", b"")
        if statement.act is Act.DESTROY or not delivery.links:
            raise NotAuthentic("log-inconsistent", "nothing shows that our copy comes from that signal")
        entries = [self._entry(link.receipt.log_index, link.entry, link.receipt) for link in delivery.links]
        for one, before in pairwise(entries):
            if one.get("passed_on_from") != before.get("exchange"):
                raise NotAuthentic("log-inconsistent", "the pushes do not follow from one another")
        last = entries[-1]
        if (last.get("exchange"), last.get("sender")) != (str(statement.signal_id), statement.author):
            raise NotAuthentic("log-inconsistent", "the author did not send what our copy comes from")
        if any(entry.get("operation") not in PUSHES for entry in entries):
            raise NotAuthentic("log-inconsistent", "an entry is not of a push")
        return Origin("", UUID(str(entries[0].get("exchange"))).bytes)

    def _entry(self, log_index: int, entry: bytes, message: Any) -> Mapping[str, Any]:
        receipt = self._trust.check_receipt(message, entry)
        if receipt.log_index != log_index:
            raise NotAuthentic("log-inconsistent", "the receipt is for another log index")
        return parse_canonical(entry)


def _is_of(known: Origin, due: Origin) -> bool:
    return due.sender in ("", known.sender) and due.previous in (b"", known.previous)
