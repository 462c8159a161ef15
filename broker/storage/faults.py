# SPDX-License-Identifier: EUPL-1.2
"""Turns what a database or its driver raises into our errors.

A database that is gone, full, busy or read-only is Unavailable `storage-unavailable`. Drivers quote row
values in their messages ("Key (pseudonym)=(...) already exists"), so only an error's name or SQLSTATE is
passed on.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import exc

from sluis.errors import Conflict, Defect, InvalidInput, SluisError, Unavailable

# What a repeated key means, by the table that already holds it.
_REPEATED = {
    "signal": "signal-exists",
    "first_answer": "idempotency-conflict",
    "domain_key": "key-exists",
    "register_snapshot": "wrong-state",
    "policy_statement": "already-signed",
    "follow_up": "follow-up-exists",
    "finding": "wrong-state",
    "finding_draw": "wrong-state",
    "legal_hold": "wrong-state",
}
_UNIQUE_VIOLATION = {"23505", "SQLITE_CONSTRAINT_UNIQUE", "SQLITE_CONSTRAINT_PRIMARYKEY"}
# Python does not know the value's form (integer over 64 bits, lone surrogate) before the driver binds it.
_UNBINDABLE = (OverflowError, UnicodeError)


def reason(error: BaseException) -> str:
    """Name a driver's error without its message: SQLITE_FULL, 57P01, or the class."""
    original = getattr(error, "orig", None) or error
    name = getattr(original, "sqlite_errorname", None) or getattr(original, "sqlstate", None)
    return str(name or type(original).__name__)


def translate(error: Exception, table: str = "") -> SluisError:
    """Give the error of ours for what SQLAlchemy raised, while writing `table` when known."""
    name = reason(error)
    if isinstance(error, (exc.IntegrityError, sqlite3.IntegrityError)):
        if name in _UNIQUE_VIOLATION and table in _REPEATED:
            return Conflict(_REPEATED[table])
        return Defect("defect", f"the database refuses a row of `{table or 'unknown'}` ({name})")
    if isinstance(error, (exc.DataError, sqlite3.DataError, *_UNBINDABLE)):
        return InvalidInput("malformed-request", "a value cannot be stored or looked up")
    if isinstance(error, exc.ProgrammingError) and not error.connection_invalidated:
        return Defect("defect", f"the database refuses a statement ({name})")
    return Unavailable("storage-unavailable", f"the database does not do what was asked ({name})")


@contextmanager
def storage_errors(table: str = "") -> Iterator[None]:
    """Raise our errors for those of SQLAlchemy and of the drivers below it."""
    try:
        yield
    except (exc.SQLAlchemyError, sqlite3.Error, *_UNBINDABLE) as error:
        # The chain would carry row values into a log.
        raise translate(error, table) from None
