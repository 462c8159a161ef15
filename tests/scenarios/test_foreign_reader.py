# SPDX-License-Identifier: EUPL-1.2
"""A reader that knows only the C2SP documents follows a real broker's log over HTTPS, and misses nothing.

`tests/interop/reader.mjs` is JavaScript without any library. It rebuilds the root from the tiles, checks the log's
Ed25519 signature and, where it may have them, hashes the entries.
"""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from demo.cast import CastMember
from demo.stage import ORIGIN
from tests.scenarios.calls import log_size
from tests.scenarios.played import Played, database, flip_in

READER = Path(__file__).parents[1] / "interop" / "reader.mjs"


def read(
    played: Played, member: CastMember, folder: Path, **changes: object
) -> subprocess.CompletedProcess[str]:
    """Run the reader as a participant against the running broker."""
    node = shutil.which("node")
    if node is None:
        if "node" in os.environ.get("SLUIS_REQUIRE", ""):
            pytest.fail("Node is missing")
        pytest.skip("Node is missing")
    stage = played.scene.stage
    config = {
        "url": f"https://{stage.http}/demo",
        "vkey": stage.log_vkeys[0],
        "roots": str(member.keys / "ca.crt"),
        "certificate": str(member.keys / "tls.crt"),
        "key": str(member.keys / "tls.key"),
        "entries": False,
        **changes,
    }
    path = folder / "reader.json"
    path.write_text(json.dumps(config), encoding="utf-8")
    command = [node, str(READER), str(path)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def refused(done: subprocess.CompletedProcess[str]) -> str:
    """What a reader says that found something wrong."""
    assert (done.returncode, done.stdout) == (1, ""), done
    return done.stderr


def test_the_officer_reads_everything_and_the_others_the_tree(stopped: Played, tmp_path: Path) -> None:
    stage = stopped.scene.stage
    stage.broker.start()
    done = read(stopped, stage.cast.officer, tmp_path, entries=True)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    with database(stage.broker) as rows:
        (leaves,) = rows.execute(
            "SELECT count(*) FROM log_entry WHERE log_index < ?", (stopped.size,)
        ).fetchone()
    assert (found["origin"], found["size"], found["entries"]) == (ORIGIN, stopped.size, leaves)
    assert found["fetched"] == 1 + 3 + 1 + 3  # checkpoint, leaves, the level above, entries
    assert log_size(stage) == stopped.size + 3  # each bundle was logged as read
    tree = read(stopped, stage.cast.foundation, tmp_path)
    assert tree.returncode == 0, tree.stderr
    assert json.loads(tree.stdout)["fetched"] == 1 + 3 + 1
    assert "answered 403" in refused(read(stopped, stage.cast.foundation, tmp_path, entries=True))


@pytest.mark.parametrize(
    ("table", "column", "where", "at", "words"),
    [
        (
            "log_tile",
            "hashes",
            "level = 0 AND tile_index = 1",
            32 * 77,
            "tile 0/1: does not fit the hash above",
        ),
        ("log_tile", "root", "level = 0 AND tile_index = 0", 31, "tile 0/0: does not fit the hash above"),
        ("log_entry", "entry", "log_index = 300", 40, "entry 300: does not hash to its leaf"),
        (
            "checkpoint",
            "note",
            "size = (SELECT max(size) FROM checkpoint)",
            len(ORIGIN) + 10,
            "the signature is false",
        ),
    ],
)
def test_a_changed_bit_is_found(
    stopped: Played, tmp_path: Path, table: str, column: str, where: str, at: int, words: str
) -> None:
    flip_in(stopped, table, column, where, at)
    stopped.scene.stage.broker.start()
    assert words in refused(read(stopped, stopped.scene.stage.cast.officer, tmp_path, entries=True))


def test_a_leaf_changed_on_every_level_is_found_by_the_root(stopped: Played, tmp_path: Path) -> None:
    """Whoever changes the newest leaves needs no tile, and is found by what was signed."""
    flip_in(stopped, "log_entry", "leaf_hash", f"log_index = {stopped.size - 1}", 0)
    stopped.scene.stage.broker.start()
    said = refused(read(stopped, stopped.scene.stage.cast.foundation, tmp_path))
    assert "the tiles do not give the signed root" in said


def test_another_key_and_no_certificate_are_refused(stopped: Played, tmp_path: Path) -> None:
    stage = stopped.scene.stage
    stage.broker.start()
    other = stage.witness_vkeys[0]
    assert "not an Ed25519 verifier key" in refused(read(stopped, stage.cast.officer, tmp_path, vkey=other))
    nobody = {"certificate": None, "key": None}
    assert "checkpoint: " in refused(read(stopped, stage.cast.officer, tmp_path, **nobody))
