# SPDX-License-Identifier: EUPL-1.2
"""Whether a page is for everyone: what axe-core says of it in light and dark, and whether it fits a narrow window.

Everything that is folded is unfolded first, for axe-core passes over what is not shown. The theme's two schemes
differ in colours alone (a test of the theme holds that), so in the dark only the rules about colour are asked. The
languages differ in words alone, which have no colour: so in English the rules about colour are not asked again.
"""

from typing import TYPE_CHECKING, Any

from tests.browser.chromium import axe
from tests.browser.office import HIGH, WIDE

if TYPE_CHECKING:
    from playwright.sync_api import Page

TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
OF_COLOUR = ["color-contrast", "link-in-text-block"]
NARROW = 320  # WCAG 1.4.10
_RUN = "async (chosen) => (await axe.run({ ...chosen, resultTypes: ['violations'] })).violations"
_ROWS = 6  # the rows of a table come from one template, so the rest are left out of what axe-core looks at
_THIN = """(most) => {
  for (const table of document.querySelectorAll("tbody")) [...table.rows].slice(most).forEach((row) => row.remove());
}"""
_UNFOLD = "document.querySelectorAll('details').forEach((one) => { one.open = true; })"


def violations(page: "Page", *, dark: bool = False, colours: bool = True) -> list[str]:
    """What axe-core finds wrong, with the elements. The console's own policy of content stays in force."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(axe())
    page.emulate_media(color_scheme="dark" if dark else "light")
    only = {"type": "rule", "values": OF_COLOUR} if dark else {"type": "tag", "values": TAGS}
    left_out = {} if colours else {name: {"enabled": False} for name in OF_COLOUR}
    found: list[dict[str, Any]] = page.evaluate(_RUN, {"runOnly": only, "rules": left_out})
    scheme = "dark" if dark else "light"
    return [f"{scheme} {one['id']}: {node['html'][:160]}" for one in found for node in one["nodes"]]


def too_wide(page: "Page") -> int:
    """By how many pixels the page is wider than a narrow window."""
    page.set_viewport_size({"width": NARROW, "height": HIGH})
    wide: int = page.evaluate("document.documentElement.scrollWidth")
    page.set_viewport_size({"width": WIDE, "height": HIGH})
    return wide - NARROW


def troubles(page: "Page", *, colours: bool = True) -> list[str]:
    """All that is wrong with the page; the colours may be left out."""
    page.evaluate(_UNFOLD)
    wide = too_wide(page)
    found = [f"too wide by {wide} pixels at {NARROW}"] if wide else []
    page.evaluate(_THIN, _ROWS)
    found += violations(page, dark=True) if colours else []
    return found + violations(page, colours=colours)


def check(page: "Page", *, colours: bool = True) -> None:
    """Fail with what is wrong."""
    assert troubles(page, colours=colours) == []
