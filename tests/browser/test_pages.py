# SPDX-License-Identifier: EUPL-1.2
"""Every page of the menu for everyone: axe-core in both languages, reflow at 320 px, the keyboard alone, and no
dead links.
"""

from collections import Counter
from contextlib import closing
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any, TypeAlias
from urllib.parse import parse_qsl, urljoin, urlsplit

import pytest

from broker.console.people import Role
from broker.console.texts import Language
from tests.browser.everyone import NARROW, check, too_wide, troubles, violations
from tests.browser.office import HIGH, WIDE, Office
from tests.browser.places import differing, missed

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

MENU = (
    "/",
    "/uitwisselingen",
    "/beoordelen",
    "/tijdlijn",
    "/afspraken",
    "/proef",
    "/logboek",
    "/deelnemers",
    "/betrokkene",
    "/rapporten",
    "/inzage",
)
BELOW = (
    "/voorstellen",
    "/versies",
    "/verschil",
    "/rapporten/dpia",
    "/rapporten/inbreuk",
    "/rapporten/jaarverslag",
)
OF_A_SHAPE = 3  # a session may not ask for hundreds of pages at once


def test_the_menu_is_the_one_tested(office: Office, page: "Page") -> None:
    page.goto(f"{office.url}/")
    links = page.locator(".masthead nav > ul a").evaluate_all("all => all.map((a) => a.getAttribute('href'))")
    assert tuple(links) == MENU


Walks: TypeAlias = "dict[Role, tuple[Page, dict[str, str]]]"


# What the keyboard should come past, in the order of the page: of radio buttons one for each group.
_STOPS = """() => {
  const groups = new Set();
  const stops = "a[href], button, input, select, textarea, summary, [tabindex='0']";
  window.stops = [...document.querySelectorAll(`main :is(${stops})`)]
    .filter((one) => one.type !== "hidden" && !one.disabled && one.checkVisibility())
    .filter((one) => one.type !== "radio" || (!groups.has(one.name) && groups.add(one.name)));
  window.visited = [];
  document.getElementById("main").focus();
  document.addEventListener("focusin", ({ target }) => {
    const box = target.getBoundingClientRect();
    const seen = getComputedStyle(target).outlineStyle !== "none" && box.width * box.height > 0;
    if (!seen) window.unseen = target.outerHTML;
    window.visited.push(target);
  });
  return window.stops.length;
}"""
_MISSED = """(most) => {
  let at = 0;
  for (const one of window.visited) if (one === window.stops[at]) at += 1;
  const due = Math.min(most, window.stops.length);
  return [at < due ? window.stops[at].outerHTML : "", window.unseen ?? ""];
}"""
MOST_STOPS = 15


def _passed_over(page: "Page") -> list[str]:
    """What the keyboard alone does not come past, or comes past without showing it."""
    stops = page.evaluate(_STOPS)
    # A date has parts of its own, and a box that scrolls is a stop.
    for _ in range(min(stops, MOST_STOPS) + 12):
        page.keyboard.press("Tab")
    return [f"by keyboard: {one}" for one in page.evaluate(_MISSED, MOST_STOPS) if one]


@pytest.mark.parametrize(("role", "name"), [(role, name) for role in Role for name in differing(role)])
def test_a_page_is_for_everyone(office: Office, walks: Walks, role: Role, name: str) -> None:
    page, addresses = walks[role]
    wrong = []
    for language in Language:
        address = addresses[name]
        answer = page.goto(f"{office.url}{address}{'&' if '?' in address else '?'}lang={language}")
        assert answer is not None
        assert answer.status == _expected(role, name)
        assert page.locator("html").get_attribute("lang") == language
        wrong += _passed_over(page) if role is Role.OFFICER and language is Language.DUTCH else []
        wrong += [f"{language} {one}" for one in troubles(page, colours=language is Language.DUTCH)]
    assert wrong == []


def _expected(role: Role, name: str) -> int:
    if name == "/nergens":
        return 404
    return 403 if role is Role.OPERATOR and name == "/uitwisselingen" else 200


@pytest.mark.parametrize("role", list(Role))
def test_no_page_is_forgotten(walks: Walks, role: Role) -> None:
    assert missed(role, walks[role][1].values()) == []
    assert missed(role, list(walks[role][1].values())[1:]) == ["/"]


def test_signing_in_is_for_everyone(office: Office, browser: "Browser") -> None:
    with closing(browser.new_context()) as context:
        page = context.new_page()
        for language in Language:
            for address in ("/aanmelden?", f"{office.link('fg-9').removeprefix(office.url)}&"):
                page.goto(f"{office.url}{address}lang={language}")
                check(page, colours=language is Language.DUTCH)


