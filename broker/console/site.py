# SPDX-License-Identifier: EUPL-1.2
"""The console as an application: every request passes here, and here alone it is decided who may see a page.

    rate by address ──▶ session ──▶ rate by session ──▶ role ──▶ form's token ──▶ log the reading ──▶ handler

Nothing is read from the store for a page before its reading is in the log. Whatever goes wrong becomes a page
with a sentence in the officer's language and a stable code.
"""

import asyncio
import inspect
import re
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, TypeAlias

import structlog
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from broker.committer import Committer
from broker.console.guard import Headers, RateLimit, check_origin, check_size, read_form
from broker.console.listing import Listing
from broker.console.pages import (
    EXPORT_ROWS,
    WORD,
    Answer,
    Context,
    Download,
    LogKeys,
    Page,
    Redirect,
    View,
)
from broker.console.people import SIGN_IN, People, Session
from broker.console.reading import Journal, Reader, ReadPage, check_reason
from broker.console.render import Renderer
from broker.console.texts import Language
from broker.console.uploads import read_upload
from broker.console.views import PAGES
from broker.policy.active import ActivePolicy
from broker.policy.library import Library
from broker.storage.port import Store
from sluis.errors import CODES, Defect, InvalidInput, NotFound, NotPermitted, SluisError

STATIC = Path(__file__).parent / "static"
MEDIA_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
TWINS = {"csv": "text/csv; charset=utf-8", "json": "application/json", "jsonl": "application/jsonl"}
LANGUAGE_COOKIE = "sluis_lang"
MAX_THREADS = 4
MAX_REPEATED = 300
ADDRESS_PER_MINUTE, ADDRESS_BURST = 600, 200
SESSION_PER_MINUTE, SESSION_BURST = 240, 160
SIGN_IN_PER_MINUTE, SIGN_IN_BURST = 20, 20

log = structlog.get_logger("broker.console")

Endpoint: TypeAlias = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsoleParts:
    """What the console stands on."""

    store: Store
    policy: ActivePolicy
    committer: Committer
    clock: Callable[[], datetime]
    tls: bool
    keys: LogKeys = field(default_factory=LogKeys)


