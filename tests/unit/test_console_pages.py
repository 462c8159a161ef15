# SPDX-License-Identifier: EUPL-1.2
"""The console's frame: who sees which page, what becomes of it in the log, its twins, headers, limits, languages."""

import csv
import io
import re
from collections.abc import Iterator
from dataclasses import replace

import pytest

from broker.audit.projection import Projection
from broker.console import site
from broker.console.guard import MAX_FORM, RateLimit
from broker.console.listing import Listing
from broker.console.pages import EVERYONE, Context, Page, View
from broker.console.people import Role
from broker.console.reading import Reader
from broker.console.render import TEMPLATES
from broker.console.texts import Language
from broker.console.views import PAGES
from sluis.errors import InvalidInput, NotFound, Unavailable
from tests.console_world import app_of, browse, logged, officer_of, stranger
from tests.world import FIRM, World

# Who may see what. A page that is not in here has no reader, and the test says so.
MATRIX = {
    "today": {Role.OFFICER, Role.AUTHORITY, Role.OPERATOR},
    "timeline": {Role.OFFICER, Role.AUTHORITY},
    **{
        name: set(Role)
        for name in ("log", "consistency", "proof", "parties", "epochs", "entry", "find_entry")
    },
    "exchanges": {Role.OFFICER, Role.AUTHORITY},
    "exchanges_save": {Role.OFFICER, Role.AUTHORITY},
    "exchanges_forget": {Role.OFFICER, Role.AUTHORITY},
    "watches": {Role.OFFICER, Role.AUTHORITY},
    "exchange": {Role.OFFICER, Role.AUTHORITY},
    "exchange_evidence": {Role.OFFICER, Role.AUTHORITY},
    "reads": {Role.OFFICER, Role.AUTHORITY},
    **{name: set(Role) for name in ("rules", "agreement", "rule", "versions")},
    **{name: {Role.OFFICER, Role.AUTHORITY} for name in ("change", "proposals", "proposal", "trial")},
    **{
        name: {Role.OFFICER, Role.AUTHORITY}
        for name in (
            *(
                "open_finding",
                "review",
                "draw",
                "finding",
                "assign",
                "conclude",
                "second",
                "subject",
                "recipients",
            ),
            *("reports", "register", "dpia", "breach", "yearly", "destroyed", "holds"),
        )
    },
    "statistics": {Role.AUTHORITY},
}
SCRIPT = "<script>alert(1)</script>"


def addresses(page: Page) -> Iterator[tuple[str, str]]:
    """Every method and address of a page, with 0 for what varies."""
    path = re.sub(r"\{[^}]*\}", "0", page.path)
    yield page.method, path
    if page.listed:
        for twin in site.TWINS:
            yield "GET", f"{path}.{twin}"
            yield "POST", f"{path}.{twin}"


@pytest.mark.parametrize("role", list(Role))
async def test_each_role_sees_its_pages_and_no_other(world: World, role: Role) -> None:
    assert set(MATRIX) == {page.name for page in PAGES}
    async with browse(world, role) as browser:
        for page in PAGES:
            for method, path in addresses(page):
                form = {"csrf": browser.session.csrf, "reason": "voor de proef"}
                answer = await browser.http.request(method, path, data=form if method == "POST" else None)
                refused = answer.status_code == 403 and "not-your-role" in answer.text
                assert refused is (role not in MATRIX[page.name]), (method, path, answer.status_code)


async def test_who_is_not_signed_in_is_sent_to_the_door(world: World) -> None:
    async with stranger(app_of(world)) as browser:
        for page in PAGES:
            for method, path in addresses(page):
                answer = await browser.request(method, path, data={"reason": "voor de proef"})
                assert answer.status_code == (303 if method == "GET" else 403), path
                assert answer.headers.get("location", "/aanmelden") == "/aanmelden"
    assert logged(world, "console.read") == []


@pytest.mark.parametrize("role", list(Role))
async def test_the_menu_has_what_the_role_may_see(world: World, role: Role) -> None:
    async with browse(world, role) as browser:
        text = (await browser.get("/")).text
    shown = set(re.findall(r'<li><a href="([^"]+)"', text))
    assert shown == {page.path for page in PAGES if role in page.roles and page.menu}


# the log of reading


async def test_reading_is_an_entry_of_the_log_and_stands_on_the_page(world: World) -> None:
    async with browse(world) as browser:
        page = await browser.get("/inzage?before=999999")
    [entry] = logged(world, "console.read")
    assert {name: entry[name] for name in ("reader", "organisation", "role", "page", "filter")} == {
        "reader": "fg-1",
        "organisation": world.cast.nla.oin,
        "role": "officer",
        "page": "/inzage",
        "filter": {"before": "999999"},
    }
    assert "before=999999" in page.text


