# SPDX-License-Identifier: EUPL-1.2
"""A serving process: an event loop (uvloop where there is one) until SIGTERM or SIGINT."""

import asyncio
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path

from sluis.keys import ROOTS, TLS_CERTIFICATE, TLS_KEY, KeyFolder
from sluis.rpc.server import TlsFiles


def run_until_signal(main: Callable[[asyncio.Event], Awaitable[None]]) -> None:
    """Run `main`, which returns soon after the event it is given was set."""

    async def guarded() -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        await main(stop)

    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(guarded())


def tls_of(folder: Path) -> TlsFiles:
    """The TLS files of a key folder. Raises NotFound `key-missing`, Conflict `key-weak`."""
    keys = KeyFolder(path=folder)
    keys.tls_key_pem()
    keys.tls_certificate_pem()
    keys.roots_pem()
    return TlsFiles(certificate=folder / TLS_CERTIFICATE, key=folder / TLS_KEY, roots=folder / ROOTS)


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop
    except ImportError:
        return None
    factory: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    return factory
