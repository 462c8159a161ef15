# SPDX-License-Identifier: EUPL-1.2
"""How much each participant asks, by domain and day: what a pattern of enumeration would show in."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Protocol


class AskedMode(StrEnum):
    """In which way was asked: about everybody, about what was found in a digest, or for the digest itself."""

    PLAIN = "plain"
    CLAIM = "claim"
    DIGEST = "digest"


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedKey:
    """Who asked, in which domain, on which day in Amsterdam, and in which way."""

    day: date
    participant: str
    agreement: str
    kind: str
    mode: AskedMode


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedCount:
    """So many questions (frames), about so many subjects, of which so many were hits."""

    questions: int = 0
    asked: int = 0
    hits: int = 0

    def plus(self, other: "AskedCount") -> "AskedCount":
        """Both together."""
        return AskedCount(
            questions=self.questions + other.questions,
            asked=self.asked + other.asked,
            hits=self.hits + other.hits,
        )


class AskedStore(Protocol):
    """Reads beside the writer. Raises Unavailable `storage-unavailable`."""

    def days(self, participant: str | None, first: date, last: date) -> Sequence[tuple[AskedKey, AskedCount]]:
        """What was asked from a day to another, both inclusive; of everybody when the participant is None."""
        ...

    def registered(self, participant: str | None) -> Mapping[tuple[str, str], int]:
        """How many subjects the registers in force hold in a participant's domain, by (participant, agreement)."""
        ...
