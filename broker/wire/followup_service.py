# SPDX-License-Identifier: EUPL-1.2
"""FollowUpService: messages in, messages out; the work is in `broker.followup`."""

from collections.abc import AsyncIterator, Callable
from datetime import datetime

from broker.followup.delivery import FollowUpMailbox
from broker.followup.life import FollowUps
from broker.messages import check_idempotency_key
from broker.wire.portions import portions
from sluis.rpc.caller import Caller
from sluis.rpc.server import streaming, unary
from sluis.v1 import followup_pb2, followup_pb2_grpc


class FollowUpService(followup_pb2_grpc.FollowUpServiceServicer):
    """Send, receive, acknowledge, list what is owed."""

    def __init__(
        self, follow_ups: FollowUps, mailbox: FollowUpMailbox, clock: Callable[[], datetime]
    ) -> None:
        self._follow_ups = follow_ups
        self._mailbox = mailbox
        self.clock = clock

    @unary
    async def SendFollowUp(
        self, caller: Caller, request: followup_pb2.SendFollowUpRequest
    ) -> followup_pb2.SendFollowUpResponse:
        """Send one follow-up."""
        check_idempotency_key(request.idempotency_key)
        return await self._follow_ups.send(caller, request)

    @streaming
    async def ReceiveFollowUps(
        self, caller: Caller, request: followup_pb2.ReceiveFollowUpsRequest
    ) -> AsyncIterator[followup_pb2.ReceiveFollowUpsResponse]:
        """Deliver what waits, oldest first."""
        async for rows, caught_up in self._mailbox.deliveries(caller, follow=request.follow):
            *first, last = portions(rows)
            for portion in first:
                yield followup_pb2.ReceiveFollowUpsResponse(deliveries=portion)
            yield followup_pb2.ReceiveFollowUpsResponse(deliveries=last, caught_up=caught_up)

    @unary
    async def AcknowledgeFollowUps(
        self, caller: Caller, request: followup_pb2.AcknowledgeFollowUpsRequest
    ) -> followup_pb2.AcknowledgeFollowUpsResponse:
        """Confirm deliveries."""
        return await self._mailbox.acknowledge(caller, request.log_indexes)

    @unary
    async def ListDuties(
        self, caller: Caller, request: followup_pb2.ListDutiesRequest
    ) -> followup_pb2.ListDutiesResponse:
        """List what the caller still has to do, or still waits for."""
        return await self._mailbox.duties(caller, request)
