# SPDX-License-Identifier: EUPL-1.2
"""A small SQLite file of one process: mode 0600, durable commits, our errors.

For the kit's pseudonym cache and an evaluator's budget; the broker's storage is broker/storage.
A transaction is written to disk when its block ends (WAL, synchronous=FULL), or not at all.
"""

import os
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Lock

from sluis.errors import Conflict, Unavailable


def check_private(status: os.stat_result, what: str) -> None:
    """Insist that only the owner may read a file; Conflict `key-weak` names the fix."""
    if os.name == "posix" and stat.S_IMODE(status.st_mode) & 0o077:
        raise Conflict("key-weak", f"{what} may be read by others: run `chmod 600` on it")


def reason(error: OSError) -> str:
    """Return the system's words for an error, without the path."""
    return (error.strerror or "unknown reason").lower()


def sync_folder(folder: Path) -> None:
    """Make a new or renamed file's name survive a power cut."""
    if os.name == "posix":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


class SqliteFile:
    """An open file; threads take turns."""

    def __init__(self, path: Path, schema: str, what: str) -> None:
        """Open or create. `what` names it in messages: Conflict when others may read it, else Unavailable."""
        self._what = what
        self._lock = Lock()
        self._own(path)
        with self._errors():
            self._connection = sqlite3.connect(
                path, check_same_thread=False, isolation_level=None, timeout=10
            )
            try:
                self._connection.execute("PRAGMA journal_mode = WAL")
                self._connection.execute("PRAGMA synchronous = FULL")
                self._connection.execute("PRAGMA secure_delete = ON")
                self._connection.executescript(schema)
            except BaseException:
                self._connection.close()
                raise

    @contextmanager
    def read(self) -> Iterator[sqlite3.Connection]:
        """Read one state of the file."""
        with self._transaction("BEGIN") as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[sqlite3.Connection]:
        """Change the file: durable when the block ends, undone when it raises."""
        with self._transaction("BEGIN IMMEDIATE") as connection:
            yield connection

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._connection.close()

    @contextmanager
    def _transaction(self, begin: str) -> Iterator[sqlite3.Connection]:
        with self._lock, self._errors():
            try:
                self._connection.execute(begin)
                yield self._connection
                self._connection.execute("COMMIT")
            except BaseException:
                # SQLite has rolled back by itself when the disk is full; the first error is the one to tell.
                with suppress(sqlite3.Error):
                    if self._connection.in_transaction:
                        self._connection.execute("ROLLBACK")
                raise

    def _own(self, path: Path) -> None:
        # SQLite itself would create the file under the umask, and follow a symbolic link.
        flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0)
        try:
            handle = os.open(path, flags, 0o600)
            try:
                check_private(os.fstat(handle), self._what)
            finally:
                os.close(handle)
            sync_folder(path.parent)
        except OSError as error:
            raise Unavailable("storage-unavailable", f"cannot open {self._what}: {reason(error)}") from None

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.OperationalError:
            raise Unavailable("storage-unavailable", f"{self._what} does not answer") from None
        except sqlite3.Error:
            raise Unavailable("storage-unavailable", f"{self._what} is no database, or is damaged") from None
