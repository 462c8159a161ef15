# SPDX-License-Identifier: EUPL-1.2
"""What the store keeps of findings: one row each with its content as JSON, and which entries were drawn from."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class FindingRow:
    """A finding; `subject` is unique within an organisation, which is empty for the authority."""

    finding_id: str
    organisation: str
    subject: str
    state: str
    log_index: int
    content: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawRow:
    """A draw from the entries first_index <= log_index < end_index, and the entry that tells of it."""

    organisation: str
    first_index: int
    end_index: int
    log_index: int
    drawn: int


class FindingStore(Protocol):
    """Reads of findings beside the writer. Raises Unavailable `storage-unavailable`."""

    def one(self, organisation: str, finding_id: str) -> FindingRow | None: ...
    def page(self, organisation: str, state: str, before: int, limit: int) -> Sequence[FindingRow]:
        """Findings below a log index, newest exchange first; of every state when it is empty."""
        ...

    def about(self, organisation: str, subjects: Collection[str]) -> dict[str, str]:
        """The ids of findings by what they are about, of those that there are."""
        ...

    def counts(self, organisation: str) -> dict[str, int]:
        """How many are in each state."""
        ...

    def draws(self, organisation: str) -> Sequence[DrawRow]:
        """Every draw, oldest first."""
        ...
