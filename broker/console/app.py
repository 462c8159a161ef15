# SPDX-License-Identifier: EUPL-1.2
"""The HTTP application. Pages are added as routes; whoever speaks to it has shown a certificate (`serve.py`).

Every error is JSON: {"error": {"code": "malformed-request", "message": "...", "where": "subject.id"}}. The codes
are those of docs/errors.md; the message never holds a value of the request.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeAlias

import structlog
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from broker.console.asked import MAX_BODY
from broker.console.authzen import EVALUATION, EVALUATIONS, METADATA, DecisionPoint, described
from sluis.errors import CODES, Defect, InvalidInput, NotFound, SluisError

BODY_SECONDS = 10.0
MAX_THREADS = 2  # of those that the broker's own work uses too
REQUEST_ID = "x-request-id"

log = structlog.get_logger("broker.console")

Handler: TypeAlias = Callable[[Request], Awaitable[Response]]
Evaluate: TypeAlias = Callable[[bytes, str | None], dict[str, Any]]


def make_app(point: DecisionPoint, more: Sequence[Route] = ()) -> Starlette:
    """Return the application: the decision point, and `more` pages."""

    async def metadata(request: Request) -> Response:
        return _json(request, 200, point.metadata())

    turns = asyncio.Semaphore(MAX_THREADS)
    app = Starlette(
        routes=[
            Route(EVALUATION, guarded(_evaluate(point.evaluation, turns)), methods=["POST"]),
            Route(EVALUATIONS, guarded(_evaluate(point.evaluations, turns)), methods=["POST"]),
            Route(METADATA, guarded(metadata), methods=["GET"]),
            *more,
        ],
        exception_handlers={HTTPException: _no_such_page},
    )
    app.router.redirect_slashes = False  # it would redirect to whatever host the caller names
    return app


def _evaluate(evaluate: Evaluate, turns: asyncio.Semaphore) -> Handler:
    async def handler(request: Request) -> Response:
        media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if media_type != "application/json":
            raise InvalidInput("malformed-request", "application/json is due", where="Content-Type")
        body = await _read(request)
        async with (
            turns
        ):  # the largest batch takes over half a second, too long for the loop that serves gRPC
            answer = await asyncio.to_thread(evaluate, body, request.headers.get("traceparent"))
        return _json(request, 200, answer)

    return handler


def guarded(handler: Handler) -> Handler:
    """Let a page's errors become answers in JSON with a code."""

    async def answer(request: Request) -> Response:
        try:
            return await handler(request)
        except SluisError as error:
            log.info("call.refused", method=request.url.path, code=error.code)
            return _refuse(request, error)
        except Exception as error:  # every failure becomes an answer with a code, without its text
            log.exception("call.defect", method=request.url.path, kind=type(error).__name__)
            return _refuse(request, Defect("defect"))

    return answer


async def _read(request: Request) -> bytes:
    """The body. Raises InvalidInput as soon as it is over the limit, cut off or too slow."""
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for chunk in request.stream():
                body += chunk
                if len(body) > MAX_BODY:
                    raise InvalidInput("message-too-large", f"a request has at most {MAX_BODY} bytes")
    except TimeoutError:
        raise InvalidInput("malformed-request", "the request did not arrive in time") from None
    except ClientDisconnect:
        raise InvalidInput("malformed-request", "the request was cut off") from None
    return bytes(body)


def _refuse(request: Request, error: SluisError) -> Response:
    # AuthZEN section 10.1.2 knows 400, 401, 403 and 500: whatever is wrong with a request is a 400.
    status = 400 if isinstance(error, InvalidInput) else CODES[error.code].http
    return _json(request, status, {"error": described(error)})


async def _no_such_page(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    refusal = (
        NotFound("not-found") if status == 404 else InvalidInput("malformed-request", "another method is due")
    )
    return _json(request, status, {"error": described(refusal)})


def _json(request: Request, status: int, content: object) -> Response:
    headers = {"cache-control": "no-store"}
    if request_id := request.headers.get(REQUEST_ID):
        headers[REQUEST_ID] = request_id  # AuthZEN section 10.1.3: the same identifier goes back
    return JSONResponse(content, status_code=status, headers=headers)
