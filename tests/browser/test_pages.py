# SPDX-License-Identifier: EUPL-1.2
"""Every page of the menu for everyone: axe-core in both languages, reflow at 320 px, and the keyboard alone."""

from typing import TYPE_CHECKING, Any

import pytest

from tests.browser.everyone import check, too_wide, violations
from tests.browser.office import Office

if TYPE_CHECKING:
    from playwright.sync_api import Page

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
LANGUAGES = ("nl", "en")


def test_the_menu_is_the_one_tested(office: Office, page: "Page") -> None:
    page.goto(f"{office.url}/")
    links = page.locator(".masthead nav a").evaluate_all("all => all.map((a) => a.getAttribute('href'))")
    assert tuple(links) == MENU


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("path", [*MENU, *BELOW])
def test_a_page_is_for_everyone(office: Office, page: "Page", path: str, language: str) -> None:
    answer = page.goto(f"{office.url}{path}?lang={language}")
    assert answer is not None
    assert answer.status == 200
    assert page.locator("html").get_attribute("lang") == language
    check(page)


def test_one_exchange_with_its_proof_is_for_everyone(office: Office, page: "Page") -> None:
    page.goto(f"{office.url}/uitwisselingen?lang=nl")
    page.locator(".found tbody a").first.click()
    page.locator('[data-verdict][data-state="right"]').wait_for()
    check(page)


def test_axe_and_the_reflow_check_find_what_is_wrong(office: Office, page: "Page") -> None:
    page.goto(f"{office.url}/?lang=nl")
    page.evaluate(
        """() => {
          document.querySelector("main").insertAdjacentHTML("beforeend", "<input><p id='broad'>-</p>");
          document.getElementById("broad").style.width = "700px";
        }"""
    )
    assert [line.split(":")[0] for line in violations(page)] == ["label"]
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
