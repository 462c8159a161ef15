# SPDX-License-Identifier: EUPL-1.2
"""Serves an HTTP application beside the broker.

With `roots` it is for machines: TLS, and only for those who show a certificate under them. Without, it is for
browsers: TLS with a certificate of its own, or plain http for browsers on this machine.
"""

import asyncio
import contextlib
import ipaddress
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path

import uvicorn
from starlette.types import ASGIApp

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
        self,
        app: ASGIApp,
        address: str,
        *,
        certificate: Path | None,
        key: Path | None,
        roots: Path | None = None,
        grace: float,
        where: str = "http_listen",
    ) -> None:
        """Read the TLS files and bind the address. Raises InvalidInput `malformed-config` when that cannot be."""
        if (certificate is None) != (key is None):
            raise InvalidInput("malformed-config", "a certificate and its key go together", where=where)
        if certificate is None and not _is_loopback(address):
            raise InvalidInput("malformed-config", "without TLS only a loopback address will do", where=where)
        config = uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,  # whoever connects could name another address
            http=PeerProtocol,
            ws="none",
            lifespan="off",
            limit_concurrency=MAX_CONNECTIONS,
            timeout_graceful_shutdown=max(1, int(grace)),
            ssl_certfile=certificate,
            ssl_keyfile=key,
            ssl_ca_certs=str(roots) if roots else None,
            ssl_cert_reqs=ssl.CERT_REQUIRED if roots else ssl.CERT_NONE,
        )
        try:
            config.load()
        except OSError:  # an SSLError is one
            raise InvalidInput("malformed-config", "cannot use the TLS files", where="keys") from None
        self._server = _Server(config)
        self._listener = _listen(address, where)
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


def _host(address: str) -> str:
    return address.rpartition(":")[0].removeprefix("[").removesuffix("]")


def _is_loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(_host(address)).is_loopback
    except ValueError:
        return False


def _listen(address: str, where: str) -> socket.socket:
    host, number = _host(address), address.rpartition(":")[2]
    try:
        port = int(number)
        if host and 0 <= port <= 65535:
            family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
            return socket.create_server((host, port), family=family)
    except (OSError, ValueError):
        pass
    raise InvalidInput("malformed-config", "cannot listen on this address", where=where)
