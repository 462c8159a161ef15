# SPDX-License-Identifier: EUPL-1.2
"""What was asked, on SQLite and PostgreSQL: see `asked_port.py`."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import date

from sqlalchemy import func, select

from broker.storage.asked_port import AskedCount, AskedKey, AskedMode
from broker.storage.engines import Engines, session
from broker.storage.projected import day_bucket
from broker.storage.queries import TABLES

COLUMNS = ("bucket", "participant", "agreement", "kind", "mode", "questions", "asked", "hits")
ADD = (
    "ON CONFLICT (bucket, participant, agreement, kind, mode) DO UPDATE SET"
    " questions = exchange_asked.questions + excluded.questions,"
    " asked = exchange_asked.asked + excluded.asked, hits = exchange_asked.hits + excluded.hits"
)


def asked_rows(asked: Mapping[AskedKey, AskedCount]) -> list[tuple[int | str, ...]]:
    """The rows that add these counts."""
    return sorted(
        (
            *(day_bucket(key.day), key.participant, key.agreement, key.kind, key.mode.value),
            *(count.questions, count.asked, count.hits),
        )
        for key, count in asked.items()
    )


class AskedRows:
    """The `AskedStore` of the port; any thread may call it."""

    def __init__(self, engines: Engines) -> None:
        self._engines = engines

    def days(self, participant: str | None, first: date, last: date) -> Sequence[tuple[AskedKey, AskedCount]]:
        """What was asked from a day to another, both inclusive; of everybody when the participant is None."""
        table = TABLES["exchange_asked"].c
        query = select(*table).where(table.bucket.between(day_bucket(first), day_bucket(last)))
        if participant is not None:
            query = query.where(table.participant == participant)
        with session(self._engines.reader) as connection:
            rows = connection.execute(query.order_by(table.bucket)).all()
        return [
            (
                AskedKey(
                    day=date(row.bucket // 10_000, row.bucket // 100 % 100, row.bucket % 100),
                    participant=row.participant,
                    agreement=row.agreement,
                    kind=row.kind,
                    mode=AskedMode(row.mode),
                ),
                AskedCount(questions=row.questions, asked=row.asked, hits=row.hits),
            )
            for row in rows
        ]

    def registered(self, participant: str | None) -> Mapping[tuple[str, str], int]:
        """How many subjects registers hold in a participant's domain; of its largest epoch, which has them all."""
        table = TABLES["register_snapshot"].c
        names = (table.recipient, table.agreement, table.epoch)
        query = select(*names, func.sum(table.entry_count).label("entries")).where(table.active.is_(True))
        if participant is not None:
            query = query.where(table.recipient == participant)
        found: Counter[tuple[str, str]] = Counter()
        with session(self._engines.reader) as connection:
            for row in connection.execute(query.group_by(*names)):
                key = (row.recipient, row.agreement)
                found[key] = max(found[key], int(row.entries))
        return found
