# SPDX-License-Identifier: EUPL-1.2
"""Keeping a pseudonymised register or watch list at the broker: from identifiers with dates to a signed snapshot.

Entries are sorted by pseudonym before they travel, so that two snapshots in different domains cannot be laid
side by side by their order. (Their dates can: docs/trust-model.md.)
"""

import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import date

from sluis.client.connection import Connections
from sluis.client.keyring import KeyRing
from sluis.client.pseudonymiser import Pseudonymiser
from sluis.client.trust import Trust
from sluis.identifiers import Identifier, Oin
from sluis.persons import check_not_in_bulk
from sluis.register_snapshot import (
    SnapshotEntry,
    SnapshotHeader,
    entries_digest,
    sign_snapshot,
    watch_list_name,
)
from sluis.v1 import envelope_pb2, register_pb2

BATCH = 2048


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisterRow:
    """A subject that a register holds from and until a day, inclusive."""

    subject: Identifier
    valid_from: date
    valid_until: date | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadOutcome:
    """What became of a snapshot."""

    recipient: Oin
    epoch: str
    entries: int
    permitted: bool
    reason: str
    log_index: int


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchList:
    """A list of the participant's own that the broker keeps."""

    agreement: str
    name: str
    epoch: str
    entries: int
    valid_until: date


