# SPDX-License-Identifier: EUPL-1.2
"""The shapes of exchanges in memory: read once, then only what came since.

A shape's number follows from its content, so what is kept stays right when the tables are filled anew.
"""

import json
import threading
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from sqlalchemy import Connection, bindparam, func, select

from broker.storage.projected import Shape
from broker.storage.queries import TABLES, Rows
from sluis.errors import Defect

_SHAPE = TABLES["exchange_shape"]
_SINCE: Rows = select(_SHAPE.c.shape_id, _SHAPE.c.first_index, _SHAPE.c.content).where(
    _SHAPE.c.first_index >= bindparam("since")
)
_COUNT: Rows = select(func.count()).select_from(_SHAPE)


class Shapes:
    """Every shape of the database by its number; any thread may call it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: Mapping[int, Shape] = MappingProxyType({})
        self._since = 0

    def known(self, connection: Connection) -> Mapping[int, Shape]:
        """All shapes as of now. Raises Defect for a row that is not what its number says."""
        with self._lock:
            found = dict(self._known)
            self._read(connection, found)
            if len(found) != connection.execute(_COUNT).scalar_one():
                # The tables were emptied, or another version of this code filled them.
                found, self._since = {}, 0
                self._read(connection, found)
            if found.keys() != self._known.keys():
                self._known = MappingProxyType(found)
            return self._known

    def _read(self, connection: Connection, found: dict[int, Shape]) -> None:
        for row in connection.execute(_SINCE, {"since": self._since}):
            if row.shape_id not in found:
                found[row.shape_id] = _parse(row)
            self._since = max(self._since, row.first_index)


def _parse(row: Any) -> Shape:
    members = json.loads(row.content)
    lists = {name: tuple(value) for name, value in members.items() if isinstance(value, list)}
    shape = Shape(**{**members, **lists})
    if shape.shape_id != row.shape_id:
        raise Defect("defect", "a stored shape of exchanges is not what its number says")
    return shape
