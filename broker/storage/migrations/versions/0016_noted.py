# SPDX-License-Identifier: EUPL-1.2
"""What the console reads of the log also says who is told, and of some entries that are about no exchange.

No table changes. What was followed so far does not say it, so the follower begins again at the first entry.
"""

from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

_FOLLOWED = ("row", "cube", "bucket", "day", "shape", "asked")


def upgrade() -> None:
    """Forget what was followed; it stands in the log."""
    op.execute("UPDATE projection SET position = 0, marked = 0, generation = generation + 1")
    for name in _FOLLOWED:
        op.execute(f"DELETE FROM exchange_{name}")  # noqa: S608


def downgrade() -> None:
    """The older follower knows less of a row, so it begins again too."""
    upgrade()
