# SPDX-License-Identifier: EUPL-1.2
"""Every storage test runs on SQLite and on a real PostgreSQL (see tests/postgres.py)."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from broker.storage.open import open_store
from broker.storage.port import Store
from tests.postgres import fresh_database


@dataclass(slots=True)
class Clock:
    """A clock that a test moves."""

    now_ms: int = 1_000_000

    def __call__(self) -> int:
        """Tell the time."""
        return self.now_ms


@dataclass(slots=True)
class Database:
    """An empty database, and the stores that a test opened on it."""

    url: str
    postgres: bool
    clock: Clock = field(default_factory=Clock)
    opened: list[Store] = field(default_factory=list)

    def open(self, wait_ms: int = 5_000) -> Store:
        """Open a store; closed when the test ends."""
        store = open_store(self.url, now_ms=self.clock, wait_ms=wait_ms)
        self.opened.append(store)
        return store


@contextmanager
def _lend(folder: Path, *, postgres: bool) -> Iterator[Database]:
    with ExitStack() as stack:
        url = stack.enter_context(fresh_database()) if postgres else f"sqlite:///{folder}/broker.db"
        made = Database(url=url, postgres=postgres)
        try:
            yield made
        finally:
            for store in made.opened:
                store.close()


@pytest.fixture(params=["sqlite", "postgres"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """Lend an empty database of each kind."""
    with _lend(tmp_path, postgres=request.param == "postgres") as made:
        yield made


@pytest.fixture
def sqlite_database(tmp_path: Path) -> Iterator[Database]:
    """Lend an empty SQLite database, for what only SQLite has."""
    with _lend(tmp_path, postgres=False) as made:
        yield made


@pytest.fixture
def postgres_database(tmp_path: Path) -> Iterator[Database]:
    """Lend an empty PostgreSQL database, for what only PostgreSQL has."""
    with _lend(tmp_path, postgres=True) as made:
        yield made


@pytest.fixture
def store(database: Database) -> Store:
    """Open a store on an empty database."""
    return database.open()
