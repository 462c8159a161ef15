# SPDX-License-Identifier: EUPL-1.2
"""Any sequence of pushes, releases, losses, holds, lifts and jumps in time: what ended is gone, the rest is whole."""

import functools
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from uuid import UUID

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from broker.retention.asking import Asker
from broker.retention.destroy import DestroyLinks, DestroySignals, Done
from broker.signer import ReceiptSigner
from broker.step import Step
from broker.storage.open import open_store
from broker.storage.port import Store
from broker.storage.retention_port import LegalHold, Link
from broker.storage.sql import SqlStore
from sluis.canonical import canonical_json
from sluis.hold import HoldScope, new_hold
from sluis.policy.bundle import default_directory, load_bundle
from sluis.signing import SigningKey
from tests.contract.rows import OTHER, RECIPIENT, SENDER, digest, first_answer, push

PARTIES = (SENDER, RECIPIENT, OTHER)
DAY = 86_400_000

# Asks whom it asks in tests/unit/test_retention.py; here nobody is there to hear it.
ASKER = Asker(
    signer=ReceiptSigner(SigningKey.generate(), "broker.example/log"),
    bundle=lambda: load_bundle(default_directory()),
)

numbers = st.integers(0, 9)
operations = st.one_of(
    st.tuples(st.just("push"), st.sampled_from(PARTIES), st.sampled_from(PARTIES), st.integers(1, 9)),
    st.tuples(st.just("refuse"), st.sampled_from(PARTIES), st.integers(1, 9)),
    st.tuples(st.just("release"), numbers, st.integers(1, 9)),
    st.tuples(st.just("lose"), numbers, st.integers(1, 9)),
    st.tuples(st.just("hold"), numbers),
    st.tuples(st.just("hold party"), st.sampled_from(PARTIES)),
    st.tuples(st.just("lift"), numbers),
    st.tuples(st.just("sweep"), st.integers(0, 5)),
)


@dataclass
class Kept:
    """A signal as the model has it; `links` are the entries whose salts it has."""

    name: str
    parties: tuple[str, str]
    end: int
    links: list[int]
    gone: bool = False


