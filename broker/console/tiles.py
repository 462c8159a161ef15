# SPDX-License-Identifier: EUPL-1.2
"""The log as files over HTTPS (c2sp.org/tlog-tiles), so that any tool that knows the format can follow it.

    GET <prefix>/checkpoint                   the newest signed checkpoint
    GET <prefix>/tile/<L>/<N>[.p/<W>]         hashes of a tile: 256, or the first W of them
    GET <prefix>/tile/entries/<N>[.p/<W>]     the same entries, each behind its length (u16, big-endian)

<N> is written in groups of three digits, `x001/x234/067`; every path has one spelling, any other is not found.
The prefix is the path of the log's origin. Whoever is a participant may have checkpoint and hashes. Entries are
for the readers of `broker.reading`: each request is logged, so no cache may answer in our place, though the
format would allow it. What is stored is given as stored: whether it is right is the reader's to recompute.
"""

import asyncio
import gzip
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from broker.admission import Directory
from broker.committer import Committer
from broker.console.app import guarded
from broker.console.peer import caller_in
from broker.reading import READERS, ReadLog
from broker.storage.port import LogRow, Store
from sluis.errors import Defect, NotFound
from sluis.rpc.caller import Caller

WIDTH: Final = 256
MAX_ENTRY: Final = (1 << 16) - 1
FOR_EVER: Final = "private, max-age=31536000, immutable"
NEVER: Final = "no-store"
_OCTETS: Final = "application/octet-stream"

_TILE: Final = re.compile(
    rb"(?P<level>entries|[0-9]|[1-5][0-9]|6[0-3])/(?P<index>(?:x[0-9]{3}/){0,5}[0-9]{3})"
    rb"(?:\.p/(?P<width>[1-9][0-9]{0,2}))?"
)
_PATH: Final = re.compile(r"(?:/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)+")


@dataclass(frozen=True, slots=True, kw_only=True)
class TilePath:
    """What a path asks for; `level` is None for entries."""

    level: int | None
    index: int
    width: int

    @classmethod
    def parse(cls, path: bytes) -> "TilePath":
        """Read what follows `/tile/`. Raises NotFound for all but the only spelling."""
        found = _TILE.fullmatch(path)
        if found is None or found["index"].startswith(b"x000"):
            raise NotFound("not-found", "no such tile")
        width = int(found["width"] or WIDTH)
        if found["width"] and width >= WIDTH:
            raise NotFound("not-found", "a tile of all its hashes has no width in its path")
        level = None if found["level"] == b"entries" else int(found["level"])
        return cls(level=level, index=int(re.sub(rb"[x/]", b"", found["index"])), width=width)


def prefix_of(origin: str) -> str:
    """The path at which a log with this origin is served: its own path, or `/log` where it has none."""
    path = "/" + origin.partition("/")[2]
    return path if _PATH.fullmatch(path) else "/log"


def entry_bundle(rows: Iterable[LogRow], start: int, width: int) -> bytes:
    """Write entries as a bundle. Raises NotFound when one is not there, Defect when one is too long."""
    parts: list[bytes] = []
    for row in rows:
        if row.log_index != start + len(parts) // 2:
            break
        if len(row.entry) > MAX_ENTRY:
            raise Defect("defect", f"entry {row.log_index} is too long for a bundle")
        parts += (len(row.entry).to_bytes(2, "big"), row.entry)
    if len(parts) != 2 * width:
        raise NotFound("not-found", "these entries are not all there")
    return b"".join(parts)


class LogFiles:
    """Answers for the files of one log."""

    def __init__(
        self,
        origin: str,
        store: Store,
        directory: Directory,
        committer: Committer,
        clock: Callable[[], datetime],
    ) -> None:
        self._prefix = prefix_of(origin)
        self._store = store
        self._directory = directory
        self._committer = committer
        self._clock = clock

    def routes(self) -> list[Route]:
        """The routes to serve, below the path of the origin."""
        return [
            Route(f"{self._prefix}/checkpoint", guarded(self._checkpoint), methods=["GET"]),
            Route(f"{self._prefix}/tile/{{name:path}}", guarded(self._tile), methods=["GET"]),
        ]

    async def _checkpoint(self, request: Request) -> Response:
        await self._directory.admit(caller_in(request, self._clock()))
        text = await asyncio.to_thread(self._store.checkpoint)
        if text is None:
            raise NotFound("not-found", "there is no checkpoint yet")
        headers = {"content-type": "text/plain; charset=utf-8", "cache-control": NEVER}
        return Response(text.encode(), headers=headers)

    async def _tile(self, request: Request) -> Response:
        caller = caller_in(request, self._clock())
        await self._directory.admit(caller)
        # As it was sent: `%30` would be a second spelling of `0`, and so would a query.
        start = f"{self._prefix}/tile/".encode()
        if not request.scope["raw_path"].startswith(start) or request.scope["query_string"]:
            raise NotFound("not-found", "no such tile")
        wanted = TilePath.parse(request.scope["raw_path"].removeprefix(start))
        if wanted.level is None:
            return await self._entries(caller, wanted, _takes_gzip(request))
        hashes = await asyncio.to_thread(self._store.tile, wanted.level, wanted.index, wanted.width)
        return Response(hashes, headers={"content-type": _OCTETS, "cache-control": FOR_EVER})

    async def _entries(self, caller: Caller, wanted: TilePath, compressed: bool) -> Response:
        reader = await self._directory.require_role(caller, *READERS)
        start = wanted.index * WIDTH
        end = start + wanted.width
        if end > (await asyncio.to_thread(self._store.head)).tree.size:
            raise NotFound("not-found", "these entries are not there yet")
        await self._committer.submit(ReadLog(reader, start, end))
        return await asyncio.to_thread(self._bundle, start, wanted.width, compressed)

    def _bundle(self, start: int, width: int, compressed: bool) -> Response:
        body = entry_bundle(self._store.entries(start, start + width), start, width)
        headers = {"content-type": _OCTETS, "cache-control": NEVER, "vary": "accept-encoding"}
        if compressed:
            body, headers["content-encoding"] = gzip.compress(body, mtime=0), "gzip"
        return Response(body, headers=headers)


def _takes_gzip(request: Request) -> bool:
    offered = request.headers.get("accept-encoding", "").lower().replace(" ", "").split(",")
    return any(
        coding == "gzip" or (coding.startswith("gzip;q=") and coding[7:9] != "0") for coding in offered
    )
