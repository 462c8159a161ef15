# SPDX-License-Identifier: EUPL-1.2
"""Connections of a kit: one channel to the broker and one to each evaluator, and patience.

A call that ended as Unavailable did nothing or may be repeated: every change carries an idempotency key. So
calls are tried again, ever more slowly, until the kit's patience is out.
"""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

import grpc

from sluis.client.settings import KitSettings
from sluis.errors import Unavailable
from sluis.identifiers import Oin
from sluis.rpc.channel import open_channel
from sluis.rpc.process import tls_of
from sluis.rpc.status import from_rpc_error
from sluis.v1 import (
    audit_pb2_grpc,
    directory_pb2_grpc,
    exchange_pb2_grpc,
    followup_pb2_grpc,
    policy_pb2_grpc,
    pseudonym_pb2_grpc,
    register_pb2_grpc,
)

CALL_SECONDS = 30.0

A = TypeVar("A")


class Connections:
    """Channels and typed stubs."""

    def __init__(self, settings: KitSettings) -> None:
        tls = tls_of(settings.keys)
        self.patience = settings.patience_seconds
        broker = open_channel(settings.broker, tls, server_name=settings.broker_name)
        self.exchange = exchange_pb2_grpc.ExchangeServiceStub(broker)
        self.follow_ups = followup_pb2_grpc.FollowUpServiceStub(broker)
        self.registers = register_pb2_grpc.RegisterServiceStub(broker)
        self.directory = directory_pb2_grpc.DirectoryServiceStub(broker)
        self.audit = audit_pb2_grpc.AuditServiceStub(broker)
        self.policy = policy_pb2_grpc.PolicyServiceStub(broker)
        self._channels = [broker]
        self.evaluators: dict[Oin, pseudonym_pb2_grpc.PseudonymServiceAsyncStub] = {}
        for place in settings.evaluators:
            channel = open_channel(place.address, tls, server_name=place.server_name)
            self._channels.append(channel)
            self.evaluators[Oin.parse(place.oin)] = pseudonym_pb2_grpc.PseudonymServiceStub(channel)

    async def close(self) -> None:
        """Close all channels."""
        for channel in self._channels:
            await channel.close()

    async def patiently(self, call: Callable[[], Awaitable[A]]) -> A:
        """Make a call, and again while the other side is unavailable.

        Raises what the other side answered, or Unavailable when the patience is out.
        """
        attempt = Patience(self.patience)
        while True:
            try:
                return await call()
            except grpc.aio.AioRpcError as error:
                await attempt.again(from_rpc_error(error))


class Patience:
    """Waits between attempts: from 50 ms, doubling to 2 s, with jitter, until the time is out."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._deadline = time.monotonic() + seconds
        self._pause = 0.05

    def reset(self) -> None:
        """Progress was made: start anew."""
        self._deadline = time.monotonic() + self._seconds
        self._pause = 0.05

    async def again(self, error: Exception) -> None:
        """Wait before the next attempt. Raises the error when it is not Unavailable or the time is out."""
        if not isinstance(error, Unavailable) or time.monotonic() > self._deadline:
            raise error
        await asyncio.sleep(self._pause * random.uniform(0.7, 1.3))  # noqa: S311  not a secret
        self._pause = min(self._pause * 2, 2.0)
