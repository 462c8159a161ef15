# SPDX-License-Identifier: EUPL-1.2
"""Epochs, the end of their keys, and every card that was admitted: rows, and what is asked of the store."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from sluis.epochs import Epoch


@dataclass(frozen=True, slots=True, kw_only=True)
class EpochRow:
    """An epoch with the log entries that tell of it; `changed_index` is of the last compromise."""

    name: str
    begins_at_ms: int
    announced_index: int
    compromised_at_ms: int | None = None
    questions_stopped: bool = False
    changed_index: int | None = None
    retired_index: int | None = None

    @property
    def epoch(self) -> Epoch:
        """The epoch as the calendar has it."""
        return Epoch(
            name=self.name,
            begins_at_ms=self.begins_at_ms,
            announced_index=self.announced_index,
            compromised_at_ms=self.compromised_at_ms,
            questions_stopped=self.questions_stopped,
            retired_index=self.retired_index,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class DestructionRow:
    """That an evaluator destroyed its seed of an epoch: its signed statement, and the entry that holds it."""

    evaluator: str
    epoch: str
    statement: bytes
    signature: bytes
    log_index: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CardRow:
    """A card that was admitted; `revoked_index` is the entry that revoked it."""

    log_index: int
    oin: str
    card: bytes
    revoked_index: int | None = None


class EpochWrites(Protocol):
    """Inside a writing transaction."""

    def all(self) -> Sequence[EpochRow]: ...
    def destruction(self, evaluator: str, epoch: str) -> DestructionRow | None: ...
    def cards(self, oin: str) -> Sequence[CardRow]:
        """The cards of a participant, oldest first."""
        ...

    def put(self, row: EpochRow) -> None: ...
    def clear_registers(self, epoch: str) -> int:
        """Take every register of an epoch out of force and delete what it holds; returns how many."""
        ...

    def add_destruction(self, row: DestructionRow) -> None: ...
    def put_card(self, row: CardRow) -> None: ...


class EpochStore(Protocol):
    """Reads beside the writer. Raises Unavailable `storage-unavailable`."""

    def all(self) -> Sequence[EpochRow]:
        """Every epoch, in the order of announcement."""
        ...

    def destructions(self) -> Sequence[DestructionRow]: ...
    def cards(self, oin: str) -> Sequence[CardRow]:
        """The cards of a participant, oldest first."""
        ...

    def in_use(self, epoch: str) -> bool:
        """Whether a pseudonym of the epoch is kept, outside registers. Reads through all signals at worst."""
        ...

    def sealed_before(self, recipient: str, log_index: int, now_ms: int) -> bool:
        """Whether a signal that was pushed before an entry may still be delivered to the recipient."""
        ...
