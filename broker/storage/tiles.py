# SPDX-License-Identifier: EUPL-1.2
"""The log's Merkle tree as stored: leaf hashes with their entries, and full 256-wide tiles above them.

C2SP tlog-tiles: tile (t, n) holds the hashes of the subtrees at level 8t with index 256n to 256n + 255;
t = 0 are leaf hashes. A tile is written once, by the transaction that fills it. What does not fill a tile
yet is read from the rows below: entries, or the roots of the tiles one level down. So any complete subtree
takes at most two reads. Whether what is stored is *right* is the verifier's question, not answered here.
"""

import threading
from collections import OrderedDict
from collections.abc import Sequence

from sqlalchemy import Connection

from broker.storage.faults import storage_errors
from broker.storage.queries import MAX_INTEGER, LogQueries, Rows
from sluis.errors import NotAuthentic, NotFound
from sluis.merkle import Hash, Node, node_hash

HEIGHT = 8
WIDTH = 1 << HEIGHT
HASH_BYTES = 32
_REMEMBERED = 512  # tiles of 8 KB
_NOT_YET = "this part of the log is not there yet"

TileRow = tuple[int, int, bytes, bytes]


def _stored(connection: Connection, queries: LogQueries, level: int, start: int, end: int) -> list[Hash]:
    """Read hashes [start, end) of a tile level from the rows below it, up to the first that is missing."""
    query: Rows = queries.tile_roots if level else queries.leaf_hashes
    with storage_errors():
        rows = connection.execute(query, {"level": level - 1, "start": start, "end": end}).all()
    hashes: list[Hash] = []
    for row in rows:
        number, value = tuple(row)
        if number != start + len(hashes) or len(value) != HASH_BYTES:
            break
        hashes.append(Hash(bytes(value)))
    return hashes


def completed_tiles(
    connection: Connection, queries: LogQueries, size: int, leaves: Sequence[Hash], nodes: Sequence[Node]
) -> list[TileRow]:
    """Give the tiles that `leaves`, appended at `size`, fill; `nodes` are the subtrees that they complete.

    Raises NotAuthentic `log-inconsistent` when a hash from before is missing.
    """
    added: dict[int, dict[int, Hash]] = {0: dict(enumerate(leaves, size))}
    for node in nodes:
        if node.level % HEIGHT == 0:
            added.setdefault(node.level // HEIGHT, {})[node.index] = node.hash
    tiles: list[TileRow] = []
    for level in range(1, len(added)):
        for index, root in sorted(added[level].items()):
            start, fresh = index * WIDTH, added[level - 1]
            first = min(max(start, min(fresh)), start + WIDTH)
            before = _stored(connection, queries, level - 1, start, first) if first > start else []
            hashes = [*before, *(fresh[at] for at in range(first, start + WIDTH))]
            if len(hashes) != WIDTH:
                raise NotAuthentic("log-inconsistent", f"a hash is missing below tile {level - 1}/{index}")
            tiles.append((level - 1, index, root, b"".join(hashes)))
    return tiles


def subtree_root(hashes: Sequence[Hash]) -> Hash:
    """Hash 2^n neighbours into one."""
    row = list(hashes)
    while len(row) > 1:
        row = [node_hash(left, right) for left, right in zip(row[::2], row[1::2], strict=True)]
    return row[0]


class TileCache:
    """Remembers what was read of each tile. Committed hashes never change, so nothing goes stale."""

    def __init__(self, queries: LogQueries, remembered: int = _REMEMBERED) -> None:
        self._queries = queries
        self._limit = remembered
        self._tiles: OrderedDict[tuple[int, int], bytes] = OrderedDict()
        self._lock = threading.Lock()

    def remembered(self, level: int, index: int) -> Hash | None:
        """Give the hash of a subtree when it can be told without the database."""
        with self._lock:
            return self._root_in(self._tiles.get(_place(level, index)[:2], b""), level, index)

    def remembered_tile(self, level: int, index: int, width: int) -> bytes | None:
        """Give the first `width` hashes of a tile when they can be told without the database."""
        with self._lock:
            tile = self._tiles.get((level, index), b"")
        return tile[: width * HASH_BYTES] if len(tile) >= width * HASH_BYTES else None

    def read(self, connection: Connection, level: int, index: int) -> Hash:
        """Give the hash of a subtree. Raises NotFound `not-found` when it is not complete, Unavailable."""
        tile_level, tile_index, _, _ = _place(level, index)
        found = self._root_in(self._remember(connection, tile_level, tile_index), level, index)
        if found is None:
            raise NotFound("not-found", _NOT_YET)
        return found

    def read_tile(self, connection: Connection, level: int, index: int, width: int) -> bytes:
        """Give the first `width` hashes of a tile. Raises NotFound `not-found`, Unavailable."""
        _place(level * HEIGHT, (index + 1) * WIDTH - 1)
        tile = self._remember(connection, level, index)
        if len(tile) < width * HASH_BYTES:
            raise NotFound("not-found", _NOT_YET)
        return tile[: width * HASH_BYTES]

    def _remember(self, connection: Connection, level: int, index: int) -> bytes:
        tile = self._load(connection, level, index)
        with self._lock:
            self._tiles[level, index] = tile
            self._tiles.move_to_end((level, index))
            while len(self._tiles) > self._limit:
                self._tiles.popitem(last=False)
        return tile

    def _load(self, connection: Connection, level: int, index: int) -> bytes:
        with storage_errors():
            row = connection.execute(self._queries.tile, {"level": level, "index": index}).first()
        if row is not None:
            return bytes(row.hashes)
        return b"".join(_stored(connection, self._queries, level, index * WIDTH, (index + 1) * WIDTH))

    def _root_in(self, tile: bytes, level: int, index: int) -> Hash | None:
        _, _, start, end = _place(level, index)
        if len(tile) < end * HASH_BYTES:
            return None
        return subtree_root([Hash(tile[at * HASH_BYTES :][:HASH_BYTES]) for at in range(start, end)])


def _place(level: int, index: int) -> tuple[int, int, int, int]:
    """Find a subtree: tile level, tile index, and its first and last + 1 hash in that tile."""
    if level < 0 or index < 0 or (index + 1) << level > MAX_INTEGER:
        raise NotFound("not-found", "no log has such a subtree")
    tile_level, height = divmod(level, HEIGHT)
    tile_index, start = divmod(index << height, WIDTH)
    return tile_level, tile_index, start, start + (1 << height)
