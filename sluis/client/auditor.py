# SPDX-License-Identifier: EUPL-1.2
"""Auditing: recompute the whole log from its entries, and hold it against what was signed and cosigned.

Nothing the broker says is believed: the checkpoint must bear the log's and enough witnesses' signatures and
continue the newest one this kit has seen; every entry is hashed again, and the root recomputed. What the broker
keeps besides the entries is made to show itself: proofs that rest on every hash of its stored tree, and
a new checkpoint over the entry that this very reading left behind. However long the log, no more is held in
memory than one portion of it, and a run that was interrupted can go on.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

import grpc

from sluis.checkpoint import Checkpoint, VerifiedCheckpoint
from sluis.client.connection import Connections
from sluis.client.state import KitState, UnfinishedAudit
from sluis.client.trust import Trust
from sluis.errors import InvalidInput, NotAuthentic, NotFound
from sluis.log_verifier import LogVerifier, VerifiedLog
from sluis.merkle import Hash, leaf_hash, verify_inclusion
from sluis.rpc.status import from_rpc_error
from sluis.v1 import audit_pb2

CHUNK = 50_000
STEP = 1_000  # entries between two signs of progress
TILE = 256  # hashes in a tile of the stored tree
PROOFS_AT_ONCE = 16


@dataclass(slots=True)
class AuditReport:
    """What was recomputed, and what the log tells by counts; `resumed_at` entries were read in an earlier run."""

    log: VerifiedLog | None = None
    checkpoint: Checkpoint | None = None
    cosigners: tuple[str, ...] = ()
    operations: Counter[str] = field(default_factory=Counter)
    decisions: Counter[str] = field(default_factory=Counter)
    resumed_at: int = 0


@dataclass(slots=True)
class _Reading:
    """One pass over the log: how far it has come, and the leaves at the edges of tiles still to be proven."""

    verifier: LogVerifier
    report: AuditReport
    progress: Callable[[int, int], None]
    on_entry: Callable[[int, dict[str, object]], None]
    done: int = 0
    edges: dict[int, Hash] = field(default_factory=dict)
    suspect: int | None = None

    def add(self, row: audit_pb2.LogEntry, *, size: int) -> None:
        """Check the next entry and count it."""
        document = self.verifier.add(row.log_index, row.entry, row.leaf_hash)
        if self.done % TILE in (0, TILE - 1) or self.done == size - 1:
            self.edges[self.done] = leaf_hash(row.entry)
        self.done += 1
        self.on_entry(row.log_index, document)
        operation = str(document.get("operation"))
        self.report.operations[operation] += 1
        if "decision" in document:
            self.report.decisions[f"{operation} {document['decision']}"] += 1
        if self.done % STEP == 0:
            self.progress(self.done, size)

    def unfinished(self) -> UnfinishedAudit:
        """All that another run needs in order to go on from here."""
        return UnfinishedAudit(
            position=self.verifier.position,
            suspect=self.suspect,
            operations=self.report.operations,
            decisions=self.report.decisions,
        )


class Auditor:
    """Verifies the log, for privacy officers."""

    def __init__(self, connections: Connections, trust: Trust, state: KitState) -> None:
        self._connections = connections
        self._trust = trust
        self._state = state

    async def verify(
        self,
        *,
        progress: Callable[[int, int], None] = lambda done, size: None,
        on_entry: Callable[[int, dict[str, object]], None] = lambda index, entry: None,
        resume: bool = False,
    ) -> AuditReport:
        """Recompute everything that was in the log when this was called.

        `on_entry` sees each entry as it is read; only when this returns is it known that all of them hold.
        With `resume`, a run that was interrupted goes on where it was; what it read is not read again, but counts
        in the root as it was then.
        Raises NotAuthentic `log-inconsistent`, `checkpoint-wrong` or `not-witnessed`, saying where; NotPermitted
        `not-your-role` for a caller that may not read entries.
        """
        try:
            return await self._verify(progress, on_entry, resume=resume)
        except NotAuthentic as error:
            if error.code == "log-inconsistent":  # that is a finding, not an interruption
                self.start_again()
            raise

    def start_again(self) -> None:
        """Forget a run that was interrupted."""
        self._state.forget_audit(self._trust.origin)

    async def _verify(
        self,
        progress: Callable[[int, int], None],
        on_entry: Callable[[int, dict[str, object]], None],
        *,
        resume: bool,
    ) -> AuditReport:
        before = self._state.audit(self._trust.origin) if resume else None
        remembered = self._trust.remembered()
        verified = await self._trust.verified_checkpoint()
        verifier = LogVerifier(verified.checkpoint, before.position if before else None)
        if remembered is not None:
            verifier.check_consistency_with(remembered)  # also refuses a log that was cut back
        reading = _Reading(verifier=verifier, report=AuditReport(), progress=progress, on_entry=on_entry)
        if before:
            _go_on(reading, before)
        await self._read(reading, verified.checkpoint, keep=resume)
        _refuse_suspect(reading)
        if reading.done:
            verified = await self._next(verified.checkpoint)
            verifier.go_on(verified.checkpoint)
            await self._read(reading, verified.checkpoint, keep=False)
            _refuse_suspect(reading)
        report = reading.report
        report.log = verifier.finish()
        report.checkpoint, report.cosigners = verified.checkpoint, verified.cosigners
        if resume:
            self.start_again()
        return report

    async def _read(self, reading: _Reading, checkpoint: Checkpoint, *, keep: bool) -> None:
        """Read and check the entries that are still to come below a checkpoint, and the tree stored over them."""
        reading.progress(reading.done, checkpoint.size)
        while reading.done < checkpoint.size:
            end = min(reading.done + CHUNK, checkpoint.size)
            async for row in self._entries_due(reading.done, end, checkpoint):
                reading.add(row, size=checkpoint.size)
            if reading.done < end:
                reading.verifier.finish()
            await self._check_stored_tree(reading, checkpoint)
            if keep:
                self._state.keep_audit(checkpoint.origin, reading.unfinished())
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

    async def _check_stored_tree(self, reading: _Reading, checkpoint: Checkpoint) -> None:
        """Ask for proofs of the first and last entry of every tile: together they rest on all its hashes.

        What does not hold is only remembered: first the entries must prove whole, or not.
        """
        edges = list(reading.edges.items())
        reading.edges.clear()
        for start in range(0, len(edges), PROOFS_AT_ONCE):
            some = edges[start : start + PROOFS_AT_ONCE]
            found = await asyncio.gather(*(self._proves(index, leaf, checkpoint) for index, leaf in some))
            wrong = [index for (index, _), holds in zip(some, found, strict=True) if not holds]
            if wrong and reading.suspect is None:
                reading.suspect = wrong[0]

    async def _proves(self, index: int, leaf: Hash, checkpoint: Checkpoint) -> bool:
        try:
            proof = await self._trust.inclusion(index, checkpoint.size)
            verify_inclusion(leaf, index, checkpoint.size, proof, checkpoint.root)
        except (NotAuthentic, NotFound, InvalidInput):
            return False
        return True

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


def _go_on(reading: _Reading, before: UnfinishedAudit) -> None:
    reading.done = reading.report.resumed_at = before.position.tree.size
    reading.suspect = before.suspect
    reading.report.operations.update(before.operations)
    reading.report.decisions.update(before.decisions)


def _refuse_suspect(reading: _Reading) -> None:
    if reading.suspect is None:
        return
    message = f"the entries are whole, but the broker's proof for entry {reading.suspect} does not hold: "
    message += "a hash of its stored tree was changed"
    raise NotAuthentic("log-inconsistent", message, where=f"entry {reading.suspect}")
