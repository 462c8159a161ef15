# SPDX-License-Identifier: EUPL-1.2
"""One office and one browser for this whole folder.

They end with the folder's last test: Playwright keeps a loop running, beside which no other test could start one.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from broker.console.people import Role
from tests.browser.chromium import check_tools, chromium
from tests.browser.office import EXCHANGES, Office, come_back_until, open_office
from tests.browser.places import OFFICERS, have_two_versions, places

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark everything here: whole processes take seconds."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.slow)


@pytest.fixture(scope="package")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    """The office, with its day played."""
    check_tools()
    with open_office(tmp_path_factory.mktemp("office")) as made:
        yield made


@pytest.fixture(scope="package")
def browser(office: Office) -> Iterator["Browser"]:
    """Chromium; it starts after the office, which needs a loop of its own."""
    with chromium() as made:
        yield made


@pytest.fixture(scope="package")
def page(office: Office, browser: "Browser") -> "Page":
    """The browser of fg-1, signed in; every exchange of the day can be found."""
    page = office.sign_in(browser, "fg-1")
    page.goto(f"{office.url}/uitwisselingen")
    come_back_until(page, ".total", f"{EXCHANGES} uitwisselingen")
    return page


@pytest.fixture(scope="package")
def walks(office: Office, browser: "Browser", page: "Page") -> dict[Role, tuple["Page", dict[str, str]]]:
    """For each role a browser that is signed in, and where her pages are."""
    have_two_versions(office)
    pages = {role: office.sign_in(browser, name, role) for role, name in OFFICERS.items()}
    addresses = places(office, pages)
    return {role: (one, addresses[role]) for role, one in pages.items()}
