# SPDX-License-Identifier: EUPL-1.2
"""Gossip: a checkpoint that somebody else was shown, held against the newest one shown to us.

A broker that shows two histories must keep their readers apart. So participants hand each other their newest
checkpoint (a few lines of text), and ask witnesses for the newest that those cosigned. The log's signature is enough
here: a fork that was shown to one participant alone may lack every cosignature.
"""

import asyncio
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass

from sluis.checkpoint import Checkpoint, verify_cosignatures, verify_log_signature
from sluis.client.receipt_book import ReceiptBook
from sluis.client.trust import Trust
from sluis.errors import InvalidInput, NotAuthentic, Unavailable
from sluis.note import Note

MAX_NOTE = 1 << 16
SECONDS = 10.0

Fetch = Callable[[str], bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class Gossiped:
    """Two checkpoints of one history; `cosigners` are the witnesses that we trust on the other's."""

    ours: int
    theirs: int
    cosigners: tuple[str, ...]


class Gossip:
    """Compares checkpoints of the one log that a kit follows."""

    def __init__(self, trust: Trust, book: ReceiptBook) -> None:
        self._trust = trust
        self._book = book

    async def newest(self) -> str:
        """The newest signed checkpoint that this kit trusts, to hand to others; the broker's, when it has none."""
        if self._trust.remembered() is None or not self._book.note(self._trust.origin):
            await self._trust.signed_checkpoint()
        return self._book.note(self._trust.origin)

    async def check(self, text: str) -> Gossiped:
        """Hold another's checkpoint against ours.

        Raises NotAuthentic: `checkpoint-wrong` when the log did not sign it (then it says nothing of the broker), and
        `log-inconsistent` when the two contradict each other; both are then kept as evidence. Unavailable when
        the broker does not show how one grew from the other.
        """
        note, theirs = self._read(text)
        if self._trust.remembered() is None or not self._book.note(self._trust.origin):
            await self._trust.signed_checkpoint()
        ours = self._trust.remembered()
        await self._trust.compare(theirs, text)
        cosigners = verify_cosignatures(note, theirs, self._trust.policy.witness_vkeys)
        try:
            self._trust.policy.verify_checkpoint(text)
        except NotAuthentic:
            pass  # too few witnesses to trust it on its own
        else:
            await self._trust.remember(theirs, text)
        return Gossiped(ours=ours.size if ours else 0, theirs=theirs.size, cosigners=tuple(sorted(cosigners)))

    async def ask_witness(self, url: str, fetch: Fetch | None = None) -> Gossiped:
        """Ask a witness for the newest checkpoint that it cosigned, and check it as above.

        Raises Unavailable `peer-unavailable`, NotAuthentic `not-witnessed` when no witness that we trust signed it.
        """
        query = urllib.parse.urlencode({"origin": self._trust.origin})
        place = f"{url.rstrip('/')}/checkpoint?{query}"
        text = _decode(await asyncio.to_thread(fetch or _fetch, place))
        found = await self.check(text)
        if not found.cosigners:
            raise NotAuthentic(
                "not-witnessed", "no witness that you trust cosigned this checkpoint", where=url
            )
        return found

    def _read(self, text: str) -> tuple[Note, Checkpoint]:
        try:
            note = Note.parse(text)
            return note, verify_log_signature(note, self._trust.policy.log_vkeys)
        except InvalidInput as error:
            raise NotAuthentic("checkpoint-wrong", f"not a checkpoint: {error.message}") from None


def _decode(data: bytes) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        raise NotAuthentic("checkpoint-wrong", "not a checkpoint: it is no UTF-8 text") from None


def _fetch(place: str) -> bytes:
    """Get a small text, over no proxy and without following a redirect."""
    if not place.startswith(("https://", "http://")):
        raise InvalidInput("malformed-config", "a witness has an http or https address", where=place)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), _Stay())
    try:
        with opener.open(place, timeout=SECONDS) as answer:
            data: bytes = answer.read(MAX_NOTE + 1)
    except (urllib.error.URLError, OSError, ValueError):
        raise Unavailable("peer-unavailable", "the witness does not answer", where=place) from None
    if len(data) > MAX_NOTE:
        raise Unavailable("peer-unavailable", "the witness answers with too much", where=place)
    return data


class _Stay(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: object) -> None:
        return None
