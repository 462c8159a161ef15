# SPDX-License-Identifier: EUPL-1.2
"""One serial step on the log's head: reads at once, writes together at commit.

What is added is kept in memory and written by `commit`, each table in one statement. The order is that of
the guarantee "no log, no exchange" (G7): entries, tiles, then what rests on them, then the head.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict
from operator import attrgetter
from typing import Any

from sqlalchemy import Connection, Row, select
from sqlalchemy.exc import DBAPIError

from broker.storage.alias_steps import AliasSteps
from broker.storage.console_port import ConsoleRead
from broker.storage.epoch_rows import EpochsInTransaction
from broker.storage.faults import storage_errors, translate
from broker.storage.finding_port import DrawRow, FindingRow
from broker.storage.finding_rows import known_subjects, read_draws, read_finding
from broker.storage.follow_up_steps import FollowUpSteps
from broker.storage.log_port import Head
from broker.storage.port import (
    Activation,
    Counter,
    Delivery,
    DomainKeyRow,
    FirstAnswer,
    Officer,
    PartyRow,
    PartyStatus,
    Stop,
    StoredSignal,
)
from broker.storage.proposal_port import PolicyProposal, SignedStatement
from broker.storage.queries import (
    DELIVERY_COLUMNS,
    FIRST_ANSWER_COLUMNS,
    SIGNAL_COLUMNS,
    TABLES,
    LogQueries,
    Queries,
    Rows,
    storable,
)
from broker.storage.register_port import Period, Snapshot
from broker.storage.retention_port import FOLLOWS, Link, RetentionTransaction
from broker.storage.retention_rows import RetentionWrites
from broker.storage.tiles import HASH_BYTES, completed_tiles
from broker.storage.writes import Step, Writes
from sluis.errors import Conflict, Defect, InvalidInput, NotAuthentic
from sluis.merkle import CompactRange, Hash, leaf_hash

Landed = Callable[[int, Hash], bool]

_SIGNAL = attrgetter(*SIGNAL_COLUMNS)
_DELIVERY = attrgetter(*DELIVERY_COLUMNS)
_FIRST_ANSWER = attrgetter(*FIRST_ANSWER_COLUMNS)


def read_head(connection: Connection, queries: LogQueries, *, lock: bool = False) -> Head:
    """Read the head row, and lock it. Raises NotAuthentic `log-inconsistent`, Unavailable."""
    with storage_errors("log_head"):
        row = connection.execute(queries.lock_head if lock else queries.head).first()
    if row is None:
        raise NotAuthentic("log-inconsistent", "the log has no head")
    nodes = tuple(Hash(bytes(row.nodes[at : at + HASH_BYTES])) for at in range(0, len(row.nodes), HASH_BYTES))
    try:
        tree = CompactRange(size=row.size, nodes=nodes)
    except InvalidInput:
        raise NotAuthentic("log-inconsistent", "the head of the log is damaged") from None
    return Head(tree=tree, last_time_ms=row.last_time_ms)


def party_row(row: Row[Any]) -> PartyRow:
    """Read a participant."""
    return PartyRow(
        oin=row.oin, name=row.name, role=row.role, status=PartyStatus(row.status), card=bytes(row.card)
    )


class SqlTransaction(FollowUpSteps, AliasSteps):
    """The `Transaction` of the port. Made by `SqlStore.transaction`, used by one thread."""

    def __init__(self, connection: Connection, queries: Queries, writes: Writes, landed: Landed) -> None:
        self._connection = connection
        self._queries = queries
        self._writes = writes
        self._landed = landed
        self._head = read_head(connection, queries.log, lock=True)
        self._time_ms = self._head.last_time_ms
        self._open = True
        self._active: dict[tuple[str, ...], Sequence[Any]] = {}  # nobody else may change them meanwhile
        self._entries: list[bytes] = []
        self._signals: list[tuple[Any, ...]] = []
        self._aliases: list[tuple[object, ...]] = []
        self._deliveries: list[tuple[Any, ...]] = []
        self._first_answers: list[tuple[Any, ...]] = []
        self._salts: list[tuple[int, bytes, bytes, bytes | None, int | None]] = []
        self._acknowledged: list[tuple[int, int]] = []
        self._duties: list[tuple[object, ...]] = []
        self._steps: list[Step] = []
        self.retention: RetentionTransaction = RetentionWrites(connection, queries, self._steps)
        self.epochs = EpochsInTransaction(connection, writes, self._steps.append)

    @property
    def head(self) -> Head:
        """The head as it was when the transaction took it."""
        return self._head

    # reads of the committed state

    def parties(self, oins: Collection[str]) -> Mapping[str, PartyRow]:
        """Give the participants among `oins`."""
        rows = self._queries.each_among(self._connection, self._queries.directory.parties, oins)
        return {row.oin: party_row(row) for row in rows}

    def stops(self) -> frozenset[Stop]:
        """Give the stops in force."""
        rows = self._of_every_push(self._queries.directory.stops)
        return frozenset(Stop(scope=row.scope, target=row.target) for row in rows)

    def first_answers(self, keys: Collection[tuple[str, str]]) -> Mapping[tuple[str, str], FirstAnswer]:
        """Give the answers given before, by (oin, key)."""
        by_caller: dict[str, list[str]] = {}
        for oin, key in keys:
            by_caller.setdefault(oin, []).append(key)
        query = self._queries.exchange.first_answers
        return {
            (row.oin, row.key): FirstAnswer(**row._asdict())
            for oin, asked in by_caller.items()
            for row in self._queries.each_among(self._connection, query, asked, a_oin=oin)
        }

    def known_signals(self, signal_ids: Collection[bytes]) -> frozenset[bytes]:
        """Give the ids among `signal_ids` that are stored."""
        rows = self._queries.each_among(self._connection, self._queries.exchange.known_signals, signal_ids)
        return frozenset(bytes(row.signal_id) for row in rows)

    def register_owners(self, agreement: str, register: str, recipient: str, epoch: str) -> frozenset[str]:
        """Give who has an active snapshot of a register in a domain."""
        return frozenset(row.owner for row in self._snapshots(agreement, register, recipient, epoch))

    def register_size(self, agreement: str, register: str, recipient: str, epoch: str, day: str) -> int:
        """Count the subjects that active snapshots of any owner hold on a day."""
        query = self._queries.exchange.register_size
        with storage_errors():
            return sum(
                self._connection.execute(query, {"a_snapshot_id": row.snapshot_id, "day": day}).scalar_one()
                for row in self._snapshots(agreement, register, recipient, epoch)
            )

    def register_periods(
        self, agreement: str, register: str, recipient: str, epoch: str, pseudonyms: Collection[bytes]
    ) -> Mapping[bytes, Sequence[Period]]:
        """Give what active registers say of the subjects, in a fixed order; who has nothing is left out."""
        snapshots = self._snapshots(agreement, register, recipient, epoch)
        found: dict[bytes, list[Period]] = {}
        for snapshot in snapshots:
            rows = self._queries.each_among(
                self._connection,
                self._queries.exchange.periods,
                pseudonyms,
                a_snapshot_id=snapshot.snapshot_id,
            )
            for row in rows:
                period = Period(owner=snapshot.owner, valid_from=row.valid_from, valid_until=row.valid_until)
                found.setdefault(bytes(row.pseudonym), []).append(period)
        for periods in found.values():
            periods.sort(key=lambda period: (period.owner, period.valid_from, period.valid_until))
        return found

    def deposits(
        self,
        recipient: str,
        agreement: str,
        kind: str,
        epoch: str,
        pseudonyms: Collection[bytes],
        now_ms: int,
    ) -> Sequence[StoredSignal]:
        """Unexpired `on_match` signals, oldest first."""
        rows = self._queries.each_among(
            self._connection,
            self._queries.exchange.deposits,
            pseudonyms,
            a_recipient=recipient,
            a_agreement=agreement,
            a_kind=kind,
            a_epoch=epoch,
            now=now_ms,
        )
        return sorted(
            (StoredSignal(**row._asdict()) for row in rows), key=lambda row: (row.pushed_index, row.signal_id)
        )

    def deliveries(self, log_indexes: Collection[int]) -> Mapping[int, Delivery]:
        """Give the deliveries at these log indexes."""
        rows = self._queries.each_among(
            self._connection, self._queries.exchange.deliveries, storable(log_indexes)
        )
        return {row.log_index: Delivery(**row._asdict()) for row in rows}

    def domain_key(self, agreement: str, recipient: str, epoch: str, evaluator: str) -> DomainKeyRow | None:
        """Give a published key."""
        rows = self._all(
            "domain_key", a_agreement=agreement, a_recipient=recipient, a_epoch=epoch, a_evaluator=evaluator
        )
        return DomainKeyRow(**rows[0]._asdict()) if rows else None

    def active_policy(self) -> str:
        """Give the digest of the bundle that decides; empty before the first activation."""
        rows = self._of_every_push(self._queries.policy.active)
        return str(rows[0].digest) if rows else ""

    def officers(self, names: Collection[str]) -> Mapping[str, Officer]:
        """Give the officers among `names`."""
        rows = self._queries.each_among(self._connection, self._queries.policy.officers, names)
        return {row.officer: Officer(**row._asdict()) for row in rows}

    def counted(self, counters: Collection[Counter]) -> Mapping[Counter, int]:
        """Give how many passed; a counter that never counted is left out."""
        found: dict[Counter, int] = {}
        for counter in counters:
            values = {f"a_{name}": value for name, value in asdict(counter).items()}
            with storage_errors():
                passed = self._connection.execute(self._queries.policy.counted, values).scalar()
            if passed is not None:
                found[counter] = passed
        return found

    def finding(self, organisation: str, finding_id: str) -> FindingRow | None:
        """Give a finding of an organisation."""
        return read_finding(self._connection, organisation, finding_id)

    def draws(self, organisation: str) -> Sequence[DrawRow]:
        """Give the draws of an organisation, oldest first."""
        return read_draws(self._connection, organisation)

    def known_subjects(self, organisation: str, subjects: Collection[str]) -> frozenset[str]:
        """Give those of which the organisation has a finding."""
        return known_subjects(self._connection, self._queries, organisation, subjects)

    def _snapshots(self, agreement: str, register: str, recipient: str, epoch: str) -> Sequence[Any]:
        domain = (agreement, register, recipient, epoch)
        if domain not in self._active:
            values = dict(zip(("a_agreement", "a_register", "a_recipient", "a_epoch"), domain, strict=True))
            self._active[domain] = self._of_every_push(self._queries.exchange.snapshots, **values)
        return self._active[domain]

    def _of_every_push(self, query: Rows, **values: str) -> Sequence[Any]:
        return self._queries.of_every_push(self._connection, query, **values)

    def _all(self, name: str, **values: str) -> Sequence[Row[Any]]:
        with storage_errors():
            return self._connection.execute(getattr(self._queries.directory, name), values).all()

    # writes, kept until commit

    def append(self, entry: bytes, time_ms: int) -> int:
        """Append an entry to the log; returns its index."""
        self._entries.append(entry)
        self._time_ms = max(self._time_ms, time_ms)
        return self._head.tree.size + len(self._entries) - 1

    def add_salt(self, log_index: int, salt: bytes, inputs: bytes = b"", link: Link = FOLLOWS) -> None:
        """Keep the salt of an entry's commitments, and what was decided on, as long as the link holds."""
        self._salts.append((log_index, salt, inputs, link.signal_id, link.ends_at_ms))

    def count(self, counter: Counter, subjects: int) -> None:
        """Add to a counter."""
        self._steps.append(self._writes.count(counter, subjects))

    def put_officer(self, row: Officer) -> None:
        """Add or change an officer."""
        self._steps.append(self._writes.put_officer(row))

    def add_console_read(self, row: ConsoleRead) -> None:
        """Note that an entry of this transaction tells of an officer's reading."""
        self._steps.append(self._writes.add_console_read(row))

    def statements(self, proposal_id: str) -> Mapping[str, str]:
        """What was signed about a proposal: the act by officer."""
        table = TABLES["policy_statement"]
        query = select(table.c.officer, table.c.act).where(table.c.proposal_id == proposal_id)
        with storage_errors():
            return {row.officer: row.act for row in self._connection.execute(query)}

    def add_proposal(self, row: PolicyProposal) -> None:
        """Keep a draft in place of the same officer's other drafts; one that is there already stays."""
        self._steps.extend(self._writes.add_proposal(row))

    def add_statement(self, row: SignedStatement) -> None:
        """Keep what an officer signed; at commit Conflict `already-signed` when she did before."""
        self._steps.append(self._writes.add_statement(row))

    def put_finding(self, row: FindingRow) -> None:
        """Add or change a finding."""
        self._steps.append(self._writes.put("finding", asdict(row)))

    def add_draw(self, row: DrawRow) -> None:
        """Note from which entries was drawn."""
        self._steps.append(self._writes.add_draw(row))

    def activate_policy(self, row: Activation, content: bytes) -> None:
        """Keep a bundle, if it is new, and let it decide from an entry of this transaction on."""
        self._steps.extend(self._writes.activate_policy(row, content))

    def add_first_answer(self, row: FirstAnswer) -> None:
        """Remember what a caller got; at commit Conflict `idempotency-conflict` when the key is taken."""
        self._first_answers.append(_FIRST_ANSWER(row))

    def add_signal(self, row: StoredSignal) -> None:
        """Keep a signal; at commit Conflict `signal-exists` when there is one with its id."""
        self._signals.append(_SIGNAL(row))

    def add_delivery(self, row: Delivery) -> None:
        """Put a release into its recipient's mailbox."""
        self._deliveries.append(_DELIVERY(row))

    def acknowledge(self, log_index: int, acknowledged_index: int) -> None:
        """Take a delivery out of the mailbox; the first acknowledgement counts."""
        self._acknowledged.append((acknowledged_index, log_index))

    def put_party(self, row: PartyRow) -> None:
        """Add or change a participant."""
        self._steps.append(self._writes.put_party(row))

    def add_stop(self, row: Stop, log_index: int) -> None:
        """Put a stop into force."""
        self._steps.append(self._writes.add_stop(row, log_index))

    def remove_stop(self, row: Stop) -> None:
        """Lift a stop."""
        self._steps.append(self._writes.remove_stop(row))

    def add_domain_key(self, row: DomainKeyRow) -> None:
        """Publish a key; at commit Conflict `key-exists` when there is one."""
        self._steps.append(self._writes.add_domain_key(row))

    def activate_snapshot(self, row: Snapshot, log_index: int) -> None:
        """Make a loaded snapshot the register's content, in place of the owner's one before.

        Raises Conflict `wrong-state` at once when it was not loaded in full.
        """
        with storage_errors():
            loaded = self._connection.execute(
                self._queries.exchange.loaded, {"a_snapshot_id": row.snapshot_id}
            ).scalar_one()
        if loaded != row.entry_count:
            raise Conflict(
                "wrong-state", f"{loaded} of {row.entry_count} entries of the register were loaded"
            )
        self._steps.extend(self._writes.activate(row, log_index))

    # commit

    def commit(self) -> None:
        """Write everything, durably.

        Raises Unavailable when it could not, Conflict for a key that is taken; then nothing was written.
        Should the database vanish while it answers to COMMIT, it is asked again; if it stays away, the caller
        gets Unavailable and learns by its idempotency key, on its next try, whether it was written.
        """
        if not self._open:
            raise Defect("defect", "a transaction commits once")
        self._open = False
        leaves = [leaf_hash(entry) for entry in self._entries]
        self._write(leaves)
        try:
            self._connection.commit()
        except DBAPIError as error:
            last = self._head.tree.size + len(leaves) - 1
            if not (error.connection_invalidated and leaves and self._landed(last, leaves[-1])):
                raise translate(error) from None

    def _write(self, leaves: Sequence[Hash]) -> None:
        connection, writes = self._connection, self._writes
        size = self._head.tree.size
        tree, nodes = self._head.tree.extend(leaves)
        tiles = completed_tiles(connection, self._queries.log, size, leaves, nodes)
        rows = zip(range(size, size + len(leaves)), leaves, self._entries, strict=True)
        writes.entries(connection, list(rows))
        writes.tiles(connection, tiles)
        writes.signals(connection, self._signals)
        writes.aliases(connection, self._aliases)
        writes.deliveries(connection, self._deliveries)
        writes.salts(connection, self._salts)
        writes.first_answers(connection, self._first_answers)
        writes.acknowledgements(connection, self._acknowledged)
        writes.duties(connection, self._duties)
        for step in self._steps:
            step.run(connection)
        if leaves:
            values = {"v_size": tree.size, "v_nodes": b"".join(tree.nodes), "v_time": self._time_ms}
            with storage_errors("log_head"):
                connection.execute(writes.head, values)
