# SPDX-License-Identifier: EUPL-1.2
"""Rows for the storage tests, with every value invented."""

import hashlib
from collections.abc import Callable

from broker.storage.port import (
    Delivery,
    FirstAnswer,
    PartyRow,
    PartyStatus,
    Store,
    StoredSignal,
    Transaction,
)
from broker.storage.register_port import Snapshot

SENDER = "00000001000000000001"
RECIPIENT = "00000001000000000002"
OTHER = "00000001000000000003"
AGREEMENT = "waadi-14b"
EPOCH = "2026"
FAR = 1 << 50


def digest(text: str, length: int = 32) -> bytes:
    """Give bytes that look random and are always the same for a text."""
    return hashlib.sha256(text.encode()).digest()[:length]


def signal(name: str, index: int, **changes: object) -> StoredSignal:
    """Make a signal that was pushed at `index`."""
    values: dict[str, object] = {
        "signal_id": digest(name, 16),
        "pushed_index": index,
        "sender": SENDER,
        "recipient": RECIPIENT,
        "agreement": AGREEMENT,
        "kind": "fine",
        "purpose": "certification",
        "delivery": "mailbox",
        "epoch": EPOCH,
        "pseudonym": digest(f"{name} subject", 16),
        "expires_at_ms": FAR,
        "envelope": f"envelope of {name}".encode(),
        "redaction": b"",
        "term": "P5Y fine-to-certifier",
        "after_loss": "",
    }
    values |= changes
    end = values["expires_at_ms"]
    return StoredSignal(**{"retain_until_ms": end, "term_until_ms": end, **values})  # type: ignore[arg-type]  # the values come from a table


def push(tx: Transaction, name: str, **changes: object) -> int:
    """Write all that a permitted push writes; returns its log index."""
    index = tx.append(f"entry of {name}".encode(), 1_000)
    row = signal(name, index, **changes)
    tx.add_salt(index, digest(f"{name} salt"))
    tx.add_signal(row)
    if row.delivery == "mailbox":
        tx.add_delivery(Delivery(log_index=index, recipient=row.recipient, signal_id=row.signal_id))
    tx.add_first_answer(first_answer(name, index))
    return index


def commit(store: Store, write: Callable[[Transaction], object]) -> None:
    """Do one thing in one transaction."""
    with store.transaction() as tx:
        write(tx)
        tx.commit()


def first_answer(name: str, index: int, oin: str = SENDER) -> FirstAnswer:
    """Make the first answer to the push of a name."""
    return FirstAnswer(
        oin=oin, key=f"key-{name}", content_digest=digest(name), answer=name.encode(), log_index=index
    )


def push_all(store: Store, *names: str, **changes: object) -> list[int]:
    """Push names in one transaction."""
    with store.transaction() as tx:
        indexes = [push(tx, name, **changes) for name in names]
        tx.commit()
    return indexes


def append_all(store: Store, count: int, prefix: str = "entry") -> None:
    """Append `count` small entries in one transaction."""
    with store.transaction() as tx:
        start = tx.head.tree.size
        for number in range(start, start + count):
            tx.append(f"{prefix} {number}".encode(), number)
        tx.commit()


def party(oin: str, role: str = "supervisor", status: PartyStatus = PartyStatus.ACTIVE) -> PartyRow:
    """Make a participant."""
    return PartyRow(oin=oin, name=f"party {oin[-2:]}", role=role, status=status, card=b"{}")


def snapshot(name: str, count: int, owner: str = SENDER) -> Snapshot:
    """Make a register snapshot of `count` entries."""
    return Snapshot(
        snapshot_id=digest(name, 16),
        owner=owner,
        agreement=AGREEMENT,
        register="certified",
        recipient=RECIPIENT,
        epoch=EPOCH,
        created_at_ms=5,
        entry_count=count,
        header=b"header",
        digest=digest(f"{name} digest"),
        signature=bytes(64),
    )
