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


class DepositStore(Protocol):
    """Reads of one state each, as committed. Raises Unavailable `storage-unavailable`."""

    def present(self, domain: DepositDomain, pseudonyms: Collection[bytes], now_ms: int) -> frozenset[bytes]:
        """Those of the pseudonyms about which an unexpired signal lies."""
        ...

    def count(self, domain: DepositDomain, since: int = 0) -> int:
        """How many signals lie that were pushed at a log index from `since` on, expired ones included."""
        ...

    def ascending(self, domain: DepositDomain, until: int, now_ms: int) -> Iterator[Sequence[bytes]]:
        """Yield the pseudonyms of unexpired signals pushed below `until`, ascending, a page at a time.

        One that has several signals may come more than once.
        """
        ...

    def added(self, domain: DepositDomain, since: int, until: int, now_ms: int) -> Sequence[bytes]:
        """The pseudonyms of unexpired signals pushed at since <= log index < until, ascending."""
        ...
