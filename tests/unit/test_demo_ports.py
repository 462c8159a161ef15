# SPDX-License-Identifier: EUPL-1.2
"""Two demos that start at the same moment take different ports, and one that has ended leaves its ports to others."""

import gc
import socket
import tempfile
from pathlib import Path

import pytest

from demo.stage import HOST, Ports


@pytest.fixture(autouse=True)
def own_locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Locks of this test alone."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))


@pytest.fixture
def wanted() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def test_a_port_is_given_once_while_its_holder_lives(wanted: int) -> None:
    first, second = Ports(), Ports()
    taken = first.pick(wanted)
    assert second.pick(wanted) > taken
    assert len(second.moved) == 1
    assert first.pick(wanted) > taken  # nor twice to the same
    del first
    gc.collect()
    assert Ports().pick(wanted) == taken
