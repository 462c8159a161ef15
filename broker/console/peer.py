# SPDX-License-Identifier: EUPL-1.2
"""Who speaks over HTTPS: the certificate that TLS verified, brought into the request.

uvicorn keeps it to itself, so the protocol of a connection hands it on as the ASGI TLS extension wants
(`scope["extensions"]["tls"]["client_cert_chain"]`, PEM, the leaf first). Nothing that a client sends can stand in
its place: the scope is made here, and headers are never asked.
"""

import asyncio
import ssl
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from sluis.errors import NotAuthentic
from sluis.rpc.caller import Caller, caller_of


class PeerProtocol(H11Protocol):
    """HTTP/1.1 on one connection, whose requests carry the certificate of the other side."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """Read the certificate; TLS has verified it by now."""
        super().connection_made(transport)
        session = transport.get_extra_info("ssl_object")
        der = session.getpeercert(binary_form=True) if session is not None else None
        self.app: Any = with_peer(self.app, [ssl.DER_cert_to_PEM_cert(der)] if der else [])


def with_peer(app: ASGIApp, chain: Iterable[str]) -> ASGIApp:
    """Give each request of an application this certificate chain."""
    shown = tuple(chain)

    async def asked(scope: Scope, receive: Receive, send: Send) -> None:
        extensions = {**(scope.get("extensions") or {}), "tls": {"client_cert_chain": shown}}
        await app({**scope, "extensions": extensions}, receive, send)

    return asked


def caller_in(request: Request, now: datetime) -> Caller:
    """The caller of a request. Raises NotAuthentic `no-certificate`, `certificate-expired`.

    A connection may outlive its certificate, so its period is checked on every request.
    """
    shown = ((request.scope.get("extensions") or {}).get("tls") or {}).get("client_cert_chain")
    if not shown:
        raise NotAuthentic("no-certificate")
    caller = caller_of(shown[0].encode())
    caller.check_validity(now)
    return caller