class Site:
    """Pages, forms, twins, errors; `door` adds the routes for signing in and out."""

    def __init__(self, parts: ConsoleParts, pages: Sequence[Page] = PAGES) -> None:
        self.parts = parts
        self.pages = pages
        self.people = People(parts.store, parts.clock)
        self.cookie = "__Host-sluis" if parts.tls else "sluis_console"
        self.sign_in_limit = RateLimit(SIGN_IN_PER_MINUTE, SIGN_IN_BURST)
        self._by_address = RateLimit(ADDRESS_PER_MINUTE, ADDRESS_BURST)
        self._by_session = RateLimit(SESSION_PER_MINUTE, SESSION_BURST)
        self._journal = Journal()
        self._library = Library(parts.store)
        self._renderer = Renderer()
        self._turns = asyncio.Semaphore(MAX_THREADS)
        self._static = {
            path.name: path.read_bytes() for path in STATIC.iterdir() if path.suffix in MEDIA_TYPES
        }

    def app(self, more: Sequence[Route] = ()) -> ASGIApp:
        """The application with every page, and the routes of the door."""
        routes = [Route("/static/{name}", self.guarded(self._file), methods=["GET"]), *more]
        for page in self.pages:
            if page.listed:
                for twin in TWINS:
                    endpoint = self.guarded(self._twin(page, twin))
                    routes.append(Route(f"{page.path}.{twin}", endpoint, methods=["GET", "POST"]))
            routes.append(Route(page.path, self.guarded(self._page(page)), methods=[page.method]))
        app = Starlette(routes=routes, exception_handlers={HTTPException: self._http_error})
        app.router.redirect_slashes = False
        return Headers(app, tls=self.parts.tls)

    # every request

    def guarded(self, endpoint: Endpoint) -> Endpoint:
        """An endpoint behind the limits, whose errors are pages."""

        async def guarded(request: Request) -> Response:
            try:
                self._by_address.spend(request.client.host if request.client else "")
                check_size(request)
                response = await endpoint(request)
            except SluisError as error:
                log.info("call.refused", method=_route(request), code=error.code)
                response = self._error(request, error, CODES[error.code].http)
            except Exception as error:  # every failure becomes an answer with a code, without its text
                log.exception("call.defect", method=_route(request), kind=type(error).__name__)
                response = self._error(request, Defect("defect"), 500)
            return self._with_language(request, response)

        return guarded

    async def signed_in(self, request: Request) -> Session | None:
        """The session of the browser; counted against its limit."""
        token = request.cookies.get(self.cookie, "")
        session = await asyncio.to_thread(self.people.find, token) if token else None
        if session is not None:
            self._by_session.spend(session.token)
            request.state.session = session
        return session

    # pages

    def _page(self, page: Page) -> Endpoint:
        async def endpoint(request: Request) -> Response:
            session = await self._admit(request, page)
            if session is None:
                return RedirectResponse(SIGN_IN, 303)
            form, files = (
                await self._form(request, session, page.upload) if page.method == "POST" else ({}, {})
            )
            context = self._context(request, page, session, form, files=files)
            answer = await self._answer(context)
            return self._response(request, context, answer)

        return endpoint

    def _twin(self, page: Page, twin: str) -> Endpoint:
        async def endpoint(request: Request) -> Response:
            session = await self._admit(request, page)
            if session is None:
                return RedirectResponse(SIGN_IN, 303)
            context = self._context(request, page, session, {}, limit=EXPORT_ROWS)
            if request.method != "POST":
                return self.html(request, "export.html", {"twin": twin, "context": context, "page": page})
            reason = check_reason((await self._form(request, session))[0].get("reason", ""))
            answer = await self._answer(context, export=twin, reason=reason)
            if not isinstance(answer, View) or answer.listing is None:
                raise Defect("defect", "a listed page gave no list")
            return _file_of(answer.listing, page, twin)

        return endpoint

    async def _admit(self, request: Request, page: Page) -> Session | None:
        """The one place that decides who sees a page. Raises NotPermitted `not-your-role`."""
        session = await self.signed_in(request)
        if session is None and request.method == "POST":
            raise NotPermitted("form-not-ours")
        if session is not None and session.officer.role not in page.roles:
            raise NotPermitted("not-your-role")
        return session

    async def _form(
        self, request: Request, session: Session, upload: int = 0
    ) -> tuple[dict[str, str], dict[str, bytes]]:
        check_origin(request)
        form, files = await read_upload(request, upload) if upload else (await read_form(request), {})
        if not session.owns(form.pop("csrf", "")):
            raise NotPermitted("form-not-ours")
        return form, files

    def _context(
        self, request: Request, page: Page, session: Session, form: Mapping[str, str], **more: Any
    ) -> Context:
        return Context(
            session=session,
            page=page,
            language=self.language(request),
            now=self.parts.clock(),
            bundle=self.parts.policy.bundle,
            reader=Reader(self.parts.store, session.officer),
            library=self._library,
            submit=self.parts.committer.submit,
            keys=self.parts.keys,
            filters=_filters(request, page),
            chosen=_repeated(request, page),
            parts=dict(request.path_params),
            form=form,
            path=request.url.path,
            **more,
        )

    async def _answer(self, context: Context, *, export: str = "", reason: str = "") -> Answer:
        page = context.page
        if page.logged or export:
            words = {**context.filters, **context.parts}
            work = ReadPage(
                officer=context.officer, page=page.path, filters=words, export=export, reason=reason
            )
            if self._journal.is_new(work):
                await self.parts.committer.submit(work)
                self._journal.remember(work)
        async with self._turns:
            answer = await asyncio.to_thread(page.handler, context)
        return await answer if inspect.isawaitable(answer) else answer

    def _response(self, request: Request, context: Context, answer: Answer) -> Response:
        if isinstance(answer, Redirect):
            return RedirectResponse(answer.to, 303)
        if isinstance(answer, Download):
            return _download(answer)
        values = {**answer.values, "context": context, "page": context.page, "listing": answer.listing}
        return self.html(request, f"pages/{context.page.name}.html", values)

    # answers

    def language(self, request: Request) -> Language:
        """The language asked for, else the one remembered, else Dutch."""
        for text in (request.query_params.get("lang"), request.cookies.get(LANGUAGE_COOKIE)):
            if text in list(Language):
                return Language(text)
        return Language.DUTCH

    def html(self, request: Request, template: str, values: Mapping[str, Any], status: int = 200) -> Response:
        """A page in the frame."""
        session: Session | None = getattr(request.state, "session", None)
        role = session.officer.role if session else None
        frame: dict[str, Any] = {
            "session": session,
            "menu": [p for p in self.pages if role in p.roles and p.menu and p.method == "GET"],
            "other_language": self._other_language(request),
            "page": None,
            "context": None,
            "listing": None,
        }
        body = self._renderer.render(template, self.language(request), {**frame, **values})
        return Response(body, status, media_type="text/html")

    def _other_language(self, request: Request) -> str:
        """The address of this page in the other language; a link that signs in is not repeated in it."""
        other = Language.ENGLISH if self.language(request) is Language.DUTCH else Language.DUTCH
        url = request.url.include_query_params(lang=other.value).remove_query_params(["code", "state"])
        return f"?{url.query}"

    def _with_language(self, request: Request, response: Response) -> Response:
        if request.query_params.get("lang") in list(Language):
            self.set_cookie(response, LANGUAGE_COOKIE, self.language(request).value, age=31_536_000)
        return response

    def set_cookie(
        self, response: Response, name: str, value: str, *, strict: bool = True, age: int | None = None
    ) -> None:
        """Set a cookie that no script reads; it goes when the browser closes, unless it has an age."""
        response.set_cookie(
            name,
            value,
            max_age=age,
            path="/",
            httponly=True,
            secure=self.parts.tls,
            samesite="strict" if strict else "lax",
        )

    def _error(self, request: Request, error: SluisError, status: int) -> Response:
        where = error.where if isinstance(error, InvalidInput) else ""
        text = CODES[error.code]
        language = self.language(request)
        values = {
            "status": status,
            "code": error.code,
            "sentence": text.dutch if language is Language.DUTCH else text.english,
            "where": where,
        }
        response = self.html(request, "error.html", values, status)
        if status == 429:
            response.headers["retry-after"] = "60"
        return response

    async def _http_error(self, request: Request, error: Exception) -> Response:
        status = error.status_code if isinstance(error, HTTPException) else 500

        async def refuse(request: Request) -> Response:
            await self.signed_in(request)
            if status == 404:
                raise NotFound("not-found")
            return self._error(request, InvalidInput("malformed-request"), status)

        return await self.guarded(refuse)(request)

    async def _file(self, request: Request) -> Response:
        name = request.path_params["name"]  # a key, never a path
        content = self._static.get(name)
        if content is None:
            raise NotFound("not-found")
        headers = {"cache-control": "public, max-age=300"}
        return Response(content, headers=headers, media_type=MEDIA_TYPES[Path(name).suffix])


