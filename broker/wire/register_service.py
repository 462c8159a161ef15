# SPDX-License-Identifier: EUPL-1.2
"""RegisterService: loading a pseudonymised register or a watch list."""

from collections.abc import AsyncIterator, Callable
from datetime import datetime

from broker.register.loading import Registers
from sluis.rpc.caller import Caller
from sluis.rpc.server import unary
from sluis.v1 import register_pb2, register_pb2_grpc


class RegisterService(register_pb2_grpc.RegisterServiceServicer):
    """Takes snapshots."""

    def __init__(self, registers: Registers, clock: Callable[[], datetime]) -> None:
        self._registers = registers
        self.clock = clock

    @unary
    async def Load(
        self, caller: Caller, parts: AsyncIterator[register_pb2.LoadRequest]
    ) -> register_pb2.LoadResponse:
        """Replace a register by a new snapshot."""
        return await self._registers.load(caller, parts)

    @unary
    async def Watch(
        self, caller: Caller, parts: AsyncIterator[register_pb2.WatchRequest]
    ) -> register_pb2.WatchResponse:
        """Leave a watch list."""
        answer = await self._registers.load(caller, (each.part async for each in parts), watch=True)
        return register_pb2.WatchResponse(answer=answer)

    @unary
    async def ListWatches(
        self, caller: Caller, request: register_pb2.ListWatchesRequest
    ) -> register_pb2.ListWatchesResponse:
        """The caller's own lists."""
        rows = await self._registers.watch_lists(caller)
        return register_pb2.ListWatchesResponse(
            lists=[
                register_pb2.WatchList(
                    agreement=row.agreement,
                    name=row.register,
                    epoch=row.epoch,
                    entries=row.entry_count,
                    valid_until=row.last_day,
                    log_index=row.log_index,
                )
                for row in rows
            ]
        )