@dataclass
class Play:
    """Does each operation to the store and to the model. The clock only goes on."""

    store: Store
    days: int = 20_000
    serial: int = 0
    signals: list[Kept] = field(default_factory=list)
    refusals: dict[int, tuple[int, str]] = field(
        default_factory=dict
    )  # end and sender of those that are there
    holds: list[LegalHold] = field(default_factory=list)

    def clock(self) -> datetime:
        return datetime.fromtimestamp(self.days * DAY / 1000, UTC)

    def do(self, operation: tuple[Any, ...]) -> None:
        name, *given_ = operation
        getattr(self, f"_{name.replace(' ', '_')}")(*given_)

    def _push(self, sender: str, recipient: str, days: int) -> None:
        self.serial += 1
        name = f"signal {self.serial}"
        end = (self.days + days) * DAY
        with self.store.transaction() as tx:
            index = push(tx, name, sender=sender, recipient=recipient, expires_at_ms=end, delivery="on_match")
            tx.commit()
        self.signals.append(Kept(name, (sender, recipient), end, [index]))

    def _refuse(self, sender: str, days: int) -> None:
        self.serial += 1
        end = (self.days + days) * DAY
        with self.store.transaction() as tx:
            entry = {"operation": "signal.push", "sender": sender, "recipient": OTHER}
            index = tx.append(canonical_json(entry), self.days * DAY)
            tx.add_salt(index, digest("salt"), b"inputs", Link(ends_at_ms=end))
            tx.add_first_answer(first_answer(f"refusal {self.serial}", index))
            tx.commit()
        self.refusals[index] = (end, sender)

    def _release(self, number: int, days: int) -> None:
        if not self.signals:
            return
        kept = self.signals[number % len(self.signals)]
        if kept.end <= self.days * DAY:
            return  # what has ended is not released: `Transaction.deposits`
        end = (self.days + days) * DAY
        with self.store.transaction() as tx:
            index = tx.append(b'{"operation":"signal.release"}', self.days * DAY)
            tx.add_salt(index, digest("salt"), b"inputs", Link(signal_id=digest(kept.name, 16)))
            tx.retention.limit_signal(digest(kept.name, 16), end, "P1D rule", "")
            tx.commit()
        kept.links.append(index)
        kept.end = min(kept.end, end)

    def _lose(self, number: int, days: int) -> None:
        if not self.signals:
            return
        kept = self.signals[number % len(self.signals)]
        end = min(kept.end, (self.days + days) * DAY)
        with self.store.transaction() as tx:
            tx.retention.set_loss(digest(kept.name, 16), self.days * DAY, end)
            tx.commit()
        kept.end = end

    def _hold(self, number: int) -> None:
        if self.signals:
            kept = self.signals[number % len(self.signals)]
            self._keep(HoldScope.EXCHANGE, str(UUID(bytes=digest(kept.name, 16))))

    def _hold_party(self, party: str) -> None:
        self._keep(HoldScope.PARTY, party)

    def _keep(self, scope: HoldScope, target: str) -> None:
        with self.store.transaction() as tx:
            hold = LegalHold(
                hold_id=new_hold(),
                scope=scope.value,
                target=target,
                organisation=SENDER,
                reason="LITIGATION",
                set_index=tx.append(b'{"operation":"hold.set"}', self.days * DAY),
            )
            tx.retention.add_hold(hold)
            tx.commit()
        self.holds.append(hold)

    def _lift(self, number: int) -> None:
        if self.holds:
            hold = self.holds.pop(number % len(self.holds))
            with self.store.transaction() as tx:
                index = tx.append(b'{"operation":"hold.lift"}', self.days * DAY)
                tx.retention.lift_hold(hold.hold_id, index)
                tx.commit()

    def _sweep(self, days: int) -> None:
        self.days += days
        for work in (DestroySignals(ASKER, portion=2), DestroyLinks(portion=2)):
            self._all(work)
        for kept in self.signals:
            kept.gone |= kept.end <= self.days * DAY and not self._held(kept)
        self.check()

    def _all(self, work: Any) -> None:
        while True:
            with self.store.transaction() as tx:
                done: Done = work.settle(Step(tx, self.clock(), [work.needs()]))
                tx.commit()
            if done.more is None:
                return
            work = work.next(done.more)

    # what must hold after each sweep

    def check(self) -> None:
        now = self.days * DAY
        rows = {
            bytes(row[0]): row[1:]
            for row in self._rows(
                "SELECT signal_id, envelope, redaction, pseudonym, destroyed_index FROM signal"
            )
        }
        salts = {row[0] for row in self._rows("SELECT log_index FROM entry_salt")}
        answers = {row[0] for row in self._rows("SELECT log_index FROM first_answer")}
        for kept in self.signals:
            envelope, redaction, pseudonym, destroyed = rows[digest(kept.name, 16)]
            assert (destroyed is not None) == kept.gone
            if destroyed is not None:
                assert (envelope, redaction, pseudonym) == (b"", b"", b"")
                assert salts.isdisjoint(kept.links)
                assert answers.isdisjoint(kept.links)
                self._check_record(kept, destroyed)
            else:
                assert (envelope, pseudonym) == (
                    f"envelope of {kept.name}".encode(),
                    digest(f"{kept.name} subject", 16),
                )
                assert salts.issuperset(kept.links)
                assert kept.links[0] in answers
        for index, (end, sender) in list(self.refusals.items()):
            held = any(hold.scope == "party" and hold.target in (sender, OTHER) for hold in self.holds)
            if end <= now and not held:
                del self.refusals[index]
                assert index not in salts | answers
            else:
                assert index in salts & answers

    def _check_record(self, kept: Kept, destroyed: int) -> None:
        row = self.store.log_row(destroyed)
        assert row is not None
        record = json.loads(row.entry)
        assert record["operation"] == "signal.destroy"
        assert record["links"] == sorted(kept.links)

    def _held(self, kept: Kept) -> bool:
        exchange = str(UUID(bytes=digest(kept.name, 16)))
        return any(hold.target in (exchange, *kept.parties) for hold in self.holds)

    def _rows(self, query: str) -> Iterator[Any]:
        assert isinstance(self.store, SqlStore)
        with self.store._engines.writer.connect() as connection:
            yield from connection.execute(text(query)).all()


@functools.cache
def _empty_database() -> bytes:
    """A database with its tables, made once."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "broker.db"
        open_store(f"sqlite:///{path}").close()
        return path.read_bytes()


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(sequence=st.lists(operations, min_size=5, max_size=25))
def test_after_any_sequence_what_ended_is_gone_and_the_rest_is_whole(sequence: list[tuple[Any, ...]]) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "broker.db"
        path.write_bytes(_empty_database())
        store = open_store(f"sqlite:///{path}")
        try:
            play = Play(store)
            for operation in sequence:
                play.do(operation)
            play.do(("sweep", 3))
            play.do(("sweep", 10))
        finally:
            store.close()
