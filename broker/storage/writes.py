# SPDX-License-Identifier: EUPL-1.2
"""The write statements, built once per store: bulk for what each exchange writes, single for what is rare."""

from collections.abc import Sequence
from dataclasses import asdict, fields
from typing import Any, NamedTuple

from sqlalchemy import Connection, Dialect, Executable, bindparam, delete, select, update
from sqlalchemy.dialects import postgresql, sqlite

from broker.storage.bulk import BulkAcknowledge, BulkInsert, is_postgres
from broker.storage.console_port import ConsoleRead
from broker.storage.deposit_port import Alias
from broker.storage.faults import storage_errors
from broker.storage.finding_port import DrawRow
from broker.storage.follow_up_port import Duty
from broker.storage.port import Activation, Counter, DomainKeyRow, Officer, PartyRow, Stop
from broker.storage.proposal_port import PolicyProposal, SignedStatement
from broker.storage.queries import DELIVERY_COLUMNS, FIRST_ANSWER_COLUMNS, SIGNAL_COLUMNS, TABLES
from broker.storage.register_port import Snapshot


class Step(NamedTuple):
    """One rare write, and the table that it may find a row in already."""

    table: str
    statement: Executable
    values: dict[str, Any]

    def run(self, connection: Connection) -> None:
        """Write it."""
        with storage_errors(self.table):
            connection.execute(self.statement, self.values)


