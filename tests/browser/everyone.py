# SPDX-License-Identifier: EUPL-1.2
"""Whether a page is for everyone: what axe-core says of it, and whether it fits a narrow window (WCAG 1.4.10)."""

from typing import TYPE_CHECKING, Any

from tests.browser.chromium import AXE
from tests.browser.office import HIGH, WIDE

if TYPE_CHECKING:
    from playwright.sync_api import Page

RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
NARROW = 320


def violations(page: "Page") -> list[str]:
    """What axe-core finds wrong, with the elements. The console's own policy of content stays in force."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE.read_text("utf-8"))
    found: list[dict[str, Any]] = page.evaluate(
        "async (tags) => (await axe.run({ runOnly: tags, resultTypes: ['violations'] })).violations", RULES
    )
    return [f"{one['id']}: {node['html'][:160]}" for one in found for node in one["nodes"]]


def too_wide(page: "Page") -> int:
    """By how many pixels the page is wider than a narrow window."""
    page.set_viewport_size({"width": NARROW, "height": HIGH})
    wide: int = page.evaluate("document.documentElement.scrollWidth")
    page.set_viewport_size({"width": WIDE, "height": HIGH})
    return wide - NARROW


def check(page: "Page") -> None:
    """Fail with what is wrong."""
    assert (violations(page), too_wide(page)) == ([], 0)
