# SPDX-License-Identifier: EUPL-1.2
"""Receiving: check everything, hand over once, acknowledge after it is safely kept.

Checked of every delivery: the broker's receipt and that it is for the entry shown; the sender's card and
signature; that the signal is for us; every leaf, commitment and value; that claims equal the sealed fields; that
exactly the fields are missing which the broker states; that it was not taken in before under another root.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import grpc

from sluis.canonical import parse_canonical
from sluis.client.connection import Connections, Patience
from sluis.client.inbox import Inbox, Origin
from sluis.client.keyring import KeyRing
from sluis.client.sender import SEVERITY, check_fields
from sluis.client.trust import Trust
from sluis.envelope import Field
from sluis.errors import InvalidInput, NotAuthentic, SluisError
from sluis.header import Header
from sluis.identifiers import Oin
from sluis.policy.bundle import Bundle
from sluis.rpc.status import from_rpc_error
from sluis.v1 import exchange_pb2
from sluis.wire import envelope_from_wire, redaction_from_wire

PAUSE_SECONDS = 0.2
PUSHES = ("signal.push", "signal.correct")


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceivedSignal:
    """A verified and opened signal."""

    log_index: int
    header: Header
    fields: Mapping[str, str]
    withheld: int
    root: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusedDelivery:
    """A delivery that does not hold; it is not acknowledged, so that it stays with the broker as evidence."""

    log_index: int
    code: str
    message: str


def origin_of(signal: ReceivedSignal) -> Origin:
    """Who sent a signal, and from which one it was passed on."""
    previous = signal.header.previous
    return Origin(signal.header.sender, previous.bytes if previous else b"")


Keep = Callable[[Sequence[ReceivedSignal]], Awaitable[None]]


@dataclass(slots=True)
class ReceiveReport:
    """What a run of receiving brought."""

    delivered: int = 0
    repeated: int = 0
    acknowledged: int = 0
    refused: list[RefusedDelivery] | None = None


class Receiver:
    """Reads the mailbox."""

    def __init__(
        self,
        *,
        oin: Oin,
        keys: KeyRing,
        connections: Connections,
        trust: Trust,
        inbox: Inbox,
        bundle: Bundle,
    ) -> None:
        self._oin = oin
        self._keys = keys
        self._connections = connections
        self._trust = trust
        self._inbox = inbox
        self._bundle = bundle

    async def receive(
        self,
        keep: Keep,
        *,
        follow: bool = False,
        progress: Callable[[int], None] = lambda done: None,
    ) -> ReceiveReport:
        """Deliver what waits to `keep`, each signal once, and acknowledge it afterwards.

        With `follow` it goes on until cancelled. A stream that breaks is opened again. Raises what `keep` raises
        (nothing is then acknowledged), and Unavailable when the kit's patience is out.
        """
        report = ReceiveReport(refused=[])
        patience = Patience(self._connections.patience)
        while True:
            try:
                async for frame in self._frames(follow):
                    await self.take(frame.deliveries, keep, report)
                    patience.reset()
                    progress(len(frame.deliveries))
                if not follow:
                    return report
                await asyncio.sleep(PAUSE_SECONDS)  # the broker ended the stream: it is stopping
            except grpc.aio.AioRpcError as error:
                await patience.again(from_rpc_error(error))

    async def take(
        self, deliveries: Sequence[exchange_pb2.Delivery], keep: Keep, report: ReceiveReport
    ) -> list[ReceivedSignal]:
        """Check deliveries, hand over the new ones, acknowledge. Returns those that hold, new or not."""
        held: list[ReceivedSignal] = []
        new: dict[bytes, ReceivedSignal] = {}  # by id: what was released twice may lie in one frame
        for delivery in deliveries:
            try:
                signal = await self.open(delivery)
                signal_id = signal.header.signal_id.bytes
                if new.get(signal_id, signal).root != signal.root:
                    raise NotAuthentic("replayed", "a signal with this id was received with other content")
            except SluisError as error:
                refused = RefusedDelivery(
                    log_index=delivery.log_index, code=error.code, message=error.message
                )
                report.refused = [*(report.refused or []), refused]
                continue
            held.append(signal)
            new.setdefault(signal_id, signal)
        self._trust.keep_receipts()
        kept = await self._keep(new, keep) if new else 0
        report.delivered += kept
        report.repeated += len(held) - kept
        if held:
            request = exchange_pb2.AcknowledgeRequest(log_indexes=[signal.log_index for signal in held])
            answer = await self._connections.patiently(
                lambda: self._connections.exchange.Acknowledge(request, timeout=30)
            )
            report.acknowledged += answer.acknowledged
        return held

    async def _keep(self, signals: Mapping[bytes, ReceivedSignal], keep: Keep) -> int:
        """Hand over those that were not taken in before, nor taken back by their sender meanwhile."""
        async with self._inbox.exclusive():
            new = {
                one: signal
                for one, signal in signals.items()
                if self._inbox.root_of(one) is None and not self._inbox.is_withdrawn(one, origin_of(signal))
            }
            if new:
                await keep(list(new.values()))
                self._inbox.add(
                    (one, signal.root, signal.log_index, signal.header.expires_at_ms, origin_of(signal))
                    for one, signal in new.items()
                )
        return len(new)

    async def open(self, delivery: exchange_pb2.Delivery) -> ReceivedSignal:
        """Check and open one delivery. Raises NotAuthentic, InvalidInput."""
        receipt = self._trust.check_receipt(delivery.receipt, delivery.entry)
        if receipt.log_index != delivery.log_index:
            raise NotAuthentic("log-inconsistent", "the receipt is for another log index")
        envelope = envelope_from_wire(delivery.envelope)
        header = envelope.header
        if header.recipient != self._oin:
            raise NotAuthentic("not-your-identity", "the signal is sealed for another party")
        # The card that counted when the broker took the signal: its sender may have new keys since.
        made_at = datetime.fromtimestamp(header.created_at_ms / 1000, UTC)
        sender = await self._trust.card_at(header.sender, pushed_index(delivery), made_at)
        opened = await asyncio.to_thread(self._keys.open, envelope, sender.signing_key)
        if opened.withheld:
            redaction_from_wire(delivery.redaction).verify(self._trust.receipt_keys, envelope)
        root = envelope.root()
        before = self._inbox.root_of(header.signal_id.bytes)
        if before is not None and before != root:
            raise NotAuthentic("replayed", "a signal with this id was received with other content")
        fields = self._values(opened.fields, partial=bool(opened.withheld), header=header)
        return ReceivedSignal(
            log_index=delivery.log_index,
            header=header,
            fields=fields,
            withheld=len(opened.withheld),
            root=root,
        )

    def _values(self, opened: Sequence[Field], *, partial: bool, header: Header) -> dict[str, str]:
        values: dict[str, str] = {}
        for item in opened:
            spec = self._bundle.fields.get(item.name)
            if spec is None or spec.category.value != item.category:
                raise NotAuthentic(
                    "manifest-wrong", "a field is not what the catalogue says", where=item.name
                )
            try:
                values[item.name] = item.value.decode()
            except UnicodeDecodeError:
                raise InvalidInput("malformed-encoding", "a value is not UTF-8", where=item.name) from None
        if values.get(SEVERITY) not in (None, header.claims.get(SEVERITY)):
            raise NotAuthentic("manifest-wrong", "the broker was not told the severity", where=SEVERITY)
        check_fields(self._bundle, values, self._comparable(header, values) if partial else header.claims)
        return values

    def _comparable(self, header: Header, values: Mapping[str, str]) -> Mapping[str, str]:
        """The claims to compare when fields were withheld: not those that repeat a field which is not there."""
        claims = self._bundle.claims
        return {
            name: value
            for name, value in header.claims.items()
            if name not in claims or values.keys() >= set(claims[name].equals)
        }

    async def _frames(self, follow: bool) -> AsyncIterator[exchange_pb2.ReceiveResponse]:
        call = self._connections.exchange.Receive(exchange_pb2.ReceiveRequest(follow=follow))
        async for frame in call:
            yield frame


def pushed_index(delivery: exchange_pb2.Delivery) -> int:
    """The index of the entry under which the broker took a signal; a release names it as `previous`.

    Raises NotAuthentic `log-inconsistent`.
    """
    entry = parse_canonical(delivery.entry)
    index = delivery.log_index if entry.get("operation") in PUSHES else entry.get("previous")
    if not isinstance(index, int) or not 0 <= index <= delivery.log_index:
        raise NotAuthentic("log-inconsistent", "the entry of a delivery does not say when it was pushed")
    return index
