# SPDX-License-Identifier: EUPL-1.2
"""Auditing: recompute the whole log from its entries, and hold it against what was signed and cosigned.

Nothing the broker says is believed: the checkpoint must bear the log's and enough witnesses' signatures and
continue the newest one this kit has seen; every entry is hashed again, and the root recomputed.
"""

from collections import Counter
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

import grpc

from sluis.canonical import parse_canonical
from sluis.checkpoint import Checkpoint
from sluis.client.connection import Connections
from sluis.client.trust import Trust
from sluis.log_verifier import LogVerifier, VerifiedLog
from sluis.rpc.status import from_rpc_error
from sluis.v1 import audit_pb2

CHUNK = 50_000


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
        done = 0
        while done < checkpoint.size:
            end = min(done + CHUNK, checkpoint.size)
            async for row in self._rows(done, end):
                verifier.add(row.log_index, row.entry, row.leaf_hash)
                self._count(row.entry, report)
                done += 1
            if done < end:
                verifier.finish()
            progress(done, checkpoint.size)
        report.log = verifier.finish()
        return report

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
