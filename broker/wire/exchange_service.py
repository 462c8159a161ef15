# SPDX-License-Identifier: EUPL-1.2
"""ExchangeService: messages in, messages out; the work is in `exchange`, `match` and `mailbox`."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from datetime import datetime

from broker.exchange import Exchange
from broker.mailbox.delivery import Mailbox
from broker.match.question import Matching
from broker.messages import check_idempotency_key
from broker.signer import ReceiptSigner
from broker.storage.port import DeliveryView, Store
from broker.wire.portions import portions
from sluis.errors import InvalidInput, SluisError, Unavailable
from sluis.merkle import Hash
from sluis.rpc.caller import Caller
from sluis.rpc.in_order import in_order
from sluis.rpc.server import streaming, unary
from sluis.v1 import envelope_pb2, exchange_pb2, exchange_pb2_grpc

MAX_PUSHES = 100
HITS_PER_ANSWER = 100
QUESTIONS_AT_ONCE = 4  # frames of one stream that are in work
DIGEST_PART = 1 << 19


class ExchangeService(exchange_pb2_grpc.ExchangeServiceServicer):
    """Push, match, digest, receive, acknowledge."""

    def __init__(
        self,
        exchange: Exchange,
        matching: Matching,
        mailbox: Mailbox,
        store: Store,
        signer: ReceiptSigner,
        clock: Callable[[], datetime],
    ) -> None:
        self._exchange = exchange
        self._matching = matching
        self._mailbox = mailbox
        self._store = store
        self._signer = signer
        self.clock = clock

    @unary
    async def Push(self, caller: Caller, request: exchange_pb2.PushRequest) -> exchange_pb2.PushResponse:
        """Offer one signal."""
        return await self._exchange.push(caller, request)

    @streaming
    async def PushStream(
        self, caller: Caller, frames: AsyncIterator[exchange_pb2.PushStreamRequest]
    ) -> AsyncIterator[exchange_pb2.PushStreamResponse]:
        """Offer many signals, frame by frame; a wrong one is answered with an error, the others go on."""
        async for frame in frames:
            if len(frame.pushes) > MAX_PUSHES:
                raise InvalidInput("batch-too-large", f"at most {MAX_PUSHES} pushes in a frame")
            outcomes = await self._exchange.push_all(caller, frame.pushes)
            yield exchange_pb2.PushStreamResponse(results=map(_result, frame.pushes, outcomes))

    @streaming
    async def Match(
        self, caller: Caller, frames: AsyncIterator[exchange_pb2.MatchRequest]
    ) -> AsyncIterator[exchange_pb2.MatchResponse]:
        """Answer each frame of a question; the hits of a long answer are spread over several messages."""

        async def ask(frame: exchange_pb2.MatchRequest) -> exchange_pb2.MatchResponse:
            return await self._ask_one(caller, frame)

        async with aclosing(in_order(frames, ask, QUESTIONS_AT_ONCE)) as responses:
            async for response in responses:
                if response.HasField("error"):
                    yield response
                    continue
                async for part in self._with_deliveries(response.answer):
                    yield exchange_pb2.MatchResponse(idempotency_key=response.idempotency_key, answer=part)

    async def _ask_one(self, caller: Caller, frame: exchange_pb2.MatchRequest) -> exchange_pb2.MatchResponse:
        response = exchange_pb2.MatchResponse(idempotency_key=frame.idempotency_key)
        try:
            check_idempotency_key(frame.idempotency_key)
            response.answer.CopyFrom(await self._matching.ask(caller, frame))
        except Unavailable:
            raise
        except SluisError as error:
            response.error.CopyFrom(item_error(error))
        return response

    @streaming
    async def FetchDigest(
        self, caller: Caller, request: exchange_pb2.FetchDigestRequest
    ) -> AsyncIterator[exchange_pb2.FetchDigestResponse]:
        """Give a digest of what lies deposited for the caller."""
        made = await self._matching.digests.make(caller, request)
        yield exchange_pb2.FetchDigestResponse(start=made.start)
        for start in range(0, len(made.body), DIGEST_PART):
            yield exchange_pb2.FetchDigestResponse(body=made.body[start : start + DIGEST_PART])

    async def _with_deliveries(
        self, answer: exchange_pb2.MatchAnswer
    ) -> AsyncIterator[exchange_pb2.MatchAnswer]:
        hits = list(answer.hits)
        del answer.hits[:]
        answer.last = False
        for start in range(0, len(hits), HITS_PER_ANSWER):
            chunk = hits[start : start + HITS_PER_ANSWER]
            indexes = [hit.delivery.log_index for hit in chunk]
            views = await asyncio.to_thread(self._store.deliveries_at, indexes)
            found = {view.log_index: self._delivery(view) for view in views}
            full = [
                exchange_pb2.MatchHit(position=hit.position, delivery=found[hit.delivery.log_index])
                for hit in chunk
                if hit.delivery.log_index in found
            ]
            for portion in portions(full):
                yield exchange_pb2.MatchAnswer(asked=answer.asked, hits=portion)
        answer.last = True
        yield answer

    @streaming
    async def Receive(
        self, caller: Caller, request: exchange_pb2.ReceiveRequest
    ) -> AsyncIterator[exchange_pb2.ReceiveResponse]:
        """Deliver the mailbox, oldest first."""
        async for rows, caught_up in self._mailbox.deliveries(caller, follow=request.follow):
            *first, last = portions(self._delivery(row) for row in rows)
            for portion in first:
                yield exchange_pb2.ReceiveResponse(deliveries=portion)
            yield exchange_pb2.ReceiveResponse(deliveries=last, caught_up=caught_up)

    @unary
    async def Acknowledge(
        self, caller: Caller, request: exchange_pb2.AcknowledgeRequest
    ) -> exchange_pb2.AcknowledgeResponse:
        """Confirm deliveries."""
        return await self._mailbox.acknowledge(caller, request.log_indexes)

    def _delivery(self, row: DeliveryView) -> exchange_pb2.Delivery:
        delivery = exchange_pb2.Delivery(
            log_index=row.log_index,
            envelope=envelope_pb2.Envelope.FromString(row.envelope),
            entry=row.entry,
            receipt=self._signer.receipt(row.log_index, Hash(row.leaf_hash)),
        )
        if row.redaction:
            delivery.redaction.ParseFromString(row.redaction)
        return delivery


def _result(
    push: exchange_pb2.PushRequest, outcome: exchange_pb2.PushResponse | SluisError
) -> exchange_pb2.PushResult:
    key = push.idempotency_key
    if isinstance(outcome, SluisError):
        return exchange_pb2.PushResult(idempotency_key=key, error=item_error(outcome))
    return exchange_pb2.PushResult(idempotency_key=key, answer=outcome)


def item_error(error: SluisError) -> envelope_pb2.ItemError:
    """Return the message for an error about one item."""
    return envelope_pb2.ItemError(code=error.code, message=error.message)
