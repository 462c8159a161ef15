# SPDX-License-Identifier: EUPL-1.2
"""Ends for all that is kept, worked out from the log for what was there before; legal holds."""

import json
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from alembic import op

from broker.retention.terms import EXPIRY, FOREVER_MS, REFUSED, later
from sluis.errors import SluisError

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

_PORTION = 1_000


def upgrade() -> None:
    """Add columns and tables, and date what is there."""
    _signals()
    _links()
    _holds()
    connection = op.get_bind()
    _date_signals(connection)
    _date_links(connection)


def _signals() -> None:
    op.add_column("signal", sa.Column("term_until_ms", _big(), nullable=False, server_default=sa.text("0")))
    for name in ("term", "after_loss"):
        op.add_column("signal", sa.Column(name, sa.Text(), nullable=False, server_default=sa.text("''")))
    op.add_column("signal", sa.Column("lost_at_ms", _big(), nullable=True))
    op.drop_index("signal_expires_at_ms_idx", "signal")
    _partial(
        "signal_retain_until_ms_idx", "signal", ["retain_until_ms", "signal_id"], "destroyed_index IS NULL"
    )
    _partial("signal_destroyed_index_idx", "signal", ["destroyed_index"], "destroyed_index IS NOT NULL")


def _links() -> None:
    op.add_column("entry_salt", sa.Column("signal_id", sa.LargeBinary(), nullable=True))
    op.add_column("entry_salt", sa.Column("ends_at_ms", _big(), nullable=True))
    for name in ("signal_id", "ends_at_ms"):
        _partial(f"entry_salt_{name}_idx", "entry_salt", [name, "log_index"], f"{name} IS NOT NULL")
    op.create_index("first_answer_log_index_idx", "first_answer", ["log_index"])


def _holds() -> None:
    words = ("hold_id", "scope", "target", "organisation", "reason")
    op.create_table(
        "legal_hold",
        *(sa.Column(name, sa.Text(), nullable=False) for name in words),
        sa.Column("set_index", _big(), nullable=False),
        sa.Column("lifted_index", _big(), nullable=True),
        sa.PrimaryKeyConstraint("hold_id"),
        sa.ForeignKeyConstraint(["set_index"], ["log_entry.log_index"]),
    )
    _partial("legal_hold_in_force_idx", "legal_hold", ["set_index"], "lifted_index IS NULL")
    domain = ("hold_id", "agreement", "recipient", "epoch")
    op.create_table(
        "hold_subject",
        *(sa.Column(name, sa.Text(), nullable=False) for name in domain),
        sa.Column("pseudonym", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint(*domain, "pseudonym"),
        sa.ForeignKeyConstraint(["hold_id"], ["legal_hold.hold_id"]),
    )
    op.create_table(
        "retention_clock",
        sa.Column("clock_id", sa.Integer(), nullable=False, autoincrement=False),
        sa.Column("swept_at_ms", _big(), nullable=False),
        sa.PrimaryKeyConstraint("clock_id"),
        sa.CheckConstraint("clock_id = 1", name="one_row"),
    )


def _date_signals(connection: sa.Connection) -> None:
    """Until the strictest of the entry's term and the header's expiry; the expiry where no term can be read."""
    page = sa.text(
        "SELECT s.signal_id AS key, s.expires_at_ms AS expires, e.entry AS entry FROM signal s"
        " JOIN log_entry e ON e.log_index = s.pushed_index"
        " WHERE s.signal_id > :after ORDER BY s.signal_id LIMIT :most"
    )
    change = sa.text(
        "UPDATE signal SET retain_until_ms = :until, term_until_ms = :until, term = :term, after_loss = :loss"
        " WHERE signal_id = :key"
    )
    after = b""
    while rows := connection.execute(page, {"after": after, "most": _PORTION}).all():
        after = bytes(rows[-1].key)
        connection.execute(change, [_dated(row) for row in rows])


def _dated(row: Any) -> dict[str, object]:
    entry = _read(row.entry)
    duties = entry.get("obligations", {})
    period = duties.get("retention", "")
    until = _end(entry, period) if period else FOREVER_MS
    expired = row.expires <= until
    return {
        "key": row.key,
        "until": min(row.expires, until),
        "term": EXPIRY if expired else period,
        "loss": duties.get("retention_after_loss", ""),
    }


def _date_links(connection: sa.Connection) -> None:
    """A salt goes with its signal; where there is none, at an end of its own. A release may shorten its signal."""
    page = sa.text(
        "SELECT t.log_index AS key, e.entry AS entry, s.signal_id AS pushed FROM entry_salt t"
        " JOIN log_entry e ON e.log_index = t.log_index"
        " LEFT JOIN signal s ON s.pushed_index = t.log_index"
        " WHERE t.log_index > :after ORDER BY t.log_index LIMIT :most"
    )
    known = sa.text("SELECT 1 FROM signal WHERE signal_id = :signal")
    of_signal = sa.text("UPDATE entry_salt SET signal_id = :signal WHERE log_index = :key")
    by_itself = sa.text("UPDATE entry_salt SET ends_at_ms = :until WHERE log_index = :key")
    shorten = sa.text(
        "UPDATE signal SET retain_until_ms = :until, term_until_ms = :until, term = :term"
        " WHERE signal_id = :signal AND term_until_ms > :until"
    )
    after = -1
    while rows := connection.execute(page, {"after": after, "most": _PORTION}).all():
        after = rows[-1].key
        for row in rows:
            if row.pushed is not None:
                continue
            entry = _read(row.entry)
            signal = _signal_of(entry)
            period = entry.get("obligations", {}).get("retention", "")
            until = _end(entry, period or REFUSED)
            if signal and connection.execute(known, {"signal": signal}).first():
                connection.execute(of_signal, {"signal": signal, "key": row.key})
                if period:
                    connection.execute(shorten, {"signal": signal, "until": until, "term": period})
            else:
                connection.execute(by_itself, {"until": until, "key": row.key})


def _signal_of(entry: dict[str, Any]) -> bytes:
    """The signal of a release, by its entry; nothing for another entry."""
    if entry.get("operation") != "signal.release":
        return b""
    try:
        return UUID(entry["exchange"]).bytes
    except (KeyError, ValueError):
        return b""


def _end(entry: dict[str, Any], period: str) -> int:
    try:
        return later(round(datetime.fromisoformat(entry["time"]).timestamp() * 1000), period)
    except (KeyError, ValueError, SluisError):
        return FOREVER_MS


def _read(entry: bytes) -> dict[str, Any]:
    try:
        found = json.loads(entry)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _partial(name: str, table: str, columns: list[str], where: str) -> None:
    condition = sa.text(where)
    op.create_index(name, table, columns, sqlite_where=condition, postgresql_where=condition)


def _big() -> sa.types.TypeEngine[int]:
    return sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def downgrade() -> None:
    """Refuse: what was destroyed would come to stand as empty signals that wait for their recipients."""
    raise NotImplementedError("destroyed signals cannot be told from others in the version before")
