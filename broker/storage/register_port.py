# SPDX-License-Identifier: EUPL-1.2
"""Registers and watch lists as the store keeps them."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """A register snapshot, signed by its owner; `recipient` names the pseudonymisation domain."""

    snapshot_id: bytes
    owner: str
    agreement: str
    register: str
    recipient: str
    epoch: str
    created_at_ms: int
    entry_count: int
    header: bytes
    digest: bytes
    signature: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class ActiveSnapshot:
    """A register in force, with the last day of any of its entries (empty when it has none, or an open end)."""

    agreement: str
    register: str
    epoch: str
    entry_count: int
    log_index: int
    last_day: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """That a register holds a subject for a period; ISO dates, inclusive, empty when open-ended."""

    owner: str
    valid_from: str
    valid_until: str
