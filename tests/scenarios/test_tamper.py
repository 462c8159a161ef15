# SPDX-License-Identifier: EUPL-1.2
"""Somebody with the broker's database changes the log; the officer's `sluis audit verify` says where.

Each test starts from the same stopped broker after a day of more than two full tiles, changes its SQLite file,
starts it again, and runs the command. The officer has seen the log before. Forks are made with the log's own
key, and signed by the witness too where even that must not help.
"""

import asyncio
import hashlib
import os
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from broker.keys import BrokerKeys
from demo.stage import ORIGIN, WITNESS, Service
from sluis.checkpoint import Checkpoint
from sluis.checkpoint_signers import CheckpointSigner, cosign, sign_checkpoint, witness_signers
from sluis.errors import NotAuthentic
from sluis.merkle import CompactRange, Hash, leaf_hash
from sluis.note import Note
from tests.scenarios.calls import log_size
from tests.scenarios.scene import Scene, running_scene
from witness.keys import load_witness_key

VERIFICATION_FAILED = 4


@dataclass(frozen=True, slots=True)
class Played:
    """A day that was played, with its processes stopped; `size` entries are signed and cosigned."""

    scene: Scene
    copy: Path
    size: int

    @property
    def folders(self) -> dict[str, Path]:
        """What a test changes, and gets back as it was."""
        stage = self.scene.stage
        return {
            "broker": stage.broker.folder,
            "witness": stage.witness.folder,
            "officer": stage.cast.officer.state,
        }


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Played]:
    """A day on SQLite, seen by the officer, then stopped."""

    async def day(scene: Scene) -> None:
        await scene.keep_registers()
        await scene.push(300)
        await scene.receive()
        await scene.audit()
        async with scene.kit(scene.stage.cast.officer) as kit:
            await kit.trust.checkpoint(log_size(scene.stage))  # the officer has seen the very last one

    with running_scene(tmp_path_factory.mktemp("tamper")) as scene:
        asyncio.run(day(scene))
        stage = scene.stage
        stage.stop()
        with database(stage.broker) as rows:
            size = rows.execute("SELECT size FROM log_head").fetchone()[0]
            newest = rows.execute("SELECT note FROM checkpoint ORDER BY size DESC").fetchone()[0]
        assert size > 2 * 256 + 10
        assert Checkpoint.parse(Note.parse(newest).text).size == size  # the last act of a graceful stop
        copy = tmp_path_factory.mktemp("copy")
        made = Played(scene=scene, copy=copy, size=size)
        for name, folder in made.folders.items():
            shutil.copytree(folder, copy / name)
        yield made


@pytest.fixture
def stopped(played: Played) -> Iterator[Played]:
    """The day as it was when the broker stopped; whatever the test starts is ended."""
    for name, folder in played.folders.items():
        shutil.rmtree(folder)
        shutil.copytree(played.copy / name, folder)
    yield played
    played.scene.stage.broker.kill()
    played.scene.stage.witness.kill()


@contextmanager
def database(broker: Service) -> Iterator[sqlite3.Connection]:
    """The broker's database file, as somebody with access to the disk has it."""
    with closing(sqlite3.connect(broker.folder / "broker.sqlite")) as connection, connection:
        yield connection


def audit(played: Played, *command: str) -> subprocess.CompletedProcess[str]:
    """Run `sluis audit ...` as the officer."""
    config = played.scene.stage.write_config(played.scene.stage.cast.officer)
    return subprocess.run(
        [sys.executable, "-m", "sluis", "audit", *(command or ("verify",)), "--config", str(config)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env={**os.environ, "SLUIS_PATIENCE_SECONDS": "1"},
    )


def found_by_audit(played: Played, *, witness: bool = False) -> str:
    """Start the broker and audit; returns what the command says, having exited with 4."""
    if witness:
        played.scene.stage.witness.start()
    played.scene.stage.broker.start()
    done = audit(played)
    assert (done.returncode, done.stdout) == (VERIFICATION_FAILED, ""), done.stderr
    assert "Traceback" not in done.stderr
    return done.stderr


def flip(data: bytes, at: int) -> bytes:
    """Flip one bit of one byte."""
    return data[:at] + bytes([data[at] ^ 0x01]) + data[at + 1 :]


def flip_in(played: Played, table: str, column: str, where: str, at: int) -> None:
    """Flip a bit of a byte in the database."""
    with database(played.scene.stage.broker) as rows:
        (value,) = rows.execute(f"SELECT {column} FROM {table} WHERE {where}").fetchone()
        data = value.encode() if isinstance(value, str) else value
        flipped = flip(data, at % len(data))
        changed = flipped.decode() if isinstance(value, str) else flipped
        assert rows.execute(f"UPDATE {table} SET {column} = ? WHERE {where}", (changed,)).rowcount == 1


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


def test_a_changed_size_of_the_log_stops_everything(stopped: Played) -> None:
    with database(stopped.scene.stage.broker) as rows:
        rows.execute("UPDATE log_head SET size = size + 1")
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


def cut(played: Played, size: int, *, checkpoints: bool) -> None:
    """Cut the log back to a size as one who knows how it is stored would, perhaps with its checkpoints."""
    with database(played.scene.stage.broker) as rows:
        leaves = rows.execute(
            "SELECT leaf_hash FROM log_entry WHERE log_index < ? ORDER BY log_index", (size,)
        )
        tree, _ = CompactRange().extend([Hash(leaf) for (leaf,) in leaves])
        rows.execute("DELETE FROM log_entry WHERE log_index >= ?", (size,))
        rows.execute("DELETE FROM log_tile WHERE 256 * (tile_index + 1) > ?", (size,))
        rows.execute("UPDATE log_head SET size = ?, nodes = ?", (size, b"".join(tree.nodes)))
        if checkpoints:
            rows.execute("DELETE FROM checkpoint WHERE size > ?", (size,))


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


def put_checkpoint(played: Played, checkpoint: Checkpoint, witness: list[CheckpointSigner]) -> None:
    """Put a checkpoint signed with the log's own key into the database, cosigned by these keys."""
    log_keys = BrokerKeys.load(played.scene.stage.cast.broker.keys, ORIGIN).log
    now = int(time.time())
    note = Note.parse(sign_checkpoint(checkpoint, log_keys, now))
    text = note.with_signatures(cosign(checkpoint, witness, now)).format()
    with database(played.scene.stage.broker) as rows:
        rows.execute(
            "INSERT OR REPLACE INTO checkpoint VALUES (?, ?, ?)", (checkpoint.size, text, now * 1000)
        )


def own_witness(played: Played) -> list[CheckpointSigner]:
    return list(load_witness_key(played.scene.stage.witness.folder / "witness.key", WITNESS))


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
