# SPDX-License-Identifier: EUPL-1.2
"""Group commit: one transaction for all that waits, and one bad work never takes its neighbours with it."""

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from broker.committer import Committer
from broker.step import CLOCK_TOLERANCE_MS, Needs, Step
from broker.storage.open import open_store
from broker.storage.port import Delivery, Store, StoredSignal
from sluis.canonical import parse_canonical
from sluis.errors import Conflict, Defect, SluisError, Unavailable
from tests.world import MovingClock, World


@dataclass(slots=True)
class WatchedStore:
    """Lends transactions of a real store, counts commits, and can refuse them."""

    inner: Store
    begun: int = 0
    committed: int = 0
    refuse: frozenset[int] = frozenset()  # which transactions, counted from 1
    hold: threading.Event | None = None

    @contextmanager
    def transaction(self) -> Iterator[Any]:
        self.begun += 1
        with self.inner.transaction() as tx:
            yield WatchedTransaction(tx, self)

    def commit(self, tx: Any) -> None:
        if self.hold:
            assert self.hold.wait(10)
        if self.begun in self.refuse:
            raise Unavailable("storage-unavailable")
        tx.commit()
        self.committed += 1


class WatchedTransaction:
    def __init__(self, tx: Any, store: WatchedStore) -> None:
        self._tx = tx
        self._store = store

    def commit(self) -> None:
        self._store.commit(self._tx)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._tx, name)


@dataclass(frozen=True, slots=True)
class Write:
    """Writes an entry; raises before or after that when told to."""

    name: str
    before: Exception | None = None
    after: Exception | None = None
    wake: str = ""

    def needs(self) -> Needs:
        return Needs()

    def settle(self, step: Step) -> int:
        if self.before:
            raise self.before
        index = step.log({"operation": "log.read", "reader": self.name}).index
        if self.wake:
            self._deliver(step, index)
        if self.after:
            raise self.after
        return index

    def _deliver(self, step: Step, index: int) -> None:
        signal_id = self.name.encode().ljust(16, b".")
        step.keep(
            StoredSignal(
                signal_id=signal_id,
                pushed_index=index,
                sender="s",
                recipient=self.wake,
                agreement="a",
                kind="k",
                purpose="p",
                delivery="mailbox",
                epoch="e",
                pseudonym=bytes(16),
                expires_at_ms=1 << 50,
                envelope=b"",
                redaction=b"",
                retain_until_ms=1 << 50,
                term_until_ms=1 << 50,
                term="",
                after_loss="",
            )
        )
        step.deliver(Delivery(log_index=index, recipient=self.wake, signal_id=signal_id))


@dataclass(frozen=True, slots=True)
class Block:
    """Holds the writer's thread until it is let go, so that what is submitted meanwhile shares a batch."""

    entered: threading.Event = field(default_factory=threading.Event)
    go: threading.Event = field(default_factory=threading.Event)

    def needs(self) -> Needs:
        return Needs()

    def settle(self, step: Step) -> None:
        self.entered.set()
        assert self.go.wait(10)


@dataclass(slots=True)
class Bench:
    store: WatchedStore
    committer: Committer
    clock: MovingClock
    woken: list[set[str]]

    @asynccontextmanager
    async def blocked(self) -> AsyncIterator[None]:
        """While this lasts, what is submitted waits for one batch."""
        block = Block()
        task = asyncio.create_task(self.committer.submit(block))
        await asyncio.to_thread(block.entered.wait, 10)
        try:
            yield
        finally:
            block.go.set()
            await task

    async def together(self, *works: Any) -> list[Any]:
        """Submit works so that they share one batch; returns answers and exceptions, in order."""
        async with self.blocked():
            tasks = [asyncio.create_task(self.committer.submit(work)) for work in works]
            await asyncio.sleep(0)
        return await answers(tasks)

    def logged(self) -> list[Any]:
        rows = self.store.inner.entries(0, 1000)
        return [parse_canonical(row.entry)["reader"] for row in rows]


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    clock = MovingClock()
    inner = open_store(f"sqlite:///{tmp_path}/broker.db", now_ms=clock.ms)
    store = WatchedStore(inner)
    woken: list[set[str]] = []
    committer = Committer(store, clock, woken.append, max_waiting=11)  # type: ignore[arg-type]  # as much as it uses
    committer.start()
    yield Bench(store, committer, clock, woken)
    await committer.close()
    inner.close()


async def answers(tasks: Sequence["asyncio.Task[Any]"]) -> list[Any]:
    """Wait for answers and exceptions, in order; fails rather than wait for ever."""
    _, waiting = await asyncio.wait(tasks, timeout=10)
    assert not waiting, f"{len(waiting)} of {len(tasks)} callers were never answered"
    return [task.exception() or task.result() for task in tasks]


def code(outcome: object) -> str:
    assert isinstance(outcome, SluisError), outcome
    return outcome.code


