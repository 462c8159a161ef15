# SPDX-License-Identifier: EUPL-1.2
"""What the store keeps for the console: who is signed in, one-time tokens, and where officers' reading is logged.

Of every token only its SHA-256 is kept, so that a copy of the database signs nobody in.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsoleSession:
    """An officer who is signed in; times in Unix milliseconds."""

    token_hash: bytes
    reference: str
    organisation: str
    role: str
    seen_at_ms: int
    expires_at_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsoleLink:
    """A token that works once: `purpose` says for what, `content` is what it stands for."""

    token_hash: bytes
    purpose: str
    content: bytes
    expires_at_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsoleRead:
    """Which entry of the log tells of a reading, and by whom; the entry says the rest."""

    log_index: int
    organisation: str
    reference: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsoleView:
    """A choice on the page of exchanges, as the query of its address, kept by one officer under a name.

    A watch says from which entry of the log on its exchanges are new to her.
    """

    organisation: str
    reference: str
    name: str
    query: str
    watched_from: int | None = None


class ConsoleStore(Protocol):
    """Sessions and tokens, each call durable by itself. Raises Unavailable `storage-unavailable`."""

    def add_link(self, row: ConsoleLink, now_ms: int) -> None:
        """Keep a token; tokens that expired are removed on the way."""
        ...

    def take_link(self, token_hash: bytes, purpose: str, now_ms: int) -> bytes | None:
        """Give what a token stands for and end it, in one step; nothing when it is used, expired or unknown."""
        ...

    def add_session(self, row: ConsoleSession, now_ms: int) -> None:
        """Keep a session; sessions that expired are removed on the way."""
        ...

    def session(self, token_hash: bytes) -> ConsoleSession | None: ...
    def see_session(self, token_hash: bytes, seen_at_ms: int) -> None: ...
    def end_session(self, token_hash: bytes) -> None: ...
    def reads(self, organisation: str, before: int, limit: int) -> Sequence[ConsoleRead]:
        """Readings below a log index, newest first; of every organisation when it is empty."""
        ...

    def views(self, organisation: str, reference: str) -> Sequence[ConsoleView]:
        """An officer's views by name."""
        ...

    def put_view(self, row: ConsoleView) -> None:
        """Keep a view; one of the same name is replaced."""
        ...

    def drop_view(self, organisation: str, reference: str, name: str) -> None:
        """Forget a view, if it is there."""
        ...