class Writes:
    """Every write of the store."""

    def __init__(self, dialect: Dialect) -> None:
        self._insert = postgresql.insert if is_postgres(dialect) else sqlite.insert

        def bulk(table: str, columns: Sequence[str]) -> BulkInsert:
            return BulkInsert(TABLES[table], columns, dialect)

        self.entries = bulk("log_entry", ("log_index", "leaf_hash", "entry"))
        self.tiles = bulk("log_tile", ("level", "tile_index", "root", "hashes"))
        self.signals = bulk("signal", SIGNAL_COLUMNS)
        self.aliases = bulk("deposit_alias", tuple(field.name for field in fields(Alias)))
        self.deliveries = bulk("delivery", DELIVERY_COLUMNS)
        self.first_answers = bulk("first_answer", FIRST_ANSWER_COLUMNS)
        self.salts = bulk("entry_salt", ("log_index", "salt", "inputs", "signal_id", "ends_at_ms"))
        self.duties = bulk("duty", tuple(field.name for field in fields(Duty)))
        self.register_entries = bulk(
            "register_entry", ("snapshot_id", "pseudonym", "valid_from", "valid_until")
        )
        self.acknowledgements = BulkAcknowledge(dialect)
        self.head = (
            update(TABLES["log_head"])
            .where(TABLES["log_head"].c.head_id == 1)
            .values(size=bindparam("v_size"), nodes=bindparam("v_nodes"), last_time_ms=bindparam("v_time"))
        )

    def put(self, table: str, values: dict[str, Any]) -> Step:
        """Insert a row, or replace the one with its key."""
        keys = {column.name for column in TABLES[table].primary_key}
        insert = self._insert(TABLES[table])
        changed = {name: insert.excluded[name] for name in values if name not in keys}
        return Step(table, insert.on_conflict_do_update(index_elements=sorted(keys), set_=changed), values)

    def put_party(self, row: PartyRow) -> Step:
        """Add or change a participant."""
        values = {"oin": row.oin, "name": row.name, "role": row.role, "status": row.status.value}
        return self.put("party", {**values, "card": row.card})

    def add_stop(self, row: Stop, log_index: int) -> Step:
        """Add a stop; one that is in force stays as it is."""
        values = {"scope": row.scope, "target": row.target, "log_index": log_index}
        return Step("stop", self._insert(TABLES["stop"]).on_conflict_do_nothing(), values)

    def remove_stop(self, row: Stop) -> Step:
        """Lift a stop."""
        stop = TABLES["stop"]
        statement = delete(stop).where(stop.c.scope == row.scope, stop.c.target == row.target)
        return Step("stop", statement, {})

    def add_domain_key(self, row: DomainKeyRow) -> Step:
        """Add a published key."""
        names = ("agreement", "recipient", "epoch", "evaluator", "publication", "log_index")
        return Step(
            "domain_key", self._insert(TABLES["domain_key"]), {name: getattr(row, name) for name in names}
        )

    def put_officer(self, row: Officer) -> Step:
        """Add or change an officer."""
        return self.put("officer", {field.name: getattr(row, field.name) for field in fields(Officer)})

    def add_console_read(self, row: ConsoleRead) -> Step:
        """Note where a reading is logged."""
        return Step("console_read", self._insert(TABLES["console_read"]), asdict(row))

    def add_proposal(self, row: PolicyProposal) -> list[Step]:
        """Keep a draft in place of the same officer's other drafts."""
        table, statement = TABLES["policy_proposal"], TABLES["policy_statement"]
        signed = select(statement.c.proposal_id)
        mine = (table.c.organisation == row.organisation, table.c.officer == row.officer)
        drafts = delete(table).where(*mine, table.c.proposal_id.not_in(signed))
        insert = self._insert(table).on_conflict_do_nothing()
        return [Step("policy_proposal", drafts, {}), Step("policy_proposal", insert, asdict(row))]

    def add_statement(self, row: SignedStatement) -> Step:
        """Keep a signed statement."""
        return Step("policy_statement", self._insert(TABLES["policy_statement"]), asdict(row))

    def add_draw(self, row: DrawRow) -> Step:
        """Note from which entries was drawn; once."""
        return Step("finding_draw", self._insert(TABLES["finding_draw"]), asdict(row))

    def activate_policy(self, row: Activation, content: bytes) -> list[Step]:
        """Keep a bundle, if it is new, and its activation."""
        insert = self._insert(TABLES["policy_bundle"]).on_conflict_do_nothing()
        values = {field.name: getattr(row, field.name) for field in fields(Activation)}
        return [
            Step("policy_bundle", insert, {"digest": row.digest, "content": content}),
            Step("policy_activation", self._insert(TABLES["policy_activation"]), values),
        ]

    def count(self, counter: Counter, subjects: int) -> Step:
        """Add to a counter, and make it when it is new."""
        table = TABLES["counter"]
        values = {field.name: getattr(counter, field.name) for field in fields(Counter)}
        insert = self._insert(table)
        statement = insert.on_conflict_do_update(
            index_elements=sorted(values), set_={"passed": table.c.passed + insert.excluded.passed}
        )
        return Step("counter", statement, {**values, "passed": subjects})

    def activate(self, row: Snapshot, log_index: int) -> list[Step]:
        """Replace a register: what it held goes, the snapshot takes its place."""
        table, entries = TABLES["register_snapshot"], TABLES["register_entry"]
        key = {name: getattr(row, name) for name in ("agreement", "register", "recipient", "epoch", "owner")}
        replaced = [*(table.c[name] == value for name, value in key.items()), table.c.active.is_(True)]
        old = select(table.c.snapshot_id).where(*replaced).scalar_subquery()
        names = ("snapshot_id", "created_at_ms", "entry_count", "header", "digest", "signature")
        values = {
            **key,
            **{name: getattr(row, name) for name in names},
            "log_index": log_index,
            "active": True,
        }
        return [
            Step("register_entry", delete(entries).where(entries.c.snapshot_id == old), {}),
            Step("register_snapshot", update(table).where(*replaced).values(active=False), {}),
            Step("register_snapshot", self._insert(table), values),
        ]

    def drop_register_entries(self, snapshot_id: bytes) -> Step:
        """Remove loaded entries."""
        entries = TABLES["register_entry"]
        return Step("register_entry", delete(entries).where(entries.c.snapshot_id == snapshot_id), {})
