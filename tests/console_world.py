# SPDX-License-Identifier: EUPL-1.2
"""The console over a world (tests/world.py): browsers that are signed in, and what they send.

async with browse(world, Role.OFFICER, world.cast.nla) as browser:
    page = await browser.get("/inzage")
    await browser.post("/inzage.csv", {"reason": "voor een test"})
"""

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx
from starlette.types import ASGIApp

from broker.console.door import make_console
from broker.console.pages import LogKeys, Page
from broker.console.people import Officer, People, Role, Session
from broker.console.site import ConsoleParts, Site
from tests.actors import Actor
from tests.world import World

URL = "http://console.test"
COOKIE = "sluis_console"


def parts_of(world: World, *, tls: bool = False, keys: LogKeys | None = None) -> ConsoleParts:
    """What the console stands on."""
    desk = world.broker.desk
    return ConsoleParts(
        store=world.store,
        policy=desk.policy,
        committer=desk.committer,
        clock=world.clock,
        tls=tls,
        keys=keys or LogKeys(),
    )


def app_of(world: World, pages: Sequence[Page] | None = None, keys: LogKeys | None = None) -> ASGIApp:
    """The console; with pages of a test when given."""
    parts = parts_of(world, keys=keys)
    return make_console(parts) if pages is None else Site(parts, pages).app()


def officer_of(actor: Actor, role: Role = Role.OFFICER, reference: str = "fg-1") -> Officer:
    """An officer of a party."""
    return Officer(reference=reference, organisation=actor.oin, role=role)


def people_of(world: World) -> People:
    """Signs officers in."""
    return People(world.store, world.clock)


@dataclass(slots=True)
class Browser:
    """A browser with the session's cookie."""

    http: httpx.AsyncClient
    session: Session

    async def get(self, path: str, **headers: str) -> httpx.Response:
        """Open a page."""
        return await self.http.get(path, headers=headers)

    async def post(self, path: str, form: Mapping[str, str], **headers: str) -> httpx.Response:
        """Send a form with the session's token, unless the form brings its own."""
        return await self.http.post(path, data={"csrf": self.session.csrf, **form}, headers=headers)


def stranger(app: ASGIApp) -> httpx.AsyncClient:
    """A browser that is not signed in."""
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=URL)


@asynccontextmanager
async def browse(
    world: World,
    role: Role = Role.OFFICER,
    actor: Actor | None = None,
    *,
    reference: str = "fg-1",
    pages: Sequence[Page] | None = None,
    keys: LogKeys | None = None,
) -> AsyncIterator[Browser]:
    """Sign an officer in, of the inspectorate when no party is given."""
    session = people_of(world).sign_in(officer_of(actor or world.cast.nla, role, reference))
    async with stranger(app_of(world, pages, keys)) as http:
        http.cookies.set(COOKIE, session.token)
        yield Browser(http, session)


def logged(world: World, operation: str) -> list[dict[str, Any]]:
    """The entries of an operation, oldest first."""
    entries = [json.loads(row.entry) for row in world.store.entries(0, world.size)]
    return [entry for entry in entries if entry["operation"] == operation]
