# SPDX-License-Identifier: EUPL-1.2
"""Any sequence of transactions leaves the state that a few lines of Python say it should."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from broker.storage.deposit_port import Alias, DepositDomain
from broker.storage.open import open_store
from broker.storage.port import Delivery, Stop, Store, StoredSignal, Transaction
from sluis.merkle import CompactRange, leaf_hash
from tests.contract.rows import AGREEMENT, EPOCH, OTHER, RECIPIENT, digest, signal, snapshot

NOW = 1_000
RECIPIENTS = (RECIPIENT, OTHER)
SUBJECTS = tuple(digest(f"subject {number}", 16) for number in range(3))
REGISTER = (AGREEMENT, "certified", RECIPIENT, EPOCH)

pushes = st.tuples(
    st.just("push"),
    st.sampled_from(RECIPIENTS),
    st.sampled_from(["mailbox", "on_match"]),
    st.sampled_from(SUBJECTS),
    st.sampled_from([NOW - 1, NOW, NOW + 1, NOW + 5]),
    st.just(frozenset()) | st.frozensets(st.sampled_from(SUBJECTS)),
)
operations = st.one_of(
    pushes,
    st.tuples(st.just("release"), st.integers(0, 40)),
    st.tuples(st.just("acknowledge"), st.integers(0, 40)),
    st.tuples(st.just("deny")),
    st.tuples(st.just("stop"), st.sampled_from(["a", "b"])),
    st.tuples(st.just("resume"), st.sampled_from(["a", "b"])),
)
transactions = st.tuples(st.just("transaction"), st.lists(operations, max_size=8), st.booleans())
loads = st.tuples(st.just("load"), st.sets(st.sampled_from(SUBJECTS)))
sequences = st.lists(st.one_of(transactions, transactions, loads), max_size=12)


@dataclass
class Model:
    """What the broker's storage means, without a database."""

    entries: list[bytes] = field(default_factory=list)
    signals: list[StoredSignal] = field(default_factory=list)
    aliases: dict[bytes, frozenset[bytes]] = field(default_factory=dict)  # by the signal's id
    deliveries: dict[int, tuple[StoredSignal, bool]] = field(default_factory=dict)
    stops: set[Stop] = field(default_factory=set)
    register: set[bytes] = field(default_factory=set)

    def mailbox(self, recipient: str) -> list[tuple[int, bytes]]:
        """Give what waits, oldest first."""
        return [
            (index, row.envelope)
            for index, (row, acknowledged) in sorted(self.deliveries.items())
            if row.recipient == recipient and not acknowledged and row.expires_at_ms > NOW
        ]

    def deposits(self, recipient: str) -> list[StoredSignal]:
        """Give what waits for a match."""
        return [
            row
            for row in self.signals
            if row.recipient == recipient and row.delivery == "on_match" and row.expires_at_ms > NOW
        ]

    def by_alias(self, recipient: str) -> list[tuple[bytes, StoredSignal]]:
        """Give what is found by its aliases, each with the alias."""
        return [
            (alias, row)
            for row in self.deposits(recipient)
            for alias in sorted(self.aliases.get(row.signal_id, ()))
        ]