async def test_works_that_wait_share_one_commit(bench: Bench) -> None:
    answers = await bench.together(*(Write(f"w{number}") for number in range(8)))
    assert answers == list(range(8))
    assert bench.store.committed == 2  # the one that held the thread, and all eight
    assert bench.logged() == [f"w{number}" for number in range(8)]


@dataclass(frozen=True, slots=True)
class Count:
    """Tells how many entries were committed before it; must see what its neighbours wrote."""

    def needs(self) -> Needs:
        return Needs(alone=True)

    def settle(self, step: Step) -> int:
        before = step.tx.head.tree.size
        step.log({"operation": "log.read", "reader": f"saw {before}"})
        return before


@dataclass(frozen=True, slots=True)
class Broken:
    """Cannot even say what it needs."""

    def needs(self) -> Needs:
        raise RuntimeError("broken")

    def settle(self, step: Step) -> None:
        raise AssertionError("it is never settled")


async def test_a_work_that_must_see_all_before_it_has_a_transaction_of_its_own(bench: Bench) -> None:
    answers = await bench.together(Write("a"), Write("b"), Count(), Count(), Write("c"))
    assert answers == [0, 1, 2, 3, 4]
    assert bench.store.committed == 5  # the one that held the thread, a with b, each count, and c
    assert bench.logged() == ["a", "b", "saw 2", "saw 3", "c"]


async def test_a_work_that_cannot_say_what_it_needs_fails_alone(bench: Bench) -> None:
    with capture_logs():
        answers = await bench.together(Write("a"), Broken(), Write("b"))
    assert (answers[0], code(answers[1]), answers[2]) == (0, "defect", 1)


async def test_nobody_is_answered_before_the_commit(bench: Bench) -> None:
    bench.store.hold = threading.Event()
    task = asyncio.create_task(bench.committer.submit(Write("slow", wake="r")))
    await asyncio.sleep(0.05)
    assert not task.done()
    assert bench.woken == []
    bench.store.hold.set()
    assert await task == 0
    assert bench.woken == [{"r"}]


async def test_an_error_of_ours_before_writing_fails_alone(bench: Bench) -> None:
    one, bad, two = await bench.together(
        Write("one"), Write("bad", before=Conflict("signal-exists")), Write("two")
    )
    assert (one, code(bad), two) == (0, "signal-exists", 1)
    assert bench.store.committed == 2
    assert bench.logged() == ["one", "two"]


async def test_an_unexpected_exception_does_not_take_its_neighbours_along(bench: Bench) -> None:
    with capture_logs() as events:
        one, bad, two = await bench.together(
            Write("one"), Write("bad", before=ZeroDivisionError("999990019")), Write("two")
        )
    assert isinstance(bad, Defect)
    assert "999990019" not in str(bad)
    assert (one, two) == (0, 1)
    assert bench.logged() == ["one", "two"]
    assert [(event["event"], event["kind"]) for event in events] == [("work.defect", "ZeroDivisionError")]


@pytest.mark.parametrize("error", [Conflict("signal-exists"), KeyError("x")])
async def test_what_a_work_wrote_before_it_raised_is_undone(bench: Bench, error: Exception) -> None:
    with capture_logs():
        one, bad, two = await bench.together(Write("one"), Write("bad", after=error, wake="r"), Write("two"))
    assert isinstance(bad, Defect)
    assert (one, two) == (0, 1)
    assert bench.logged() == ["one", "two"]
    assert bench.store.inner.mailbox("r", -1, 10) == []
    assert bench.woken == []


async def test_when_the_commit_is_impossible_everyone_hears_it_and_the_next_call_works(bench: Bench) -> None:
    bench.store.refuse = frozenset({2})  # the first is that of the work which holds the thread
    with capture_logs() as events:
        outcomes = await bench.together(*(Write(name, wake="r") for name in "abc"))
    assert [(event["event"], event["works"]) for event in events] == [("batch.failed", 3)]
    assert [code(outcome) for outcome in outcomes] == ["storage-unavailable"] * 3
    assert bench.logged() == []
    assert bench.woken == []
    assert await bench.committer.submit(Write("after")) == 0


async def test_works_handed_over_together_have_an_outcome_each(bench: Bench) -> None:
    works = [Write("one", wake="r"), Write("bad", before=Conflict("signal-exists")), Write("two")]
    async with bench.blocked():
        frame = asyncio.create_task(bench.committer.submit_all(works))
        alone = asyncio.create_task(bench.committer.submit(Write("three")))
        await asyncio.sleep(0)
    ((one, bad, two), three) = await answers([frame, alone])
    assert (one, code(bad), two, three) == (0, "signal-exists", 1, 2)
    assert bench.store.committed == 2  # the one that held the thread, and all of these
    assert bench.woken == [{"r"}]


async def test_one_broken_work_of_a_frame_leaves_the_others_theirs(bench: Bench) -> None:
    works = [Write("one"), Write("bad", after=KeyError("x"), wake="r"), Write("two")]
    with capture_logs():
        one, bad, two = await bench.committer.submit_all(works)
    assert (one, two) == (0, 1)
    assert isinstance(bad, Defect)
    assert bench.logged() == ["one", "two"]
    assert bench.woken == []


