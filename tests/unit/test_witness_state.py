# SPDX-License-Identifier: EUPL-1.2
"""The witness's memory: compare-and-set, durable, private, and one winner of a race."""

import sqlite3
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest
from log_samples import ORIGIN, SampleLog

from sluis.errors import Conflict, Unavailable
from sluis.merkle import EMPTY_ROOT, Hash
from witness.state import NOTHING, Cosigned, WitnessState

LOG = SampleLog(12)


def cosigned(size: int) -> Cosigned:
    return Cosigned(size=size, root=LOG.checkpoint(size).root)


def test_a_log_never_seen_has_nothing() -> None:
    assert Cosigned(size=0, root=EMPTY_ROOT) == NOTHING


def test_the_state_moves_only_from_what_is_expected(tmp_path: Path) -> None:
    state = WitnessState(tmp_path / "state")
    assert state.newest(ORIGIN) == NOTHING
    assert not state.advance(LOG.checkpoint(5), cosigned(3))
    assert state.newest(ORIGIN) == NOTHING
    assert state.advance(LOG.checkpoint(5), NOTHING)
    assert not state.advance(LOG.checkpoint(7), NOTHING)
    assert not state.advance(LOG.checkpoint(7), Cosigned(size=5, root=Hash(bytes(32))))
    assert state.newest(ORIGIN) == cosigned(5)
    assert state.advance(LOG.checkpoint(7), cosigned(5))
    assert state.advance(LOG.checkpoint(7), cosigned(7))
    assert state.newest(ORIGIN) == cosigned(7)
    state.close()


def test_logs_do_not_touch_each_other(tmp_path: Path) -> None:
    state = WitnessState(tmp_path / "state")
    other = SampleLog(3, origin="other.example/log")
    assert state.advance(LOG.checkpoint(5), NOTHING)
    assert state.advance(other.checkpoint(), NOTHING)
    assert state.newest(ORIGIN) == cosigned(5)
    assert state.newest(other.origin).size == 3
    state.close()


def test_an_empty_log_can_be_recorded_and_outgrown(tmp_path: Path) -> None:
    state = WitnessState(tmp_path / "state")
    assert state.advance(LOG.checkpoint(0), NOTHING)
    assert state.advance(LOG.checkpoint(0), NOTHING)
    assert state.advance(LOG.checkpoint(2), NOTHING)
    assert state.newest(ORIGIN) == cosigned(2)
    state.close()


def test_what_was_recorded_is_there_after_a_restart(tmp_path: Path) -> None:
    first = WitnessState(tmp_path / "state")
    first.advance(LOG.checkpoint(9), NOTHING)
    # Not closed, as after a kill: another process opens the same file.
    second = WitnessState(tmp_path / "state")
    assert second.newest(ORIGIN) == cosigned(9)
    first.close()
    second.close()


def test_commits_are_synchronous_and_the_file_is_private(tmp_path: Path) -> None:
    state = WitnessState(tmp_path / "state")
    with state._file.read() as connection:
        assert connection.execute("PRAGMA synchronous").fetchone() == (2,)
    assert stat.S_IMODE((tmp_path / "state").stat().st_mode) == 0o600
    state.close()
    (tmp_path / "state").chmod(0o640)
    with pytest.raises(Conflict):
        WitnessState(tmp_path / "state")


@pytest.mark.parametrize("same_file", [False, True])
def test_of_two_at_once_one_wins_and_nothing_rolls_back(tmp_path: Path, same_file: bool) -> None:
    states = [WitnessState(tmp_path / "state")]
    states.append(WitnessState(tmp_path / "state") if same_file else states[0])
    for size in range(10):
        start = Barrier(2)

        def race(state: WitnessState, target: int, size: int = size, start: Barrier = start) -> bool:
            start.wait(5)
            return state.advance(LOG.checkpoint(target), cosigned(size) if size else NOTHING)

        with ThreadPoolExecutor(2) as pool:
            near, far = pool.map(race, states, (size + 1, size + 2))
        assert near != far, "exactly one of two moves from the same state succeeds"
        assert states[0].newest(ORIGIN) == cosigned(size + 1 if near else size + 2)
        if far:
            assert states[0].advance(LOG.checkpoint(size + 1), cosigned(size + 2))  # back, for the next round
    for state in set(states):
        state.close()


def test_a_damaged_file_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / "noise").write_bytes(b"no database" * 100)
    (tmp_path / "noise").chmod(0o600)
    with pytest.raises(Unavailable):
        WitnessState(tmp_path / "noise")
    with pytest.raises(Unavailable):
        WitnessState(tmp_path / "missing" / "state")
    state = WitnessState(tmp_path / "state")
    state.close()
    with pytest.raises(Unavailable):
        state.newest(ORIGIN)


def test_the_table_refuses_what_is_no_tree(tmp_path: Path) -> None:
    state = WitnessState(tmp_path / "state")
    for row in ((ORIGIN, -1, bytes(32)), (ORIGIN, 1, b"short"), (ORIGIN, "x", bytes(32))):
        with pytest.raises(Unavailable), state._file.write() as connection:
            connection.execute("INSERT INTO cosigned (origin, size, root) VALUES (?, ?, ?)", row)
    state.close()
    assert sqlite3.sqlite_version_info >= (3, 37), "STRICT tables"
