# SPDX-License-Identifier: EUPL-1.2
"""Epochs, destroyed keys, and every card that was admitted.

Cards that were admitted before are entered when the broker starts (`broker/cards.py`), which can read the log.
"""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "epoch",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("begins_at_ms", _big(), nullable=False),
        sa.Column("announced_index", _big(), nullable=False),
        sa.Column("compromised_at_ms", _big(), nullable=True),
        sa.Column("questions_stopped", sa.Boolean(), nullable=False),
        sa.Column("changed_index", _big(), nullable=True),
        sa.Column("retired_index", _big(), nullable=True),
        _entry("epoch", "announced_index"),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_table(
        "key_destruction",
        sa.Column("evaluator", sa.Text(), nullable=False),
        sa.Column("epoch", sa.Text(), nullable=False),
        sa.Column("statement", sa.LargeBinary(), nullable=False),
        sa.Column("signature", sa.LargeBinary(), nullable=False),
        sa.Column("log_index", _big(), nullable=False),
        _entry("key_destruction", "log_index"),
        sa.PrimaryKeyConstraint("evaluator", "epoch"),
    )
    op.create_table(
        "party_card",
        sa.Column("log_index", _big(), nullable=False, autoincrement=False),
        sa.Column("oin", sa.Text(), nullable=False),
        sa.Column("card", sa.LargeBinary(), nullable=False),
        sa.Column("revoked_index", _big(), nullable=True),
        _entry("party_card", "log_index"),
        sa.PrimaryKeyConstraint("log_index"),
    )
    op.create_index("party_card_oin_log_index_idx", "party_card", ["oin", "log_index"])


def _entry(table: str, column: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint([column], ["log_entry.log_index"], name=op.f(f"{table}_{column}_fkey"))


def _big() -> sa.types.TypeEngine[int]:
    return sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def downgrade() -> None:
    """Drop them; what they tell stands in the log, but for the cards themselves."""
    for table in ("party_card", "key_destruction", "epoch"):
        op.drop_table(table)
