# SPDX-License-Identifier: EUPL-1.2
"""A clock that leapt is believed when a witness, whose clock is another, says the same."""

import pytest

from broker.retention.clock import LEAP_MS, TrustedClock
from sluis.checkpoint import Checkpoint
from sluis.checkpoint_signers import cosign, sign_checkpoint
from sluis.errors import Conflict
from sluis.note import Note
from tests.unit.log_samples import LOG_KEYS, W1, W2, vkeys
from tests.world import ORIGIN, World

DAY_MS = 86_400_000


def cosigned(world: World, at_ms: int) -> None:
    """Keep a checkpoint over the log that the first witness cosigned at a time."""
    tree = world.store.head().tree
    head = Checkpoint(origin=ORIGIN, size=tree.size, root=tree.root())
    note = Note.parse(sign_checkpoint(head, LOG_KEYS, at_ms // 1000))
    note = note.with_signatures(cosign(head, W1, at_ms // 1000))
    world.store.add_checkpoint(tree.size, note.format(), at_ms)


async def test_a_witness_that_says_the_same_time_is_believed(world: World) -> None:
    now = world.clock.ms() + 400 * DAY_MS
    for witnesses in ((), vkeys(W1)):
        with pytest.raises(Conflict) as caught:
            TrustedClock(world.store, witnesses).check(now)
        assert caught.value.code == "clock-leapt"
    cosigned(world, now - LEAP_MS // 2)
    with pytest.raises(Conflict):  # it is not one that we know
        TrustedClock(world.store, vkeys(W2)).check(now)
    assert world.store.retention.swept_at_ms() is None
    TrustedClock(world.store, vkeys(W1)).check(now)
    assert world.store.retention.swept_at_ms() == now


async def test_a_witness_that_says_another_time_is_no_help(world: World) -> None:
    cosigned(world, world.clock.ms())
    with pytest.raises(Conflict):
        TrustedClock(world.store, vkeys(W1)).check(world.clock.ms() + 400 * DAY_MS)


async def test_a_false_line_of_a_witness_is_no_help(world: World) -> None:
    now = world.clock.ms() + 400 * DAY_MS
    cosigned(world, now)
    text = world.store.checkpoint()
    assert text is not None
    other = text.replace("\n\n", "\nmore\n\n", 1)  # another text under the same signatures
    world.store.add_checkpoint(world.size, other, now)
    with pytest.raises(Conflict):
        TrustedClock(world.store, vkeys(W1)).check(now)
