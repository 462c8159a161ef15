# SPDX-License-Identifier: EUPL-1.2
"""Follow-ups and duties, and what a signal needs for them; signals from before have neither term nor severity."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

_ADDED = ("previous", "severity", "retain_until_ms", "withdrawn_index", "destroyed_index")


def upgrade() -> None:
    """Make the tables and columns."""
    op.add_column("signal", sa.Column("previous", sa.LargeBinary(), nullable=True))
    op.add_column("signal", sa.Column("severity", sa.Integer(), nullable=True))
    for name in ("retain_until_ms", "withdrawn_index", "destroyed_index"):
        op.add_column("signal", sa.Column(name, _big(), nullable=True))
    op.create_index(
        "signal_previous_idx",
        "signal",
        ["previous"],
        sqlite_where=sa.text("previous IS NOT NULL"),
        postgresql_where=sa.text("previous IS NOT NULL"),
    )
    op.create_table(
        "follow_up",
        sa.Column("follow_up_id", sa.LargeBinary(), nullable=False),
        _entry("follow_up"),
        sa.Column("act", sa.Text(), nullable=False),
        sa.Column("signal_id", sa.LargeBinary(), nullable=False),
        sa.Column("author", sa.Text(), nullable=False),
        sa.Column("refers_to", sa.LargeBinary(), nullable=True),
        sa.Column("replacement", sa.LargeBinary(), nullable=True),
        sa.Column("statement", sa.LargeBinary(), nullable=False),
        sa.Column("signature", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("follow_up_id"),
    )
    op.create_index("follow_up_log_index_idx", "follow_up", ["log_index"], unique=True)
    op.create_index("follow_up_signal_id_idx", "follow_up", ["signal_id"])
    op.create_table(
        "follow_up_delivery",
        _entry("follow_up_delivery"),
        sa.Column("recipient", sa.Text(), nullable=False),
        sa.Column("follow_up_id", sa.LargeBinary(), nullable=False),
        sa.Column("signal_id", sa.LargeBinary(), nullable=False),
        sa.Column("acknowledged_index", _big(), nullable=True),
        sa.ForeignKeyConstraint(
            ["follow_up_id"], ["follow_up.follow_up_id"], name=op.f("follow_up_delivery_follow_up_id_fkey")
        ),
        sa.PrimaryKeyConstraint("log_index"),
    )
    _open_index("follow_up_delivery_waiting_idx", "follow_up_delivery", "recipient", "log_index")
    op.create_table(
        "duty",
        sa.Column("duty_id", _big(), nullable=False, autoincrement=True),
        _entry("duty"),
        sa.Column("act", sa.Text(), nullable=False),
        sa.Column("debtor", sa.Text(), nullable=False),
        sa.Column("creditor", sa.Text(), nullable=False),
        sa.Column("signal_id", sa.LargeBinary(), nullable=False),
        sa.Column("follow_up_id", sa.LargeBinary(), nullable=True),
        sa.Column("due_at_ms", _big(), nullable=False),
        sa.Column("done_index", _big(), nullable=True),
        sa.PrimaryKeyConstraint("duty_id"),
    )
    op.create_index("duty_signal_id_idx", "duty", ["signal_id"])
    _open_index("duty_debtor_idx", "duty", "debtor", "due_at_ms", of="done_index")
    _open_index("duty_creditor_idx", "duty", "creditor", "due_at_ms", of="done_index")


def _entry(table: str) -> sa.Column[int]:
    foreign = sa.ForeignKey("log_entry.log_index", name=op.f(f"{table}_log_index_fkey"))
    return sa.Column("log_index", _big(), foreign, nullable=False, autoincrement=False)


def _open_index(name: str, table: str, *columns: str, of: str = "acknowledged_index") -> None:
    still_open = sa.text(f"{of} IS NULL")
    op.create_index(name, table, list(columns), sqlite_where=still_open, postgresql_where=still_open)


def _big() -> sa.types.TypeEngine[int]:
    return sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def downgrade() -> None:
    """Drop them; the statements' words stand in the log, their signatures are lost."""
    for table in ("duty", "follow_up_delivery", "follow_up"):
        op.drop_table(table)
    op.drop_index("signal_previous_idx", "signal")
    with op.batch_alter_table("signal") as signal:
        for name in _ADDED:
            signal.drop_column(name)