class Driver:
    """Does each operation to the store and to the model."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.model = Model()
        self.serial = 0

    def transaction(self, steps: list[tuple[Any, ...]], commit: bool) -> None:
        """Do some operations in one transaction."""
        before = deepcopy(self.model)
        with self.store.transaction() as tx:
            for step in steps:
                self.serial += 1
                getattr(self, step[0])(tx, *step[1:])
            if commit:
                tx.commit()
            else:
                self.model = before

    def _append(self, tx: Transaction) -> int:
        entry = f"entry {self.serial}".encode()
        index = tx.append(entry, self.serial)
        assert index == len(self.model.entries)
        self.model.entries.append(entry)
        return index

    def _deliver(self, tx: Transaction, index: int, row: StoredSignal) -> None:
        tx.add_delivery(Delivery(log_index=index, recipient=row.recipient, signal_id=row.signal_id))
        self.model.deliveries[index] = (row, False)

    def push(
        self,
        tx: Transaction,
        recipient: str,
        delivery: str,
        subject: bytes,
        expires: int,
        aliases: frozenset[bytes],
    ) -> None:
        """Push a signal; one that is deposited may have aliases."""
        index = self._append(tx)
        row = signal(
            f"signal {self.serial}",
            index,
            recipient=recipient,
            delivery=delivery,
            pseudonym=subject,
            expires_at_ms=expires,
        )
        tx.add_signal(row)
        self.model.signals.append(row)
        if delivery == "mailbox":
            self._deliver(tx, index, row)
        else:
            rows = [
                Alias(
                    recipient=recipient,
                    agreement=AGREEMENT,
                    kind="fine",
                    epoch=EPOCH,
                    pseudonym=alias,
                    signal_id=row.signal_id,
                )
                for alias in sorted(aliases - {subject})
            ]
            tx.add_aliases(rows)
            self.model.aliases[row.signal_id] = aliases - {subject}

    def release(self, tx: Transaction, which: int) -> None:
        """Release a deposit."""
        found = [row for row in self.model.signals if row.delivery == "on_match"]
        if found:
            self._deliver(tx, self._append(tx), found[which % len(found)])

    def acknowledge(self, tx: Transaction, which: int) -> None:
        """Acknowledge a delivery, perhaps once more."""
        found = sorted(self.model.deliveries)
        if found:
            index = found[which % len(found)]
            tx.acknowledge(index, self._append(tx))
            self.model.deliveries[index] = (self.model.deliveries[index][0], True)

    def deny(self, tx: Transaction) -> None:
        """Log a refusal."""
        self._append(tx)

    def stop(self, tx: Transaction, target: str) -> None:
        """Stop an agreement."""
        tx.add_stop(Stop(scope="agreement", target=target), self._append(tx))
        self.model.stops.add(Stop(scope="agreement", target=target))

    def resume(self, tx: Transaction, target: str) -> None:
        """Lift a stop."""
        self._append(tx)
        tx.remove_stop(Stop(scope="agreement", target=target))
        self.model.stops.discard(Stop(scope="agreement", target=target))

    def load(self, subjects: set[bytes]) -> None:
        """Load and activate a register."""
        self.serial += 1
        name = f"loaded {self.serial}"
        self.store.add_register_entries(
            digest(name, 16), [(subject, "2026-01-01", "") for subject in sorted(subjects)]
        )
        with self.store.transaction() as tx:
            tx.activate_snapshot(snapshot(name, len(subjects)), self._append(tx))
            tx.commit()
        self.model.register = set(subjects)

    def compare(self) -> None:
        """Look at everything that can be seen."""
        model, store = self.model, self.store
        leaves = [leaf_hash(entry) for entry in model.entries]
        assert store.head().tree == CompactRange().extend(leaves)[0]
        assert [row.entry for row in store.entries(0, 1_000)] == model.entries
        assert store.stops() == model.stops
        with store.transaction() as tx:
            assert set(tx.register_periods(*REGISTER, SUBJECTS)) == model.register
            known = [row.signal_id for row in model.signals]
            assert tx.known_signals([*known, b"none"]) == set(known)
            for recipient in RECIPIENTS:
                views = store.mailbox(recipient, -1, 1_000)
                assert [(view.log_index, view.envelope) for view in views] == model.mailbox(recipient)
                found = tx.deposits(recipient, AGREEMENT, "fine", EPOCH, SUBJECTS, NOW)
                assert list(found) == model.deposits(recipient)
                domain = DepositDomain(recipient=recipient, agreement=AGREEMENT, kind="fine", epoch=EPOCH)
                by_alias = model.by_alias(recipient)
                assert list(tx.deposits_by_alias(domain, SUBJECTS, NOW)) == by_alias
                present = store.deposits.present_by_alias(domain, SUBJECTS, NOW)
                assert present == {alias for alias, _ in by_alias}


@contextmanager
def _new_store(tables: Path) -> Iterator[Store]:
    with TemporaryDirectory(dir=tables.parent) as folder:
        shutil.copy(tables, folder)
        store = open_store(f"sqlite:///{Path(folder)}/broker.db", now_ms=lambda: NOW)
        try:
            yield store
        finally:
            store.close()


@settings(max_examples=60, deadline=None)
@given(sequence=sequences)
def test_any_sequence_of_transactions_agrees_with_the_model(
    sqlite_tables: Path, sequence: list[tuple[Any, ...]]
) -> None:
    with _new_store(sqlite_tables) as store:
        driver = Driver(store)
        for name, *arguments in sequence:
            getattr(driver, name)(*arguments)
            driver.compare()
