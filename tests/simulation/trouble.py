# SPDX-License-Identifier: EUPL-1.2
"""What goes wrong with one call: on the network, or with the broker at its commit."""

from enum import StrEnum
from types import TracebackType

from broker.storage.transaction import SqlTransaction
from sluis.errors import Unavailable


class Trouble(StrEnum):
    """What goes wrong with one call."""

    NONE = "none"
    REQUEST_LOST = "the request does not arrive"
    ANSWER_LOST = "the answer does not arrive"
    TWICE = "the request arrives twice at once"
    DIES_BEFORE = "the broker dies before its commit"
    DIES_AFTER = "the broker dies after its commit"


class Died(Exception):
    """The process, or the connection, is gone."""


class Dying:
    """A broker that dies at a commit, before or after the database has it; `spare` is how many go well first."""

    def __init__(self, *, after: bool, spare: int = 0) -> None:
        self._after = after
        self._spare = spare
        self._commit = SqlTransaction.commit

    def __enter__(self) -> None:
        commit = self._commit

        def die(transaction: SqlTransaction) -> None:
            if self._spare > 0 or self._after:
                commit(transaction)
            self._spare -= 1
            if self._spare < 0:
                raise Unavailable("storage-unavailable", "the process died")

        SqlTransaction.commit = die  # type: ignore[method-assign, assignment]

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: TracebackType | None) -> None:
        SqlTransaction.commit = self._commit  # type: ignore[method-assign]
