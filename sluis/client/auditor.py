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
from sluis.checkpoint import Checkpoint
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


class Auditor:
    """Verifies the log, for privacy officers."""

    def __init__(self, connections: Connections, trust: Trust) -> None:
        self._connections = connections
        self._trust = trust

    async def verify(self, *, progress: Callable[[int, int], None] = lambda done, size: None) -> AuditReport:
        """Recompute everything up to the newest cosigned checkpoint.

        Raises NotAuthentic `log-inconsistent`, `checkpoint-wrong` or `not-witnessed`, saying where; NotPermitted
        `not-your-role` for a caller that may not read entries.
        """
        remembered = self._trust.remembered()
        verified = await self._trust.verified_checkpoint()
        checkpoint = verified.checkpoint
        report = AuditReport(checkpoint=checkpoint, cosigners=verified.cosigners)
        verifier = LogVerifier(checkpoint)
        if remembered is not None:
            verifier.check_consistency_with(remembered)  # also refuses a log that was cut back
        edges: dict[int, Hash] = {}
        done = 0
        while done < checkpoint.size:
            end = min(done + CHUNK, checkpoint.size)
            async for row in self._entries_due(done, end, checkpoint):
                verifier.add(row.log_index, row.entry, row.leaf_hash)
                if done % TILE in (0, TILE - 1) or done == checkpoint.size - 1:
                    edges[done] = leaf_hash(row.entry)
                self._count(row.entry, report)
                done += 1
            if done < end:
                verifier.finish()
            progress(done, checkpoint.size)
        report.log = verifier.finish()
        await self._check_stored_tree(edges, checkpoint)
        if checkpoint.size:
            await self._check_that_it_goes_on(checkpoint)
        return report

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

    async def _check_that_it_goes_on(self, checkpoint: Checkpoint) -> None:
        """The reading was logged behind what was verified; a log that cannot continue will not sign for that."""
        try:
            await self._trust.verified_checkpoint(checkpoint.size + 1)
        except NotFound:
            message = (
                f"the log signs for no more than its first {checkpoint.size} entries, though it took up "
            )
            message += "our reading after them: what it holds does not continue its checkpoint"
            raise NotAuthentic("log-inconsistent", message, where=f"entry {checkpoint.size}") from None

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

    def _count(self, entry: bytes, report: AuditReport) -> None:
        document = parse_canonical(entry)
        operation = str(document.get("operation"))
        report.operations[operation] += 1
        if "decision" in document:
            report.decisions[f"{operation} {document['decision']}"] += 1
