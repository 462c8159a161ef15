# SPDX-License-Identifier: EUPL-1.2
"""The first tables: log, signals, registers, directory.

Written out in full and apart from `tables.py`, which describes the newest version.
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def _big() -> sa.types.TypeEngine[int]:
    return sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def _texts(*names: str) -> list[sa.Column[str]]:
    return [sa.Column(name, sa.Text(), nullable=False) for name in names]


def _blobs(*names: str) -> list[sa.Column[bytes]]:
    return [sa.Column(name, sa.LargeBinary(), nullable=False) for name in names]


def _numbers(*names: str) -> list[sa.Column[int]]:
    return [sa.Column(name, _big(), nullable=False) for name in names]


def upgrade() -> None:
    """Make every table."""
    _log()
    _exchange()
    _registers()
    _directory()
    if op.get_bind().dialect.name == "postgresql":
        # Ciphertext and hashes do not compress: trying it costs more than the insert itself.
        op.execute("ALTER TABLE signal ALTER COLUMN envelope SET STORAGE EXTERNAL")
        op.execute("ALTER TABLE log_tile ALTER COLUMN hashes SET STORAGE EXTERNAL")


def _log() -> None:
    op.create_table("log_entry", *_numbers("log_index"), *_blobs("leaf_hash", "entry"), _key("log_index"))
    op.create_table(
        "log_tile",
        sa.Column("level", sa.Integer(), nullable=False),
        *_numbers("tile_index"),
        *_blobs("root", "hashes"),
        _key("level", "tile_index"),
    )
    head = op.create_table(
        "log_head",
        sa.Column("head_id", sa.Integer(), nullable=False),
        *_numbers("size"),
        *_blobs("nodes"),
        *_numbers("last_time_ms"),
        _key("head_id"),
        sa.CheckConstraint("head_id = 1", name="one_row"),
    )
    op.bulk_insert(head, [{"head_id": 1, "size": 0, "nodes": b"", "last_time_ms": 0}])
    op.create_table("checkpoint", *_numbers("size"), *_texts("note"), *_numbers("signed_at_ms"), _key("size"))


def _exchange() -> None:
    op.create_table(
        "signal",
        *_blobs("signal_id"),
        *_numbers("pushed_index"),
        *_texts("sender", "recipient", "agreement", "kind", "purpose", "delivery", "epoch"),
        *_blobs("pseudonym"),
        *_numbers("expires_at_ms"),
        *_blobs("envelope", "redaction"),
        _key("signal_id"),
        sa.ForeignKeyConstraint(["pushed_index"], ["log_entry.log_index"]),
    )
    deposit = ["recipient", "agreement", "kind", "epoch", "pseudonym"]
    _partial_index("signal_deposit_idx", "signal", deposit, "delivery = 'on_match'")
    op.create_index("signal_expires_at_ms_idx", "signal", ["expires_at_ms"])
    op.create_table(
        "delivery",
        *_numbers("log_index"),
        *_texts("recipient"),
        *_blobs("signal_id"),
        sa.Column("acknowledged_index", _big(), nullable=True),
        _key("log_index"),
        sa.ForeignKeyConstraint(["log_index"], ["log_entry.log_index"]),
        sa.ForeignKeyConstraint(["signal_id"], ["signal.signal_id"], ondelete="CASCADE"),
    )
    _partial_index(
        "delivery_waiting_idx", "delivery", ["recipient", "log_index"], "acknowledged_index IS NULL"
    )
    op.create_index("delivery_signal_id_idx", "delivery", ["signal_id"])
    op.create_table(
        "first_answer",
        *_texts("oin", "key"),
        *_blobs("content_digest", "answer"),
        *_numbers("log_index"),
        _key("oin", "key"),
    )
    op.create_table("entry_salt", *_numbers("log_index"), *_blobs("salt"), _key("log_index"))


def _registers() -> None:
    op.create_table(
        "register_snapshot",
        *_blobs("snapshot_id"),
        *_texts("owner", "agreement", "register", "recipient", "epoch"),
        *_numbers("created_at_ms", "entry_count"),
        *_blobs("header", "digest", "signature"),
        *_numbers("log_index"),
        sa.Column("active", sa.Boolean(), nullable=False),
        _key("snapshot_id"),
    )
    domain = ["agreement", "register", "recipient", "epoch", "owner"]
    _partial_index("register_snapshot_active_idx", "register_snapshot", domain, "active", unique=True)
    op.create_table(
        "register_entry",
        sa.Column("row_id", _big(), autoincrement=True, nullable=False),
        *_blobs("snapshot_id", "pseudonym"),
        *_texts("valid_from", "valid_until"),
        _key("row_id"),
    )
    op.create_index(
        "register_entry_snapshot_id_pseudonym_idx", "register_entry", ["snapshot_id", "pseudonym"]
    )


def _directory() -> None:
    op.create_table("party", *_texts("oin", "name", "role", "status"), *_blobs("card"), _key("oin"))
    op.create_table("stop", *_texts("scope", "target"), *_numbers("log_index"), _key("scope", "target"))
    domain = ("agreement", "recipient", "epoch", "evaluator")
    op.create_table(
        "domain_key", *_texts(*domain), *_blobs("publication"), *_numbers("log_index"), _key(*domain)
    )
    op.create_table("lease", *_texts("name", "holder"), *_numbers("expires_at_ms"), _key("name"))


def _key(*columns: str) -> sa.PrimaryKeyConstraint:
    return sa.PrimaryKeyConstraint(*columns)


def _partial_index(name: str, table: str, columns: list[str], where: str, *, unique: bool = False) -> None:
    condition = sa.text(where)
    op.create_index(name, table, columns, unique=unique, sqlite_where=condition, postgresql_where=condition)


def downgrade() -> None:
    """Refuse: going back from the first version would destroy the log."""
    raise NotImplementedError("the first version has none before it")
