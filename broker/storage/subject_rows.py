# SPDX-License-Identifier: EUPL-1.2
"""Signals by subject on SQLite and PostgreSQL: see `subject_port.py`.

There is no index for this: it is asked a few times a day at most, and every push would pay for one.
"""

from collections.abc import Sequence

from sqlalchemy import or_, select

from broker.storage.engines import Engines, session
from broker.storage.queries import TABLES
from broker.storage.subject_port import SubjectDomain, SubjectSignal


class SubjectRows:
    """The `SubjectStore` of the port; any thread may call it."""

    def __init__(self, engines: Engines) -> None:
        self._engines = engines

    def domains(self, party: str) -> Sequence[SubjectDomain]:
        """The domains of signals that a party sent or received, in order."""
        signal = TABLES["signal"].c
        names = (signal.agreement, signal.recipient, signal.epoch)
        kept = signal.destroyed_index.is_(None)
        query = select(*names).where(or_(signal.sender == party, signal.recipient == party), kept)
        with session(self._engines.reader) as connection:
            rows = connection.execute(query.distinct().order_by(*names))
            return [SubjectDomain(**row._asdict()) for row in rows]

    def signals(self, party: str, domain: SubjectDomain, pseudonym: bytes) -> Sequence[SubjectSignal]:
        """The signals about a subject that a party sent or received, oldest first."""
        signal = TABLES["signal"].c
        query = (
            select(signal.signal_id, signal.envelope, signal.retain_until_ms)
            .where(or_(signal.sender == party, signal.recipient == party))
            .where(signal.agreement == domain.agreement, signal.recipient == domain.recipient)
            .where(signal.epoch == domain.epoch, signal.pseudonym == pseudonym)
            .where(signal.destroyed_index.is_(None))
            .order_by(signal.pushed_index)
        )
        with session(self._engines.reader) as connection:
            return [SubjectSignal(**row._asdict()) for row in connection.execute(query)]
