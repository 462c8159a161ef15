# SPDX-License-Identifier: EUPL-1.2
"""A broker that can lie, and participants with the files of a kit, for the tests of receipts and gossip."""

import json
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any, TypeVar

import pytest

from sluis.client.gossip import Gossip
from sluis.client.receipt_book import ReceiptBook
from sluis.client.receipts import ReceiptKeeper, ReceiptReport
from sluis.client.settings import KitSettings
from sluis.client.state import KitState
from sluis.client.trust import Trust
from sluis.errors import InvalidInput, NotFound, SluisError, Unavailable
from sluis.receipt import Receipt
from sluis.signing import SigningKey
from sluis.v1 import audit_pb2, envelope_pb2
from sluis.wire import receipt_to_wire
from tests.unit.log_samples import LOG_KEYS, ORIGIN, W1, SampleLog, vkeys

A = TypeVar("A")
KEY = SigningKey.from_bytes(bytes(range(32)))
OTHER_KEY = SigningKey.from_bytes(bytes(range(1, 33)))
LOG, FORK = SampleLog(40), SampleLog(40, fork_at=12)
PROMISE = 600.0
OTHER = "other.example/log"


@dataclass(slots=True)
class Broker:
    """As much of a broker as receipts meet: the log that it shows, up to a size."""

    log: SampleLog = LOG
    size: int = 20
    away: bool = False
    proofs_of: SampleLog | None = None  # proofs from another log than its checkpoints
    refuses: bool = False
    witnessed: bool = True
    asked: list[int] = field(default_factory=list)

    async def GetCheckpoint(
        self,
        request: audit_pb2.GetCheckpointRequest,
        timeout: float,  # noqa: ASYNC109  as gRPC has it
    ) -> audit_pb2.GetCheckpointResponse:
        self._answer()
        if request.minimum_size > self.size:
            raise NotFound("not-found")
        note = self.log.witnessed(self.size, W1) if self.witnessed else self.log.signed(self.size)
        return audit_pb2.GetCheckpointResponse(checkpoint=note)

    async def GetInclusionProof(
        self,
        request: audit_pb2.GetInclusionProofRequest,
        timeout: float,  # noqa: ASYNC109  as gRPC has it
    ) -> audit_pb2.GetInclusionProofResponse:
        self._answer()
        self.asked.append(request.log_index)
        if self.refuses:
            raise InvalidInput("malformed-request")
        hashes = (self.proofs_of or self.log).inclusion(request.log_index, request.tree_size)
        return audit_pb2.GetInclusionProofResponse(hashes=hashes)

    async def GetConsistencyProof(
        self,
        request: audit_pb2.GetConsistencyProofRequest,
        timeout: float,  # noqa: ASYNC109  as gRPC has it
    ) -> audit_pb2.GetConsistencyProofResponse:
        self._answer()
        if request.second_size > self.size:
            raise InvalidInput("malformed-request")
        return audit_pb2.GetConsistencyProofResponse(
            hashes=self.log.consistency(request.first_size, request.second_size)
        )

    def _answer(self) -> None:
        if self.away:
            raise Unavailable("peer-unavailable")


@dataclass(slots=True)
class Participant:
    """A kit as far as receipts and gossip go."""

    folder: Path
    broker: Broker
    book: ReceiptBook
    trust: Trust
    keeper: ReceiptKeeper
    gossip: Gossip

    def take(self, *indexes: int, log: SampleLog = LOG, key: SigningKey = KEY, origin: str = ORIGIN) -> None:
        """Check and keep receipts as a sender does."""
        for index in indexes:
            self.trust.check_receipt(promise(index, log, key, origin), log.entries[index])
        self.trust.keep_receipts()

    async def settle(self, **options: Any) -> ReceiptReport:
        return await self.keeper.settle(5, **options)

    def evidence(self) -> list[dict[str, Any]]:
        return [json.loads(path.read_bytes()) for path in sorted((self.folder / "evidence").glob("*"))]

    def sql(self, file: str, statement: str, *values: object) -> None:
        """Change a file of the kit behind its back."""
        with closing(sqlite3.connect(self.folder / file)) as rows, rows:
            assert rows.execute(statement, values).rowcount


def promise(
    index: int, log: SampleLog = LOG, key: SigningKey = KEY, origin: str = ORIGIN
) -> envelope_pb2.Receipt:
    receipt = Receipt.sign(key, log_origin=origin, log_index=index, leaf_hash=log.leaves[index])
    return receipt_to_wire(receipt)


@asynccontextmanager
async def join(folder: Path, broker: Broker, **changes: Any) -> AsyncIterator[Participant]:
    """Open a participant's files."""
    folder.mkdir(exist_ok=True)  # noqa: ASYNC240  a test waits for nobody
    values: dict[str, Any] = {
        "oin": "00000099000000001000",
        "keys": folder,
        "state": folder,
        "agreement": "waadi-14b",
        "broker": "broker.example:1",
        "receipt_key": KEY.public.raw.hex(),
        "log_vkeys": [str(vkey) for vkey in vkeys(LOG_KEYS)],
        "witness_vkeys": [str(vkey) for vkey in vkeys(W1)],
        "evaluators": [],
        "patience_seconds": 0.2,
        "promise_seconds": PROMISE,
    }
    settings = KitSettings(**{**values, **changes})

    async def patiently(call: Callable[[], Awaitable[A]]) -> A:
        return await call()

    async with AsyncExitStack() as stack:
        book = stack.enter_context(closing(ReceiptBook(folder)))
        state = stack.enter_context(closing(KitState(folder / "kit.sqlite")))
        line: Any = SimpleNamespace(audit=broker, patiently=patiently)
        trust = Trust(settings, line, state, [], lambda: datetime.now(UTC), book)
        yield Participant(
            folder=folder,
            broker=broker,
            book=book,
            trust=trust,
            keeper=ReceiptKeeper(book, trust, settings),
            gossip=Gossip(trust, book),
        )


async def code_of(call: Awaitable[object]) -> str:
    with pytest.raises(SluisError) as caught:
        await call
    return caught.value.code


def kinds(report: ReceiptReport) -> list[tuple[str, int | None]]:
    return [(alarm.kind, alarm.log_index) for alarm in report.alarms]
