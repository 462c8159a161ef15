# SPDX-License-Identifier: EUPL-1.2
"""Seals the signal that takes the place of a wrong one.

It has the header of the first in all but id, times and those claims that repeat a field, so that the broker can see
that only its content differs. The fields have to be given anew: what was sealed, the sender itself cannot open.
"""

from collections.abc import Callable, Mapping
from uuid import UUID

from sluis.client.follow_up_book import FollowUpBook
from sluis.client.keyring import KeyRing
from sluis.client.outbox import Outbox
from sluis.client.sender import check_fields, with_severity
from sluis.client.trust import Trust
from sluis.envelope import Envelope, Field, seal
from sluis.errors import NotFound
from sluis.header import Header, new_uuid7
from sluis.policy.bundle import Bundle
from sluis.policy.catalog import ClaimSpec
from sluis.v1 import exchange_pb2, followup_pb2
from sluis.wire import envelope_from_wire

LEAST_LIFE_MS = 30 * 86_400_000


class Corrector:
    """Seals replacements of signals that this kit sent."""

    def __init__(
        self,
        *,
        keys: KeyRing,
        trust: Trust,
        outbox: Outbox,
        book: FollowUpBook,
        bundle: Bundle,
        now_ms: Callable[[], int],
    ) -> None:
        self._keys = keys
        self._trust = trust
        self._outbox = outbox
        self._book = book
        self._bundle = bundle
        self._now_ms = now_ms

    async def seal(self, signal_id: UUID, fields: Mapping[str, str]) -> Envelope:
        """Seal the right content. Raises NotFound for a signal that this kit did not send, InvalidInput."""
        first = self._header(signal_id)
        claims = self._claims(first, fields)
        check_fields(self._bundle, fields, claims)
        now_ms = self._now_ms()
        header = Header(
            signal_id=new_uuid7(now_ms),
            suite=first.suite,
            agreement=first.agreement,
            sender=first.sender,
            recipient=first.recipient,
            kind=first.kind,
            purpose=first.purpose,
            delivery=first.delivery,
            epoch=first.epoch,
            pseudonym=first.pseudonym,
            created_at_ms=now_ms,
            expires_at_ms=max(first.expires_at_ms, now_ms + LEAST_LIFE_MS),
            previous=signal_id,
            claims=claims,
            aliases=first.aliases,
        )
        sealed = [
            Field(name=name, category=self._bundle.fields[name].category.value, value=value.encode())
            for name, value in fields.items()
        ]
        card = await self._trust.card(first.recipient, even_stopped=True)
        signing = await self._keys.signing_key(self._trust, first.sender)
        return seal(header, sealed, card.sealing_key, signing)

    def _header(self, signal_id: UUID) -> Header:
        request = self._outbox.sent(f"push-{signal_id}")
        if request is not None:
            return envelope_from_wire(exchange_pb2.PushRequest.FromString(request).envelope).header
        for data in self._book.every_request():
            correction = followup_pb2.SendFollowUpRequest.FromString(data)
            if correction.HasField("replacement"):
                header = envelope_from_wire(correction.replacement).header
                if header.signal_id == signal_id:
                    return header
        raise NotFound("not-found", "this kit did not send such a signal", where=str(signal_id))

    def _claims(self, first: Header, fields: Mapping[str, str]) -> dict[str, str]:
        claims = dict(first.claims)
        for name in claims:
            spec = self._bundle.catalog.assertions.get(name)
            if isinstance(spec, ClaimSpec) and spec.equals:
                claims[name] = spec.expected(fields)
        return dict(with_severity(self._bundle, claims, fields))
