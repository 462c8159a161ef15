# SPDX-License-Identifier: EUPL-1.2
"""The store on SQLite and PostgreSQL: see `port.py` for what it promises, `open.py` for how to get one.

Reads use connections of their own and never wait for a writer (SQLite's WAL, PostgreSQL's snapshots).
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import Any

from sqlalchemy import Row, select

from broker.storage.asked_port import AskedStore
from broker.storage.asked_rows import AskedRows
from broker.storage.bulk import is_postgres
from broker.storage.console_port import ConsoleStore
from broker.storage.console_rows import ConsoleRows
from broker.storage.deposit_port import DepositStore
from broker.storage.deposit_rows import DepositRows
from broker.storage.engines import Engines, lend, session
from broker.storage.epoch_port import EpochStore
from broker.storage.epoch_rows import EpochRows
from broker.storage.exchange_index import SqlExchangeIndex
from broker.storage.finding_port import FindingStore
from broker.storage.finding_rows import FindingRows
from broker.storage.follow_up_port import FollowUpStore
from broker.storage.follow_up_rows import FollowUpRows
from broker.storage.leader import AdvisoryLeader, Leader, LeaseLeader
from broker.storage.log_port import Decided, Head, KeptCheckpoint
from broker.storage.port import (
    Activation,
    DeliveryView,
    DomainKeyRow,
    LogRow,
    Officer,
    PartyRow,
    Stop,
)
from broker.storage.proposal_port import ProposalStore
from broker.storage.proposal_rows import ProposalRows
from broker.storage.queries import MAX_INTEGER, TABLES, Queries, Rows, storable
from broker.storage.register_port import ActiveSnapshot
from broker.storage.retention_port import RetentionStore
from broker.storage.retention_rows import RetentionRows
from broker.storage.subject_port import SubjectStore
from broker.storage.subject_rows import SubjectRows
from broker.storage.tiles import TileCache
from broker.storage.transaction import SqlTransaction, party_row, read_head
from broker.storage.writes import Writes
from sluis.errors import Conflict, SluisError
from sluis.merkle import Hash

_PAGE = 1_000
_LOAD_PORTION = 4_096


LOOKED_AT = 32  # checkpoints that cover a size, when the first lacks cosignatures


class SqlStore:
    """The `Store` of the port; any thread may call it."""

    def __init__(self, engines: Engines, now_ms: Callable[[], int]) -> None:
        self._engines = engines
        self._now_ms = now_ms
        self._queries = Queries(engines.dialect)
        self._writes = Writes(engines.dialect)
        self.exchange_index = SqlExchangeIndex(engines, self._queries)
        self._tiles = TileCache(self._queries.log)
        self._most_signatures = 0  # under any checkpoint that was seen
        self.asked: AskedStore = AskedRows(engines)
        self.deposits: DepositStore = DepositRows(engines, self._queries)
        self.console: ConsoleStore = ConsoleRows(engines)
        self.epochs: EpochStore = EpochRows(engines)
        self.proposals: ProposalStore = ProposalRows(engines)
        self.subjects: SubjectStore = SubjectRows(engines)
        self.findings: FindingStore = FindingRows(engines)
        self.retention: RetentionStore = RetentionRows(engines)
        self.follow_ups: FollowUpStore = FollowUpRows(engines)
        self._leader: Leader = (
            AdvisoryLeader(engines.single)
            if is_postgres(engines.dialect)
            else LeaseLeader(engines.writer, now_ms)
        )

    @contextmanager
    def transaction(self) -> Iterator[SqlTransaction]:
        """Take the head and give the one writing transaction; undone unless committed."""
        with lend(self._engines.writer) as connection:
            yield SqlTransaction(connection, self._queries, self._writes, self._landed)

    def _landed(self, log_index: int, leaf: Hash) -> bool:
        """Tell whether a COMMIT without an answer was carried out: is this leaf at its place?

        Taking the head waits until the server has ended the transaction in doubt, either way.
        """
        try:
            with session(self._engines.writer) as connection:
                read_head(connection, self._queries.log, lock=True)
                values = {"start": log_index, "end": log_index + 1}
                rows = connection.execute(self._queries.log.leaf_hashes, values).all()
        except SluisError:
            return False
        return [bytes(row.leaf_hash) for row in rows] == [leaf]

    # the log

    def head(self) -> Head:
        """The log's head as committed."""
        with session(self._engines.reader) as connection:
            return read_head(connection, self._queries.log)

    def entries(self, start: int, end: int) -> Iterator[LogRow]:
        """Yield the entries with start <= log_index < end; a page at a time, so no read lasts long."""
        start, end = max(start, 0), min(end, MAX_INTEGER)
        while start < end:
            page = self._rows(self._queries.log.entries, start=start, end=end, limit=_PAGE)
            for row in page:
                yield _log_row(row)
            if len(page) < _PAGE:
                return
            start = page[-1].log_index + 1

    def log_row(self, log_index: int) -> LogRow | None:
        """Give one entry."""
        if not storable([log_index]):
            return None
        rows = self._rows(self._queries.log.entries, start=log_index, end=log_index + 1, limit=1)
        return _log_row(rows[0]) if rows else None

    def node(self, level: int, index: int) -> Hash:
        """The hash of a complete subtree; level 0 is a leaf. Raises NotFound `not-found`."""
        found = self._tiles.remembered(level, index)
        if found is not None:
            return found
        with session(self._engines.reader) as connection:
            return self._tiles.read(connection, level, index)

    def tile(self, level: int, index: int, width: int) -> bytes:
        """The first `width` hashes of a tile (C2SP tlog-tiles). Raises NotFound `not-found`."""
        found = self._tiles.remembered_tile(level, index, width)
        if found is not None:
            return found
        with session(self._engines.reader) as connection:
            return self._tiles.read_tile(connection, level, index, width)

    def add_checkpoint(self, size: int, note: str, signed_at_ms: int) -> None:
        """Keep a checkpoint, in place of one of the same size."""
        values = {"size": size, "note": note, "signed_at_ms": signed_at_ms}
        with session(self._engines.writer, "checkpoint") as connection:
            self._writes.put("checkpoint", values).run(connection)
            connection.commit()

    def checkpoint(self, minimum_size: int = 0) -> str | None:
        """The newest checkpoint (0), or the smallest of at least that size that lacks no cosignature.

        A checkpoint lacks some when the broker or a witness fell away just then. A later one has them.
        """
        if not storable([minimum_size]):
            return None
        newest = [str(row.note) for row in self._rows(self._queries.log.newest_checkpoint)]
        if minimum_size == 0 or not newest:
            return newest[0] if newest else None
        self._most_signatures = max(self._most_signatures, signature_lines(newest[0]))
        covering = self._covering(minimum_size, 1)
        if covering and signature_lines(covering[0]) < self._most_signatures:
            covering = [*self._covering(minimum_size, LOOKED_AT), *newest]
        return max(covering, key=signature_lines, default=None)  # the first of those that have most

    def _covering(self, size: int, limit: int) -> list[str]:
        rows = self._rows(self._queries.log.covering_checkpoint, size=size, limit=limit)
        return [str(row.note) for row in rows]

    def checkpoints(self, before: int, limit: int) -> Sequence[KeptCheckpoint]:
        """Checkpoints of less than `before` entries, newest first."""
        if before <= 0 or limit <= 0:
            return []
        values = {"before": min(before, MAX_INTEGER), "limit": limit}
        return [
            KeptCheckpoint(**row._asdict()) for row in self._rows(self._queries.log.checkpoints, **values)
        ]

    # mailboxes and directory

    def mailbox(self, recipient: str, after: int, limit: int) -> Sequence[DeliveryView]:
        """Unacknowledged deliveries with log_index > after, oldest first, expired signals left out."""
        if after >= MAX_INTEGER or limit <= 0:
            return []
        values = {"a_recipient": recipient, "after": max(after, -1), "limit": limit, "now": self._now_ms()}
        return [_view(row) for row in self._rows(self._queries.exchange.mailbox, **values)]

    def deliveries_at(self, log_indexes: Sequence[int]) -> Sequence[DeliveryView]:
        """Give deliveries in the order asked, expired and acknowledged too; what is not there is left out."""
        with session(self._engines.reader) as connection:
            rows = self._queries.each_among(
                connection, self._queries.exchange.views_at, storable(log_indexes)
            )
            views = {row.log_index: _view(row) for row in rows}
        return [views[index] for index in log_indexes if index in views]

    def party(self, oin: str) -> PartyRow | None:
        """Give a participant."""
        return self.parties([oin]).get(oin)

    def parties(self, oins: Collection[str]) -> Mapping[str, PartyRow]:
        """Give the participants among `oins`."""
        with session(self._engines.reader) as connection:
            rows = self._queries.each_among(connection, self._queries.directory.parties, oins)
            return {row.oin: party_row(row) for row in rows}

    def party_page(self, after: str, limit: int, role: str) -> Sequence[PartyRow]:
        """Give participants with an OIN above `after`, in order; of any role when `role` is empty."""
        if limit <= 0:
            return []
        directory = self._queries.directory
        if role:
            rows = self._rows(directory.party_page_of_role, after=after, limit=limit, a_role=role)
        else:
            rows = self._rows(directory.party_page, after=after, limit=limit)
        return [party_row(row) for row in rows]

    def stops(self) -> frozenset[Stop]:
        """Give the stops in force."""
        rows = self._rows(self._queries.directory.stops)
        return frozenset(Stop(scope=row.scope, target=row.target) for row in rows)

    def domain_keys(self, agreement: str, recipient: str) -> Sequence[DomainKeyRow]:
        """Give the published keys of a recipient's domains, oldest first."""
        rows = self._rows(self._queries.directory.domain_keys, a_agreement=agreement, a_recipient=recipient)
        return [DomainKeyRow(**row._asdict()) for row in rows]

    def every_domain_key(self) -> Sequence[DomainKeyRow]:
        """Give the keys of all domains, in the order of publication."""
        rows = self._rows(self._queries.directory.every_domain_key)
        return [DomainKeyRow(**row._asdict()) for row in rows]

    # the rules, and what was decided on

    def policy_bundle(self, digest: str) -> bytes | None:
        """Give the content of a bundle that was activated."""
        rows = self._rows(self._queries.policy.bundle, a_digest=digest)
        return bytes(rows[0].content) if rows else None

    def activations(self) -> Sequence[Activation]:
        """Give every activation, oldest first."""
        return [Activation(**row._asdict()) for row in self._rows(self._queries.policy.activations)]

    def officer_page(self, after: str, limit: int) -> Sequence[Officer]:
        """Give officers with a name above `after`, in order."""
        if limit <= 0:
            return []
        rows = self._rows(self._queries.policy.officer_page, after=after, limit=limit)
        return [Officer(**row._asdict()) for row in rows]

    def decided(self, start: int, end: int) -> Iterator[Decided]:
        """Yield the entries with start <= log_index < end whose salt is still kept; a page at a time."""
        start, end = max(start, 0), min(end, MAX_INTEGER)
        while start < end:
            page = self._rows(self._queries.policy.decided, start=start, end=end, limit=_PAGE)
            for row in page:
                yield Decided(**row._asdict())
            if len(page) < _PAGE:
                return
            start = page[-1].log_index + 1

    # registers

    def add_register_entries(self, snapshot_id: bytes, rows: Iterable[tuple[bytes, str, str]]) -> None:
        """Load entries (pseudonym, valid_from, valid_until) of a snapshot that is not active yet.

        Raises Conflict `wrong-state` for one that was activated.
        """
        entries = iter(rows)
        while portion := [(snapshot_id, *row) for row in islice(entries, _LOAD_PORTION)]:
            with session(self._engines.writer, "register_entry") as connection:
                self._refuse_activated(connection, snapshot_id)
                self._writes.register_entries(connection, portion)
                connection.commit()

    def drop_register_entries(self, snapshot_id: bytes) -> None:
        """Forget a load that was given up. Raises Conflict `wrong-state` for an activated snapshot."""
        with session(self._engines.writer, "register_entry") as connection:
            self._refuse_activated(connection, snapshot_id)
            self._writes.drop_register_entries(snapshot_id).run(connection)
            connection.commit()

    def active_snapshots(self, owner: str) -> Sequence[ActiveSnapshot]:
        """Give the registers that a party has in force in its own domain, by log index."""
        rows = self._rows(self._queries.exchange.active_snapshots, owner=owner)
        return [ActiveSnapshot(**row._asdict()) for row in rows]

    def _refuse_activated(self, connection: Any, snapshot_id: bytes) -> None:
        table = TABLES["register_snapshot"]
        if connection.execute(select(table.c.active).where(table.c.snapshot_id == snapshot_id)).first():
            raise Conflict("wrong-state", "a register that took effect is replaced, never changed")

    # the whole

    def try_lead(self, name: str) -> bool:
        """Take or keep a named lock. Raises Unavailable; the lock is then to be taken as lost."""
        return self._leader.try_lead(name)

    def ping(self) -> None:
        """Raise Unavailable when the database does not answer."""
        self._rows(self._queries.log.head)

    def close(self) -> None:
        """Let go of locks and connections."""
        self._leader.close()
        self._engines.close()

    def _rows(self, query: Rows, **values: Any) -> Sequence[Row[Any]]:
        with session(self._engines.reader) as connection:
            return connection.execute(query, values).all()


def signature_lines(note: str) -> int:
    """How many signatures stand under a signed note; whether they hold, its reader checks."""
    return note.count("\n\u2014 ")


def _log_row(row: Row[Any]) -> LogRow:
    return LogRow(log_index=row.log_index, entry=bytes(row.entry), leaf_hash=bytes(row.leaf_hash))


def _view(row: Row[Any]) -> DeliveryView:
    return DeliveryView(**row._asdict())
