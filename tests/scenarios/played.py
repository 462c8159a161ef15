# SPDX-License-Identifier: EUPL-1.2
"""A day that was played and stopped, and what somebody with the broker's database can do to it.

The day has more than two full tiles. The officer has seen the log before. Forks are made with the log's own
key, and signed by the witness too where even that must not help.
"""

import asyncio
import os
import shutil
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from broker.keys import BrokerKeys
from demo.cast import CastMember
from demo.stage import ORIGIN, WITNESS, Service
from sluis.canonical import canonical_json, parse_canonical
from sluis.checkpoint import Checkpoint
from sluis.checkpoint_signers import CheckpointSigner, cosign, sign_checkpoint
from sluis.merkle import CompactRange, Hash, leaf_hash
from sluis.note import Note
from tests.scenarios.calls import log_size
from tests.scenarios.scene import Scene, running_scene
from tests.warm import run
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


@contextmanager
def played_day(root: Path, copy: Path) -> Iterator[Played]:
    """Play a day on SQLite, let the officer see it, and stop the processes; what runs at the end is ended."""

    async def day(scene: Scene) -> None:
        await scene.keep_registers()
        await scene.push(300)
        await scene.receive()
        await scene.audit()
        async with scene.kit(scene.stage.cast.officer) as kit:
            await kit.trust.checkpoint(log_size(scene.stage))  # the officer has seen the very last one

    with running_scene(root) as scene:
        asyncio.run(day(scene))
        stage = scene.stage
        stage.stop()
        with database(stage.broker) as rows:
            size = rows.execute("SELECT size FROM log_head").fetchone()[0]
            newest = rows.execute("SELECT note FROM checkpoint ORDER BY size DESC").fetchone()[0]
        assert size > 2 * 256 + 10
        assert Checkpoint.parse(Note.parse(newest).text).size == size  # the last act of a graceful stop
        made = Played(scene=scene, copy=copy, size=size)
        for name, folder in made.folders.items():
            shutil.copytree(folder, copy / name)
        yield made


@contextmanager
def as_it_stopped(played: Played) -> Iterator[Played]:
    """The day as it was when the broker stopped; whatever is started meanwhile is ended."""
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
    words = ["audit", *(command or ("verify",)), "--config", str(config)]
    return run(words, {**os.environ, "SLUIS_PATIENCE_SECONDS": "1"})


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


def forget(played: Played, member: CastMember) -> None:
    """Let a participant forget every checkpoint that it saw, and how far an audit of its own came."""
    for file, tables in (("kit.sqlite", ("checkpoint", "audit")), ("receipts.sqlite", ("note",))):
        with closing(sqlite3.connect(member.state / file)) as rows, rows:
            for table in tables:
                rows.execute(f"DELETE FROM {table}")


def all_entries(played: Played) -> list[bytes]:
    """The entries, in order."""
    with database(played.scene.stage.broker) as rows:
        return [entry for (entry,) in rows.execute("SELECT entry FROM log_entry ORDER BY log_index")]


def rewrite(played: Played, entries: list[bytes], witness: list[CheckpointSigner]) -> None:
    """Give the log another history, whole and consistent, signed with the log's key and cosigned by these."""
    leaves = [leaf_hash(entry) for entry in entries]
    tree, nodes = CompactRange().extend(leaves)
    tiles = [
        (0, node.index, node.hash, b"".join(leaves[node.index * 256 : node.index * 256 + 256]))
        for node in nodes
        if node.level == 8
    ]
    with database(played.scene.stage.broker) as rows:
        for table in ("log_entry", "log_tile", "checkpoint"):
            rows.execute(f"DELETE FROM {table}")
        rows.executemany(
            "INSERT INTO log_entry (log_index, leaf_hash, entry) VALUES (?, ?, ?)",
            [(index, leaves[index], entry) for index, entry in enumerate(entries)],
        )
        rows.executemany("INSERT INTO log_tile (level, tile_index, root, hashes) VALUES (?, ?, ?, ?)", tiles)
        rows.execute("UPDATE log_head SET size = ?, nodes = ?", (tree.size, b"".join(tree.nodes)))
    put_checkpoint(played, Checkpoint(origin=ORIGIN, size=tree.size, root=tree.root()), witness)


def without(entries: list[bytes], gone: int) -> list[bytes]:
    """The log without one entry, told so that it reads as one story: later references are moved up."""
    told: list[bytes] = []
    for entry in (*entries[:gone], *entries[gone + 1 :]):
        document = parse_canonical(entry)
        previous = document.get("previous")
        if isinstance(previous, int) and previous >= gone:
            document["previous"] = max(previous - 1, 0)
        told.append(canonical_json(document))
    return told
