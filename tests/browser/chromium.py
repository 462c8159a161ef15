# SPDX-License-Identifier: EUPL-1.2
"""Debian's Chromium, driven by Playwright, for the tests in this folder.

Where Chromium, Playwright or axe-core is missing the tests are skipped, or fail when SLUIS_REQUIRE contains `browser`.
`npm --prefix tests/browser ci` installs axe-core. Playwright downloads nothing: the browser is the system's own.
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser

EXECUTABLE = "/usr/bin/chromium"
AXE = Path(__file__).parent / "node_modules" / "axe-core" / "axe.min.js"
OPTIONS = (
    "--no-sandbox",  # tests may run as root
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def _missing(what: str) -> NoReturn:
    message = f"NO BROWSER: {what}"
    if "browser" in os.environ.get("SLUIS_REQUIRE", ""):
        pytest.fail(message, pytrace=False)
    pytest.skip(message)


def check_tools() -> None:
    """Skip the tests, or fail them, where something is missing."""
    if not Path(EXECUTABLE).exists():
        _missing(f"{EXECUTABLE} is missing: apt-get install chromium")
    if not AXE.exists() and shutil.which("npm") is None:
        _missing("axe-core is missing, and npm to install it: apt-get install npm")
    if not AXE.exists():
        _missing("axe-core is missing: npm --prefix tests/browser ci")
    try:
        import playwright.sync_api  # noqa: F401
    except ImportError:
        _missing("Playwright is missing: pip install playwright")


@contextmanager
def chromium() -> Iterator["Browser"]:
    """A browser that runs."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=EXECUTABLE, args=list(OPTIONS))
        yield browser
        browser.close()
