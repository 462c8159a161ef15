# SPDX-License-Identifier: EUPL-1.2
"""Serves the HTTP application over TLS, to those who show a certificate under the broker's roots."""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path

import uvicorn
from starlette.applications import Starlette

from broker.console.peer import PeerProtocol
from sluis.errors import InvalidInput

MAX_CONNECTIONS = 200


class _Server(uvicorn.Server):
    """Leaves the process's signals to the broker; uvicorn would take them over."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class Console:
    """The HTTP side of one broker process, started and stopped with it."""

    def __init__(
        self, app: Starlette, address: str, *, certificate: Path, key: Path, roots: Path, grace: float
    ) -> None:
        """Read the TLS files and bind the address. Raises InvalidInput `malformed-config` when that cannot be."""
        config = uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            http=PeerProtocol,
            ws="none",
            lifespan="off",
            limit_concurrency=MAX_CONNECTIONS,
            timeout_graceful_shutdown=max(1, int(grace)),
            ssl_certfile=certificate,
            ssl_keyfile=key,
            ssl_ca_certs=str(roots),
            ssl_cert_reqs=ssl.CERT_REQUIRED,
        )
        try:
            config.load()
        except OSError:  # an SSLError is one
            raise InvalidInput("malformed-config", "cannot use the TLS files", where="keys") from None
        self._server = _Server(config)
        self._listener = _listen(address)
        self.port: int = self._listener.getsockname()[1]
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Serve, on the running event loop."""
        self._task = asyncio.create_task(self._server.serve(sockets=[self._listener]))

    async def close(self) -> None:
        """Finish what was begun, and end."""
        self._server.should_exit = True
        if self._task is not None:
            await self._task
        self._listener.close()


def _listen(address: str) -> socket.socket:
    host, _, number = address.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    try:
        port = int(number)
        if host and 0 <= port <= 65535:
            family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
            return socket.create_server((host, port), family=family)
    except (OSError, ValueError):
        pass
    raise InvalidInput("malformed-config", "cannot listen on this address", where="http_listen")
