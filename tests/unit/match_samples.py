# SPDX-License-Identifier: EUPL-1.2
"""A certification body's kit on a broker in this process: pseudonyms are made without evaluators, streams may break."""

import hashlib
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import grpc

from broker.storage.port import DomainKeyRow
from broker.wire.exchange_service import ExchangeService
from sluis.canonical import canonical_json
from sluis.client.digests import Digests
from sluis.client.inbox import Inbox
from sluis.client.keyring import KeyRing
from sluis.client.match_runs import MatchRuns
from sluis.client.matcher import Matcher, MatchMemory, MatchReport
from sluis.client.receiver import ReceivedSignal, Receiver
from sluis.errors import NotPermitted
from sluis.identifiers import Identifier, IdentifierType
from sluis.v1 import envelope_pb2, exchange_pb2
from sluis.wire import receipt_from_wire
from tests.actors import Actor
from tests.world import AGREEMENT, EPOCH, KIND, ORIGIN, PURPOSE, VALUES, FakeContext, World, bundle


def firm(number: int) -> Identifier:
    """An invented establishment."""
    return Identifier(type=IdentifierType.VESTIGING, value=f"0999{number:08}")


def firms(count: int, first: int = 0) -> list[Identifier]:
    """Invented establishments."""
    return [firm(first + number) for number in range(count)]


def pseudonym_of(subject: Identifier, epoch: str = EPOCH) -> bytes:
    """A pseudonym that two evaluators might have made."""
    return hashlib.sha256(epoch.encode() + subject.oprf_input()).digest()[:16]


def broken() -> grpc.aio.AioRpcError:
    """What a call raises when the connection is gone."""
    return grpc.aio.AioRpcError(grpc.StatusCode.UNAVAILABLE, grpc.aio.Metadata(), grpc.aio.Metadata())


class MadePseudonyms:
    """A pseudonymiser that asks nobody."""

    def __init__(self, epochs: Sequence[str], spent: Collection[str] = ()) -> None:
        self._epochs = list(epochs)
        self._spent = spent

    async def epochs(self, *_: str) -> list[str]:
        """The live epochs."""
        return self._epochs

    async def prepare(
        self, subjects: Sequence[Identifier], agreement: str, recipient: str, epochs: Sequence[str]
    ) -> None:
        """Nothing is asked, so nothing is spared."""

    async def lists(
        self, subjects: Iterable[Identifier], agreement: str, recipient: str, epoch: str
    ) -> AsyncIterator[tuple[Sequence[Identifier], bytes]]:
        """Lists of two."""
        if epoch in self._spent:
            raise NotPermitted("budget-spent")
        left = list(subjects)
        for start in range(0, len(left), 2):
            portion = left[start : start + 2]
            yield portion, b"".join(pseudonym_of(one, epoch) for one in portion)


