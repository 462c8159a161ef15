# SPDX-License-Identifier: EUPL-1.2
"""New keys in a key folder: nothing is lost in a crash, and a replaced key goes when nothing needs it."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from sluis.client.keyring import KeyRing
from sluis.client.kit import Kit
from sluis.key_renewal import (
    CAN_COME_MS,
    begin_renewal,
    finish_switch,
    next_folder,
    old_keys,
    sealing_keys_beside,
    switch,
)
from sluis.keys import KeyFolder
from sluis.v1 import directory_pb2
from tests.unit.epoch_samples import (
    directory,
)
from tests.unit.flow_samples import Flow, code, key_folder
from tests.world import FIRM, FakeContext, World


@pytest.fixture
def folder(world: World, tmp_path: Path) -> KeyFolder:
    """The foundation's key folder."""
    return key_folder(tmp_path / "keys", world.cast.sna)


def test_next_keys_stand_beside_the_present_ones(folder: KeyFolder) -> None:
    before = folder.load()
    made = begin_renewal(folder, tls_name="Stichting")
    assert folder.load().signing.public == before.signing.public
    assert oct(made.stat().st_mode & 0o777) == "0o700"
    beside = next_folder(folder)
    assert beside is not None
    assert beside.signing().public != before.signing.public
    assert sealing_keys_beside(folder)[0].public == beside.sealing().public
    assert (made / "tls.csr").exists()
    assert code(lambda: begin_renewal(folder)) == "key-exists"


def test_a_switch_keeps_the_sealing_key_that_it_replaces_and_no_other(folder: KeyFolder) -> None:
    before = folder.load()
    assert code(lambda: switch(folder, 1)) == "key-missing"
    begin_renewal(folder)
    made = next_folder(folder)
    assert made is not None
    coming = (made.signing().public, made.sealing().public)
    switch(folder, 1_000)
    after = folder.load()
    assert (after.signing.public, after.sealing.public) == coming
    assert [key.public for key in sealing_keys_beside(folder)] == [before.sealing.public]
    (old,) = old_keys(folder)
    assert (old.replaced_at_ms, old.before) == (1_000, None)
    secret = before.signing.to_bytes().hex()
    assert not [
        path for path in folder.path.rglob("*") if path.is_file() and secret in path.read_text("latin1")
    ]
    assert not (folder.path / "next").exists()
    begin_renewal(folder)  # and once more
    switch(folder, 2_000)
    assert len(list(old_keys(folder))) == 2


@pytest.mark.parametrize("steps", range(7))
def test_a_crash_in_a_switch_loses_no_key(
    folder: KeyFolder, monkeypatch: pytest.MonkeyPatch, steps: int
) -> None:
    before = folder.load()
    made = begin_renewal(folder)
    coming = KeyFolder(path=made).sealing().public, KeyFolder(path=made).signing().public
    count = 0

    def crash(*_: object) -> None:
        nonlocal count
        count += 1
        if count > steps:
            raise KeyboardInterrupt

    real = Path.replace
    monkeypatch.setattr("sluis.key_renewal.sync_folder", crash)
    monkeypatch.setattr(Path, "replace", lambda self, target: (crash(), real(self, target))[1])
    with suppress(KeyboardInterrupt):
        switch(folder, 1_000)
    monkeypatch.undo()
    ring = KeyRing.load(folder)
    known = {key.public.x25519 for key in (ring.keys.sealing, *sealing_keys_beside(folder))}
    assert {before.sealing.public.x25519, coming[0].x25519} <= known
    if not next_folder(folder):
        assert ring.keys.signing.public == coming[1]
    assert not finish_switch(folder)


def test_a_replaced_key_is_destroyed_on_disk_too(folder: KeyFolder) -> None:
    begin_renewal(folder)
    switch(folder, 1_000)
    (old,) = old_keys(folder)
    assert old.can_come(1_000 + CAN_COME_MS - 1)
    assert not old.can_come(1_000 + CAN_COME_MS)
    replace(old, before=17).note()
    assert next(old_keys(folder)).before == 17
    old.path.with_suffix(".json").write_text("damaged")
    assert next(old_keys(folder)).can_come(int(datetime.now(UTC).timestamp() * 1000))
    old.destroy()
    assert list((folder.path / "old").iterdir()) == []


# pruning


@pytest.fixture
def kit(flow: Flow) -> Iterator[Kit]:
    """As much of the foundation's kit as prunes keys."""
    desk = flow.desks["recipient"]

    async def checkpoint() -> Any:
        return flow.world.store.head().tree

    desk.trust.checkpoint = checkpoint  # type: ignore[method-assign, assignment]
    made = object.__new__(Kit)
    for name, value in (("trust", desk.trust), ("connections", desk.connections), ("epochs", desk.epochs)):
        object.__setattr__(made, name, value)
    return made


async def test_a_replaced_sealing_key_goes_when_nothing_waits_or_can_come(flow: Flow, kit: Kit) -> None:
    await flow.push(1)
    flow.renew("recipient")
    folder = flow.folder("recipient")
    switch(folder, flow.world.clock.ms())
    assert (await kit.prune_keys(folder))[1] == 1  # something may still come
    flow.world.clock.move(days=32)
    assert (await kit.prune_keys(folder))[1] == 1  # and something waits
    assert next(old_keys(folder)).before == flow.world.size
    assert await flow.receive() == []
    assert len(flow.kept) == 1
    destroyed, kept = await kit.prune_keys(folder)
    assert (len(destroyed), kept) == (1, 0)
    assert list(old_keys(folder)) == []


async def test_a_deposit_keeps_the_key_for_which_it_was_sealed(world: World) -> None:
    body = world.cast.body
    await world.certify(FIRM, recipient=body)
    assert (await world.push(world.deposit(FIRM))).decision.effect == 1
    size = world.size

    async def needed(before: int) -> bool:
        request = directory_pb2.CheckOldKeysRequest(before_log_index=before)
        return bool((await directory(world).CheckOldKeys(request, FakeContext(body))).needed)

    assert [await needed(index) for index in (0, size - 1, size, (1 << 64) - 1)] == [False, False, True, True]
    world.clock.move(days=366)
    assert not await needed(size)
