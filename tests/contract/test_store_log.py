# SPDX-License-Identifier: EUPL-1.2
"""The stored log against a recomputation from all its leaves."""

import random

import pytest
from sqlalchemy import text

from broker.storage.port import Store
from broker.storage.sql import SqlStore
from broker.storage.tiles import WIDTH, TileCache, subtree_root
from sluis.errors import NotAuthentic, NotFound
from sluis.merkle import (
    EMPTY_ROOT,
    CompactRange,
    Hash,
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    verify_consistency,
    verify_inclusion,
)
from tests.contract.conftest import Database
from tests.contract.rows import append_all


def _leaves(count: int) -> list[Hash]:
    return [leaf_hash(f"entry {number}".encode()) for number in range(count)]


def _root(leaves: list[Hash]) -> Hash:
    return CompactRange().extend(leaves)[0].root()


def _forgetful(store: Store) -> SqlStore:
    """Make the store read every tile anew."""
    assert isinstance(store, SqlStore)
    store._tiles = TileCache(store._queries.log)
    return store


def _check_every_node(store: Store, size: int) -> None:
    level, row = 0, _leaves(size)
    while row:
        assert [store.node(level, index) for index in range(len(row))] == row
        for index in (len(row), len(row) + 1, -1):
            with pytest.raises(NotFound):
                store.node(level, index)
        level += 1
        row = [subtree_root(row[at : at + 2]) for at in range(0, len(row) - 1, 2)]
    with pytest.raises(NotFound):
        store.node(level, 0)


def test_an_empty_log_has_the_empty_root(store: Store) -> None:
    assert store.head().tree.root() == EMPTY_ROOT
    assert list(store.entries(0, 10)) == []
    with pytest.raises(NotFound):
        store.node(0, 0)


def test_head_and_every_complete_subtree_agree_with_the_leaves_as_the_log_grows(store: Store) -> None:
    size = 0
    for step in (1, 1, 1, 4, 100, 148, 1, 1, 255, 88):
        append_all(store, step)
        size += step
        assert store.head().tree.root() == _root(_leaves(size))
        # Once with what was remembered of the smaller log, once without.
        _check_every_node(store, size)
    _check_every_node(_forgetful(store), size)


def test_every_proof_through_the_store_holds(store: Store) -> None:
    sizes = (1, 2, 3, 255, 256, 257, 300)
    roots: dict[int, Hash] = {0: EMPTY_ROOT}
    for size in sizes:
        append_all(store, size - max(roots))
        roots[size] = store.head().tree.root()
    leaves = _leaves(300)
    for size in sizes:
        for index in random.Random(1).sample(range(size), min(size, 40)):
            proof = inclusion_proof(index, size, store.node)
            verify_inclusion(leaves[index], index, size, proof, roots[size])
        for older in (older for older in sizes if older <= size):
            verify_consistency(
                older, size, consistency_proof(older, size, store.node), roots[older], roots[size]
            )


def _check_tiles(store: Store, leaves: list[Hash]) -> None:
    """Hold the edges of every level of tiles against the leaves; what is beyond them is not there."""
    level, row = 0, leaves
    while row:
        whole, rest = divmod(len(row), WIDTH)
        for index in {0, whole - 1} - {-1}:
            hashes = row[index * WIDTH : (index + 1) * WIDTH]
            for width in range(1, min(len(hashes), WIDTH) + 1, 51):
                assert store.tile(level, index, width) == b"".join(hashes[:width])
        if rest:
            assert store.tile(level, whole, rest) == b"".join(row[whole * WIDTH :])
        with pytest.raises(NotFound):
            store.tile(level, whole, rest + 1)
        row = [_root(row[at : at + WIDTH]) for at in range(0, whole * WIDTH, WIDTH)]
        level += 1
    for wrong in ((level, 0, 1), (63, 0, 1), (0, 1 << 62, 1), (0, -1, 1)):
        with pytest.raises(NotFound):
            store.tile(*wrong)


def test_tiles_above_65536_entries_are_right(store: Store) -> None:
    size = WIDTH * WIDTH
    append_all(store, size - 10)
    append_all(store, 5)
    # The tile of level 1 is not full yet: its hashes come from the roots of the tiles below.
    leaves = _leaves(size + 300)
    assert store.node(15, 0) == _root(leaves[: size // 2])
    assert store.node(8, 254) == _root(leaves[254 * WIDTH : 255 * WIDTH])
    with pytest.raises(NotFound):
        store.node(16, 0)
    append_all(store, 305)
    assert store.head().tree.size == size + 300
    assert store.head().tree.root() == _root(leaves)
    for reader in (store, _forgetful(store)):
        assert reader.node(16, 0) == _root(leaves[:size])
        assert reader.node(15, 1) == _root(leaves[size // 2 : size])
        assert reader.node(8, 256) == _root(leaves[size : size + WIDTH])
        assert reader.node(0, size + 299) == leaves[-1]
    _check_tiles(store, leaves)
    _check_tiles(_forgetful(store), leaves)
    proof = inclusion_proof(40_000, size + 300, store.node)
    verify_inclusion(leaves[40_000], 40_000, size + 300, proof, _root(leaves))


def test_entries_are_read_in_pages_without_a_gap(store: Store) -> None:
    append_all(store, 2_300)
    rows = list(store.entries(100, 2_250))
    assert [row.log_index for row in rows] == list(range(100, 2_250))
    assert all(row.leaf_hash == leaf_hash(row.entry) for row in rows)
    assert rows[0].entry == b"entry 100"
    assert len(list(store.entries(2_290, 2**64))) == 10
    assert list(store.entries(5, 5)) == list(store.entries(9, 3)) == []


def test_one_entry_is_read_by_its_index(store: Store) -> None:
    append_all(store, 2)
    row = store.log_row(1)
    assert row is not None
    assert (row.log_index, row.entry) == (1, b"entry 1")
    assert store.log_row(2) is store.log_row(-1) is store.log_row(2**64) is None


def test_a_reader_meets_the_gap_where_an_entry_was_removed(database: Database) -> None:
    store = database.open()
    append_all(store, 300)
    _tamper(store, "DELETE FROM log_entry WHERE log_index = 260")
    assert [row.log_index for row in store.entries(258, 263)] == [258, 259, 261, 262]
    with pytest.raises(NotFound):
        _forgetful(store).node(0, 261)


def test_a_tile_is_not_made_over_a_missing_entry(database: Database) -> None:
    store = database.open()
    append_all(store, 200)
    _tamper(store, "DELETE FROM log_entry WHERE log_index = 100")
    with pytest.raises(NotAuthentic) as caught:
        append_all(store, 100)
    assert caught.value.code == "log-inconsistent"
    assert store.head().tree.size == 200


@pytest.mark.parametrize(
    "change",
    [
        "DELETE FROM log_head",
        "UPDATE log_head SET size = 7",
        "UPDATE log_head SET nodes = ''",
    ],
)
def test_a_damaged_head_stops_the_log(database: Database, change: str) -> None:
    store = database.open()
    append_all(store, 3)
    _tamper(store, change)
    with pytest.raises(NotAuthentic), store.transaction():
        pass
    with pytest.raises(NotAuthentic):
        store.head()


def _tamper(store: Store, statement: str) -> None:
    assert isinstance(store, SqlStore)
    with store._engines.writer.begin() as connection:
        connection.execute(text(statement))