async def test_the_same_reading_within_a_minute_is_one_entry(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [0.0]
    monkeypatch.setattr(site, "Journal", lambda: _journal(now))
    async with browse(world) as browser:
        for moment, entries in ((0.0, 1), (59.0, 1), (60.0, 2), (61.0, 2)):
            now[0] = moment
            await browser.get("/inzage")
            assert len(logged(world, "console.read")) == entries, moment
        await browser.get("/inzage?before=5")
        assert len(logged(world, "console.read")) == 3


def _journal(now: list[float]) -> object:
    from broker.console.reading import Journal

    return Journal(lambda: now[0])


async def test_without_a_log_nothing_is_shown(world: World) -> None:
    seen = []

    def show(context: Context) -> View:
        seen.append(context)
        return View()

    page = Page(path="/x", name="reads", handler=show, roles=EVERYONE, logged=True)
    async with browse(world, pages=[page]) as browser:
        await world.broker.desk.committer.close()
        answer = await browser.get("/x")
    assert (answer.status_code, seen) == (503, [])


async def test_a_number_in_a_filter_does_not_reach_the_log(world: World) -> None:
    page = Page(
        path="/x",
        name="reads",
        handler=_nothing,
        roles=EVERYONE,
        logged=True,
        filters={"q": re.compile(".*")},
    )
    async with browse(world, pages=[page]) as browser:
        for value in ("999990019", "a 999990019", "a12345678", "Waadi-14b", world.cast.nla.oin):
            await browser.http.get("/x", params={"q": value})
    words = [entry["filter"]["q"] for entry in logged(world, "console.read")]
    assert words == ["?", "?", "?", "Waadi-14b", world.cast.nla.oin]


def _nothing(_: Context) -> View:
    return View(listing=Listing(columns=(), rows=()))


# one organisation does not see another's


async def test_an_officer_reads_her_own_exchanges_only(world: World) -> None:
    await world.certify(FIRM)
    await world.push(world.envelope(FIRM))
    index = world.size - 1
    cast = world.cast

    def sees(role: Role, actor: object) -> bool:
        reader = Reader(world.store, officer_of(actor, role))  # type: ignore[arg-type]
        try:
            found = [entry.log_index for entry in reader.newest_exchanges(50)]
            return reader.entry(index).log_index == index and index in found
        except NotFound:
            assert index not in found
            return False

    assert sees(Role.OFFICER, cast.nla)
    assert sees(Role.OFFICER, cast.sna)
    assert sees(Role.AUTHORITY, cast.officer)
    assert not sees(Role.OFFICER, cast.body)
    assert not sees(Role.OFFICER, cast.officer)
    assert not sees(Role.OPERATOR, cast.nla)


async def test_todays_counts_are_those_of_her_organisation(world: World) -> None:
    await world.certify(FIRM)
    await world.push(world.envelope(FIRM))
    Projection(world.store).once()
    for role, actor, count in (
        (Role.OFFICER, world.cast.nla, "Vandaag zijn er 1 "),
        (Role.OFFICER, world.cast.body, "Vandaag zijn er 0 "),
    ):
        async with browse(world, role, actor) as browser:
            assert count in (await browser.get("/")).text
    async with browse(world, Role.OPERATOR) as browser:
        assert "Vandaag zijn er" not in (await browser.get("/")).text


async def test_reading_of_another_organisation_is_for_the_authority(world: World) -> None:
    async with browse(world, actor=world.cast.sna, reference="fg-sna") as browser:
        await browser.get("/inzage")
    async with browse(world, reference="fg-nla") as browser:
        assert "fg-sna" not in (await browser.get("/inzage")).text
    async with browse(world, Role.AUTHORITY, world.cast.officer) as browser:
        assert "fg-sna" in (await browser.get("/inzage")).text


# twins


async def test_an_export_wants_a_reason_and_is_logged(world: World) -> None:
    async with browse(world) as browser:
        asked = await browser.get("/inzage.csv")
        assert asked.headers["content-type"].startswith("text/html")
        for reason in ("", "kort", "over burger 999990019", "x" * 301):
            refused = await browser.post("/inzage.csv", {"reason": reason})
            assert refused.status_code == 400, reason
        assert logged(world, "console.read") == []
        given = await browser.post("/inzage.csv", {"reason": "jaarlijkse controle"})
        also = await browser.post("/inzage.json", {"reason": "jaarlijkse controle"})
    entries = logged(world, "console.read")
    assert [(entry["export"], entry["reason"]) for entry in entries] == [
        ("csv", "jaarlijkse controle"),
        ("json", "jaarlijkse controle"),
    ]
    assert given.headers["content-disposition"] == 'attachment; filename="sluis-reads.csv"'
    [row] = list(csv.DictReader(io.StringIO(given.text)))
    assert (row["reader"], row["page"]) == ("fg-1", "/inzage")
    assert also.json()["rows"][1]["at"] == row["at"]


# what participants choose


async def test_a_name_that_is_markup_is_shown_as_text(world: World) -> None:
    row = world.store.party(world.cast.nla.oin)
    assert row is not None
    with world.store.transaction() as tx:
        tx.put_party(replace(row, name=f"=cmd'\"{SCRIPT}"))
        tx.commit()
    async with browse(world) as browser:
        text = (await browser.get("/inzage")).text
        assert SCRIPT not in text
        assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text
        for path in (
            f"/aanmelden?link={SCRIPT}",
            f"/inzage?before={SCRIPT}",
            f"/{SCRIPT}",
            f"/?lang={SCRIPT}",
        ):
            assert "<script>" not in (await browser.get(path)).text, path


def test_no_template_switches_escaping_off_or_holds_code() -> None:
    files = sorted(TEMPLATES.rglob("*.html"))
    assert len(files) > 6
    for path in files:
        text = path.read_text("utf-8")
        for forbidden in ("|safe", "| safe", "autoescape", " style=", " onclick", "<style", "javascript:"):
            assert forbidden not in text, (path.name, forbidden)
        assert not re.search(r"<script(?![^>]* src=)", text), path.name


@pytest.mark.parametrize(
    "path",
    [
        "/static/../site.py",
        "/static/%2e%2e/site.py",
        "/static/..%2fsite.py",
        "/static//etc/passwd",
        "/static/",
    ],
)
async def test_no_other_file_is_served(world: World, path: str) -> None:
    async with stranger(app_of(world)) as browser:
        assert (await browser.get(path)).status_code == 404
        assert (await browser.get("/static/console.css")).status_code == 200


# headers and limits


async def test_every_answer_bears_the_headers(world: World) -> None:
    async with browse(world) as browser:
        answers = [
            await browser.get(path) for path in ("/", "/inzage", "/nope", "/static/console.css", "/aanmelden")
        ]
        answers.append(await browser.post("/inzage.csv", {"reason": "voor de proef"}))
        answers.append(await browser.post("/inzage.csv", {"csrf": "x"}))
    for answer in answers:
        policy = answer.headers["content-security-policy"]
        assert policy.startswith("default-src 'none'; ")
        assert "unsafe" not in policy
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers["x-content-type-options"] == "nosniff"
        stored = answer.url.path.startswith("/static/")
        assert answer.headers["cache-control"] == ("public, max-age=300" if stored else "no-store")


def test_a_rate_limit_lets_a_burst_through_and_then_so_many_a_minute() -> None:
    now = [0.0]
    limit = RateLimit(60, 3, lambda: now[0])
    for _ in range(3):
        limit.spend("a")
    with pytest.raises(Unavailable):
        limit.spend("a")
    limit.spend("b")
    now[0] = 1.0
    limit.spend("a")
    with pytest.raises(Unavailable):
        limit.spend("a")


async def test_too_many_requests_are_refused_in_both_languages(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(site, "SESSION_BURST", 2)
    monkeypatch.setattr(site, "SESSION_PER_MINUTE", 1)  # nothing comes back while the test runs, however slow
    async with browse(world) as browser:
        statuses = [(await browser.get("/")).status_code for _ in range(3)]
        dutch, english = [(await browser.get(f"/?lang={lang}")) for lang in Language]
    assert statuses == [200, 200, 429]
    assert dutch.headers["retry-after"] == "60"
    assert "Te veel verzoeken" in dutch.text
    assert "Too many requests" in english.text


async def test_a_form_that_is_too_large_is_refused(world: World) -> None:
    async with browse(world) as browser:
        answer = await browser.post("/inzage.csv", {"reason": "x" * MAX_FORM})
    assert (answer.status_code, "message-too-large" in answer.text) == (429, True)


# languages


async def test_the_language_is_remembered_and_every_page_offers_the_other(world: World) -> None:
    async with browse(world) as browser:
        for path in ("/", "/inzage?before=7", "/nope", "/aanmelden"):
            text = (await browser.get(path)).text
            assert '<html lang="nl">' in text
            assert 'hreflang="en">English</a>' in text
        assert "?before=7&amp;lang=en" in (await browser.get("/inzage?before=7")).text
        await browser.get("/?lang=en")
        assert '<html lang="en">' in (await browser.get("/inzage")).text


async def test_moments_are_dutch_time_with_utc_in_the_markup(world: World) -> None:
    async with browse(world) as browser:
        text = (await browser.get("/")).text
    assert '<time datetime="2026-06-22T10:00:00Z">22 juni 2026, 12:00</time>' in text


async def test_a_filter_of_another_form_is_refused_and_one_unknown_is_ignored(world: World) -> None:
    async with browse(world) as browser:
        assert (await browser.get("/inzage?before=-1")).status_code == 400
        assert (await browser.get("/inzage?other=1")).status_code == 200
    assert [entry["filter"] for entry in logged(world, "console.read")] == [{}]


def test_an_officer_is_no_number_of_a_person(world: World) -> None:
    with pytest.raises(InvalidInput):
        officer_of(world.cast.nla, reference="999990019")
