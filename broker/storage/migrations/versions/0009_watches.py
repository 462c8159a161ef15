# SPDX-License-Identifier: EUPL-1.2
"""A kept choice may be a watch: from which entry on its exchanges are new to the officer."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column; what was kept before is no watch."""
    big = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.add_column("console_view", sa.Column("watched_from", big, nullable=True))


def downgrade() -> None:
    """Take the column away; the choices stay."""
    op.drop_column("console_view", "watched_from")
