# SPDX-License-Identifier: EUPL-1.2
"""Somebody with the broker's database changes the log; the officer's `sluis audit verify` says where.

Each test starts from the same stopped broker after a day of more than two full tiles (`played.py`), changes its
SQLite file, starts it again, and runs the command.
"""

import hashlib
import shutil
import time

import pytest

from demo.stage import ORIGIN, WITNESS, Service
from sluis.checkpoint import Checkpoint
from sluis.checkpoint_signers import witness_signers
from sluis.errors import NotAuthentic
from sluis.merkle import CompactRange, Hash, leaf_hash
from sluis.note import Note
from tests.scenarios.played import (
    Played,
    audit,
    cut,
    database,
    flip_in,
    found_by_audit,
    own_witness,
    put_checkpoint,
)


def test_an_untouched_log_verifies_and_goes_on(stopped: Played) -> None:
    stopped.scene.stage.witness.start()
    stopped.scene.stage.broker.start()
    done = audit(stopped)
    assert done.returncode == 0, done.stderr
    assert f"the log is intact: {stopped.size + 1} entries" in done.stderr  # the reading is one


async def found_by_kit(played: Played) -> str:
    """What the officer's kit says of a running broker's log; the command says the same, only slower."""
    async with played.scene.kit(played.scene.stage.cast.officer) as kit:
        with pytest.raises(NotAuthentic) as caught:
            await kit.auditor.verify()
    return str(caught.value)


async def test_one_changed_bit_of_an_entry_is_found_at_its_index(stopped: Played) -> None:
    flip_in(stopped, "log_entry", "entry", "log_index = 300", at=40)
    said = found_by_audit(stopped, witness=True)
    assert "entry 300 does not fit its stored leaf hash" in said
    assert "(entry 300) [log-inconsistent]" in said
    flip_in(stopped, "log_entry", "entry", "log_index = 300", at=40)
    for index in (0, 1, 255, 256, 511, stopped.size - 1):
        whole = index < 512  # the last leaves stand in no tile yet: a running broker misses them at once
        for column, at in (("entry", 0), ("entry", -1), ("leaf_hash" if whole else "entry", index)):
            flip_in(stopped, "log_entry", column, f"log_index = {index}", at)
            assert f"entry {index} does not fit its stored leaf hash" in await found_by_kit(stopped)
            flip_in(stopped, "log_entry", column, f"log_index = {index}", at)


def test_an_entry_changed_with_its_leaf_hash_is_found_by_the_root(stopped: Played) -> None:
    with database(stopped.scene.stage.broker) as rows:
        (entry,) = rows.execute("SELECT entry FROM log_entry WHERE log_index = 100").fetchone()
        forged = entry.replace(b"permit", b"Permit").replace(b'"deny"', b'"Deny"')
        assert forged != entry
        rows.execute(
            "UPDATE log_entry SET entry = ?, leaf_hash = ? WHERE log_index = 100",
            (forged, leaf_hash(forged)),
        )
    said = found_by_audit(stopped)
    assert f"the root over {stopped.size} entries is not the signed one" in said


@pytest.mark.parametrize(("tile", "at"), [(0, 0), (1, 32 * 255 + 31)])
def test_one_changed_bit_of_a_tile_is_found(stopped: Played, tile: int, at: int) -> None:
    flip_in(stopped, "log_tile", "hashes", f"level = 0 AND tile_index = {tile}", at)
    said = found_by_audit(stopped)
    assert "a hash of its stored tree was changed" in said
    assert f"(entry {256 * tile}) [" in said or f"(entry {256 * tile + 255}) [" in said


def test_one_changed_bit_of_a_tiles_root_is_found(stopped: Played) -> None:
    flip_in(stopped, "log_tile", "root", "level = 0 AND tile_index = 1", at=5)
    assert "a hash of its stored tree was changed" in found_by_audit(stopped)


def refuses_to_sign(broker: Service) -> str:
    """Wait until the broker says that it will not sign, and why."""
    deadline = time.monotonic() + 5
    while '"checkpoint.failed"' not in (said := broker.log.read_text()):
        assert time.monotonic() < deadline, said
        time.sleep(0.02)
    return next(line for line in said.splitlines() if '"checkpoint.failed"' in line)


def newest_checkpoint(broker: Service) -> Checkpoint:
    with database(broker) as rows:
        note = rows.execute("SELECT note FROM checkpoint ORDER BY size DESC").fetchone()[0]
    return Checkpoint.parse(Note.parse(note).text)


def test_one_changed_bit_of_the_compact_range_stops_the_signing_and_is_found(stopped: Played) -> None:
    broker = stopped.scene.stage.broker
    flip_in(stopped, "log_head", "nodes", "head_id = 1", at=-1)
    said = found_by_audit(stopped, witness=True)
    assert f"signs for no more than its first {stopped.size} entries" in said
    assert f"does not continue its checkpoint of {stopped.size}" in refuses_to_sign(broker)
    assert newest_checkpoint(broker).size == stopped.size