def test_axe_and_the_reflow_check_find_what_is_wrong(office: Office, page: "Page") -> None:
    page.goto(f"{office.url}/?lang=nl")
    page.evaluate(
        """() => {
          document.querySelector("main").insertAdjacentHTML("beforeend", "<input><p id='broad'>-</p>");
          document.getElementById("broad").style.width = "700px";
        }"""
    )
    assert [line.split(":")[0] for line in violations(page)] == ["light label"]
    assert too_wide(page) > 0


def _focused(page: "Page") -> dict[str, Any]:
    found: dict[str, Any] = page.evaluate(
        """() => {
          const here = document.activeElement, box = here.getBoundingClientRect();
          return { id: here.id, href: here.getAttribute("href"), facet: !!here.closest("#keuzes"),
                   seen: box.top >= 0 && box.bottom <= innerHeight && box.left >= 0,
                   outline: getComputedStyle(here).outlineStyle };
        }"""
    )
    return found


def test_the_keyboard_alone_reaches_a_facet(office: Office, page: "Page") -> None:
    page.goto(f"{office.url}/uitwisselingen")
    page.keyboard.press("Tab")
    skip = _focused(page)
    assert (skip["href"], skip["seen"], skip["outline"]) == ("#main", True, "solid")
    page.keyboard.press("Enter")
    assert _focused(page)["id"] == "main"
    for _ in range(30):
        page.keyboard.press("Tab")
        here = _focused(page)
        assert here["outline"] != "none", here
        if here["facet"]:
            break
    assert here["facet"], here
    assert here["seen"], here
    with page.expect_navigation():
        page.keyboard.press("Enter")
    assert page.url.endswith(here["href"].split("?")[1])
    assert page.locator(".chosen a").count() == 1


def test_the_folded_menu_opens_by_keyboard_and_is_for_everyone(office: Office, page: "Page") -> None:
    page.set_viewport_size({"width": NARROW, "height": HIGH})
    try:
        page.goto(f"{office.url}/deelnemers?lang=nl")
        menu = page.locator(".masthead nav details")
        assert page.locator(".masthead nav > ul").is_hidden()
        menu.locator("summary").focus()
        page.keyboard.press("Enter")
        links = menu.locator("a")
        links.first.wait_for()
        assert (violations(page), violations(page, dark=True)) == ([], [])
        assert page.evaluate("document.documentElement.scrollWidth") == NARROW
        menu.locator("summary").focus()
        for _ in range(3):
            page.keyboard.press("Tab")
        with page.expect_navigation():
            page.keyboard.press("Enter")
        assert page.url == f"{office.url}{MENU[2]}"
    finally:
        page.set_viewport_size({"width": WIDE, "height": HIGH})


class _Anchors(HTMLParser):
    """The addresses that a page leads to, and the places in it."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.hrefs: list[str] = []
        self.places: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note what an element adds."""
        words = dict(attrs)
        if tag == "a" and words.get("href"):
            self.hrefs.append(words["href"] or "")
        self.places.add(words.get("id") or "")


def _shape(href: str) -> str:
    """What addresses of one page have in common: that they differ only in a code, or in what was chosen."""
    address = urlsplit(href)
    first, *rest = address.path.strip("/").split("/")
    return f"{first}{'/*' * len(rest)}?{'&'.join(sorted(name for name, _ in parse_qsl(address.query)))}"


def test_every_link_leads_somewhere(office: Office, page: "Page") -> None:
    page.goto(f"{office.url}/beoordelen")
    with page.expect_navigation():
        page.get_by_role(
            "button", name="Trek uit wat nieuw is"
        ).click()  # so that there are findings, with links
    waiting = [(path, "") for path in (*MENU, *BELOW)]
    seen: Counter[str] = Counter()
    tried: set[str] = set()
    dead: list[str] = []
    while waiting:
        href, source = waiting.pop(0)
        shape = _shape(href)
        seen[shape] += 1
        if seen[shape] > (OF_A_SHAPE if shape.endswith("?") else 1) or href in tried:
            continue
        tried.add(href)
        answer = page.request.get(office.url + href)
        anchors = _Anchors(answer.text())
        place = urlsplit(href).fragment
        if answer.status != 200 or (place and place not in anchors.places):
            dead.append(f"{href} on {source}: {answer.status}")
        dead += [
            f"{link} on {href}" for link in anchors.hrefs if link[0] == "#" and link[1:] not in anchors.places
        ]
        if urlsplit(href).query:  # what was chosen offers choices without end
            continue
        found = [urljoin(href, link) for link in anchors.hrefs if not link.startswith("#")]
        waiting += [(link, href) for link in found if link.startswith("/")]
    assert dead == []
    assert len(tried) > 40
