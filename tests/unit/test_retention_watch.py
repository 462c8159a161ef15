# SPDX-License-Identifier: EUPL-1.2
"""Watch lists end too, and what a watch released ends with its signal."""

from tests.retention_world import kept, row, sweep
from tests.world import FIRM, World


async def test_a_watch_list_goes_with_its_pseudonyms_after_its_last_day(world: World) -> None:
    await world.certify(FIRM, recipient=world.cast.body)
    await world.watch(FIRM)
    before = len(world.store.retention.registers())
    world.clock.move(days=70)
    assert (await sweep(world)).registers == 0
    world.clock.move(days=3)
    assert (await sweep(world)).registers == 1
    assert len(world.store.retention.registers()) == before - 1
    record = next(entry for entry in world.entries() if entry["operation"] == "register.destroy")
    assert (record["register"], record["ended"]) == ("watch", "2026-09-01T22:00:00.000Z")


async def test_the_links_of_a_release_to_a_watch_go_with_the_signal(world: World) -> None:
    await world.certify(FIRM, recipient=world.cast.body)
    await world.watch(FIRM)
    envelope = world.deposit(FIRM, expires_at_ms=world.clock.ms() + 30 * 86_400_000)
    await world.push(envelope)
    released = world.operations().index("signal.release")
    assert kept(world, released)[0]
    world.clock.move(days=31)
    assert (await sweep(world)).signals == 1
    assert not kept(world, released)[0]
    assert row(world, envelope.header.signal_id)["pseudonym"] == b""
    assert len(await world.told(world.cast.body)) == 1
