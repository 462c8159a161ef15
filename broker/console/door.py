# SPDX-License-Identifier: EUPL-1.2
"""The door of the console: signing in by a one-time link or at an identity provider, and signing out.

A link is shown first and used by a button, so that a mail scanner that follows it does not spend it. The session's
cookie is never sent along from another site (SameSite=Strict); the one that ties a sign-in elsewhere to this browser
must be (Lax), and lives ten minutes.
"""

import asyncio
from collections.abc import Sequence

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from broker.console.guard import check_origin, read_form
from broker.console.oidc import IdentityProvider
from broker.console.people import SIGN_IN, Officer
from broker.console.site import ConsoleParts, Site
from sluis.errors import NotPermitted

SIGN_OUT = "/afmelden"
TO_PROVIDER = "/aanmelden/oidc"
FROM_PROVIDER = "/aanmelden/oidc/terug"
PENDING = "sluis_pending"
PENDING_SECONDS = 600


def make_console(parts: ConsoleParts, provider: IdentityProvider | None = None) -> ASGIApp:
    """The whole console: its pages behind its door."""
    site = Site(parts)
    return site.app(Door(site, provider).routes())


class Door:
    """The pages that one sees without being signed in."""

    def __init__(self, site: Site, provider: IdentityProvider | None) -> None:
        self._site = site
        self._provider = provider

    def routes(self) -> Sequence[Route]:
        """The routes of the door."""
        guarded = self._site.guarded
        routes = [
            Route(SIGN_IN, guarded(self._show), methods=["GET"]),
            Route(SIGN_IN, guarded(self._use_link), methods=["POST"]),
            Route(SIGN_OUT, guarded(self._sign_out), methods=["POST"]),
        ]
        if self._provider:
            # A link and no form: the policy of content lets no form end at another site.
            routes.append(Route(TO_PROVIDER, guarded(self._to_provider), methods=["GET"]))
            routes.append(Route(FROM_PROVIDER, guarded(self._from_provider), methods=["GET"]))
        return routes

    async def _show(self, request: Request) -> Response:
        await self._site.signed_in(request)
        values = {"link": request.query_params.get("link", ""), "provider": self._provider is not None}
        return self._site.html(request, "sign_in.html", values)

    async def _use_link(self, request: Request) -> Response:
        self._spend(request)
        check_origin(request)
        form = await read_form(request)
        officer = await asyncio.to_thread(self._site.people.take_link, form.get("link", ""))
        return await self._enter(request, officer, RedirectResponse("/", 303))

    async def _to_provider(self, request: Request) -> Response:
        self._spend(request)
        assert self._provider is not None  # noqa: S101  # the route exists only with one
        start = await self._provider.begin()
        await asyncio.to_thread(self._site.people.keep, start.state, "oidc", start.secrets)
        response = RedirectResponse(start.url, 303)
        self._site.set_cookie(response, PENDING, start.state, strict=False, age=PENDING_SECONDS)
        return response

    async def _from_provider(self, request: Request) -> Response:
        self._spend(request)
        assert self._provider is not None  # noqa: S101  # the route exists only with one
        state = request.query_params.get("state", "")
        if not state or state != request.cookies.get(PENDING):
            raise NotPermitted("sign-in-failed")
        kept = await asyncio.to_thread(self._site.people.take, state, "oidc")
        if kept is None:
            raise NotPermitted("sign-in-failed")
        officer = await self._provider.finish(kept, request.query_params.get("code", ""))
        # Came from another site: a redirect would go without the strict cookie, a page of ours goes with it.
        response = await self._enter(request, officer, self._site.html(request, "signed_in.html", {}))
        response.delete_cookie(PENDING, path="/")
        return response

    async def _enter(self, request: Request, officer: Officer, response: Response) -> Response:
        before = request.cookies.get(self._site.cookie, "")
        session = await asyncio.to_thread(self._site.people.sign_in, officer, before)
        self._site.set_cookie(response, self._site.cookie, session.token)
        return response

    async def _sign_out(self, request: Request) -> Response:
        session = await self._site.signed_in(request)
        check_origin(request)
        form = await read_form(request)
        if session is not None:
            if not session.owns(form.get("csrf", "")):
                raise NotPermitted("form-not-ours")
            await asyncio.to_thread(self._site.people.sign_out, session.token)
        response = RedirectResponse(SIGN_IN, 303)
        response.delete_cookie(
            self._site.cookie, path="/", httponly=True, secure=self._site.parts.tls, samesite="strict"
        )
        return response

    def _spend(self, request: Request) -> None:
        self._site.sign_in_limit.spend(request.client.host if request.client else "")
