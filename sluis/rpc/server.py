# SPDX-License-Identifier: EUPL-1.2
"""The serving side: a grpc.aio server with mTLS, and guards that name the caller and map errors.

A service method is written as `async def Name(self, caller, request)`; `unary` and `streaming` wrap it.
An error that is not ours is logged and answered `defect`, without its text.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import wraps
from pathlib import Path
from typing import Any, Protocol, TypeVar

import grpc
import structlog

from sluis.errors import Defect, NotAuthentic, SluisError, Unavailable
from sluis.rpc.caller import Caller, caller_of
from sluis.rpc.status import to_status

MAX_MESSAGE = 1 << 20

log = structlog.get_logger("sluis.rpc")


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsFiles:
    """PEM files of one process: its certificate, its key and the roots it trusts."""

    certificate: Path
    key: Path
    roots: Path


S = TypeVar("S", bound="Service")
Q = TypeVar("Q")
A = TypeVar("A")


class Service(Protocol):
    """What the guards need of a service."""

    @property
    def clock(self) -> Callable[[], datetime]: ...


def utc_now() -> datetime:
    """The present, aware, in UTC."""
    return datetime.now(UTC)


def _caller(service: Service, context: grpc.aio.ServicerContext[Any, Any]) -> Caller:
    pem = next(iter(context.auth_context().get("x509_pem_cert", ())), None)
    if pem is None:
        raise NotAuthentic("no-certificate")
    caller = caller_of(pem)
    caller.check_validity(service.clock())
    return caller


async def _refuse(context: grpc.aio.ServicerContext[Any, Any], error: Exception, method: str) -> None:
    if isinstance(error, SluisError):
        log.info("call.refused", method=method, code=error.code)
    elif isinstance(error, TimeoutError):
        error = Unavailable("overloaded")
    else:
        log.exception("call.defect", method=method, kind=type(error).__name__)
        error = Defect("defect")
    await context.abort_with_status(to_status(error))


def unary(handler: Callable[[S, Caller, Q], Awaitable[A]]) -> Callable[..., Awaitable[A]]:
    """Guard a method with one answer."""

    @wraps(handler)
    async def guarded(self: S, request: Q, context: grpc.aio.ServicerContext[Any, Any]) -> A:
        try:
            return await handler(self, _caller(self, context), request)
        except (asyncio.CancelledError, grpc.aio.AbortError):
            raise
        except Exception as error:  # every failure becomes a status with a code
            await _refuse(context, error, handler.__name__)
            raise

    return guarded


def streaming(
    handler: Callable[[S, Caller, Q], AsyncIterator[A]],
) -> Callable[..., AsyncIterator[A]]:
    """Guard a method that answers with a stream (its request may be one message or a stream)."""

    @wraps(handler)
    async def guarded(self: S, request: Q, context: grpc.aio.ServicerContext[Any, Any]) -> AsyncIterator[A]:
        try:
            async for answer in handler(self, _caller(self, context), request):
                yield answer
        except (asyncio.CancelledError, grpc.aio.AbortError, GeneratorExit):
            raise
        except Exception as error:  # every failure becomes a status with a code
            await _refuse(context, error, handler.__name__)

    return guarded


def make_server(tap: grpc.aio.ServerInterceptor | None = None) -> grpc.aio.Server:
    """Return a server with bounds on messages, streams and connection age."""
    return grpc.aio.server(
        interceptors=[tap] if tap else [],
        options=[
            ("grpc.max_receive_message_length", MAX_MESSAGE),
            ("grpc.max_send_message_length", 4 * MAX_MESSAGE),
            ("grpc.max_concurrent_streams", 200),
            ("grpc.max_connection_age_ms", 30 * 60_000),
            ("grpc.max_connection_age_grace_ms", 60_000),
            ("grpc.http2.min_recv_ping_interval_without_data_ms", 20_000),
            ("grpc.keepalive_time_ms", 60_000),
            ("grpc.keepalive_timeout_ms", 20_000),
            ("grpc.so_reuseport", 0),
        ],
    )


def bind(server: grpc.aio.Server, address: str, tls: TlsFiles) -> int:
    """Listen with mTLS; a client without a certificate of our roots is refused by TLS. Returns the port."""
    credentials = grpc.ssl_server_credentials(
        [(tls.key.read_bytes(), tls.certificate.read_bytes())],
        root_certificates=tls.roots.read_bytes(),
        require_client_auth=True,
    )
    try:
        port = server.add_secure_port(address, credentials)
    except RuntimeError as error:
        raise Unavailable("peer-unavailable", f"cannot listen on {address}: {error}") from None
    if port == 0:
        raise Unavailable("peer-unavailable", f"cannot listen on {address}: the port is taken")
    return port
