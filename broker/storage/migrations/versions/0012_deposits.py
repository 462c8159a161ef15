# SPDX-License-Identifier: EUPL-1.2
"""Indexes that answer about deposits without reading the signals: by pseudonym, and by when they came.

And the counts of what was asked, which follow from the log from here on.
"""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

_DOMAIN = ["recipient", "agreement", "kind", "epoch"]
_KEY = ("participant", "agreement", "kind", "mode")
_DEPOSITED = sa.text("delivery = 'on_match'")


def upgrade() -> None:
    """Widen the one, and make the other."""
    op.drop_index("signal_deposit_idx", "signal")
    _index("signal_deposit_idx", [*_DOMAIN, "pseudonym", "pushed_index", "expires_at_ms", "delivery"])
    op.create_index("signal_pushed_index_idx", "signal", ["pushed_index"])
    big = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "exchange_asked",
        sa.Column("bucket", sa.Integer(), nullable=False, autoincrement=False),
        *(sa.Column(name, sa.Text(), nullable=False) for name in _KEY),
        *(sa.Column(name, big, nullable=False) for name in ("questions", "asked", "hits")),
        sa.PrimaryKeyConstraint("bucket", *_KEY),
    )


def _index(name: str, columns: list[str]) -> None:
    op.create_index(name, "signal", columns, sqlite_where=_DEPOSITED, postgresql_where=_DEPOSITED)


def downgrade() -> None:
    """Back to the narrow one; the counts stand in the log."""
    op.drop_table("exchange_asked")
    op.drop_index("signal_pushed_index_idx", "signal")
    op.drop_index("signal_deposit_idx", "signal")
    _index("signal_deposit_idx", [*_DOMAIN, "pseudonym"])
