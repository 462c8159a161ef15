# SPDX-License-Identifier: EUPL-1.2
"""The console: who is signed in, tokens that work once, and where officers' reading is logged."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the tables."""
    op.create_table(
        "console_session",
        sa.Column("token_hash", sa.LargeBinary(), nullable=False),
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("reference", "organisation", "role")),
        *(sa.Column(name, _big(), nullable=False) for name in ("seen_at_ms", "expires_at_ms")),
        sa.PrimaryKeyConstraint("token_hash"),
    )
    op.create_index("console_session_expires_at_ms_idx", "console_session", ["expires_at_ms"])
    op.create_table(
        "console_link",
        sa.Column("token_hash", sa.LargeBinary(), nullable=False),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("expires_at_ms", _big(), nullable=False),
        sa.PrimaryKeyConstraint("token_hash"),
    )
    op.create_index("console_link_expires_at_ms_idx", "console_link", ["expires_at_ms"])
    op.create_table(
        "console_read",
        sa.Column("log_index", _big(), nullable=False, autoincrement=False),
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("organisation", "reference")),
        sa.PrimaryKeyConstraint("log_index"),
        sa.ForeignKeyConstraint(["log_index"], ["log_entry.log_index"]),
    )
    op.create_index("console_read_organisation_log_index_idx", "console_read", ["organisation", "log_index"])


def _big() -> sa.types.TypeEngine[int]:
    return sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def downgrade() -> None:
    """Take the tables away; everybody signs in again."""
    for table in ("console_read", "console_link", "console_session"):
        op.drop_table(table)
