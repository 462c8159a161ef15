# SPDX-License-Identifier: EUPL-1.2
"""Auditing: recompute the whole log from its entries, and hold it against what was signed and cosigned.

Nothing the broker says is believed: the checkpoint must bear the log's and enough witnesses' signatures and
continue the newest one this kit has seen; every entry is hashed again, and the root recomputed. What the broker
keeps besides the entries is made to show itself: proofs that rest on every hash of its stored tree, and
a new checkpoint over the entry that this very reading left behind.
"""

from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field

import grpc

from sluis.canonical import parse_canonical
from sluis.checkpoint import Checkpoint, VerifiedCheckpoint
from sluis.client.connection import Connections
from sluis.client.trust import Trust
from sluis.errors import InvalidInput, NotAuthentic, NotFound
from sluis.log_verifier import LogVerifier, VerifiedLog
from sluis.merkle import Hash, leaf_hash, verify_inclusion
from sluis.rpc.status import from_rpc_error
from sluis.v1 import audit_pb2

CHUNK = 50_000
TILE = 256  # hashes in a tile of the stored tree


@dataclass(slots=True)
class AuditReport:
    """What was recomputed, and what the log tells by counts."""

    log: VerifiedLog | None = None
    checkpoint: Checkpoint | None = None
    cosigners: tuple[str, ...] = ()
    operations: Counter[str] = field(default_factory=Counter)
    decisions: Counter[str] = field(default_factory=Counter)


@dataclass(slots=True)
class _Reading:
    """One pass over the log: how far it has come, and the leaves at the edges of tiles and at the end."""

    verifier: LogVerifier
    report: AuditReport
    progress: Callable[[int, int], None]
    on_entry: Callable[[int, dict[str, object]], None]
    done: int = 0
    edges: dict[int, Hash] = field(default_factory=dict)

    def add(self, row: audit_pb2.LogEntry, *, last: bool) -> None:
        """Check the next entry and count it."""
        self.verifier.add(row.log_index, row.entry, row.leaf_hash)
        if last or self.done % TILE in (0, TILE - 1):
            self.edges[self.done] = leaf_hash(row.entry)
        self.done += 1
        document = parse_canonical(row.entry)
        self.on_entry(row.log_index, document)
        operation = str(document.get("operation"))
        self.report.operations[operation] += 1
        if "decision" in document:
            self.report.decisions[f"{operation} {document['decision']}"] += 1


class Auditor:
    """Verifies the log, for privacy officers."""

    def __init__(self, connections: Connections, trust: Trust) -> None:
        self._connections = connections
        self._trust = trust

    async def verify(
        self,
        *,
        progress: Callable[[int, int], None] = lambda done, size: None,
        on_entry: Callable[[int, dict[str, object]], None] = lambda index, entry: None,
    ) -> AuditReport:
        """Recompute everything that was in the log when this was called.

        `on_entry` sees each entry as it is read; only when this returns is it known that all of them hold.
        Raises NotAuthentic `log-inconsistent`, `checkpoint-wrong` or `not-witnessed`, saying where; NotPermitted
        `not-your-role` for a caller that may not read entries.
        """
        remembered = self._trust.remembered()
        verified = await self._trust.verified_checkpoint()
        verifier = LogVerifier(verified.checkpoint)
        if remembered is not None:
            verifier.check_consistency_with(remembered)  # also refuses a log that was cut back
        reading = _Reading(verifier=verifier, report=AuditReport(), progress=progress, on_entry=on_entry)
        await self._read(reading, verified.checkpoint)
        await self._check_stored_tree(reading.edges, verified.checkpoint)
        if reading.done:
            verified = await self._next(verified.checkpoint)
            verifier.go_on(verified.checkpoint)
            await self._read(reading, verified.checkpoint)
        report = reading.report
        report.log = verifier.finish()
        report.checkpoint, report.cosigners = verified.checkpoint, verified.cosigners
        return report

    async def _read(self, reading: _Reading, checkpoint: Checkpoint) -> None:
        """Read and check the entries that are still to come below a checkpoint."""
        while reading.done < checkpoint.size:
            end = min(reading.done + CHUNK, checkpoint.size)
            async for row in self._entries_due(reading.done, end, checkpoint):
                reading.add(row, last=row.log_index == checkpoint.size - 1)
            if reading.done < end:
                reading.verifier.finish()
            reading.progress(reading.done, checkpoint.size)

    async def _next(self, checkpoint: Checkpoint) -> VerifiedCheckpoint:
        """The reading left an entry behind what was read; a log that cannot continue will not sign for that."""
        try:
            return await self._trust.verified_checkpoint(checkpoint.size + 1)
        except NotFound:
            message = (
                f"the log signs for no more than its first {checkpoint.size} entries, though it took up "
            )
            message += "our reading after them: what it holds does not continue its checkpoint"
            raise NotAuthentic("log-inconsistent", message, where=f"entry {checkpoint.size}") from None

    async def _check_stored_tree(self, edges: Mapping[int, Hash], checkpoint: Checkpoint) -> None:
        """Ask for proofs of the first and last entry of every tile: together they rest on all its hashes."""
        for index, leaf in edges.items():
            try:
                proof = await self._trust.inclusion(index, checkpoint.size)
                verify_inclusion(leaf, index, checkpoint.size, proof, checkpoint.root)
            except (NotAuthentic, NotFound, InvalidInput):
                message = f"the entries are whole, but the broker's proof for entry {index} does not hold: "
                message += "a hash of its stored tree was changed"
                raise NotAuthentic("log-inconsistent", message, where=f"entry {index}") from None

    async def _entries_due(
        self, start: int, end: int, checkpoint: Checkpoint
    ) -> AsyncIterator[audit_pb2.LogEntry]:
        try:
            async for row in self._rows(start, end):
                yield row
        except InvalidInput:
            message = (
                f"entries are missing: the broker has fewer than the {checkpoint.size} that it signed for"
            )
            raise NotAuthentic("log-inconsistent", message) from None

    async def entry(self, log_index: int) -> bytes:
        """One entry, unverified."""
        async for row in self._rows(log_index, log_index + 1):
            return row.entry
        return b""

    async def _rows(self, start: int, end: int) -> AsyncIterator[audit_pb2.LogEntry]:
        request = audit_pb2.ListEntriesRequest(start=start, end=end)
        try:
            async for frame in self._connections.audit.ListEntries(request, timeout=600):
                for row in frame.entries:
                    yield row
        except grpc.aio.AioRpcError as error:
            raise from_rpc_error(error) from None
