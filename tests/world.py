# SPDX-License-Identifier: EUPL-1.2
"""A small world for tests of the broker: parties with real keys, certificates and cards, on a real database.

    async with open_world(folder, make_database(folder)) as world: ...
    await world.certify(FIRM)                          # the foundation's register, in its own domain
    answer = await world.push(world.envelope(FIRM))    # a fine, from the inspectorate to the foundation

Everything runs in this process, and calls what the gRPC services call. Pseudonyms may be any 16 bytes: the broker
cannot tell. The clock stands still until a test moves it.
"""

import functools
import hashlib
import re
import shutil
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NoReturn

import grpc

from broker.administration import Operator
from broker.app import Broker, make_broker
from broker.storage.epoch_port import EpochRow
from broker.storage.open import open_store
from broker.storage.port import DeliveryView, Store
from sluis.canonical import parse_canonical
from sluis.envelope import Envelope, Field, Suite, seal
from sluis.errors import SluisError
from sluis.header import Delivery, Header, new_uuid7
from sluis.policy.bundle import Bundle, default_directory, load_bundle
from sluis.register_snapshot import (
    SnapshotEntry,
    SnapshotHeader,
    entries_digest,
    sign_snapshot,
    watch_list_name,
)
from sluis.rpc.status import from_rpc_error
from sluis.signing import SigningKey
from sluis.v1 import exchange_pb2, register_pb2
from sluis.wire import envelope_to_wire
from tests.actors import START, Actor, Cast, authority, cast
from tests.follow_up_world import FollowUpWorld

AGREEMENT, KIND, PURPOSE, EPOCH = "waadi-14b", "FINE_IMPOSED", "CERTIFICAATBEOORDELING", "2026"
REGISTER, REGISTER_KIND = "certificates", "CERTIFICATE_STATUS"
ORIGIN = "broker.example/log"
DAY_MS = 86_400_000
NONCE = re.compile("[0-9a-f]{32}")
VALUES = {
    "establishment_number": "000099990019",
    "law": "WML",
    "article": "7",
    "count": "31415926",
    "found_on": "2025-12-09",
    "decided_on": "2026-03-02",
}
CLAIMS = {"provision": "WML 7", "decided_on": "2026-03-02"}


def pseudonym(name: str) -> bytes:
    """Give 16 bytes that are always the same for a name."""
    return hashlib.sha256(f"subject {name}".encode()).digest()[:16]


FIRM, OTHER_FIRM = pseudonym("firm"), pseudonym("other firm")


@functools.cache
def bundle() -> Bundle:
    """The installed rules."""
    return load_bundle(default_directory())


class MovingClock:
    """A clock that a test moves."""

    def __init__(self, now: datetime = START) -> None:
        self.now = now

    def __call__(self) -> datetime:
        """Tell the time."""
        return self.now

    def ms(self) -> int:
        """Tell the time in Unix milliseconds."""
        return int(self.now.timestamp() * 1000)

    def move(self, **by: float) -> None:
        """Move by days, hours, seconds..."""
        self.now += timedelta(**by)


