# SPDX-License-Identifier: EUPL-1.2
"""Proposed rules, and what officers signed about them."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the tables."""
    op.create_table(
        "policy_proposal",
        *(
            sa.Column(name, sa.Text(), nullable=False)
            for name in ("proposal_id", "organisation", "officer", "from_digest", "to_digest")
        ),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("cases", sa.Integer(), nullable=False),
        sa.Column("at_ms", _big(), nullable=False),
        sa.PrimaryKeyConstraint("proposal_id"),
    )
    op.create_index("policy_proposal_at_ms_idx", "policy_proposal", ["at_ms"])
    op.create_table(
        "policy_statement",
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("proposal_id", "officer", "act")),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("log_index", _big(), nullable=False),
        sa.PrimaryKeyConstraint("proposal_id", "officer"),
        sa.ForeignKeyConstraint(["proposal_id"], ["policy_proposal.proposal_id"]),
        sa.ForeignKeyConstraint(["log_index"], ["log_entry.log_index"]),
    )


def _big() -> sa.types.TypeEngine[int]:
    return sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def downgrade() -> None:
    """Take the tables away; the statements of changes that were carried out stand in the log as digests."""
    for table in ("policy_statement", "policy_proposal"):
        op.drop_table(table)