@dataclass(slots=True)
class Body:
    """The kit. `lose` ends a stream before its n-th message arrives; `change` tampers with a digest's messages."""

    world: World
    folder: Path
    epochs: Sequence[str] = (EPOCH,)
    asker: Actor | None = None  # the certification body, unless another
    agreement: str = AGREEMENT
    senders: Sequence[Actor] = ()  # besides those whom the world admits by itself
    spent: Collection[str] = ()
    kept: list[ReceivedSignal] = field(default_factory=list)
    lose: list[int] = field(default_factory=list)
    change: (
        Callable[[exchange_pb2.FetchDigestResponse], Iterable[exchange_pb2.FetchDigestResponse]] | None
    ) = None
    asked: list[exchange_pb2.MatchRequest] = field(default_factory=list)
    fetched: list[exchange_pb2.FetchDigestRequest] = field(default_factory=list)
    progress: list[int] = field(default_factory=list)
    runs: Any = None
    digests: Any = None

    def connect(self) -> Matcher:
        """A kit on the files of this folder, as after a start."""
        world, actor = self.world, self._actor
        broker = world.broker
        service = ExchangeService(
            broker.exchange, broker.matching, broker.mailbox, world.store, broker.desk.signer, world.clock
        )
        self.close()
        trust: Any = SimpleNamespace(
            card_at=self._card_at,
            check_receipt=self._check_receipt,
            keep_receipts=lambda: None,
            receipt_keys=world.receipt_key.public,
            origin=ORIGIN,
        )

        async def acknowledge(request: Any, **_: float) -> Any:
            return await service.Acknowledge(request, FakeContext(actor))

        async def patiently(call: Callable[[], Any]) -> Any:
            return await call()

        stub = SimpleNamespace(
            Match=lambda frames, **_: self._match(service, frames),
            FetchDigest=lambda request, **_: self._fetch(service, request),
            Acknowledge=acknowledge,
        )
        connections: Any = SimpleNamespace(exchange=stub, patience=1.0, patiently=patiently)
        inbox = Inbox(self.folder / "inbox.sqlite")
        self.runs = MatchRuns(self.folder, clock=lambda: world.clock.ms() / 1000)
        self.digests = Digests(self.folder, connections, trust, now_ms=world.clock.ms)
        receiver = Receiver(
            oin=actor.oin,
            keys=KeyRing(SimpleNamespace(sealing=actor.sealing)),  # type: ignore[arg-type]  # as much as it uses
            connections=connections,
            trust=trust,
            inbox=inbox,
            bundle=bundle(),
        )
        return Matcher(
            oin=actor.oin,
            agreement=self.agreement,
            connections=connections,
            trust=trust,
            pseudonymiser=MadePseudonyms(self.epochs, self.spent),  # type: ignore[arg-type]  # as much as it uses
            receiver=receiver,
            memory=MatchMemory(runs=self.runs, digests=self.digests),
        )

    @property
    def _actor(self) -> Actor:
        return self.asker or self.world.cast.body

    def close(self) -> None:
        """Close the files, as a process that ends does."""
        for file in (self.runs, self.digests):
            if file is not None:
                file.close()

    async def match(self, subjects: Iterable[Identifier], **changes: Any) -> MatchReport:
        """Start a kit and ask."""
        values: dict[str, Any] = {"kind": KIND, "purpose": PURPOSE, "keep": self.keep}
        return await self.connect().match(subjects, progress=self.progress.append, **{**values, **changes})

    async def keep(self, signals: Sequence[ReceivedSignal]) -> None:
        """Keep what came."""
        self.kept += signals

    async def _match(
        self, service: ExchangeService, frames: AsyncIterator[exchange_pb2.MatchRequest]
    ) -> AsyncIterator[exchange_pb2.MatchResponse]:
        lose = self.lose.pop(0) if self.lose else -1

        async def seen() -> AsyncIterator[exchange_pb2.MatchRequest]:
            async for frame in frames:
                self.asked.append(frame)
                yield frame

        number = 0
        async for response in service.Match(seen(), FakeContext(self._actor)):
            if number == lose:
                raise broken()
            number += 1
            yield response

    async def _fetch(
        self, service: ExchangeService, request: exchange_pb2.FetchDigestRequest
    ) -> AsyncIterator[exchange_pb2.FetchDigestResponse]:
        self.fetched.append(request)
        async for part in service.FetchDigest(request, FakeContext(self._actor)):
            for sent in self.change(part) if self.change else [part]:
                yield sent

    async def _card_at(self, oin: str, log_index: int, at: datetime) -> Any:
        assert log_index < self.world.size
        known = (*self.world.cast.registered, *self.senders)
        return next(one.card for one in known if one.oin == oin)

    def _check_receipt(self, message: envelope_pb2.Receipt, entry: bytes) -> Any:
        receipt = receipt_from_wire(message)
        receipt.verify(self.world.receipt_key.public, log_origin=ORIGIN, entry=entry)
        return receipt


async def deposit(
    world: World, *subjects: Identifier, epoch: str = EPOCH, still: Iterable[Identifier] = ()
) -> None:
    """Let a signal about each firm lie ready for the body; these are certified, and who `still` is."""
    pseudonyms = [pseudonym_of(subject, epoch) for subject in subjects]
    certified = [*pseudonyms, *(pseudonym_of(subject, epoch) for subject in still)]
    await world.certify(*certified, recipient=world.cast.body, epoch=epoch)
    for subject, pseudonym in zip(subjects, pseudonyms, strict=True):
        fields = {**VALUES, "establishment_number": subject.value}
        answer = await world.push(world.deposit(pseudonym, epoch=epoch, fields=fields))
        assert answer.decision.effect == envelope_pb2.EFFECT_PERMIT


def publish_epochs(world: World, *epochs: str) -> None:
    """Let an evaluator have published a key for the body's domain."""
    with world.store.transaction() as tx:
        index = tx.append(canonical_json({"operation": "key.publish", "nonce": "0" * 32}), world.clock.ms())
        for epoch in epochs:
            tx.add_domain_key(
                DomainKeyRow(
                    agreement=AGREEMENT,
                    recipient=world.cast.body.oin,
                    epoch=epoch,
                    evaluator=world.cast.evaluators[0].oin,
                    publication=b"",
                    log_index=index,
                )
            )
        tx.commit()