def _filters(request: Request, page: Page) -> dict[str, str]:
    """The filters that the page knows. Raises InvalidInput for a value of another form; others are ignored."""
    chosen = {}
    for name, pattern in page.filters.items():
        value = request.query_params.get(name, "")
        if value and not pattern.fullmatch(value):
            raise InvalidInput("malformed-request", where=name)
        if value:
            chosen[name] = value
    return chosen


def _repeated(request: Request, page: Page) -> dict[str, tuple[str, ...]]:
    """What may stand in the address many times. Raises InvalidInput for a value of another form."""
    chosen = {}
    for name, pattern in _named(request, page):
        values = tuple(dict.fromkeys(value for value in request.query_params.getlist(name) if value))
        if len(values) > MAX_REPEATED or not all(map(pattern.fullmatch, values)):
            raise InvalidInput("malformed-request", where=name)
        if values:
            chosen[name] = values
    return chosen


def _named(request: Request, page: Page) -> Iterator[tuple[str, re.Pattern[str]]]:
    """The names with their patterns; `claim.*` stands for each word behind the dot that the address holds."""
    for name, pattern in page.repeated.items():
        if not name.endswith(".*"):
            yield name, pattern
            continue
        for given in dict.fromkeys(request.query_params):
            if given.startswith(name[:-1]) and WORD.fullmatch(given[len(name) - 1 :]):
                yield given, pattern


def _file_of(listing: Listing, page: Page, twin: str) -> Response:
    content = {"csv": listing.csv, "json": listing.json, "jsonl": listing.jsonl}[twin]()
    return _download(Download(name=f"sluis-{page.name}.{twin}", media_type=TWINS[twin], content=content))


def _download(file: Download) -> Response:
    headers = {"content-disposition": f'attachment; filename="{file.name}"'}
    return Response(file.content, headers=headers, media_type=file.media_type)


def _route(request: Request) -> str:
    """The path as the route table has it; an address of nobody's may hold anything."""
    route = request.scope.get("route")
    return route.path if isinstance(route, Route) else "?"