class Registrar:
    """Loads registers and watch lists."""

    def __init__(
        self,
        *,
        oin: Oin,
        agreement: str,
        keys: KeyRing,
        connections: Connections,
        trust: Trust,
        pseudonymiser: Pseudonymiser,
    ) -> None:
        self._oin = oin
        self._agreement = agreement
        self._keys = keys
        self._connections = connections
        self._trust = trust
        self._pseudonymiser = pseudonymiser

    async def load(
        self,
        register: str,
        recipient: Oin,
        rows: Sequence[RegisterRow],
        *,
        kind: str,
        purpose: str,
        progress: Callable[[int], None] = lambda done: None,
    ) -> list[LoadOutcome]:
        """Replace the register in a recipient's domain by these rows, in every epoch that is not over.

        A deposit of an earlier epoch is released under the register of that epoch, so that one is kept up too; and
        one that is announced has its register when it begins. Raises what pseudonymising raises; NotAuthentic when
        the answer does not hold; NotPermitted `persons-not-in-bulk` for persons without a number.
        """
        epochs = await self._prepared(recipient, rows, progress)
        return [
            await self._load(register, recipient, epoch, rows, kind, purpose, self._send_register)
            for epoch in epochs
        ]

    async def watch(
        self,
        subjects: Sequence[Identifier],
        *,
        kind: str,
        purpose: str,
        first_day: date,
        last_day: date,
        progress: Callable[[int], None] = lambda done: None,
    ) -> list[LoadOutcome]:
        """Leave one's own subjects as a watch list in every epoch that is not over, in place of the list before.

        Signals about them that are deposited from now on come to the mailbox; those that lie there already are to
        be asked for. No subjects: the list is taken back. Raises as `load` does.
        """
        rows = [RegisterRow(subject=each, valid_from=first_day, valid_until=last_day) for each in subjects]
        name = watch_list_name(kind, purpose)
        epochs = await self._prepared(self._oin, rows, progress)
        return [
            await self._load(name, self._oin, epoch, rows, kind, purpose, self._send_watch)
            for epoch in epochs
        ]

    async def watch_lists(self) -> list[WatchList]:
        """The lists that the broker keeps for this participant, oldest first."""
        answer = await self._connections.patiently(
            lambda: self._connections.registers.ListWatches(register_pb2.ListWatchesRequest(), timeout=20)
        )
        return [
            WatchList(
                agreement=each.agreement,
                name=each.name,
                epoch=each.epoch,
                entries=each.entries,
                valid_until=date.fromisoformat(each.valid_until),
            )
            for each in answer.lists
        ]

    async def _prepared(
        self, recipient: Oin, rows: Sequence[RegisterRow], progress: Callable[[int], None]
    ) -> list[str]:
        """The epochs to load, when the pseudonyms in all of them are computed.

        Asked anew: a register that is not in an epoch which has just begun would deny every signal there.
        """
        subjects = list(dict.fromkeys(row.subject for row in rows))
        check_not_in_bulk(subjects)
        self._pseudonymiser.forget_epochs()
        epochs = await self._pseudonymiser.epochs(self._agreement, recipient, to_load=True)
        await self._pseudonymiser.compute(subjects, self._agreement, recipient, epochs, progress=progress)
        return epochs

    async def _load(
        self,
        register: str,
        recipient: Oin,
        epoch: str,
        rows: Sequence[RegisterRow],
        kind: str,
        purpose: str,
        send: "_Send",
    ) -> LoadOutcome:
        entries = await self._entries(recipient, epoch, rows)
        header = SnapshotHeader(
            agreement=self._agreement,
            register_name=register,
            owner=self._oin,
            recipient=recipient,
            epoch=epoch,
            created_at_ms=int(time.time() * 1000),
            entry_count=len(entries),
        )
        start = register_pb2.LoadStart(
            idempotency_key=f"load-{recipient}-{epoch}-{header.created_at_ms}",
            header=header.encode(),
            kind=kind,
            purpose=purpose,
        )
        signing = await self._keys.signing_key(self._trust, self._oin)
        signature = sign_snapshot(header, entries_digest(entries), signing)
        answer = await self._connections.patiently(lambda: send(start, entries, signature))
        self._trust.check_receipt(answer.receipt, answer.entry)
        self._trust.keep_receipts()
        decision = answer.decision
        permitted = decision.effect == envelope_pb2.EFFECT_PERMIT
        return LoadOutcome(
            recipient=recipient,
            epoch=epoch,
            entries=len(entries),
            permitted=permitted,
            reason=decision.reasons[0].code if decision.reasons and not permitted else "",
            log_index=answer.receipt.log_index,
        )

    async def _entries(self, recipient: Oin, epoch: str, rows: Sequence[RegisterRow]) -> list[SnapshotEntry]:
        pseudonyms = await self._pseudonymiser.pseudonyms(
            [row.subject for row in rows], self._agreement, recipient, epoch
        )
        return sorted(
            {
                SnapshotEntry(
                    pseudonym=pseudonym,
                    valid_from=row.valid_from.isoformat(),
                    valid_until=row.valid_until.isoformat() if row.valid_until else "",
                )
                for row, pseudonym in zip(rows, pseudonyms, strict=True)
            },
            key=SnapshotEntry.encode,
        )

    async def _send_register(
        self, start: register_pb2.LoadStart, entries: Sequence[SnapshotEntry], signature: bytes
    ) -> register_pb2.LoadResponse:
        return await self._connections.registers.Load(_parts(start, entries, signature), timeout=300)

    async def _send_watch(
        self, start: register_pb2.LoadStart, entries: Sequence[SnapshotEntry], signature: bytes
    ) -> register_pb2.LoadResponse:
        parts = (register_pb2.WatchRequest(part=part) async for part in _parts(start, entries, signature))
        return (await self._connections.registers.Watch(parts, timeout=300)).answer


_Send = Callable[
    [register_pb2.LoadStart, Sequence[SnapshotEntry], bytes], Awaitable[register_pb2.LoadResponse]
]


async def _parts(
    start: register_pb2.LoadStart, entries: Sequence[SnapshotEntry], signature: bytes
) -> AsyncIterator[register_pb2.LoadRequest]:
    yield register_pb2.LoadRequest(start=start)
    for first in range(0, len(entries), BATCH):
        batch = register_pb2.LoadBatch(
            entries=[
                register_pb2.RegisterEntry(
                    pseudonym=entry.pseudonym, valid_from=entry.valid_from, valid_until=entry.valid_until
                )
                for entry in entries[first : first + BATCH]
            ]
        )
        yield register_pb2.LoadRequest(batch=batch)
    yield register_pb2.LoadRequest(finish=register_pb2.LoadFinish(signature=signature))
