# SPDX-License-Identifier: EUPL-1.2
"""Signing in and out of the console, and what an attacker tries at its door."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any

import httpx
import pytest

from broker.console import door
from broker.console.door import FROM_PROVIDER, TO_PROVIDER, make_console
from broker.console.oidc import IdentityProvider
from broker.console.people import ABSOLUTE_MS, IDLE_MS, Role
from broker.console.serve import Console
from broker.settings import OidcSettings
from broker.storage.port import PartyStatus
from sluis.errors import InvalidInput, SluisError
from tests.console_world import COOKIE, URL, app_of, browse, logged, officer_of, parts_of, people_of, stranger
from tests.oidc_provider import CLIENT, SECRET, Provider, address_of, open_provider
from tests.world import World


def cookie(answer: httpx.Response, name: str = COOKIE) -> Any:
    """A cookie that an answer sets."""
    jar: SimpleCookie = SimpleCookie()
    for line in answer.headers.get_list("set-cookie"):
        jar.load(line)
    return jar[name]


async def use(browser: httpx.AsyncClient, token: str, **headers: str) -> httpx.Response:
    return await browser.post("/aanmelden", data={"link": token}, headers=headers)


# links


async def test_a_link_signs_in_once(world: World) -> None:
    token = people_of(world).create_link(officer_of(world.cast.nla))
    async with stranger(app_of(world)) as browser:
        shown = await browser.get(f"/aanmelden?link={token}")  # as a mail scanner does; nothing is spent
        assert (shown.status_code, token in shown.text) == (200, True)
        entered = await use(browser, token)
        assert (entered.status_code, entered.headers["location"]) == (303, "/")
        assert "fg-1" in (await browser.get("/")).text
    async with stranger(app_of(world)) as browser:
        again = await use(browser, token)
        assert (again.status_code, "link-spent" in again.text, "set-cookie" in again.headers) == (
            403,
            True,
            False,
        )
    assert [entry["reader"] for entry in logged(world, "console.link")] == ["fg-1"]


async def test_a_link_expires_and_a_guess_is_none(world: World) -> None:
    token = people_of(world).create_link(officer_of(world.cast.nla))
    world.clock.move(minutes=10)
    async with stranger(app_of(world)) as browser:
        for text in (token, "", "x" * 43, "\ud800".encode("utf-8", "replace").decode()):
            assert (await use(browser, text)).status_code == 403


async def test_no_token_stands_in_the_database(world: World) -> None:
    people = people_of(world)
    link, session = people.create_link(officer_of(world.cast.nla)), people.sign_in(officer_of(world.cast.nla))
    held = b"".join(path.read_bytes() for path in world.folder.glob("broker.db*"))
    assert b"console_session" in held
    for token in (link, session.token, session.csrf):
        assert token.encode() not in held


async def test_an_officer_works_for_an_active_participant(world: World) -> None:
    people = people_of(world)
    token = people.create_link(officer_of(world.cast.nla))
    world.operator.set_status(world.cast.nla.oin, PartyStatus.STOPPED, "proef")
    async with stranger(app_of(world)) as browser:
        assert "party-stopped" in (await use(browser, token)).text
    with pytest.raises(SluisError, match="party-unknown"):
        people.create_link(officer_of(world.cast.stranger))


# sessions


async def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites(world: World) -> None:
    for tls, name in ((False, COOKIE), (True, "__Host-sluis")):
        token = people_of(world).create_link(officer_of(world.cast.nla))
        async with stranger(make_console(parts_of(world, tls=tls))) as browser:
            set_cookie = cookie(await use(browser, token), name)
        assert (set_cookie["httponly"], set_cookie["samesite"], set_cookie["path"]) == (True, "strict", "/")
        assert bool(set_cookie["secure"]) is tls
        assert set_cookie["domain"] == ""


async def test_signing_in_makes_a_new_token_and_ends_the_old(world: World) -> None:
    """Session fixation: whoever planted a token, or watched one, has nothing after the sign-in."""
    people = people_of(world)
    for planted in ("planted-by-an-attacker", people.sign_in(officer_of(world.cast.nla)).token):
        token = people.create_link(officer_of(world.cast.sna, reference="fg-2"))
        async with stranger(app_of(world)) as browser:
            browser.cookies.set(COOKIE, planted)
            fresh = cookie(await use(browser, token)).value
        assert fresh != planted
        assert people.find(planted) is None
        found = people.find(fresh)
        assert found is not None
        assert found.officer.reference == "fg-2"


async def test_a_session_ends_when_idle_and_at_its_term(world: World) -> None:
    people = people_of(world)
    idle = people.sign_in(officer_of(world.cast.nla)).token
    world.clock.move(seconds=IDLE_MS / 1000 - 1)
    assert people.find(idle) is not None
    world.clock.move(seconds=IDLE_MS / 1000)
    assert people.find(idle) is None
    busy = people.sign_in(officer_of(world.cast.nla)).token
    for _ in range(ABSOLUTE_MS // 1_200_000 - 1):
        world.clock.move(minutes=20)
        assert people.find(busy) is not None
    world.clock.move(minutes=20)
    assert people.find(busy) is None


async def test_a_session_ends_when_its_organisation_is_stopped(world: World) -> None:
    people = people_of(world)
    token = people.sign_in(officer_of(world.cast.nla)).token
    operator = people.sign_in(officer_of(world.cast.nla, Role.OPERATOR)).token
    world.operator.set_status(world.cast.nla.oin, PartyStatus.STOPPED, "proef")
    assert people.find(token) is None
    world.operator.set_status(world.cast.nla.oin, PartyStatus.ACTIVE, "proef")
    assert people.find(token) is None
    assert people.find(operator) is not None


async def test_signing_out_ends_the_session_at_the_server(world: World) -> None:
    async with browse(world) as browser:
        assert (await browser.post("/afmelden", {"csrf": "wrong"})).status_code == 403
        assert people_of(world).find(browser.session.token) is not None
        left = await browser.post("/afmelden", {})
    assert (left.status_code, left.headers["location"]) == (303, "/aanmelden")
    assert people_of(world).find(browser.session.token) is None


# forged forms


async def test_a_form_without_the_sessions_token_is_refused(world: World) -> None:
    other = people_of(world).sign_in(officer_of(world.cast.nla))
    async with browse(world) as browser:
        for token in ("", "x", other.csrf, browser.session.token, "é"):
            refused = await browser.post("/inzage.csv", {"csrf": token, "reason": "voor de proef"})
            assert (refused.status_code, "form-not-ours" in refused.text) == (403, True)
        bare = await browser.http.post("/inzage.csv", data={"reason": "voor de proef"})
        assert bare.status_code == 403
        json = await browser.http.post(
            "/inzage.csv", json={"csrf": browser.session.csrf, "reason": "voor de proef"}
        )
        assert json.status_code == 400
    assert logged(world, "console.read") == []


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"origin": "https://evil.example"}, 403),
        ({"origin": "http://console.test.evil.example"}, 403),
        ({"sec-fetch-site": "cross-site"}, 403),
        ({"sec-fetch-site": "same-site"}, 403),
        ({"origin": URL, "sec-fetch-site": "same-origin"}, 200),
        ({"origin": "null"}, 200),
    ],
)
async def test_a_form_from_another_site_is_refused(
    world: World, headers: dict[str, str], status: int
) -> None:
    async with browse(world) as browser:
        answer = await browser.post("/inzage.csv", {"reason": "voor de proef"}, **headers)
    assert answer.status_code == status


async def test_guessing_links_is_slowed(world: World) -> None:
    async with stranger(app_of(world)) as browser:
        statuses = [(await use(browser, "guess")).status_code for _ in range(22)]
    assert statuses[:20] == [403] * 20
    assert statuses[20:] == [429] * 2


# the listener


@pytest.mark.parametrize("address", ["0.0.0.0:0", "[::]:0", "example.org:0", "10.0.0.1:0"])
def test_plain_http_is_for_loopback(world: World, address: str) -> None:
    with pytest.raises(InvalidInput, match="loopback"):
        Console(app_of(world), address, certificate=None, key=None, grace=1, where="console_listen")


async def test_the_console_is_served_without_a_client_certificate(world: World) -> None:
    console = Console(
        app_of(world), "127.0.0.1:0", certificate=None, key=None, grace=1, where="console_listen"
    )
    console.start()
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{console.port}", trust_env=False) as http:
        answer = await http.get("/", headers={"x-forwarded-for": "10.0.0.9"})
    await console.close()
    assert (answer.status_code, answer.headers["location"]) == (303, "/aanmelden")
    assert "server" not in answer.headers


# an identity provider


@pytest.fixture
async def provider() -> AsyncIterator[Provider]:
    async with open_provider() as opened:
        yield opened


@asynccontextmanager
async def at_door(
    world: World, provider: Provider, folder: Path, **changes: Any
) -> AsyncIterator[httpx.AsyncClient]:
    """A browser before a console that knows the provider."""
    (folder / "secret").write_text(SECRET + "\n", "utf-8")
    settings = OidcSettings(
        issuer=provider.issuer, client_id=CLIENT, client_secret_file=folder / "secret", **changes
    )
    ours = IdentityProvider(settings, URL + FROM_PROVIDER)
    async with stranger(make_console(parts_of(world), ours)) as browser:
        yield browser


async def test_an_officer_signs_in_at_the_provider(world: World, provider: Provider, tmp_path: Path) -> None:
    provider.claims = {"sub": "fg-7", "org": world.cast.nla.oin, "groups": "privacy"}
    names = {"organisation_claim": "org", "role_claim": "groups", "roles": {"privacy": "officer"}}
    async with at_door(world, provider, tmp_path, **names) as browser:
        assert TO_PROVIDER in (await browser.get("/aanmelden")).text
        start = await browser.get(TO_PROVIDER)
        assert start.status_code == 303
        assert cookie(start, door.PENDING)["samesite"] == "lax"
        back = address_of(await provider.sign_in(start.headers["location"]))
        entered = await browser.get(back)
        assert (entered.status_code, 'content="0;url=/"' in entered.text) == (200, True)
        assert re.search(r"fg-7 \(privacyfunctionaris\)", (await browser.get("/")).text)
        assert (await browser.get(back)).status_code == 403  # neither the state nor the code works twice


@pytest.mark.parametrize(
    "wrong",
    [
        {"nonce": "another"},
        {"aud": "another"},
        {"aud": [CLIENT, "another"]},
        {"iss": "https://another.example"},
        {"exp": 1},
        {"role": "director"},
        {"organisation": "1234"},
        {"sub": "J. de Vries"},
        {"sub": "999990019"},
    ],
)
async def test_a_token_that_is_not_right_signs_nobody_in(
    world: World, provider: Provider, tmp_path: Path, wrong: dict[str, Any]
) -> None:
    provider.claims = {"sub": "fg-7", "organisation": world.cast.nla.oin, "role": "officer"}
    provider.wrong = wrong
    async with at_door(world, provider, tmp_path) as browser:
        start = await browser.get(TO_PROVIDER)
        answer = await browser.get(address_of(await provider.sign_in(start.headers["location"])))
    assert (answer.status_code, "sign-in-failed" in answer.text, COOKIE in str(answer.headers)) == (
        403,
        True,
        False,
    )


async def test_a_token_signed_by_another_is_refused(world: World, provider: Provider, tmp_path: Path) -> None:
    provider.claims = {"sub": "fg-7", "organisation": world.cast.nla.oin, "role": "officer"}
    provider.signs_with = type(provider.key).generate_key("P-256", {"kid": "1"})
    async with at_door(world, provider, tmp_path) as browser:
        start = await browser.get(TO_PROVIDER)
        answer = await browser.get(address_of(await provider.sign_in(start.headers["location"])))
    assert answer.status_code == 403


async def test_a_sign_in_ends_in_the_browser_that_began_it(
    world: World, provider: Provider, tmp_path: Path
) -> None:
    provider.claims = {"sub": "fg-7", "organisation": world.cast.nla.oin, "role": Role.OFFICER.value}
    async with at_door(world, provider, tmp_path) as browser:
        start = await browser.get(TO_PROVIDER)
        back = address_of(await provider.sign_in(start.headers["location"]))
        pending = browser.cookies.get(door.PENDING)
        browser.cookies.clear()
        assert (await browser.get(back)).status_code == 403
        browser.cookies.set(door.PENDING, str(pending))
        assert (await browser.get(back)).status_code == 200


async def test_a_provider_that_is_away_or_another_is_said_so(
    world: World, provider: Provider, tmp_path: Path
) -> None:
    provider.named = "https://another.example"
    async with at_door(world, provider, tmp_path) as browser:
        assert (await browser.get(TO_PROVIDER)).status_code == 503
    with pytest.raises(InvalidInput, match="https"):
        IdentityProvider(OidcSettings(issuer="http://id.example", client_id="x"), URL)
