# SPDX-License-Identifier: EUPL-1.2
"""Nothing that was destroyed can be found in SQLite's files."""

from pathlib import Path

import pytest

from sluis.header import Delivery
from tests.retention_world import row, sweep
from tests.world import DAY_MS, FIRM, OTHER_FIRM, World


@pytest.mark.parametrize("delivery", [Delivery.MAILBOX, Delivery.ON_MATCH])
async def test_nothing_destroyed_can_be_found_in_the_files_of_sqlite(
    world: World, delivery: Delivery
) -> None:
    goes: list[bytes] = []
    stays: list[bytes] = []
    for recipient in (world.cast.sna, world.cast.body):
        await world.certify(FIRM, OTHER_FIRM, recipient=recipient)
    make = world.envelope if delivery is Delivery.MAILBOX else world.deposit
    for number in range(40):
        subject, days, pieces = (FIRM, 10, goes) if number % 2 else (OTHER_FIRM, 300, stays)
        envelope = make(subject, expires_at_ms=world.clock.ms() + days * DAY_MS)
        await world.push(envelope)
        data = row(world, envelope.header.signal_id)["envelope"]
        pieces += [data[at : at + 64] for at in range(600, len(data) - 64, 700)]
    salts = {item.log_index: item.salt for item in world.store.decided(0, world.size)}
    assert found_in(world.folder, goes) == goes
    world.clock.move(days=11)
    assert (await sweep(world)).signals == 20
    left = {item.log_index for item in world.store.decided(0, world.size)}
    goes += [salt for index, salt in salts.items() if index not in left]
    assert len(salts) - len(left) >= 20
    assert found_in(world.folder, goes) == []
    assert found_in(world.folder, stays) == stays
    for recipient in (world.cast.sna, world.cast.body):
        await world.certify(OTHER_FIRM, recipient=recipient)  # until then the register has the pseudonym too
    assert world.store.retention.scrub()
    assert found_in(world.folder, [FIRM, OTHER_FIRM]) == [OTHER_FIRM]


def found_in(folder: Path, needles: list[bytes]) -> list[bytes]:
    """Which of these stand in the database's files."""
    data = b"".join(path.read_bytes() for path in sorted(folder.glob("broker.db*")))
    return [needle for needle in needles if needle in data]
