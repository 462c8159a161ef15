# SPDX-License-Identifier: EUPL-1.2
"""Signing the head: only what continues the checkpoint before, only by the leader, with or without witnesses."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from broker.audit.checkpointer import Checkpointer
from broker.storage.open import open_store
from broker.storage.port import Store
from sluis.checkpoint import Checkpoint, VerifiedCheckpoint, verify_checkpoint
from sluis.checkpoint_signers import cosign, log_signers, new_secret, witness_signers
from sluis.errors import NotAuthentic, SluisError, Unavailable
from sluis.merkle import Hash, verify_consistency
from sluis.note import Note, NoteSignature
from tests.world import ORIGIN, MovingClock

SIGNERS = log_signers(ORIGIN, new_secret())
WITNESS = witness_signers("witness.example/w1", new_secret())
VKEYS = [signer.vkey for signer in SIGNERS]
WITNESS_VKEYS = [signer.vkey for signer in WITNESS]


@dataclass(slots=True)
class FakeWitness:
    """Cosigns what it is asked, after checking that the log grew; may be away."""

    name: str = "witness.example/w1"
    away: bool = False
    asked: list[int] = field(default_factory=list)
    seen: Checkpoint | None = None

    async def add_checkpoint(
        self, signed: str, prove: Callable[[int, int], Awaitable[Sequence[Hash]]]
    ) -> tuple[NoteSignature, ...]:
        checkpoint = Checkpoint.parse(Note.parse(signed).text)
        self.asked.append(checkpoint.size)
        if self.away:
            raise Unavailable("peer-unavailable")
        if self.seen is not None:
            proof = await prove(self.seen.size, checkpoint.size)
            verify_consistency(self.seen.size, checkpoint.size, proof, self.seen.root, checkpoint.root)
        self.seen = checkpoint
        return cosign(checkpoint, WITNESS, 1_782_000_000)


@dataclass(slots=True)
class Bench:
    folder: Path
    clock: MovingClock = field(default_factory=MovingClock)
    opened: list[Store] = field(default_factory=list)

    def store(self, name: str = "broker.db") -> Store:
        store = open_store(f"sqlite:///{self.folder}/{name}", now_ms=self.clock.ms)
        self.opened.append(store)
        return store

    def checkpointer(self, store: Any, *witnesses: FakeWitness) -> Checkpointer:
        return Checkpointer(store, SIGNERS, witnesses, self.clock, 0.01)  # type: ignore[arg-type]  # as much as it uses


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    yield made
    for store in made.opened:
        store.close()


def grow(store: Store, *entries: str) -> None:
    with store.transaction() as tx:
        for entry in entries:
            tx.append(entry.encode(), 1)
        tx.commit()


def newest(store: Store, *, quorum: int = 0) -> VerifiedCheckpoint:
    text = store.checkpoint()
    assert text is not None
    return verify_checkpoint(text, VKEYS, WITNESS_VKEYS, quorum)


async def refused(call: Awaitable[object]) -> SluisError:
    with pytest.raises(SluisError) as caught:
        await call
    return caught.value


class Switch:
    """A store whose database was put back or exchanged while the broker ran."""

    def __init__(self, current: Store) -> None:
        self.current = current

    def __getattr__(self, name: str) -> Any:
        return getattr(self.current, name)


async def test_an_empty_log_is_not_signed(bench: Bench) -> None:
    store = bench.store()
    await bench.checkpointer(store).once()
    assert store.checkpoint() is None


async def test_the_head_is_signed_once_it_grew(bench: Bench) -> None:
    store = bench.store()
    checkpointer = bench.checkpointer(store)
    grow(store, "a", "b", "c")
    await checkpointer.once()
    first = store.checkpoint()
    assert (newest(store).checkpoint.size, newest(store).checkpoint.root) == (3, store.head().tree.root())
    assert newest(store).checkpoint.origin == ORIGIN
    await checkpointer.once()
    assert store.checkpoint() == first
    grow(store, "d")
    await checkpointer.once()
    assert newest(store).checkpoint.size == 4
    assert store.checkpoint(1) == first  # the smaller one is kept


async def test_a_restarted_broker_goes_on_where_it_was(bench: Bench) -> None:
    store = bench.store()
    grow(store, "a", "b")
    await bench.checkpointer(store).once()
    before = store.checkpoint()
    restarted = bench.checkpointer(store)
    await restarted.once()
    assert store.checkpoint() == before
    grow(store, "c")
    await restarted.once()
    assert newest(store).checkpoint.size == 3


@pytest.mark.parametrize(
    ("entries", "said"),
    [
        (["a", "b"], "fewer"),
        ([], "fewer"),
        (["a", "b", "x"], "does not continue"),
        (["x", "b", "c", "d", "e"], "does not continue"),
        (["a", "b", "x", "d"], "does not continue"),
    ],
    ids=["cut back", "emptied", "same size", "rewritten at the start", "rewritten at the end"],
)
@pytest.mark.parametrize("restarted", [False, True])
async def test_a_log_that_does_not_continue_is_never_signed(
    bench: Bench, entries: list[str], said: str, restarted: bool
) -> None:
    good, bad = bench.store(), bench.store("bad.db")
    grow(good, "a", "b", "c")
    grow(bad, *entries)
    switch = Switch(good)
    checkpointer = bench.checkpointer(switch)
    await checkpointer.once()
    text = good.checkpoint()
    assert text is not None
    switch.current = bad
    if restarted:
        bad.add_checkpoint(3, text, 1)
        checkpointer = bench.checkpointer(bad)
    for _ in range(2):
        error = await refused(checkpointer.once())
        assert isinstance(error, NotAuthentic)
        assert error.code == "log-inconsistent"
        assert said in error.message
    assert bad.checkpoint() == (text if restarted else None)


async def test_a_log_that_grew_honestly_in_another_file_is_signed(bench: Bench) -> None:
    """The counterpart of the refusals above: it is the content that counts."""
    one, other = bench.store(), bench.store("other.db")
    grow(one, "a", "b", "c")
    grow(other, "a", "b", "c", "d", "e")
    switch = Switch(one)
    checkpointer = bench.checkpointer(switch)
    await checkpointer.once()
    switch.current = other
    await checkpointer.once()
    assert newest(other).checkpoint.size == 5


async def test_after_an_inconsistency_it_stops_for_good_and_says_so(bench: Bench) -> None:
    good, bad = bench.store(), bench.store("bad.db")
    grow(good, "a", "b", "c")
    grow(bad, "x")
    switch = Switch(good)
    checkpointer = bench.checkpointer(switch)
    await checkpointer.once()
    switch.current = bad
    with capture_logs() as events:
        await asyncio.wait_for(checkpointer.run(), 5)
    assert checkpointer.broken
    assert [(event["event"], event["code"], event["log_level"]) for event in events] == [
        ("checkpoint.failed", "log-inconsistent", "error")
    ]


async def test_a_database_that_is_away_is_tried_again(bench: Bench) -> None:
    store = bench.store()
    grow(store, "a")

    class Away(Switch):
        failures = 3

        def head(self) -> Any:
            if self.failures:
                self.failures -= 1
                raise Unavailable("storage-unavailable")
            return self.current.head()

    checkpointer = bench.checkpointer(Away(store))
    with capture_logs() as events:
        async with running(checkpointer):
            await until(lambda: store.checkpoint() is not None)
    assert not checkpointer.broken
    assert [event["code"] for event in events if event["event"] == "checkpoint.failed"] == [
        "storage-unavailable"
    ] * 3


class running:
    """Run a checkpointer while the block lasts."""

    def __init__(self, checkpointer: Checkpointer) -> None:
        self._task = asyncio.ensure_future(checkpointer.run())

    async def __aenter__(self) -> None:
        return None

    async def __aexit__(self, *_: object) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)


async def until(done: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not done():  # noqa: ASYNC110  the store rings no bell
            await asyncio.sleep(0.01)


async def test_a_witness_cosigns_what_was_signed(bench: Bench) -> None:
    store, witness = bench.store(), FakeWitness()
    checkpointer = bench.checkpointer(store, witness)
    for entry in "abcde":
        grow(store, entry)
        await checkpointer.once()
    await checkpointer.once()
    assert witness.asked == [1, 2, 3, 4, 5]  # not again when nothing is missing
    verified = newest(store, quorum=1)
    assert (verified.checkpoint.size, verified.cosigners) == (5, ("witness.example/w1",))


async def test_a_witness_that_is_away_delays_its_cosignature_and_nothing_else(bench: Bench) -> None:
    store, witness = bench.store(), FakeWitness(away=True)
    checkpointer = bench.checkpointer(store, witness)
    grow(store, "a", "b")
    with capture_logs() as events:
        await checkpointer.once()
    assert ("witness.failed", "peer-unavailable") in [(event["event"], event.get("code")) for event in events]
    assert newest(store).checkpoint.size == 2
    assert newest(store).cosigners == ()
    grow(store, "c")
    await checkpointer.once()
    assert newest(store).checkpoint.size == 3
    witness.away = False
    await checkpointer.once()
    assert witness.asked == [2, 3, 3]
    assert newest(store, quorum=1).checkpoint.size == 3


async def test_a_restarted_broker_asks_for_what_is_missing(bench: Bench) -> None:
    store, witness = bench.store(), FakeWitness(away=True)
    grow(store, "a")
    await bench.checkpointer(store, witness).once()
    witness.away = False
    await bench.checkpointer(store, witness).once()
    assert newest(store, quorum=1).cosigners == ("witness.example/w1",)


async def test_one_witness_that_is_away_does_not_hold_up_the_other(bench: Bench) -> None:
    store = bench.store()
    here, away = FakeWitness(), FakeWitness(name="witness.example/w2", away=True)
    grow(store, "a")
    await bench.checkpointer(store, away, here).once()
    assert newest(store, quorum=1).cosigners == ("witness.example/w1",)


async def test_a_second_replica_does_nothing_while_the_first_leads(bench: Bench) -> None:
    first, second = bench.store(), bench.store()
    witness = FakeWitness()
    leading, other = bench.checkpointer(first), bench.checkpointer(second, witness)
    grow(first, "a")
    await leading.once()
    text = first.checkpoint()
    grow(second, "b")
    await other.once()
    assert first.checkpoint() == text
    assert witness.asked == []
    await leading.once()
    assert newest(first).checkpoint.size == 2


async def test_the_second_replica_takes_over_when_the_first_is_gone(bench: Bench) -> None:
    first, second = bench.store(), bench.store()
    leading, other = bench.checkpointer(first), bench.checkpointer(second)
    grow(first, "a")
    await leading.once()
    grow(first, "b")
    await other.once()
    assert newest(second).checkpoint.size == 1
    bench.clock.move(seconds=11)  # its lease has run out
    await other.once()
    assert newest(second).checkpoint.size == 2
