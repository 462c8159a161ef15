# SPDX-License-Identifier: EUPL-1.2
"""Which subjects have a deposited signal, beside the writer and without reading a signal."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class DepositDomain:
    """Whose deposits, of which kind."""

    recipient: str
    agreement: str
    kind: str
    epoch: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Alias(DepositDomain):
    """Another pseudonym by which a deposit is found: its subject is a person without a number, who has several.

    Nothing of this is read or written for another kind. What ends a signal ends its aliases in the same transaction.
    """

    pseudonym: bytes
    signal_id: bytes


class DepositStore(Protocol):
    """Reads of one state each, as committed. Raises Unavailable `storage-unavailable`.

    A signal lies here until it is withdrawn or destroyed, or its retention has ended.
    """

    def present(self, domain: DepositDomain, pseudonyms: Collection[bytes], now_ms: int) -> frozenset[bytes]:
        """Those of the pseudonyms about which a signal lies."""
        ...

    def present_by_alias(
        self, domain: DepositDomain, pseudonyms: Collection[bytes], now_ms: int
    ) -> frozenset[bytes]:
        """Those of the pseudonyms that are an alias of a signal that lies."""
        ...

    def count(self, domain: DepositDomain, now_ms: int, since: int = 0) -> int:
        """How many signals lie that were pushed at a log index from `since` on."""
        ...

    def ascending(self, domain: DepositDomain, until: int, now_ms: int) -> Iterator[Sequence[bytes]]:
        """Yield the pseudonyms of signals pushed below `until`, ascending, a page at a time.

        One that has several signals may come more than once.
        """
        ...

    def added(self, domain: DepositDomain, since: int, until: int, now_ms: int) -> Sequence[bytes]:
        """The pseudonyms of signals pushed at since <= log index < until, ascending."""
        ...
