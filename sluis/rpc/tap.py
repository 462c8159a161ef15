# SPDX-License-Identifier: EUPL-1.2
"""A wire tap at the receiving side, for proving what a server gets to see.

Writes every received message, as it came off the wire, to a file: u32 length || method || bytes. It exists
for the canary check, is off unless a path is configured, and announces itself in the log when on.
"""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import grpc

from sluis.encoding import lp


class WireTap(grpc.aio.ServerInterceptor):
    """Records received messages to `path`, appending."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("ab", buffering=0)

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Any]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Any:
        """Return the method's handler with a deserialiser that writes first."""
        handler = await continuation(handler_call_details)
        if handler is None:
            return None
        parse = handler.request_deserializer

        def tapped(data: bytes) -> Any:
            self._file.write(lp(handler_call_details.method, data))
            return parse(data) if parse else data

        return handler._replace(request_deserializer=tapped)
