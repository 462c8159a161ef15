# SPDX-License-Identifier: EUPL-1.2
"""The end of an epoch at an evaluator: its seed is destroyed, once the log is proven to say that nothing is left.

    1 prove     `key.retire` of the epoch stands in the broker's log, under a checkpoint with enough cosignatures
    2 state     the signed statement is written to `destroyed-<epoch>.json` in the state folder
    3 destroy   the seed is taken out of the seed file; a running evaluator drops it within a second
    4 publish   the broker enters the statement into the log (`key.destroy`), which is proven too

A crash in between is mended by running it again: a statement that was written is finished, never made anew. Backups
of the seed are for the evaluator's people to destroy.
"""

import json
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import structlog

from evaluator.settings import EvaluatorSettings
from evaluator.shares import EvaluatorShares
from sluis.client.connection import Connections
from sluis.client.epochs import EpochBook
from sluis.client.receipt_book import ReceiptBook
from sluis.client.settings import KitSettings
from sluis.client.state import KitState
from sluis.client.trust import Trust
from sluis.epoch_log import KeyDestruction
from sluis.epochs import EpochCalendar
from sluis.errors import Conflict, InvalidInput, NotAuthentic
from sluis.keys import KeyFolder, write_new
from sluis.merkle import leaf_hash
from sluis.rpc.server import utc_now
from sluis.v1 import directory_pb2

_ANY: Final = "any"  # an agreement is due in a kit's settings; nothing here is about one

log = structlog.get_logger("evaluator")


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """What an evaluator needs to read the log and to speak to the broker."""

    settings: EvaluatorSettings
    connections: Connections
    trust: Trust
    epochs: EpochBook


@asynccontextmanager
async def open_desk(settings: EvaluatorSettings) -> AsyncIterator[Desk]:
    """Open connection and state. Raises InvalidInput `malformed-config` when the log's keys are not set."""
    if not (settings.broker and settings.receipt_key and settings.log_vkeys and settings.witness_vkeys):
        message = "broker, receipt_key, log_vkeys and witness_vkeys are due: a seed goes by a proven log only"
        raise InvalidInput("malformed-config", message)
    shares = EvaluatorShares.load(settings.seeds)
    settings.state.mkdir(parents=True, exist_ok=True, mode=0o700)
    kit = KitSettings(
        oin=shares.oin,
        keys=settings.keys,
        state=settings.state,
        agreement=_ANY,
        broker=settings.broker,
        broker_name=settings.broker_name,
        receipt_key=settings.receipt_key,
        other_receipt_keys=settings.other_receipt_keys,
        log_vkeys=settings.log_vkeys,
        witness_vkeys=settings.witness_vkeys,
        quorum=settings.quorum,
        evaluators=[],
    )
    with ExitStack() as stack:
        state = stack.enter_context(closing(KitState(settings.state / "log.sqlite")))
        book = stack.enter_context(closing(ReceiptBook(settings.state)))
        connections = Connections(kit)
        try:
            roots = KeyFolder(path=settings.keys).roots()
            trust = Trust(kit, connections, state, roots, utc_now, book)
            epochs = EpochBook(connections, trust, state, None, utc_now)
            yield Desk(settings=settings, connections=connections, trust=trust, epochs=epochs)
        finally:
            await connections.close()


async def calendar(settings: EvaluatorSettings) -> EpochCalendar:
    """The epochs as the proven log has them."""
    async with open_desk(settings) as desk:
        return await desk.epochs.calendar()


async def destroy(settings: EvaluatorSettings, epoch: str) -> int:
    """Destroy the seed of a retired epoch and state so in the log; returns the index of the statement.

    Raises Conflict `wrong-state` while the log does not say that the epoch is retired, InvalidInput `unknown-epoch`
    when there is neither a seed nor a statement of this evaluator's, NotAuthentic for a log that does not hold.
    """
    async with open_desk(settings) as desk:
        place = settings.state / f"destroyed-{epoch}.json"
        if not place.exists():
            await _state(desk, epoch, place)
        told = json.loads(place.read_text("ascii"))
        statement, signature = bytes.fromhex(told["statement"]), bytes.fromhex(told["signature"])
        shares = EvaluatorShares.load(settings.seeds)
        if epoch in shares.epochs:
            shares.forget_epoch(settings.seeds, epoch)
        index = await _publish(desk, statement, signature)
        log.info("epoch.destroyed", epoch=epoch, log_index=index)
        return index


async def _state(desk: Desk, epoch: str, place: Path) -> None:
    shares = EvaluatorShares.load(desk.settings.seeds)
    if epoch not in shares.epochs:
        raise InvalidInput("unknown-epoch", "this evaluator has no seed of that epoch")
    retired = await desk.epochs.retirement(epoch)
    if retired is None:
        message = "the log does not say that this epoch is retired: pseudonyms of it may still be kept"
        raise Conflict("wrong-state", message, where=epoch)
    index, entry = retired
    statement = KeyDestruction(
        log_origin=desk.trust.origin,
        evaluator=shares.oin,
        epoch=epoch,
        retired_index=index,
        retired_leaf=leaf_hash(entry),
        destroyed_at_ms=desk.epochs.now_ms(),
    )
    signature = statement.sign(KeyFolder(path=desk.settings.keys).signing())
    content = {"statement": statement.encode().hex(), "signature": signature.hex()}
    fresh = place.with_suffix(".new")
    fresh.unlink(missing_ok=True)
    write_new(fresh, json.dumps(content).encode() + b"\n", mode=0o600)
    fresh.replace(place)


async def _publish(desk: Desk, statement: bytes, signature: bytes) -> int:
    request = directory_pb2.PublishKeyDestructionRequest(statement=statement, signature=signature)
    answer = await desk.connections.patiently(
        lambda: desk.connections.directory.PublishKeyDestruction(request, timeout=10)
    )
    index = await desk.trust.prove_once(answer.logged)
    desk.trust.keep_receipts()
    told = KeyDestruction.from_entry(answer.logged.entry, desk.trust.origin)
    if told.encode() != statement:
        raise NotAuthentic("log-inconsistent", "the broker entered another statement")
    return index
