# SPDX-License-Identifier: EUPL-1.2
"""Kept signals by domain and pseudonym, for an answer to a data subject; gone when the signal is destroyed."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class SubjectDomain:
    """A pseudonymisation domain."""

    agreement: str
    recipient: str
    epoch: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SubjectSignal:
    """A kept signal; `envelope` is the minimised message."""

    signal_id: bytes
    envelope: bytes
    retain_until_ms: int


class SubjectStore(Protocol):
    """Reads beside the writer. Raises Unavailable `storage-unavailable`."""

    def domains(self, party: str) -> Sequence[SubjectDomain]:
        """The domains of signals that a party sent or received, in order."""
        ...

    def signals(self, party: str, domain: SubjectDomain, pseudonym: bytes) -> Sequence[SubjectSignal]:
        """The signals about a subject that a party sent or received, oldest first."""
        ...
