# SPDX-License-Identifier: EUPL-1.2
"""A database from before retention: what is there gets its ends from the log."""

import json
from pathlib import Path
from typing import Any
from uuid import UUID

from alembic import command
from alembic.config import Config
from sqlalchemy import text

import broker.storage
from broker.storage.engines import connect, parse_url
from broker.storage.open import open_store
from tests.contract.conftest import Database
from tests.contract.rows import digest, signal
from tests.contract.test_store_retention import look


def test_what_was_there_before_gets_its_ends_from_the_log(database: Database) -> None:
    engines = connect(parse_url(database.url), 5_000)
    config = Config()
    config.set_main_option("script_location", str(Path(broker.storage.__file__).parent / "migrations"))
    with engines.writer.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0007")
        _old_rows(connection)
    engines.close()
    store = open_store(database.url, now_ms=database.clock)
    database.opened.append(store)
    day, hour = 86_400_000, 3_600_000  # a term ends with its last day in the Netherlands
    found = {
        row[0]: row[1:]
        for row in look(store, "SELECT signal_id, retain_until_ms, term, after_loss FROM signal")
    }
    assert {bytes(key): value for key, value in found.items()} == {
        _id("ruled"): (11 * day - hour, "P10D", "P6M"),
        _id("expires"): (3 * day, "EXPIRY", ""),
        _id("released"): (5 * day - hour, "P2D", ""),
        _id("damaged"): (9 * day, "EXPIRY", ""),
    }
    ends = {row[0]: row[1:] for row in look(store, "SELECT log_index, signal_id, ends_at_ms FROM entry_salt")}
    assert {key: (value[0] and bytes(value[0]), value[1]) for key, value in ends.items()} == {
        0: (None, None),
        1: (None, None),
        2: (None, None),
        3: (None, None),
        4: (_id("released"), None),
        5: (None, 2 * day - hour),
        6: (None, 366 * day - hour),
    }


def _id(name: str) -> bytes:
    return UUID(bytes=digest(name, 16)).bytes


def _old_rows(connection: Any) -> None:
    """Four pushes, a release on the third day, a question and a refusal, as the version before wrote them."""
    day = 86_400_000
    epoch = "1970-01-01T00:00:00.000Z"
    ruled = {"time": epoch, "operation": "signal.push", "obligations": {"retention": "P10D"}}
    entries: list[Any] = [
        {**ruled, "obligations": {"retention": "P10D", "retention_after_loss": "P6M"}},
        ruled,
        ruled,
        None,
        {
            "time": "1970-01-03T00:00:00.000Z",
            "operation": "signal.release",
            "exchange": str(UUID(bytes=digest("released", 16))),
            "obligations": {"retention": "P2D"},
        },
        {"time": epoch, "operation": "match.question", "obligations": {"retention": "P1D"}},
        {"time": epoch, "operation": "signal.push", "obligations": {}},
    ]
    for index, entry in enumerate(entries):
        data = json.dumps(entry).encode() if entry else b"{"
        connection.execute(
            text("INSERT INTO log_entry (log_index, leaf_hash, entry) VALUES (:i, :h, :e)"),
            {"i": index, "h": bytes(32), "e": data},
        )
        connection.execute(
            text("INSERT INTO entry_salt (log_index, salt, inputs) VALUES (:i, :s, :s)"),
            {"i": index, "s": b"salt"},
        )
    for index, (name, days) in enumerate((("ruled", 99), ("expires", 3), ("released", 99), ("damaged", 9))):
        row = signal(name, index, expires_at_ms=days * day)
        columns = (
            *("signal_id", "pushed_index", "sender", "recipient", "agreement", "kind", "purpose", "delivery"),
            *("epoch", "pseudonym", "expires_at_ms", "envelope", "redaction"),
        )
        names, marks = ", ".join(columns), ", ".join(f":{name}" for name in columns)
        connection.execute(
            text(f"INSERT INTO signal ({names}) VALUES ({marks})"),
            {name: getattr(row, name) for name in columns},
        )
