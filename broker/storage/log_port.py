# SPDX-License-Identifier: EUPL-1.2
"""What the store keeps of the log beside its entries: its head, its checkpoints, what was decided on."""

from dataclasses import dataclass

from sluis.merkle import CompactRange


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """An entry with the salt of its commitments and what was decided on, as long as those are kept."""

    log_index: int
    entry: bytes
    salt: bytes
    inputs: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """The log's head: the tree so far and the time of its newest entry."""

    tree: CompactRange
    last_time_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptCheckpoint:
    """A checkpoint as kept: the signed note, and when it was signed (Unix milliseconds)."""

    size: int
    note: str
    signed_at_ms: int