@pytest.mark.parametrize("fits", [False, True])
def test_a_changed_size_of_the_log_stops_everything(stopped: Played, fits: bool) -> None:
    size = stopped.size + 1
    while (size.bit_count() == stopped.size.bit_count()) is not fits:  # whether it fits the hashes beside it
        size += 1
    with database(stopped.scene.stage.broker) as rows:
        rows.execute("UPDATE log_head SET size = ?", (size,))
    assert "[log-inconsistent]" in found_by_audit(stopped, witness=True)


def test_one_changed_bit_of_the_checkpoint_is_found(stopped: Played) -> None:
    at = len(ORIGIN) + 10  # in its root
    flip_in(stopped, "checkpoint", "note", f"size = {stopped.size}", at)
    assert "[checkpoint-wrong]" in found_by_audit(stopped)


async def test_a_removed_entry_is_named(stopped: Played) -> None:
    for index in (258, 0, stopped.size - 1):
        with database(stopped.scene.stage.broker) as rows:
            rows.execute("CREATE TEMP TABLE gone AS SELECT * FROM log_entry WHERE log_index = ?", (index,))
            rows.execute("DELETE FROM log_entry WHERE log_index = ?", (index,))
            rows.commit()
            found = await found_by_kit(stopped) if index != 258 else found_by_audit(stopped, witness=True)
            assert f"entry {index} is missing" in found
            rows.execute("INSERT INTO log_entry SELECT * FROM gone")


def test_two_swapped_entries_are_found(stopped: Played) -> None:
    with database(stopped.scene.stage.broker) as rows:
        for old, new in ((20, -1), (21, 20), (-1, 21)):
            rows.execute("UPDATE log_entry SET log_index = ? WHERE log_index = ?", (new, old))
    said = found_by_audit(stopped)
    assert "is not the signed one" in said or "is dated before entry" in said


def test_a_tail_that_was_cut_is_missed_and_the_broker_signs_nothing(stopped: Played) -> None:
    cut(stopped, stopped.size - 40, checkpoints=False)
    said = found_by_audit(stopped)
    assert f"entries are missing: the broker has fewer than the {stopped.size} that it signed for" in said
    assert f"fewer than the {stopped.size} of its newest checkpoint" in refuses_to_sign(
        stopped.scene.stage.broker
    )
    assert newest_checkpoint(stopped.scene.stage.broker).size == stopped.size


def test_a_tail_cut_with_its_checkpoints_is_missed_by_whoever_saw_it(stopped: Played) -> None:
    with database(stopped.scene.stage.broker) as rows:
        sizes = [size for (size,) in rows.execute("SELECT size FROM checkpoint ORDER BY size")]
    cut(stopped, next(size for size in sizes if size > 300), checkpoints=True)
    said = found_by_audit(stopped)
    assert f"a checkpoint of {stopped.size} entries was seen" in said


@pytest.mark.parametrize(("more", "words"), [(0, "the log was forked"), (7, "is no prefix of that of")])
def test_a_forked_checkpoint_is_refused_even_when_log_and_witness_signed_it(
    stopped: Played, more: int, words: str
) -> None:
    size = stopped.size + more
    with database(stopped.scene.stage.broker) as rows:
        leaves = [
            Hash(leaf) for (leaf,) in rows.execute("SELECT leaf_hash FROM log_entry ORDER BY log_index")
        ]
        other = Hash(hashlib.sha256(b"another history").digest())
        fork, _ = CompactRange().extend([other, *leaves[1:], *[other] * more])
        rows.execute("UPDATE log_head SET size = ?, nodes = ?", (size, b"".join(fork.nodes)))
        entries = [(size - 1 - n, other, b"{}") for n in range(more)]
        rows.executemany("INSERT INTO log_entry (log_index, leaf_hash, entry) VALUES (?, ?, ?)", entries)
    forked = Checkpoint(origin=ORIGIN, size=size, root=fork.root())
    put_checkpoint(stopped, forked, own_witness(stopped))
    assert words in found_by_audit(stopped)


def test_a_forked_checkpoint_is_found_by_an_officer_who_saw_nothing_before(stopped: Played) -> None:
    forked = Checkpoint(origin=ORIGIN, size=stopped.size, root=Hash(hashlib.sha256(b"other").digest()))
    put_checkpoint(stopped, forked, own_witness(stopped))
    shutil.rmtree(stopped.folders["officer"])
    assert f"the root over {stopped.size} entries is not the signed one" in found_by_audit(stopped)


async def test_the_cosignature_of_an_unknown_witness_does_not_count(stopped: Played) -> None:
    with database(stopped.scene.stage.broker) as rows:
        (root,) = rows.execute("SELECT note FROM checkpoint WHERE size = ?", (stopped.size,)).fetchone()
    checkpoint = Checkpoint.parse(Note.parse(root).text)
    for name in ("witness.example/other", WITNESS):  # also under the name of the one that is trusted
        put_checkpoint(stopped, checkpoint, list(witness_signers(name, hashlib.sha512(b"x").digest())))
        stopped.scene.stage.broker.start()
        officer = stopped.scene.stage.cast.officer
        async with stopped.scene.kit(officer, patience_seconds=0.3) as kit:
            with pytest.raises(NotAuthentic) as caught:
                await kit.auditor.verify()
        assert caught.value.code == "not-witnessed"
        stopped.scene.stage.broker.kill()
