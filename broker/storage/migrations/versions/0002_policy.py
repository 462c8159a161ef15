# SPDX-License-Identifier: EUPL-1.2
"""Rules that are activated by officers, counters, and what each decision was taken on."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the tables, and the inputs beside the salts."""
    op.add_column(
        "entry_salt",
        sa.Column("inputs", sa.LargeBinary(), nullable=False, server_default=sa.text("''")),
    )
    op.create_table(
        "officer",
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("officer", "organisation", "function")),
        sa.Column("verify_key", sa.LargeBinary(), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("log_index", _big(), nullable=False),
        sa.PrimaryKeyConstraint("officer"),
    )
    op.create_table(
        "policy_bundle",
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("digest"),
    )
    op.create_table(
        "policy_activation",
        sa.Column("log_index", _big(), nullable=False, autoincrement=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("at_ms", _big(), nullable=False),
        sa.PrimaryKeyConstraint("log_index"),
        sa.ForeignKeyConstraint(["log_index"], ["log_entry.log_index"]),
        sa.ForeignKeyConstraint(["digest"], ["policy_bundle.digest"]),
    )
    op.create_table(
        "counter",
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("name", "sender", "recipient", "day")),
        sa.Column("passed", _big(), nullable=False),
        sa.PrimaryKeyConstraint("name", "sender", "recipient", "day"),
    )


def _big() -> sa.types.TypeEngine[int]:
    return sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def downgrade() -> None:
    """Refuse: the log refers to bundles that would be gone."""
    raise NotImplementedError("decisions refer to the bundles that this version keeps")
