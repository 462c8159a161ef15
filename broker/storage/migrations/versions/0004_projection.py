# SPDX-License-Identifier: EUPL-1.2
"""Tables that follow the log for the console; they can be emptied and filled again from the log."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables, empty, with the position at the first entry."""
    position = op.create_table(
        "projection",
        sa.Column("projection_id", sa.Integer(), nullable=False, autoincrement=False),
        sa.Column("position", _big(), nullable=False),
        sa.CheckConstraint("projection_id = 1", name=op.f("projection_one_row_check")),
        sa.PrimaryKeyConstraint("projection_id"),
    )
    op.bulk_insert(position, [{"projection_id": 1, "position": 0}])
    op.create_table(
        "exchange_shape",
        sa.Column("shape_id", _big(), nullable=False, autoincrement=False),
        sa.Column("first_index", _big(), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("shape_id"),
    )
    op.create_index("exchange_shape_first_index_idx", "exchange_shape", ["first_index"])
    op.create_table(
        "exchange_row",
        sa.Column("log_index", _big(), nullable=False, autoincrement=False),
        sa.Column("time_ms", _big(), nullable=False),
        sa.Column("shape_id", _big(), nullable=False),
        sa.Column("exchange", sa.Text(), nullable=False),
        sa.Column("previous", _big(), nullable=True),
        sa.PrimaryKeyConstraint("log_index"),
    )
    op.create_index("exchange_row_shape_id_log_index_idx", "exchange_row", ["shape_id", "log_index"])
    op.create_index(
        "exchange_row_exchange_idx",
        "exchange_row",
        ["exchange"],
        sqlite_where=sa.text("exchange <> ''"),
        postgresql_where=sa.text("exchange <> ''"),
    )
    op.create_table(
        "exchange_cube",
        sa.Column("bucket", sa.Integer(), nullable=False, autoincrement=False),
        sa.Column("shape_id", _big(), nullable=False, autoincrement=False),
        sa.Column("entries", _big(), nullable=False),
        sa.PrimaryKeyConstraint("bucket", "shape_id"),
    )
    op.create_table(
        "exchange_day",
        sa.Column("bucket", sa.Integer(), nullable=False, autoincrement=False),
        sa.Column("first_index", _big(), nullable=False),
        sa.PrimaryKeyConstraint("bucket"),
    )


def _big() -> sa.types.TypeEngine[int]:
    return sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def downgrade() -> None:
    """Drop what follows from the log anyway."""
    for table in ("exchange_day", "exchange_cube", "exchange_row", "exchange_shape", "projection"):
        op.drop_table(table)
