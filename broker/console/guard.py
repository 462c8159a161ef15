# SPDX-License-Identifier: EUPL-1.2
"""What holds for every answer and every request, whichever page it is: headers, rates, sizes, and who may post.

The policy of content lets the browser load nothing that is not ours and run nothing that stands in a page.
"""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable
from urllib.parse import parse_qsl, urlsplit

from starlette.datastructures import MutableHeaders
from starlette.requests import ClientDisconnect, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sluis.errors import InvalidInput, NotPermitted, Unavailable

MAX_FORM = 64 * 1024
MAX_FIELDS = 200
FORM_SECONDS = 10.0
MAX_QUERY = 4096
_REMEMBERED = 10_000

HEADERS = {
    "content-security-policy": "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; "
    "font-src 'self'; connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=()",
}


class Headers:
    """Adds the headers to every answer; whatever does not say otherwise is not stored."""

    def __init__(self, app: ASGIApp, *, tls: bool) -> None:
        self._app = app
        self._extra = {"strict-transport-security": "max-age=31536000"} if tls else {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in (HEADERS | self._extra).items():
                    headers[name] = value
                headers.setdefault("cache-control", "no-store")
            await send(message)

        await self._app(scope, receive, with_headers)


class RateLimit:
    """A bucket per name: `burst` at once, and then `per_minute`."""

    def __init__(self, per_minute: int, burst: int, timer: Callable[[], float] = time.monotonic) -> None:
        self._rate = per_minute / 60
        self._burst = float(burst)
        self._timer = timer
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def spend(self, name: str) -> None:
        """Take one. Raises Unavailable `too-many-requests`."""
        now = self._timer()
        left, since = self._buckets.pop(name, (self._burst, now))
        left = min(self._burst, left + (now - since) * self._rate)
        self._buckets[name] = (max(left - 1, 0.0), now)
        if len(self._buckets) > _REMEMBERED:
            self._buckets.popitem(last=False)
        if left < 1:
            raise Unavailable("too-many-requests")


def check_size(request: Request) -> None:
    """Refuse an address that is too long to be ours. Raises InvalidInput `malformed-request`."""
    if len(request.url.query) > MAX_QUERY:
        raise InvalidInput("malformed-request", "the address is too long")


def check_origin(request: Request) -> None:
    """Refuse a form that another site sends. Raises NotPermitted `form-not-ours`."""
    origin, host = request.headers.get("origin"), request.headers.get("host", "")
    site = request.headers.get("sec-fetch-site", "same-origin")
    # `Origin: null` is what a browser sends for a form of ours too, under `Referrer-Policy: no-referrer`.
    if site not in ("same-origin", "none") or (
        origin not in (None, "null") and urlsplit(origin).netloc != host
    ):
        raise NotPermitted("form-not-ours")


async def read_form(request: Request) -> dict[str, str]:
    """Read an urlencoded form; of a field that is there twice the last counts.

    Raises InvalidInput `malformed-request`, `message-too-large`.
    """
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != "application/x-www-form-urlencoded":
        raise InvalidInput("malformed-request", "a form is due")
    body = bytearray()
    try:
        async with asyncio.timeout(FORM_SECONDS):
            async for chunk in request.stream():
                body += chunk
                if len(body) > MAX_FORM:
                    raise InvalidInput("message-too-large", f"a form has at most {MAX_FORM} bytes")
        return dict(parse_qsl(body.decode("utf-8"), keep_blank_values=True, max_num_fields=MAX_FIELDS))
    except (ValueError, TimeoutError, ClientDisconnect):
        raise InvalidInput("malformed-request", "the form cannot be read") from None
