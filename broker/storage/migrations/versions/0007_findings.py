# SPDX-License-Identifier: EUPL-1.2
"""Findings of officers, and from which entries was drawn."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "finding",
        sa.Column("finding_id", sa.Text(), nullable=False),
        sa.Column("organisation", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("log_index", _big(), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("finding_id"),
    )
    op.create_index("finding_organisation_subject_idx", "finding", ["organisation", "subject"], unique=True)
    op.create_index("finding_organisation_log_index_idx", "finding", ["organisation", "log_index"])
    op.create_table(
        "finding_draw",
        sa.Column("organisation", sa.Text(), nullable=False),
        sa.Column("first_index", _big(), nullable=False, autoincrement=False),
        sa.Column("end_index", _big(), nullable=False),
        sa.Column("log_index", _big(), nullable=False),
        sa.Column("drawn", _big(), nullable=False),
        sa.ForeignKeyConstraint(
            ["log_index"], ["log_entry.log_index"], name=op.f("finding_draw_log_index_fkey")
        ),
        sa.PrimaryKeyConstraint("organisation", "first_index"),
    )


def _big() -> sa.types.TypeEngine[int]:
    return sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def downgrade() -> None:
    """Drop them; the steps stand in the log."""
    op.drop_table("finding_draw")
    op.drop_table("finding")
