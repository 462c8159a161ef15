# SPDX-License-Identifier: EUPL-1.2
"""Indexes that answer about deposits without reading the signals: by pseudonym, and by when they came."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

_DOMAIN = ["recipient", "agreement", "kind", "epoch"]
_DEPOSITED = sa.text("delivery = 'on_match'")


def upgrade() -> None:
    """Widen the one, and make the other."""
    op.drop_index("signal_deposit_idx", "signal")
    _index("signal_deposit_idx", [*_DOMAIN, "pseudonym", "pushed_index", "expires_at_ms", "delivery"])
    op.create_index("signal_pushed_index_idx", "signal", ["pushed_index"])


def _index(name: str, columns: list[str]) -> None:
    op.create_index(name, "signal", columns, sqlite_where=_DEPOSITED, postgresql_where=_DEPOSITED)


def downgrade() -> None:
    """Back to the narrow one."""
    op.drop_index("signal_pushed_index_idx", "signal")
    op.drop_index("signal_deposit_idx", "signal")
    _index("signal_deposit_idx", [*_DOMAIN, "pseudonym"])
