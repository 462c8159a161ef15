# SPDX-License-Identifier: EUPL-1.2
"""Further pseudonyms of deposits, by which persons without a number are found."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

_KEY = ("recipient", "agreement", "kind", "epoch", "pseudonym", "signal_id")
_TEXTS = _KEY[:4]


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "deposit_alias",
        *(sa.Column(name, sa.Text(), nullable=False) for name in _TEXTS),
        *(sa.Column(name, sa.LargeBinary(), nullable=False) for name in _KEY[4:]),
        sa.ForeignKeyConstraint(
            ["signal_id"], ["signal.signal_id"], name=op.f("deposit_alias_signal_id_fkey"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint(*_KEY),
    )
    op.create_index("deposit_alias_signal_id_idx", "deposit_alias", ["signal_id"])


def downgrade() -> None:
    """Drop it: such deposits are then found by the first of their pseudonyms alone."""
    op.drop_table("deposit_alias")
