# SPDX-License-Identifier: EUPL-1.2
"""Every storage test runs on SQLite and on a real PostgreSQL (see tests/postgres.py).

The tables are made once and copied for each test; a module that says FROM_NOTHING gets databases without any.
"""

import shutil
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
    """A new database, and the stores that a test opened on it."""

    url: str
    postgres: bool
    clock: Clock = field(default_factory=Clock)
    opened: list[Store] = field(default_factory=list)

    def open(self, wait_ms: int = 5_000) -> Store:
        """Open a store; closed when the test ends."""
        store = open_store(self.url, now_ms=self.clock, wait_ms=wait_ms)
        self.opened.append(store)
        return store


@pytest.fixture(scope="session")
def sqlite_tables(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite database with its tables made."""
    path = tmp_path_factory.mktemp("tables") / "broker.db"
    open_store(f"sqlite:///{path}").close()
    return path


@pytest.fixture(scope="session")
def postgres_tables() -> Iterator[str]:
    """A PostgreSQL database with its tables made."""
    with fresh_database() as url:
        open_store(url).close()
        yield url


@contextmanager
def lend(request: pytest.FixtureRequest, folder: Path, *, postgres: bool) -> Iterator[Database]:
    """Lend a new database; its stores are closed when the block ends."""
    from_nothing = getattr(request.module, "FROM_NOTHING", False)
    url = f"sqlite:///{folder}/broker.db"
    with ExitStack() as stack:
        if postgres:
            template = "" if from_nothing else request.getfixturevalue("postgres_tables")
            url = stack.enter_context(fresh_database(template))
        elif not from_nothing:
            shutil.copy(request.getfixturevalue("sqlite_tables"), folder)
        made = Database(url=url, postgres=postgres)
        try:
            yield made
        finally:
            for store in made.opened:
                store.close()


@pytest.fixture(params=["sqlite", "postgres"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """Lend a new database of each kind."""
    with lend(request, tmp_path, postgres=request.param == "postgres") as made:
        yield made


@pytest.fixture
def sqlite_database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """Lend a new SQLite database, for what only SQLite has."""
    with lend(request, tmp_path, postgres=False) as made:
        yield made


@pytest.fixture
def postgres_database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """Lend a new PostgreSQL database, for what only PostgreSQL has."""
    with lend(request, tmp_path, postgres=True) as made:
        yield made


@pytest.fixture
def store(database: Database) -> Store:
    """Open a store on a new database."""
    return database.open()
