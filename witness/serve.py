# SPDX-License-Identifier: EUPL-1.2
"""Runs a witness: settings, key, state file, HTTP server; stops gracefully on SIGTERM and SIGINT.

Its events, one JSON object a line on stderr, are listed in `sluis.events`.
"""

import asyncio
import contextlib
import signal
import socket
import time
from collections.abc import Callable, Iterator

import structlog
import uvicorn

from sluis.errors import InvalidInput
from sluis.events import configure_logs
from witness.app import Witness, make_app
from witness.keys import load_witness_key
from witness.settings import WitnessSettings
from witness.state import WitnessState

STOP_SECONDS = 10
MAX_CONNECTIONS = 200

log = structlog.get_logger("witness")


class _Server(uvicorn.Server):
    """Leaves the process's signals to whoever calls `serve`; uvicorn would take them over."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def serve(
    settings: WitnessSettings,
    stop: asyncio.Event,
    *,
    clock: Callable[[], float] = time.time,
    on_ready: Callable[[str, int], None] | None = None,
) -> None:
    """Serve until `stop` is set; `on_ready` gets the host and the port that was bound.

    Raises, before it answers anybody, what the key, the state file or the address have against it.
    """
    signers = load_witness_key(settings.key, settings.name)
    with (
        contextlib.closing(_listen(settings)) as listener,
        contextlib.closing(WitnessState(settings.state)) as state,
    ):
        server = _Server(_config(settings, Witness(state, signers, settings.logs(), clock)))
        host, port = listener.getsockname()[:2]
        vkeys = [str(signer.vkey) for signer in signers]
        log.info("witness.started", name=settings.name, address=f"{host}:{port}", vkeys=vkeys)
        if on_ready is not None:
            on_ready(host, port)
        stopper = asyncio.create_task(_stop(server, stop))
        try:
            await server.serve(sockets=[listener])
        finally:
            stopper.cancel()
    log.info("witness.stopped", name=settings.name)


def _config(settings: WitnessSettings, witness: Witness) -> uvicorn.Config:
    return uvicorn.Config(
        make_app(witness),
        log_config=None,
        access_log=False,
        server_header=False,
        lifespan="off",
        timeout_keep_alive=75,
        limit_concurrency=MAX_CONNECTIONS,
        timeout_graceful_shutdown=STOP_SECONDS,
        ssl_certfile=settings.tls_certificate,
        ssl_keyfile=settings.tls_key,
    )


def run(settings: WitnessSettings) -> None:
    """Run a witness as the process's only task; returns when it was told to stop."""
    configure_logs("witness")
    asyncio.run(_run(settings))


async def _run(settings: WitnessSettings) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        with contextlib.suppress(NotImplementedError):  # Windows: Ctrl-C ends the loop instead
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await serve(settings, stop)


async def _stop(server: uvicorn.Server, stop: asyncio.Event) -> None:
    await stop.wait()
    server.should_exit = True


def _listen(settings: WitnessSettings) -> socket.socket:
    """Bind and listen already, so that a caller who waits for `on_ready` can connect."""
    host, port = settings.address()
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family)
    except OSError as error:
        reason = (error.strerror or "unknown reason").lower()
        raise InvalidInput("malformed-config", f"cannot listen on `{settings.listen}`: {reason}") from None
