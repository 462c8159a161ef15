# SPDX-License-Identifier: EUPL-1.2
"""Choices on the page of exchanges that an officer keeps under a name."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

COLUMNS = ("organisation", "reference", "name", "query")


def upgrade() -> None:
    """Add the table."""
    op.create_table(
        "console_view",
        *(sa.Column(name, sa.Text(), nullable=False) for name in COLUMNS),
        sa.PrimaryKeyConstraint("organisation", "reference", "name"),
    )


def downgrade() -> None:
    """Take the table away; the log knows nothing of it."""
    op.drop_table("console_view")
