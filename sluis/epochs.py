# SPDX-License-Identifier: EUPL-1.2
"""Epochs of pseudonyms: their order, when each begins, and what may still be done in one.

    announced ──begins──▶ current ──the next begins──▶ former ──no datum is left──▶ retired ──▶ seeds destroyed
                             └──a seed is suspected──▶ compromised ─────────────────────┘

A name says nothing of the order. It follows from entries of the log alone: each epoch is announced with the moment
at which it begins, and the order is that of the moments. What has begun is never undone: an epoch that is
compromised after it began is followed by none before it, so signals wait until a new one is announced. One that is
compromised before it begins never begins. Pure: times are arguments, Unix milliseconds.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from sluis.errors import Conflict, InvalidInput
from sluis.pseudonyms import check_epoch

# Two clocks may disagree by this much: an epoch begins that much early and ends that much late for a signal.
TOLERANCE_MS: Final = 5 * 60_000


class EpochState(StrEnum):
    """Where an epoch stands in its life."""

    ANNOUNCED = "announced"
    CURRENT = "current"
    FORMER = "former"
    COMPROMISED = "compromised"
    RETIRED = "retired"


@dataclass(frozen=True, slots=True, kw_only=True)
class Epoch:
    """An epoch as the log tells of it; `announced_index` is the entry that announced it."""

    name: str
    begins_at_ms: int
    announced_index: int
    compromised_at_ms: int | None = None
    questions_stopped: bool = False  # compromised so badly that nobody asks in it any more
    retired_index: int | None = None

    def __post_init__(self) -> None:
        check_epoch(self.name)

    @property
    def place(self) -> tuple[int, int]:
        """Its place in the order of epochs."""
        return (self.begins_at_ms, self.announced_index)

    @property
    def never_begins(self) -> bool:
        """Whether it was compromised before it could begin."""
        return self.compromised_at_ms is not None and self.compromised_at_ms < self.begins_at_ms

    def begun(self, now_ms: int) -> bool:
        """Whether it has begun."""
        return self.begins_at_ms <= now_ms and not self.never_begins


@dataclass(frozen=True, slots=True)
class EpochCalendar:
    """All epochs of one broker, in order."""

    epochs: tuple[Epoch, ...]
    _by_name: dict[str, Epoch] = field(init=False, repr=False, compare=False)

    def __init__(self, epochs: Iterable[Epoch]) -> None:
        ordered = tuple(sorted(epochs, key=lambda epoch: epoch.place))
        by_name = {epoch.name: epoch for epoch in ordered}
        if len(by_name) != len(ordered):
            raise InvalidInput("unknown-epoch", "two epochs have one name")
        object.__setattr__(self, "epochs", ordered)
        object.__setattr__(self, "_by_name", by_name)

    def find(self, name: str) -> Epoch:
        """The epoch of this name. Raises InvalidInput `unknown-epoch`."""
        epoch = self._by_name.get(name)
        if epoch is None:
            raise InvalidInput("unknown-epoch", "no epoch of this name was announced", where="epoch")
        return epoch

    def current(self, now_ms: int) -> Epoch | None:
        """The one in which new signals are sealed: the last that has begun, unless it is compromised."""
        begun = [epoch for epoch in self.epochs if epoch.begun(now_ms)]
        last = begun[-1] if begun else None
        closed = last is None or last.compromised_at_ms is not None or last.retired_index is not None
        return None if closed else last

    def ends_at_ms(self, epoch: Epoch) -> int | None:
        """When the next one begins, if one was announced."""
        for one in self.epochs[self.epochs.index(epoch) + 1 :]:
            if not one.never_begins:
                return one.begins_at_ms
        return None

    def state(self, epoch: Epoch, now_ms: int) -> EpochState:
        """Where an epoch stands."""
        if epoch.retired_index is not None:
            return EpochState.RETIRED
        if epoch.compromised_at_ms is not None:
            return EpochState.COMPROMISED
        if not epoch.begun(now_ms):
            return EpochState.ANNOUNCED
        return EpochState.CURRENT if epoch == self.current(now_ms) else EpochState.FORMER

    def to_ask(self, now_ms: int) -> list[Epoch]:
        """Those in which there may be something to find, oldest first."""
        return [epoch for epoch in self.to_load() if epoch.begun(now_ms)]

    def to_load(self) -> list[Epoch]:
        """Those in which a register may prove something, oldest first: also what has not begun yet."""
        return [
            epoch
            for epoch in self.epochs
            if epoch.retired_index is None and not epoch.questions_stopped and not epoch.never_begins
        ]

    def check_signal(self, name: str, created_at_ms: int, now_ms: int) -> None:
        """Insist that a signal made at this time may come in in this epoch.

        What was sealed before the next epoch began may come later. Raises InvalidInput `unknown-epoch`, Conflict
        `epoch-closed` or `epoch-not-begun`: the signal is to be sealed anew.
        """
        epoch = self.find(name)
        if epoch.retired_index is not None or epoch.compromised_at_ms is not None:
            raise Conflict("epoch-closed", where="epoch")
        if not epoch.begun(now_ms + TOLERANCE_MS):
            raise Conflict("epoch-not-begun", where="epoch")
        end = self.ends_at_ms(epoch)
        if end is not None and created_at_ms >= end + TOLERANCE_MS:
            raise Conflict("epoch-closed", where="epoch")

    def check_open(self, name: str) -> None:
        """Insist that something may be asked or loaded in an epoch.

        Raises InvalidInput `unknown-epoch`, Conflict `epoch-closed`.
        """
        if not self.is_open(name):
            raise Conflict("epoch-closed", where="epoch")

    def is_open(self, name: str) -> bool:
        """Whether something may be asked or loaded in an epoch. Raises InvalidInput `unknown-epoch`."""
        return self.find(name) in self.to_load()

    def is_past(self, epoch: Epoch, now_ms: int, oldest_ms: int) -> bool:
        """Whether no signal can come in in it any more, when signals are at most `oldest_ms` old."""
        if epoch.compromised_at_ms is not None:
            return True
        end = self.ends_at_ms(epoch)
        return end is not None and now_ms > end + TOLERANCE_MS + oldest_ms
