# SPDX-License-Identifier: EUPL-1.2
"""Who may act: registered, active, with a certificate that has not been revoked.

Checked twice. Once when a call arrives, to know the caller's keys and to refuse early; and again inside the
transaction, so that a stop counts from the moment it was committed.
"""

import asyncio
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass

from broker.cards import CARD, digest_of
from broker.decide.model import Party
from broker.policy.active import ActivePolicy
from broker.step import Step
from broker.storage.port import PartyRow, PartyStatus, Stop, Store
from sluis.cards import PartyCard
from sluis.errors import NotAuthentic, NotPermitted, Unavailable
from sluis.identifiers import Oin
from sluis.rpc.caller import Caller
from sluis.signing import VerifyKey

CERTIFICATE = "certificate"


@dataclass(frozen=True, slots=True, kw_only=True)
class Admitted:
    """A caller whom the directory knows, with the keys of the card that was admitted."""

    caller: Caller
    role: str
    card: PartyCard
    card_bytes: bytes

    @property
    def oin(self) -> Oin:
        """The caller's OIN."""
        return self.caller.oin


def admit(step: Step, admitted: Admitted, *, even_stopped: bool = False) -> PartyRow:
    """Repeat the admission inside the transaction; the caller's OIN was in the needs.

    `even_stopped` is for what a participant owes about earlier exchanges (docs/adr/0013).

    Raises NotPermitted `party-unknown`, `party-stopped`, `certificate-revoked`, NotAuthentic `certificate-expired`,
    Unavailable `card-changed`.
    """
    admitted.caller.check_validity(step.now)  # a stream may outlive its certificate
    row = step.party(admitted.oin)
    revoked = step.stopped(CERTIFICATE, admitted.caller.fingerprint)
    revoked = revoked or (row is not None and is_revoked(row, step.stops))
    _check(row, revoked=revoked, even_stopped=even_stopped)
    if row is None or row.card != admitted.card_bytes:
        raise Unavailable("card-changed")
    return row


def is_revoked(row: PartyRow, stops: Collection[Stop]) -> bool:
    """Whether a participant's present card was revoked."""
    return any(stop.scope == CARD for stop in stops) and Stop(scope=CARD, target=digest_of(row.card)) in stops


def _check(row: PartyRow | None, *, revoked: bool, even_stopped: bool = False) -> PartyRow:
    if row is None:
        raise NotPermitted("party-unknown")
    if row.status is not PartyStatus.ACTIVE and not even_stopped:
        raise NotPermitted("party-stopped")
    if revoked:
        raise NotPermitted("certificate-revoked")
    return row


class Directory:
    """The directory of participants, remembered for a moment so that a busy caller costs no reads."""

    def __init__(
        self,
        store: Store,
        policy: ActivePolicy,
        *,
        keep: float = 1.0,
        timer: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._policy = policy
        self._keep = keep
        self._timer = timer
        self._known: dict[tuple[str, bool], tuple[float, Admitted]] = {}
        self._reading: dict[tuple[str, bool], asyncio.Future[Admitted]] = {}

    async def admit(self, caller: Caller, *, even_stopped: bool = False) -> Admitted:
        """Return the caller's role and keys. Raises NotPermitted as in `admit`."""
        key = (caller.fingerprint, even_stopped)
        known = self._known.get(key)
        if known and known[0] > self._timer():
            return known[1]
        admitted = await self._read_once(caller, key)
        if len(self._known) > 10_000:
            self._known.clear()
        self._known[key] = (self._timer() + self._keep, admitted)
        return admitted

    async def _read_once(self, caller: Caller, key: tuple[str, bool]) -> Admitted:
        """Read on behalf of all calls of this caller that wait for it now."""
        reading = self._reading.get(key)
        if reading is None:
            reading = asyncio.ensure_future(asyncio.to_thread(self._read, caller, key[1]))
            self._reading[key] = reading
            reading.add_done_callback(lambda _: self._reading.pop(key))
        return await asyncio.shield(reading)  # one call that is cancelled leaves the others their answer

    def _read(self, caller: Caller, even_stopped: bool) -> Admitted:
        stops = self._store.stops()
        revoked = any(stop.scope == CERTIFICATE and stop.target == caller.fingerprint for stop in stops)
        row = _check(self._store.party(caller.oin), revoked=revoked, even_stopped=even_stopped)
        _check(row, revoked=is_revoked(row, stops), even_stopped=even_stopped)
        return Admitted(
            caller=caller,
            role=row.role,
            card=PartyCard.parse(row.card),
            card_bytes=row.card,
        )

    async def check_signature(self, sender: Admitted, check: Callable[[VerifyKey], None]) -> bool:
        """Whether the sender's present key signed; False for a key of its that was replaced.

        `check` raises NotAuthentic for a key that did not sign, and so does this when none of the sender's did.
        """
        try:
            check(sender.card.signing_key)
        except NotAuthentic:
            rows = await asyncio.to_thread(self._store.epochs.cards, sender.oin)
            if not any(_signed_by(check, row.card) for row in rows):
                raise
            return False
        return True

    async def require_role(self, caller: Caller, *roles: str) -> Admitted:
        """Admit only these roles. Raises NotPermitted `not-your-role`."""
        admitted = await self.admit(caller)
        if admitted.role not in roles:
            raise NotPermitted("not-your-role")
        return admitted

    def party_of(self, step: Step, oin: Oin) -> Party:
        """A participant as the policy engine sees it; one that is unknown or may not act has no role."""
        row = step.party(oin)
        if row is None or row.status is not PartyStatus.ACTIVE or is_revoked(row, step.stops):
            return Party(oin=oin, role="", sector="")
        return Party(oin=oin, role=row.role, sector=self._policy.bundle.sector_of(row.role))


def _signed_by(check: Callable[[VerifyKey], None], card: bytes) -> bool:
    try:
        check(PartyCard.parse(card).signing_key)
    except NotAuthentic:
        return False
    return True
