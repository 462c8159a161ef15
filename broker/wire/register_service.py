# SPDX-License-Identifier: EUPL-1.2
"""RegisterService: loading a pseudonymised register."""

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
