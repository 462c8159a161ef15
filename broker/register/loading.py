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
from broker.persons import check_not_in_bulk
from broker.record import UNKNOWN
from broker.register.watch_list import OPEN_END, check_name, within_bounds
from broker.ruling import Ruling, rule_on
from broker.step import Logged, Needs, Step
from broker.storage.port import FirstAnswer, Store
from broker.storage.register_port import ActiveSnapshot, Snapshot
from sluis.encoding import lp
from sluis.errors import InvalidInput, NotPermitted
from sluis.policy.rules import Operation
from sluis.register_snapshot import (
    SnapshotEntry,
    SnapshotHeader,
    entries_digest,
    is_watch_list,
    verify_snapshot,
)
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
        self, caller: Caller, parts: AsyncIterator[register_pb2.LoadRequest], *, watch: bool = False
    ) -> register_pb2.LoadResponse:
        """Read a snapshot from a stream and put it in force, as a register or as a watch list; a denial is an answer.

        Raises InvalidInput for a wrong order, count or entry, NotAuthentic `signature-wrong`, NotPermitted when
        the header names another owner or the subjects are persons without a number, Conflict `idempotency-conflict`.
        """
        owner = await self._desk.directory.admit(caller)
        start = await anext(aiter(parts), None)
        if start is None or start.WhichOneof("part") != "start":
            raise InvalidInput("malformed-request", "a load starts with its header", where="start")
        check_idempotency_key(start.start.idempotency_key)
        header = SnapshotHeader.decode(start.start.header)
        if header.owner != owner.oin:
            raise NotPermitted("not-your-identity")
        check_name(header.register_name, start.start, watch=watch)
        check_not_in_bulk(start.start.kind, self._desk.bundle)
        if header.entry_count > MAX_ENTRIES:
            raise InvalidInput("batch-too-large", f"a register holds at most {MAX_ENTRIES} entries")
        snapshot_id = secrets.token_bytes(16)
        active = False
        try:
            content = await self._read(snapshot_id, header, parts)
            verify_snapshot(header, content.digest, content.signature, owner.card.signing_key)
            sort = _LoadWatch if watch else _Load
            load = sort(self._desk, owner, start.start, header, snapshot_id, content)
            answer, active = await self._desk.committer.submit(load)
            return answer
        finally:
            if not active:
                await asyncio.to_thread(self._store.drop_register_entries, snapshot_id)

    async def watch_lists(self, caller: Caller) -> list[ActiveSnapshot]:
        """The caller's own watch lists, oldest first; one that it took back is not there."""
        owner = await self._desk.directory.admit(caller)
        rows = await asyncio.to_thread(self._store.active_snapshots, owner.oin)
        return [row for row in rows if is_watch_list(row.register) and row.entry_count]

    async def _read(
        self, snapshot_id: bytes, header: SnapshotHeader, parts: AsyncIterator[register_pb2.LoadRequest]
    ) -> "_Content":
        entries: list[SnapshotEntry] = []
        async for part in parts:
            kind = part.WhichOneof("part")
            if kind == "finish":
                if len(entries) != header.entry_count:
                    raise InvalidInput("malformed-request", "the header announces another number of entries")
                return _Content(
                    digest=entries_digest(entries),
                    signature=part.finish.signature,
                    # An open end sorts after every date.
                    last_day=max((entry.valid_until or OPEN_END for entry in entries), default=""),
                )
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


@dataclass(frozen=True, slots=True, kw_only=True)
class _Content:
    """What came in: its digest, the owner's signature, and the last day of any entry (empty without entries)."""

    digest: bytes
    signature: bytes
    last_day: str


@dataclass(frozen=True, slots=True)
class _Load:
    """A register that is decided, logged and put in force."""

    desk: Desk
    owner: Admitted
    start: register_pb2.LoadStart
    header: SnapshotHeader
    snapshot_id: bytes
    content: _Content

    def needs(self) -> Needs:
        return Needs(
            parties=frozenset({self.owner.oin, self.header.recipient}),
            answers=frozenset({(self.owner.oin, self.start.idempotency_key)}),
        )

    def settle(self, step: Step) -> tuple[register_pb2.LoadResponse, bool]:
        admit(step, self.owner)
        parts = (self.start.header, self.start.kind, self.start.purpose, self.content.digest)
        content = hashlib.sha256(lp("sluis/v1/load", *parts)).digest()
        if (first := first_answer(step, self.owner.oin, self.start.idempotency_key, content)) is not None:
            return register_pb2.LoadResponse.FromString(first.answer), False
        if not self._takes_back():
            step.calendar.check_open(self.header.epoch)
        ruling = self._rule(step)
        logged = self._log(step, ruling)
        in_force = ruling.permitted or self._takes_back()
        if in_force:
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
        return answer, in_force

    def _takes_back(self) -> bool:
        """Whether it must take effect even when no rule permits it."""
        return False

    def _rule(self, step: Step) -> Ruling:
        return rule_on(step, self._request(step, Operation.REGISTER), self.desk.bundle)

    def _log(self, step: Step, ruling: Ruling) -> Logged:
        return ruling.log(
            step, "register.load", {"register": self._known_register(), **self._outcome(ruling)}
        )

    def _outcome(self, ruling: Ruling) -> dict[str, object]:
        return {
            "entries": self.header.entry_count,
            "digest": self.content.digest.hex(),
            "outcome": "in-force" if ruling.permitted else "refused",
        }

    def _request(self, step: Step, operation: Operation) -> Request:
        return Request(
            operation=operation,
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
            digest=self.content.digest,
            signature=self.content.signature,
        )


class _LoadWatch(_Load):
    """A watch list: besides the rule, how long it lasts and how many it holds are checked."""

    __slots__ = ()

    def _rule(self, step: Step) -> Ruling:
        ruling = rule_on(step, self._request(step, Operation.WATCH), self.desk.bundle)
        return within_bounds(step, self.desk, ruling, self.header, self.content.last_day)

    def _takes_back(self) -> bool:
        return not self.header.entry_count

    def _log(self, step: Step, ruling: Ruling) -> Logged:
        members = self._outcome(ruling)
        if self._takes_back():
            members["outcome"] = "taken-back"
        elif ruling.permitted:
            members["valid_until"] = self.content.last_day
        return ruling.log(step, "watch.load", members)
