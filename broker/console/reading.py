# SPDX-License-Identifier: EUPL-1.2
"""What an officer may read of the store, and the entry in the log that says that she did.

{"operation": "console.read", "reader": "fg-1", "organisation": OIN, "role": "officer", "page": "/inzage",
 "filter": {"sender": OIN}, "export": "csv", "reason": "..."}

The last two stand in an export only. A word of a filter that could be a person's number is written `?`.
"""

import json
import re
import time
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from broker.console.people import Officer, Role, described
from broker.console.reading_counts import Counts
from broker.console.reading_entries import Entries
from broker.console.reading_epochs import EpochReader
from broker.console.reading_exchanges import Exchanges
from broker.console.reading_findings import Oversight
from broker.console.reading_follow_ups import FollowUpReader
from broker.console.reading_policy import PolicyReader
from broker.console.reading_record import Record
from broker.console.reading_register import Register
from broker.console.reading_retention import RetentionReader
from broker.console.saved_views import SavedViews
from broker.record import UNKNOWN
from broker.step import Needs, Step
from broker.storage.console_port import ConsoleRead
from broker.storage.port import Activation, LogRow, PartyRow, Store
from broker.storage.projected import Sight
from sluis.checkpoint import Checkpoint
from sluis.errors import InvalidInput, NotFound, NotPermitted
from sluis.identifiers import find_hidden_identifiers
from sluis.note import Note

AGAIN_SECONDS = 60.0
MAX_REASON = 300
_REMEMBERED = 10_000
_SAFE = re.compile(
    r"[0-9]{20}|20[0-9]{2}-[01][0-9]-[0-3][0-9]|(?!.*[0-9]{8})[A-Za-z][A-Za-z0-9_.-]*|[0-9]{1,7}"
    r"|sha256:[0-9a-f]{64}"  # the digest of rules
    r"|[A-Za-z]{1,20} [0-9]{1,3}[a-z]{0,2}([:.][0-9]{1,3}[a-z]{0,2})?(\([0-9]{1,2}[a-z]?\))?(\([a-z]\))?"  # an article
)
_PORTION = 500
_PARTIES = {"sender", "recipient"}  # an acknowledgement has the second only


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """An entry of the log with its content."""

    log_index: int
    content: Mapping[str, Any]
    row: LogRow

    @property
    def at(self) -> datetime:
        """When it was written."""
        return datetime.fromisoformat(self.content["time"])


@dataclass(frozen=True, slots=True, kw_only=True)
class NewestCheckpoint:
    """A checkpoint with the names under it; the log's own name comes first."""

    checkpoint: Checkpoint
    signers: tuple[str, ...]


