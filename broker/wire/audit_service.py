# SPDX-License-Identifier: EUPL-1.2
"""AuditService: checkpoints and proofs for every participant, entries for privacy officers.

Checkpoints and proofs are hashes and signatures: every participant may have them, to hold the broker to its
receipts. Entries tell who exchanged with whom; they are for the roles below, and reading them is logged.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from datetime import datetime

from broker.exchange import Desk
from broker.oversight.subject import Allowance, Found, Question, check_questions, find_subject
from broker.reading import READERS, FindSubject, ReadExchange, ReadLog
from broker.storage.port import LogRow, Store
from broker.storage.projected import Sight
from broker.storage.subject_port import SubjectDomain
from broker.wire.portions import portions
from sluis.errors import InvalidInput, NotFound, Unavailable
from sluis.merkle import consistency_proof, inclusion_proof
from sluis.rpc.caller import Caller
from sluis.rpc.server import streaming, unary
from sluis.v1 import audit_pb2, audit_pb2_grpc

FRAME = 500
FOLLOW_SECONDS = 5.0


class AuditService(audit_pb2_grpc.AuditServiceServicer):
    """Reads the log."""

    def __init__(self, desk: Desk, store: Store, clock: Callable[[], datetime]) -> None:
        self._desk = desk
        self._store = store
        self.clock = clock
        self._allowance = Allowance()

    @unary
    async def GetCheckpoint(
        self, caller: Caller, request: audit_pb2.GetCheckpointRequest
    ) -> audit_pb2.GetCheckpointResponse:
        """The newest checkpoint, or the first that covers a size."""
        await self._desk.directory.admit(caller)
        text = await asyncio.to_thread(self._store.checkpoint, request.minimum_size)
        if text is None:
            raise NotFound("not-found", "there is no checkpoint of that size yet", where="minimum_size")
        return audit_pb2.GetCheckpointResponse(checkpoint=text)

    @unary
    async def GetInclusionProof(
        self, caller: Caller, request: audit_pb2.GetInclusionProofRequest
    ) -> audit_pb2.GetInclusionProofResponse:
        """The proof that a leaf is in the tree of a size (RFC 6962 2.1.1)."""
        await self._desk.directory.admit(caller)
        hashes = await asyncio.to_thread(self._inclusion, request.log_index, request.tree_size)
        return audit_pb2.GetInclusionProofResponse(hashes=hashes)

    @unary
    async def GetConsistencyProof(
        self, caller: Caller, request: audit_pb2.GetConsistencyProofRequest
    ) -> audit_pb2.GetConsistencyProofResponse:
        """The proof that one tree is the beginning of another (RFC 6962 2.1.2)."""
        await self._desk.directory.admit(caller)
        hashes = await asyncio.to_thread(self._consistency, request.first_size, request.second_size)
        return audit_pb2.GetConsistencyProofResponse(hashes=hashes)

    @streaming
    async def ListEntries(
        self, caller: Caller, request: audit_pb2.ListEntriesRequest
    ) -> AsyncIterator[audit_pb2.ListEntriesResponse]:
        """Entries in order; the reading itself becomes an entry first."""
        reader = await self._desk.directory.require_role(caller, *READERS)
        size = (await asyncio.to_thread(self._store.head)).tree.size
        end = request.end or size
        if not request.start <= end <= size:
            raise InvalidInput("malformed-request", "0 <= start <= end <= size of the log", where="start")
        await self._desk.committer.submit(ReadLog(reader, request.start, end))
        for start in range(request.start, end, FRAME):
            rows = await asyncio.to_thread(self._rows, start, min(start + FRAME, end))
            entries = [
                audit_pb2.LogEntry(log_index=row.log_index, entry=row.entry, leaf_hash=row.leaf_hash)
                for row in rows
            ]
            for portion in portions(entries):
                yield audit_pb2.ListEntriesResponse(entries=portion)

    @unary
    async def GetExchange(
        self, caller: Caller, request: audit_pb2.GetExchangeRequest
    ) -> audit_pb2.GetExchangeResponse:
        """The entries of one exchange, for its parties and for privacy officers."""
        reader = await self._desk.directory.admit(caller)
        row = await asyncio.to_thread(self._store.party, reader.oin)
        everything = row is not None and row.role in READERS
        await self._follow()
        sight = Sight.everything() if everything else Sight(reader.oin)
        found = await asyncio.to_thread(self._store.exchange_index.exchange, sight, request.exchange)
        if not found:
            raise NotFound("not-found", "there is no such exchange for this caller", where="exchange")
        # Logged under the id that was found: what a caller writes does not come into the log.
        await self._desk.committer.submit(ReadExchange(reader, found[0].exchange))
        rows = await asyncio.to_thread(lambda: [self._store.log_row(item.log_index) for item in found])
        entries = [
            audit_pb2.LogEntry(log_index=row.log_index, entry=row.entry, leaf_hash=row.leaf_hash)
            for row in rows
            if row is not None
        ]
        return audit_pb2.GetExchangeResponse(entries=entries)

    @unary
    async def ListSubjectDomains(
        self, caller: Caller, request: audit_pb2.ListSubjectDomainsRequest
    ) -> audit_pb2.ListSubjectDomainsResponse:
        """The domains of kept signals that the caller sent or received."""
        reader = await self._desk.directory.admit(caller)
        found = await asyncio.to_thread(self._store.subjects.domains, reader.oin)
        return audit_pb2.ListSubjectDomainsResponse(domains=[_domain(item) for item in found])

    @unary
    async def FindSubject(
        self, caller: Caller, request: audit_pb2.FindSubjectRequest
    ) -> audit_pb2.FindSubjectResponse:
        """The caller's own exchanges about a subject; the entry holds counts, never a pseudonym."""
        reader = await self._desk.directory.admit(caller)
        questions = [
            Question(
                domain=SubjectDomain(
                    agreement=item.domain.agreement,
                    recipient=item.domain.recipient_oin,
                    epoch=item.domain.epoch,
                ),
                pseudonym=item.pseudonym,
            )
            for item in request.questions
        ]
        check_questions(questions)
        self._allowance.spend(reader.oin)
        await self._follow()
        found = await asyncio.to_thread(find_subject, self._store, reader.oin, questions)
        await self._desk.committer.submit(FindSubject(reader, len(questions), len(found)))
        return audit_pb2.FindSubjectResponse(exchanges=[_exchange(item) for item in found])

    async def _follow(self) -> None:
        """Wait until the index of exchanges has seen the log of now. Raises Unavailable `overloaded`."""
        size = (await asyncio.to_thread(self._store.head)).tree.size
        deadline = time.monotonic() + FOLLOW_SECONDS
        while await asyncio.to_thread(self._store.exchange_index.position) < size:
            if time.monotonic() > deadline:
                raise Unavailable("overloaded", "the index of exchanges is still behind the log")
            await asyncio.sleep(0.05)

    def _rows(self, start: int, end: int) -> list[LogRow]:
        return list(self._store.entries(start, end))

    def _inclusion(self, index: int, size: int) -> list[bytes]:
        if not index < size <= self._store.head().tree.size:
            raise InvalidInput("malformed-request", "log_index < tree_size <= size of the log is due")
        return list(inclusion_proof(index, size, self._store.node))

    def _consistency(self, first: int, second: int) -> list[bytes]:
        if not 0 < first <= second <= self._store.head().tree.size:
            raise InvalidInput("malformed-request", "0 < first <= second <= size of the log is due")
        return list(consistency_proof(first, second, self._store.node))


def _domain(domain: SubjectDomain) -> audit_pb2.SubjectDomain:
    return audit_pb2.SubjectDomain(
        agreement=domain.agreement, recipient_oin=domain.recipient, epoch=domain.epoch
    )


def _exchange(found: Found) -> audit_pb2.SubjectExchange:
    return audit_pb2.SubjectExchange(
        exchange=found.exchange,
        domain=_domain(found.domain),
        expires_at_ms=found.retain_until_ms,
        entries=[
            audit_pb2.LogEntry(log_index=row.log_index, entry=row.entry, leaf_hash=row.leaf_hash)
            for row in found.entries
        ],
    )
