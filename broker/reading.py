# SPDX-License-Identifier: EUPL-1.2
"""Reading the entries of the log: who may, and that the reading becomes an entry first.

Entries tell who exchanged with whom. Hashes, proofs and checkpoints do not: every participant may have those.
"""

from dataclasses import dataclass

from broker.admission import Admitted, admit
from broker.step import Needs, Step

READERS = ("privacy-officer",)


@dataclass(frozen=True, slots=True)
class ReadLog:
    """The work that logs that entries with start <= index < end were read."""

    reader: Admitted
    start: int
    end: int

    def needs(self) -> Needs:
        """Say what it reads."""
        return Needs(parties=frozenset({self.reader.oin}))

    def settle(self, step: Step) -> None:
        """Check the reader once more, and write the entry."""
        admit(step, self.reader)
        step.log({"operation": "log.read", "reader": self.reader.oin, "first": self.start, "end": self.end})


@dataclass(frozen=True, slots=True)
class ReadExchange:
    """The work that logs that the entries of one exchange were read; `exchange` comes from the log."""

    reader: Admitted
    exchange: str

    def needs(self) -> Needs:
        """Say what it reads."""
        return Needs(parties=frozenset({self.reader.oin}))

    def settle(self, step: Step) -> None:
        """Check the reader once more, and write the entry."""
        admit(step, self.reader)
        step.log({"operation": "log.read", "reader": self.reader.oin, "exchange": self.exchange})


@dataclass(frozen=True, slots=True)
class FindSubject:
    """The work that logs that a party looked for the exchanges about a subject: how many pseudonyms, how many hits."""

    reader: Admitted
    asked: int
    found: int

    def needs(self) -> Needs:
        """Say what it reads."""
        return Needs(parties=frozenset({self.reader.oin}))

    def settle(self, step: Step) -> None:
        """Check the reader once more, and write the entry."""
        admit(step, self.reader)
        counts = {"asked": self.asked, "found": self.found}
        step.log({"operation": "subject.find", "reader": self.reader.oin, **counts})