class Reader:
    """The store as this officer may read it. Whatever tells of an exchange passes `may_see`."""

    def __init__(self, store: Store, officer: Officer) -> None:
        self._store = store
        self._officer = officer

    @property
    def counts(self) -> Counts:
        """What is counted of her exchanges. Raises NotPermitted `not-your-role` for an operator."""
        return Counts(self._store, self.sight)

    @property
    def record(self) -> Record:
        """The log as a tree: it tells of no exchange."""
        return Record(self._store)

    @property
    def register(self) -> Register:
        """Participants, their keys, and stops; no secret among participants."""
        return Register(self._store)

    def may_see(self, content: Mapping[str, Any]) -> bool:
        """Whether an entry of an exchange is hers: of the authority all, else those of her organisation."""
        officer = self._officer
        if officer.role is Role.OPERATOR:
            return False
        return not officer.scope or officer.scope in (content.get("sender"), content.get("recipient"))

    @property
    def sight(self) -> Sight:
        """Whose exchanges she sees. Raises NotPermitted `not-your-role` for an operator."""
        if self._officer.role is Role.OPERATOR:
            raise NotPermitted("not-your-role")
        return Sight(self._officer.scope) if self._officer.scope else Sight.everything()

    @property
    def exchanges(self) -> Exchanges:
        """The index of exchanges, in her sight."""
        return Exchanges(self._store, self.sight)

    @property
    def entries(self) -> Entries:
        """Single entries of the log, as far as she may read them."""
        return Entries(self._store, self._officer, self.may_see)

    @property
    def epochs(self) -> EpochReader:
        """Epochs of pseudonyms; no secret among participants."""
        return EpochReader(self._store)

    @property
    def retention(self) -> RetentionReader:
        """Until when data are kept, and what was destroyed. Raises NotPermitted `not-your-role` for an operator."""
        return RetentionReader(self._store, self.sight)

    @property
    def follow_ups(self) -> FollowUpReader:
        """What is owed about signals, and what recipients told back, in her sight."""
        return FollowUpReader(self._store, self.sight)

    @property
    def saved_views(self) -> SavedViews:
        """The choices that she keeps."""
        return SavedViews(self._store.console, self._officer)

    def entry(self, log_index: int) -> Entry:
        """Give an exchange's entry. Raises NotFound also for one that is not hers, so that nothing leaks."""
        row = self._store.log_row(log_index)
        found = _entry(row) if row else None
        if found is None or not _PARTIES & found.content.keys() or not self.may_see(found.content):
            raise NotFound("not-found")
        return found

    def newest_exchanges(self, at_most: int) -> Iterator[Entry]:
        """Yield her exchanges among the newest `at_most` entries of the log, newest first."""
        end = self.log_size()
        last = max(0, end - at_most)
        while end > last:
            start = max(last, end - _PORTION)
            for row in reversed(list(self._store.entries(start, end))):
                found = _entry(row)
                if "decision" in found.content and self.may_see(found.content):
                    yield found
            end = start

    @property
    def policy(self) -> PolicyReader:
        """The rules: activations, proposals, and counts of her exchanges."""
        return PolicyReader(self._store, self._officer, self.may_see)

    def log_size(self) -> int:
        """How many entries the log has."""
        return self._store.head().tree.size

    def newest_checkpoint(self) -> NewestCheckpoint | None:
        """The newest checkpoint."""
        text = self._store.checkpoint()
        if text is None:
            return None
        note = Note.parse(text)
        names = tuple(dict.fromkeys(signature.name for signature in note.signatures))
        return NewestCheckpoint(checkpoint=Checkpoint.parse(note.text), signers=names)

    def activations(self) -> Sequence[Activation]:
        """Since when which rules decide, oldest first."""
        return self._store.activations()

    def party(self, oin: str) -> PartyRow | None:
        """A participant; its name is no secret among participants."""
        return self._store.party(oin)

    def names(self, oins: Collection[str]) -> Mapping[str, str]:
        """The names of participants."""
        return {oin: row.name for oin, row in self._store.parties(oins).items()}

    @property
    def oversight(self) -> Oversight:
        """Findings, and exchanges as a whole. Raises NotPermitted `not-your-role` for an operator."""
        return Oversight(self._store, self._officer)

    def reads(self, before: int, limit: int) -> list[Entry]:
        """Readings in the console, newest first: of the authority all, else by her own organisation.

        Raises NotPermitted `not-your-role` for an operator.
        """
        if self._officer.role is Role.OPERATOR:
            raise NotPermitted("not-your-role")
        rows = self._store.console.reads(self._officer.scope, before, limit)
        found = (self._store.log_row(row.log_index) for row in rows)
        return [_entry(row) for row in found if row]


class Journal:
    """Logs who read what. The same reading by the same officer within a minute is one entry."""

    def __init__(self, timer: Callable[[], float] = time.monotonic) -> None:
        self._timer = timer
        self._last: OrderedDict[tuple[str, ...], float] = OrderedDict()

    def is_new(self, work: "ReadPage") -> bool:
        """Whether this reading is to be logged; an export always is."""
        last = self._last.get(work.key)
        return bool(work.export) or last is None or self._timer() - last >= AGAIN_SECONDS

    def remember(self, work: "ReadPage") -> None:
        """Note that it was."""
        self._last[work.key] = self._timer()
        self._last.move_to_end(work.key)
        if len(self._last) > _REMEMBERED:
            self._last.popitem(last=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadPage:
    """The entry of a reading; settled by the committer before anything is shown."""

    officer: Officer
    page: str
    filters: Mapping[str, str] = field(default_factory=dict)
    export: str = ""
    reason: str = ""

    @property
    def key(self) -> tuple[str, ...]:
        """What makes two readings the same."""
        officer = self.officer
        words = [word for pair in sorted(self.filters.items()) for word in pair]
        return (officer.reference, officer.organisation, officer.role, self.page, *words)

    def needs(self) -> Needs:
        """Nothing but the head."""
        return Needs()

    def settle(self, step: Step) -> None:
        """Write the entry, and where to find it."""
        words = {
            name: value if _SAFE.fullmatch(value) else UNKNOWN for name, value in sorted(self.filters.items())
        }
        export = {"export": self.export, "reason": self.reason} if self.export else {}
        logged = step.log(
            {
                "operation": "console.read",
                **described(self.officer),
                "page": self.page,
                "filter": words,
                **export,
            }
        )
        row = ConsoleRead(
            log_index=logged.index,
            organisation=self.officer.organisation,
            reference=self.officer.reference,
        )
        step.tx.add_console_read(row)


def check_reason(text: str) -> str:
    """The reason of an export. Raises InvalidInput `malformed-request`, `hidden-identifier`."""
    reason = " ".join(text.split())
    if not 5 <= len(reason) <= MAX_REASON or not reason.isprintable():
        message = f"a reason of 5 to {MAX_REASON} characters is due"
        raise InvalidInput("malformed-request", message, where="reason")
    if find_hidden_identifiers(reason):
        raise InvalidInput("hidden-identifier", where="reason")
    return reason


def _entry(row: LogRow) -> Entry:
    return Entry(log_index=row.log_index, content=json.loads(row.entry), row=row)
