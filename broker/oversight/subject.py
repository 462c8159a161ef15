# SPDX-License-Identifier: EUPL-1.2
"""Which exchanges of a participant are about one data subject (AVG art. 15), found by pseudonym.

An entry of the log tells of no subject. It commits to one, under a salt that is kept beside the log:

    binding = SHA-256(lp("sluis/v1/binding", salt, pseudonym, root))

so an entry is taken as about the subject only when this opens with the pseudonym that was asked, the stored salt and
the root of the kept envelope. Without salt or envelope nothing is found: then the link was destroyed, or the
signal was refused and never kept. The asker sees what it sent or received, and nothing else.
"""

import hmac
import json
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from uuid import UUID

from broker.match.question import PSEUDONYM_LENGTH
from broker.record import bind_signal
from broker.storage.port import LogRow, Store
from broker.storage.projected import Sight
from broker.storage.subject_port import SubjectDomain, SubjectSignal
from sluis.errors import InvalidInput, Unavailable
from sluis.v1 import envelope_pb2
from sluis.wire import envelope_from_wire

MAX_QUESTIONS = 200
CALLS = 20
PER_SECONDS = 3600.0
_REMEMBERED = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """The subject in one domain."""

    domain: SubjectDomain
    pseudonym: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """An exchange about the subject, with the entries that say so, oldest first."""

    exchange: str
    domain: SubjectDomain
    retain_until_ms: int
    entries: Sequence[LogRow]


def check_questions(questions: Sequence[Question]) -> None:
    """One pseudonym a domain, so that a call is about one subject. Raises InvalidInput."""
    if not 0 < len(questions) <= MAX_QUESTIONS:
        raise InvalidInput("malformed-request", f"1 to {MAX_QUESTIONS} questions are due", where="questions")
    if any(len(item.pseudonym) != PSEUDONYM_LENGTH for item in questions):
        raise InvalidInput("malformed-request", "pseudonyms are 16 bytes each", where="questions")
    if len({item.domain for item in questions}) != len(questions):
        raise InvalidInput("malformed-request", "one pseudonym a domain is due", where="questions")


def find_subject(store: Store, party: str, questions: Sequence[Question]) -> list[Found]:
    """The exchanges that this party sent or received about the subject."""
    found = []
    for question in questions:
        for signal in store.subjects.signals(party, question.domain, question.pseudonym):
            entries = _opened(store, party, signal, question.pseudonym)
            if entries:
                found.append(
                    Found(
                        exchange=str(UUID(bytes=signal.signal_id)),
                        domain=question.domain,
                        retain_until_ms=signal.retain_until_ms,
                        entries=entries,
                    )
                )
    return found


def _opened(store: Store, party: str, signal: SubjectSignal, pseudonym: bytes) -> list[LogRow]:
    """The entries of a signal whose commitment opens, and the confirmations of those."""
    root = envelope_from_wire(envelope_pb2.Envelope.FromString(signal.envelope)).root()
    rows = store.exchange_index.exchange(Sight(party), str(UUID(bytes=signal.signal_id)))
    opened: dict[int, LogRow] = {}
    for row in rows:
        entry = store.log_row(row.log_index)
        if entry is None:
            continue
        binding = json.loads(entry.entry).get("binding")
        confirms = binding is None and row.previous in opened
        if confirms or (binding and _opens(store, row.log_index, binding, pseudonym, root)):
            opened[row.log_index] = entry
    return list(opened.values())


def _opens(store: Store, log_index: int, binding: str, pseudonym: bytes, root: bytes) -> bool:
    return any(
        kept.salt and hmac.compare_digest(bind_signal(kept.salt, pseudonym, root).hex(), binding)
        for kept in store.decided(log_index, log_index + 1)
    )


class Allowance:
    """So many calls an hour for each organisation, in this process."""

    def __init__(self, calls: int = CALLS, timer: Callable[[], float] = time.monotonic) -> None:
        self._calls = calls
        self._timer = timer
        self._made: OrderedDict[str, list[float]] = OrderedDict()

    def spend(self, party: str) -> None:
        """Take one. Raises Unavailable `too-many-requests`."""
        now = self._timer()
        made = [moment for moment in self._made.pop(party, []) if now - moment < PER_SECONDS]
        self._made[party] = made
        if len(self._made) > _REMEMBERED:
            self._made.popitem(last=False)
        if len(made) >= self._calls:
            raise Unavailable("too-many-requests", f"at most {self._calls} of these calls an hour")
        made.append(now)
