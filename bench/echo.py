# SPDX-License-Identifier: EUPL-1.2
"""The floor of `bench.push`: the same service on the same kind of server, which answers at once.

    python -m bench.echo --keys DIR --listen ADDRESS --answer FILE

Same mTLS, options, event loop and messages as the broker; the answer is one that the broker gave.
"""

import argparse
import asyncio
import functools
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc

from sluis.rpc.process import run_until_signal, tls_of
from sluis.rpc.server import bind, make_server
from sluis.v1 import exchange_pb2, exchange_pb2_grpc


class Echo(exchange_pb2_grpc.ExchangeServiceServicer):
    """Answers every push with the same permit."""

    def __init__(self, answer: exchange_pb2.PushResponse) -> None:
        self._answer = answer
        self._result = exchange_pb2.PushResult(idempotency_key="x" * 41, answer=answer)

    async def Push(
        self, request: exchange_pb2.PushRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> exchange_pb2.PushResponse:
        """Answer one."""
        return self._answer

    async def PushStream(
        self,
        request_iterator: AsyncIterator[exchange_pb2.PushStreamRequest],
        context: grpc.aio.ServicerContext[Any, Any],
    ) -> AsyncIterator[exchange_pb2.PushStreamResponse]:
        """Answer a frame with as many answers as it has pushes."""
        async for frame in request_iterator:
            yield exchange_pb2.PushStreamResponse(results=[self._result] * len(frame.pushes))


async def _serve(keys: Path, listen: str, answer: exchange_pb2.PushResponse, stop: asyncio.Event) -> None:
    server = make_server()
    echo = Echo(answer)  # type: ignore[abstract]  # the other calls are not made
    exchange_pb2_grpc.add_ExchangeServiceServicer_to_server(echo, server)
    bind(server, listen, tls_of(keys))
    await server.start()
    await stop.wait()
    await server.stop(grace=1)


def main() -> None:
    """Serve until SIGTERM."""
    parser = argparse.ArgumentParser(prog="python -m bench.echo")
    parser.add_argument("--keys", type=Path, required=True, help="key folder with the TLS files")
    parser.add_argument("--listen", required=True, help="address")
    parser.add_argument("--answer", type=Path, required=True, help="a serialised PushResponse")
    given = parser.parse_args()
    answer = exchange_pb2.PushResponse.FromString(given.answer.read_bytes())
    run_until_signal(functools.partial(_serve, given.keys, given.listen, answer))


if __name__ == "__main__":
    main()
