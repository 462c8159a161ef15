# SPDX-License-Identifier: EUPL-1.2
"""Loading a register: a signed snapshot that replaces the one before, as a whole or not at all.

Entries are written beside the log as they come in; nobody sees them. The owner's signature over all of them is
checked, the load is decided and logged, and in that same transaction the snapshot becomes the register.
"""

import asyncio
import hashlib
import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass

from broker.admission import Admitted, admit
from broker.decide.model import Request
from broker.exchange import Desk, first_answer
from broker.messages import check_idempotency_key, decision_message
from broker.record import UNKNOWN
from broker.ruling import rule_on
from broker.step import Needs, Step
from broker.storage.port import FirstAnswer, Snapshot, Store
from sluis.encoding import lp
from sluis.errors import InvalidInput, NotPermitted
from sluis.policy.rules import Operation
from sluis.register_snapshot import SnapshotEntry, SnapshotHeader, entries_digest, verify_snapshot
from sluis.rpc.caller import Caller
from sluis.v1 import register_pb2

MAX_BATCH = 4096
MAX_ENTRIES = 1_000_000


class Registers:
    """Takes snapshots from their owners."""

    def __init__(self, desk: Desk, store: Store) -> None:
        self._desk = desk
        self._store = store

    async def load(
        self, caller: Caller, parts: AsyncIterator[register_pb2.LoadRequest]
    ) -> register_pb2.LoadResponse:
        """Read a snapshot from a stream and put it in force; a denial is an answer.

        Raises InvalidInput for a wrong order, count or entry, NotAuthentic `signature-wrong`, NotPermitted when
        the header names another owner, Conflict `idempotency-conflict`.
        """
        owner = await self._desk.directory.admit(caller)
        start = await anext(aiter(parts), None)
        if start is None or start.WhichOneof("part") != "start":
            raise InvalidInput("malformed-request", "a load starts with its header", where="start")
        check_idempotency_key(start.start.idempotency_key)
        header = SnapshotHeader.decode(start.start.header)
        if header.owner != owner.oin:
            raise NotPermitted("not-your-identity")
        if header.entry_count > MAX_ENTRIES:
            raise InvalidInput("batch-too-large", f"a register holds at most {MAX_ENTRIES} entries")
        snapshot_id = secrets.token_bytes(16)
        active = False
        try:
            digest, signature = await self._read(snapshot_id, header, parts)
            verify_snapshot(header, digest, signature, owner.card.signing_key)
            load = _Load(self._desk, owner, start.start, header, snapshot_id, digest, signature)
            answer, active = await self._desk.committer.submit(load)
            return answer
        finally:
            if not active:
                await asyncio.to_thread(self._store.drop_register_entries, snapshot_id)

    async def _read(
        self, snapshot_id: bytes, header: SnapshotHeader, parts: AsyncIterator[register_pb2.LoadRequest]
    ) -> tuple[bytes, bytes]:
        entries: list[SnapshotEntry] = []
        async for part in parts:
            kind = part.WhichOneof("part")
            if kind == "finish":
                if len(entries) != header.entry_count:
                    raise InvalidInput("malformed-request", "the header announces another number of entries")
                return entries_digest(entries), part.finish.signature
            if kind != "batch":
                raise InvalidInput("malformed-request", "batches follow the header, then a finish")
            if len(part.batch.entries) > MAX_BATCH:
                raise InvalidInput("batch-too-large", f"at most {MAX_BATCH} entries in a batch")
            rows = [
                SnapshotEntry(
                    pseudonym=entry.pseudonym, valid_from=entry.valid_from, valid_until=entry.valid_until
                )
                for entry in part.batch.entries
            ]
            entries += rows
            if len(entries) > header.entry_count:
                raise InvalidInput("malformed-request", "the header announces another number of entries")
            await asyncio.to_thread(
                self._store.add_register_entries,
                snapshot_id,
                [(row.pseudonym, row.valid_from, row.valid_until) for row in rows],
            )
        raise InvalidInput("malformed-request", "the load ended without a finish", where="finish")


@dataclass(frozen=True, slots=True)
class _Load:
    desk: Desk
    owner: Admitted
    start: register_pb2.LoadStart
    header: SnapshotHeader
    snapshot_id: bytes
    digest: bytes
    signature: bytes

    def needs(self) -> Needs:
        return Needs(
            parties=frozenset({self.owner.oin, self.header.recipient}),
            answers=frozenset({(self.owner.oin, self.start.idempotency_key)}),
        )

    def settle(self, step: Step) -> tuple[register_pb2.LoadResponse, bool]:
        admit(step, self.owner)
        parts = (self.start.header, self.start.kind, self.start.purpose, self.digest)
        content = hashlib.sha256(lp("sluis/v1/load", *parts)).digest()
        if (first := first_answer(step, self.owner.oin, self.start.idempotency_key, content)) is not None:
            return register_pb2.LoadResponse.FromString(first.answer), False
        step.calendar.check_open(self.header.epoch)
        ruling = rule_on(step, self._request(step), self.desk.bundle)
        logged = ruling.log(
            step,
            "register.load",
            {
                "register": self._known_register(),
                "entries": self.header.entry_count,
                "digest": self.digest.hex(),
                "outcome": "in-force" if ruling.permitted else "refused",
            },
        )
        if ruling.permitted:
            step.tx.activate_snapshot(self._snapshot(), logged.index)
        answer = register_pb2.LoadResponse(
            decision=decision_message(ruling.decision),
            entries=self.header.entry_count,
            receipt=self.desk.signer.receipt(logged.index, logged.leaf),
            entry=logged.entry,
        )
        step.remember(
            FirstAnswer(
                oin=self.owner.oin,
                key=self.start.idempotency_key,
                content_digest=content,
                answer=answer.SerializeToString(),
                log_index=logged.index,
            )
        )
        return answer, ruling.permitted

    def _request(self, step: Step) -> Request:
        return Request(
            operation=Operation.REGISTER,
            sender=self.desk.directory.party_of(step, self.header.owner),
            recipient=self.desk.directory.party_of(step, self.header.recipient),
            agreement=self.header.agreement,
            kind=self.start.kind,
            purpose=self.start.purpose,
            fields=(),
            subjects=self.header.entry_count,
            at=step.now,
        )

    def _known_register(self) -> str:
        facts = self.desk.bundle.catalog.register_facts.values()
        name = self.header.register_name
        return name if any(fact.register_name == name for fact in facts) else UNKNOWN

    def _snapshot(self) -> Snapshot:
        return Snapshot(
            snapshot_id=self.snapshot_id,
            owner=self.owner.oin,
            agreement=self.header.agreement,
            register=self.header.register_name,
            recipient=self.header.recipient,
            epoch=self.header.epoch,
            created_at_ms=self.header.created_at_ms,
            entry_count=self.header.entry_count,
            header=self.start.header,
            digest=self.digest,
            signature=self.signature,
        )