async def test_a_frame_that_does_not_fit_is_turned_away_whole_and_room_comes_back(bench: Bench) -> None:
    twelve = [Write(f"w{number}") for number in range(12)]
    with pytest.raises(Unavailable) as caught:
        await bench.committer.submit_all(twelve)
    assert caught.value.code == "overloaded"
    assert bench.logged() == []
    for _ in range(3):
        assert len(await bench.committer.submit_all(twelve[:11])) == 11
    assert len(bench.logged()) == 33


async def test_recipients_are_woken_once_for_a_batch(bench: Bench) -> None:
    await bench.together(Write("a", wake="r1"), Write("b", wake="r2"), Write("c", wake="r1"), Write("d"))
    assert bench.woken == [{"r1", "r2"}]


async def test_a_caller_who_vanished_has_its_work_committed_once(bench: Bench) -> None:
    async with bench.blocked():
        gone = asyncio.create_task(bench.committer.submit(Write("gone", wake="r")))
        stays = asyncio.create_task(bench.committer.submit(Write("stays")))
        await asyncio.sleep(0)
        gone.cancel()
    assert await answers([stays]) == [1]
    with pytest.raises(asyncio.CancelledError):
        await gone
    assert bench.logged() == ["gone", "stays"]
    assert bench.woken == [{"r"}]


async def test_when_too_much_waits_the_next_caller_is_turned_away(bench: Bench) -> None:
    async with bench.blocked():
        # The work that holds the thread is one of the eleven that may wait.
        tasks = [asyncio.create_task(bench.committer.submit(Write(f"w{number}"))) for number in range(11)]
        await asyncio.sleep(0.01)
        assert tasks[10].done()
    outcomes = await answers(tasks)
    assert outcomes[:10] == list(range(10))
    assert code(outcomes[10]) == "overloaded"


async def test_closing_finishes_what_was_submitted_and_takes_nothing_new(bench: Bench) -> None:
    async with bench.blocked():
        tasks = [asyncio.create_task(bench.committer.submit(Write(f"w{number}"))) for number in range(5)]
        await asyncio.sleep(0)
        closing = asyncio.create_task(bench.committer.close())
        await asyncio.sleep(0)
        with pytest.raises(Unavailable) as caught:
            await bench.committer.submit(Write("late"))
        assert caught.value.code == "shutting-down"
    await closing
    assert await answers(tasks) == list(range(5))
    assert bench.logged() == [f"w{number}" for number in range(5)]
    await bench.committer.close()  # a second time does nothing


async def test_a_batch_has_a_limit_and_the_rest_follows_in_order(tmp_path: Path) -> None:
    clock = MovingClock()
    inner = open_store(f"sqlite:///{tmp_path}/small.db", now_ms=clock.ms)
    store = WatchedStore(inner)
    committer = Committer(store, clock, lambda recipients: None, max_batch=4)  # type: ignore[arg-type]  # as above
    committer.start()
    small = Bench(store, committer, clock, [])
    assert await small.together(*(Write(f"w{number}") for number in range(10))) == list(range(10))
    assert store.committed == 1 + 3
    await committer.close()
    inner.close()


async def test_a_clock_set_back_stops_the_log_rather_than_turn_it_back(bench: Bench) -> None:
    await bench.committer.submit(Write("first"))
    bench.clock.move(milliseconds=-CLOCK_TOLERANCE_MS - 1)
    with capture_logs(), pytest.raises(Unavailable) as caught:
        await bench.committer.submit(Write("refused"))
    assert caught.value.code == "clock-behind-log"
    bench.clock.move(milliseconds=1)
    await bench.committer.submit(Write("second"))
    rows = [parse_canonical(row.entry) for row in bench.store.inner.entries(0, 10)]
    assert [row["reader"] for row in rows] == ["first", "second"]
    assert rows[0]["time"] == rows[1]["time"] == "2026-06-22T10:00:00.000Z"


async def test_the_same_push_twice_in_one_batch_has_one_effect(world: World) -> None:
    await world.certify(b"f" * 16)
    envelope, key, before = world.envelope(b"f" * 16), world.key(), world.size
    block = Block()
    holding = asyncio.create_task(world.broker.desk.committer.submit(block))
    await asyncio.to_thread(block.entered.wait, 10)
    await world.broker.desk.directory.admit(world.cast.nla.caller)
    tasks = [asyncio.create_task(world.push(envelope, key=key)) for _ in range(3)]
    tasks.append(asyncio.create_task(world.push(envelope)))
    await asyncio.sleep(0.05)
    block.go.set()
    await holding
    one, two, three, other_key = await answers(tasks)
    assert world.operations(before) == ["signal.push"]
    assert len(world.waiting(world.cast.sna)) == 1
    assert [answer.repeated_request for answer in (one, two, three)] == [False, True, True]
    assert one.entry == two.entry == three.entry
    assert code(other_key) == "signal-exists"
