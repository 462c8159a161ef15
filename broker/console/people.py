# SPDX-License-Identifier: EUPL-1.2
"""Who is signed in to the console: an officer, with the role that says what she may see.

officer     the exchanges in which her organisation is sender or recipient
authority   the supervisory authority: every exchange
operator    the health of the broker and its participants, and no exchange

A token is 32 random bytes; the browser holds it in a cookie, the database holds its SHA-256. Each sign-in makes
a new one, so that nobody can be made to use a token that another knows. The token against forged forms is an
HMAC under the session's own token.
"""

import hashlib
import hmac
import json
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from broker.step import Step
from broker.storage.console_port import ConsoleLink, ConsoleSession
from broker.storage.port import PartyStatus, Store
from sluis.errors import InvalidInput, NotPermitted
from sluis.identifiers import Oin, find_hidden_identifiers
from sluis.policy.approval import check_officer

SIGN_IN = "/aanmelden"
LINK_MS = 10 * 60_000
IDLE_MS = 30 * 60_000
ABSOLUTE_MS = 10 * 60 * 60_000
SEEN_MS = 60_000  # how often a session's last use is written

_LINK = "link"


class Role(StrEnum):
    """What an officer may see."""

    OFFICER = "officer"
    AUTHORITY = "authority"
    OPERATOR = "operator"

    @classmethod
    def parse(cls, text: str) -> "Role":
        """Read a role. Raises InvalidInput `malformed-request`."""
        try:
            return cls(text)
        except ValueError:
            raise InvalidInput(
                "malformed-request", f"a role is one of {', '.join(cls)}", where="role"
            ) from None


@dataclass(frozen=True, slots=True, kw_only=True)
class Officer:
    """A person, by a reference and never by name, of an organisation."""

    reference: str
    organisation: Oin
    role: Role

    def __post_init__(self) -> None:
        check_officer(self.reference)
        if find_hidden_identifiers(self.reference):  # it goes into the log
            raise InvalidInput("hidden-identifier", where="officer")

    @property
    def scope(self) -> str:
        """The one organisation whose exchanges she sees; empty when she sees all."""
        return "" if self.role is Role.AUTHORITY else self.organisation


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """An officer and the token of her browser."""

    officer: Officer
    token: str

    @property
    def csrf(self) -> str:
        """What every form of this session must carry."""
        return hmac.new(self.token.encode(), b"sluis/v1/console/csrf", hashlib.sha256).hexdigest()

    def owns(self, form_token: str) -> bool:
        """Whether a form came from this session."""
        return hmac.compare_digest(self.csrf.encode(), form_token.encode("utf-8", "replace"))


class People:
    """Signs officers in and out, on the store."""

    def __init__(self, store: Store, clock: Callable[[], datetime]) -> None:
        self._store = store
        self._clock = clock

    def create_link(self, officer: Officer) -> str:
        """Make a token that signs this officer in once, within ten minutes; the log tells that it was made.

        Raises NotPermitted `party-unknown`, `party-stopped`.
        """
        self.check_organisation(officer)
        token, now_ms = new_token(), self._now_ms()
        with self._store.transaction() as tx:
            Step(tx, self._clock(), []).log({"operation": "console.link", **described(officer)})
            tx.commit()
        content = json.dumps(described(officer)).encode()
        row = ConsoleLink(
            token_hash=_hash(token), purpose=_LINK, content=content, expires_at_ms=now_ms + LINK_MS
        )
        self._store.console.add_link(row, now_ms)
        return token

    def take_link(self, token: str) -> Officer:
        """End a link and tell whom it signs in. Raises NotPermitted `link-spent`."""
        content = self._store.console.take_link(_hash(token), _LINK, self._now_ms())
        if content is None:
            raise NotPermitted("link-spent")
        values = json.loads(content)
        return Officer(
            reference=values["reader"],
            organisation=Oin(values["organisation"]),
            role=Role(values["role"]),
        )

    def keep(self, token: str, purpose: str, content: bytes) -> None:
        """Keep what a sign-in elsewhere needs on its way back."""
        now_ms = self._now_ms()
        row = ConsoleLink(
            token_hash=_hash(token), purpose=purpose, content=content, expires_at_ms=now_ms + LINK_MS
        )
        self._store.console.add_link(row, now_ms)

    def take(self, token: str, purpose: str) -> bytes | None:
        """Give what was kept, once."""
        return self._store.console.take_link(_hash(token), purpose, self._now_ms())

    def sign_in(self, officer: Officer, replaces: str = "") -> Session:
        """Begin a session under a new token; the one that the browser had before ends."""
        self.check_organisation(officer)
        if replaces:
            self.sign_out(replaces)
        token, now_ms = new_token(), self._now_ms()
        row = ConsoleSession(
            token_hash=_hash(token),
            reference=officer.reference,
            organisation=officer.organisation,
            role=officer.role.value,
            seen_at_ms=now_ms,
            expires_at_ms=now_ms + ABSOLUTE_MS,
        )
        self._store.console.add_session(row, now_ms)
        return Session(officer=officer, token=token)

    def find(self, token: str) -> Session | None:
        """Give the session of a token; nothing when it is unknown, idle, over, or its organisation stopped."""
        row = self._store.console.session(_hash(token)) if token else None
        if row is None:
            return None
        now_ms = self._now_ms()
        if now_ms >= row.expires_at_ms or now_ms - row.seen_at_ms >= IDLE_MS:
            self._store.console.end_session(row.token_hash)
            return None
        officer = Officer(reference=row.reference, organisation=Oin(row.organisation), role=Role(row.role))
        try:
            self.check_organisation(officer)
        except NotPermitted:  # stopped since; a stop counts at once
            self._store.console.end_session(row.token_hash)
            return None
        if now_ms - row.seen_at_ms >= SEEN_MS:
            self._store.console.see_session(row.token_hash, now_ms)
        return Session(officer=officer, token=token)

    def sign_out(self, token: str) -> None:
        """End a session."""
        self._store.console.end_session(_hash(token))

    def check_organisation(self, officer: Officer) -> None:
        """An officer works for an active participant; an operator may work for the broker, which is none.

        Raises NotPermitted `party-unknown`, `party-stopped`.
        """
        if officer.role is Role.OPERATOR:
            return
        party = self._store.party(officer.organisation)
        if party is None:
            raise NotPermitted("party-unknown")
        if party.status is not PartyStatus.ACTIVE:
            raise NotPermitted("party-stopped")

    def _now_ms(self) -> int:
        return int(self._clock().timestamp() * 1000)


def described(officer: Officer) -> dict[str, str]:
    """An officer in an entry of the log."""
    return {
        "reader": officer.reference,
        "organisation": officer.organisation,
        "role": officer.role.value,
    }


def new_token() -> str:
    """A token that nobody can guess."""
    return secrets.token_urlsafe(32)


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "replace")).digest()
