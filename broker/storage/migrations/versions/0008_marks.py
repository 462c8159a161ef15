# SPDX-License-Identifier: EUPL-1.2
"""Marks of what the follower changed in the counts, so that a reader can keep the rest in memory."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Mark every bucket of the counts as of now; nothing has to be filled anew."""
    op.create_table(
        "exchange_bucket",
        sa.Column("bucket", sa.Integer(), nullable=False, autoincrement=False),
        sa.Column("changed", _big(), nullable=False),
        sa.PrimaryKeyConstraint("bucket"),
    )
    for name in ("marked", "generation"):
        op.add_column("projection", sa.Column(name, _big(), nullable=False, server_default=sa.text("0")))
    op.execute("UPDATE projection SET marked = position")
    op.execute("INSERT INTO exchange_bucket (bucket, changed) SELECT DISTINCT bucket, 0 FROM exchange_cube")


def _big() -> sa.types.TypeEngine[int]:
    return sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def downgrade() -> None:
    """Drop the marks."""
    for name in ("generation", "marked"):
        op.drop_column("projection", name)
    op.drop_table("exchange_bucket")