@dataclass(slots=True, kw_only=True)
class World(FollowUpWorld):
    """One broker with its database, and the parties."""

    folder: Path
    clock: MovingClock
    store: Store
    broker: Broker
    receipt_key: SigningKey
    cast: Cast = field(default_factory=cast)
    _keys: int = 0

    @property
    def operator(self) -> Operator:
        """The operator, working straight on the store."""
        return Operator(self.store, bundle(), self.clock)

    @property
    def size(self) -> int:
        """How many entries the log has."""
        return self.store.head().tree.size

    def key(self) -> str:
        """A new idempotency key."""
        self._keys += 1
        return f"key-{self._keys:08}"

    # signals

    def header(self, subject: bytes, **changes: Any) -> Header:
        """The header of a fine from the inspectorate to the foundation, with changes."""
        now_ms = self.clock.ms()
        values: dict[str, Any] = {
            "signal_id": new_uuid7(now_ms),
            "suite": Suite.X25519,
            "agreement": AGREEMENT,
            "sender": self.cast.nla.oin,
            "recipient": self.cast.sna.oin,
            "kind": KIND,
            "purpose": PURPOSE,
            "delivery": Delivery.MAILBOX,
            "epoch": EPOCH,
            "pseudonym": subject,
            "created_at_ms": now_ms,
            "expires_at_ms": now_ms + 365 * DAY_MS,
            "claims": CLAIMS,
        }
        return Header(**{**values, **changes})

    def envelope(
        self,
        subject: bytes = FIRM,
        *,
        fields: Mapping[str, str] | Sequence[Field] = VALUES,
        signing: SigningKey | None = None,
        **changes: Any,
    ) -> Envelope:
        """Seal and sign a signal; a plain mapping of fields gets the catalogue's categories."""
        header = self.header(subject, **changes)
        if isinstance(fields, Mapping):
            categories = bundle().fields
            fields = [
                Field(name=name, category=categories[name].category.value, value=value.encode())
                for name, value in fields.items()
            ]
        by_oin = {actor.oin: actor for actor in (*self.cast.registered, self.cast.stranger)}
        key = signing or by_oin[header.sender].signing
        return seal(header, fields, by_oin[header.recipient].sealing.public, key)

    def deposit(self, subject: bytes = FIRM, **changes: Any) -> Envelope:
        """Seal a signal of the foundation for a certification body that must ask for it."""
        values = {"sender": self.cast.sna.oin, "recipient": self.cast.body.oin, "delivery": Delivery.ON_MATCH}
        return self.envelope(subject, **{**values, **changes})

    async def push(
        self, envelope: Envelope, *, by: Actor | None = None, key: str = "", strict: bool = False
    ) -> exchange_pb2.PushResponse:
        """Push as the sender that the header names, unless `by` another."""
        sender = by or next(one for one in self.cast.registered if one.oin == envelope.header.sender)
        request = exchange_pb2.PushRequest(
            idempotency_key=key or self.key(), envelope=envelope_to_wire(envelope), strict=strict
        )
        return await self.broker.exchange.push(sender.caller, request)

    async def ask(
        self, *subjects: bytes, by: Actor | None = None, key: str = "", **changes: Any
    ) -> exchange_pb2.MatchAnswer:
        """Ask for matches, as the certification body unless `by` another."""
        values = {"agreement": AGREEMENT, "purpose": PURPOSE, "kind": KIND, "epoch": EPOCH}
        request = exchange_pb2.MatchRequest(
            idempotency_key=key or self.key(), pseudonyms=b"".join(subjects), **{**values, **changes}
        )
        return await self.broker.matching.ask((by or self.cast.body).caller, request)

    # registers

    async def certify(
        self,
        *subjects: bytes,
        recipient: Actor | None = None,
        valid_from: str = "2026-01-01",
        valid_until: str = "2027-12-31",
        **changes: Any,
    ) -> register_pb2.LoadResponse:
        """Load the foundation's register, in its own domain unless in that of another `recipient`."""
        entries = [
            SnapshotEntry(pseudonym=subject, valid_from=valid_from, valid_until=valid_until)
            for subject in subjects
        ]
        owner = self.cast.sna
        return await self.load(
            owner, self.load_parts(owner, entries, recipient=(recipient or owner).oin, batch=4096, **changes)
        )

    async def watch(
        self,
        *subjects: bytes,
        by: Actor | None = None,
        valid_until: str = "2026-09-01",
        kind: str = KIND,
        purpose: str = PURPOSE,
        **changes: Any,
    ) -> register_pb2.LoadResponse:
        """Leave a watch list, as the certification body unless `by` another."""
        watcher = by or self.cast.body
        entries = [
            SnapshotEntry(pseudonym=subject, valid_from="2026-01-01", valid_until=valid_until)
            for subject in subjects
        ]
        values = {"register_name": watch_list_name(kind, purpose), **changes}
        parts = self.load_parts(watcher, entries, kind=kind, purpose=purpose, **values)
        return await self.load(watcher, parts, watch=True)

    async def load(
        self, owner: Actor, parts: Iterable[register_pb2.LoadRequest], *, watch: bool = False
    ) -> register_pb2.LoadResponse:
        """Send the parts of a load."""

        async def stream() -> AsyncIterator[register_pb2.LoadRequest]:
            for part in parts:
                yield part

        return await self.broker.registers.load(owner.caller, stream(), watch=watch)

    def load_parts(
        self,
        by: Actor,
        entries: Sequence[SnapshotEntry],
        *,
        key: str = "",
        kind: str = REGISTER_KIND,
        purpose: str = PURPOSE,
        batch: int = 2,
        **changes: Any,
    ) -> list[register_pb2.LoadRequest]:
        """The parts of a load: start, batches, finish, signed by `by`. Changes are those of the header."""
        values: dict[str, Any] = {
            "agreement": AGREEMENT,
            "register_name": REGISTER,
            "owner": by.oin,
            "recipient": by.oin,
            "epoch": EPOCH,
            "created_at_ms": self.clock.ms(),
            "entry_count": len(entries),
        }
        header = SnapshotHeader(**{**values, **changes})
        start = register_pb2.LoadStart(
            idempotency_key=key or self.key(), header=header.encode(), kind=kind, purpose=purpose
        )
        signature = sign_snapshot(header, entries_digest(entries), by.signing)
        batches = [
            register_pb2.LoadBatch(
                entries=[
                    register_pb2.RegisterEntry(
                        pseudonym=entry.pseudonym, valid_from=entry.valid_from, valid_until=entry.valid_until
                    )
                    for entry in entries[first : first + batch]
                ]
            )
            for first in range(0, len(entries), batch)
        ]
        return [
            register_pb2.LoadRequest(start=start),
            *(register_pb2.LoadRequest(batch=item) for item in batches),
            register_pb2.LoadRequest(finish=register_pb2.LoadFinish(signature=signature)),
        ]

    # what came of it

    def raw_entries(self, start: int = 0) -> list[bytes]:
        """The entries of the log from an index on, as stored."""
        return [row.entry for row in self.store.entries(start, self.size)]

    def entries(self, start: int = 0) -> list[dict[str, Any]]:
        """The entries of the log from an index on, without nonce; each must be canonical."""
        entries = [parse_canonical(entry) for entry in self.raw_entries(start)]
        assert all(NONCE.fullmatch(str(entry.pop("nonce"))) for entry in entries)
        return entries

    def operations(self, start: int = 0) -> list[str]:
        """The operations in the log from an index on."""
        return [entry["operation"] for entry in self.entries(start)]

    def waiting(self, actor: Actor) -> list[DeliveryView]:
        """What lies in a party's mailbox."""
        return list(self.store.mailbox(actor.oin, -1, 10_000))

    def second_replica(self, **settings: Any) -> Broker:
        """Another broker on the same store; its committer is not started."""
        return make_broker(self.store, bundle(), self.receipt_key, ORIGIN, self.clock, **settings)


def make_database(folder: Path, *, last_epoch: int = 2044) -> Path:
    """Make a database in which everyone is admitted, to start worlds from."""
    path, clock = folder / "template.db", MovingClock()
    store = open_store(f"sqlite:///{path}", now_ms=clock.ms)
    operator = Operator(store, bundle(), clock)
    for actor in cast().registered:
        operator.admit(actor.card.encode(), actor.role, [authority().certificate])
    announce_epochs(store, last_epoch)
    store.close()
    return path


def announce_epochs(store: Store, last: int) -> None:
    """Let each year be an epoch, as of 2024; without an entry each, which tests would have to skip."""
    for name in map(str, range(2024, last + 1)):
        begins = datetime(int(name), 1, 1, tzinfo=UTC)
        row = EpochRow(name=name, begins_at_ms=int(begins.timestamp() * 1000), announced_index=0)
        with store.transaction() as tx:
            tx.epochs.put(row)
            tx.commit()


@asynccontextmanager
async def open_world(folder: Path, template: Path) -> AsyncIterator[World]:
    """Open a broker on a copy of the template."""
    clock = MovingClock()
    shutil.copy(template, folder / "broker.db")
    store = open_store(f"sqlite:///{folder}/broker.db", now_ms=clock.ms)
    receipt_key = SigningKey.generate()
    broker = make_broker(store, bundle(), receipt_key, ORIGIN, clock)
    broker.desk.committer.start()
    try:
        yield World(folder=folder, clock=clock, store=store, broker=broker, receipt_key=receipt_key)
    finally:
        await broker.desk.committer.close()
        store.close()


class Refused(Exception):
    """What a guarded service method raises in a test; `error` is what the caller gets to see."""

    def __init__(self, status: grpc.Status) -> None:
        metadata = grpc.aio.Metadata(*(status.trailing_metadata or ()))
        call = grpc.aio.AioRpcError(status.code, grpc.aio.Metadata(), metadata, details=status.details)
        self.error: SluisError = from_rpc_error(call)
        super().__init__(str(self.error))


class FakeContext:
    """As much of a gRPC context as our guards use."""

    def __init__(self, actor: Actor | None) -> None:
        self._actor = actor

    def auth_context(self) -> Mapping[str, Sequence[bytes]]:
        """The certificate that TLS verified."""
        return {} if self._actor is None else {"x509_pem_cert": [self._actor.pem]}

    async def abort_with_status(self, status: grpc.Status) -> NoReturn:
        """End the call, as gRPC does, by raising."""
        raise Refused(status)
