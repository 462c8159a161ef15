# SPDX-License-Identifier: EUPL-1.2
"""Debian's Chromium, driven by Playwright, for the tests in this folder.

Where Chromium or Playwright is missing the tests are skipped, and where axe-core is missing those that need it; they
fail when SLUIS_REQUIRE contains `browser`. Playwright downloads nothing: the browser is the system's own.
"""

import importlib.util
import os
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
    # A page is looked at once: processes and threads of their own would cost more than they bring.
    *("--disable-gpu-compositing", "--disable-software-rasterizer"),
    *("--num-raster-threads=1", "--renderer-process-limit=1"),
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
    """Skip the tests, or fail them, where there is no browser."""
    if not Path(EXECUTABLE).exists():
        _missing(f"{EXECUTABLE} is missing: apt-get install chromium")
    if importlib.util.find_spec("playwright") is None:
        _missing("Playwright is missing: pip install playwright")


def axe() -> str:
    """The script of axe-core; without it, skip the test, or fail it."""
    if not AXE.exists():
        _missing("axe-core is missing: npm --prefix tests/browser ci")
    return AXE.read_text("utf-8")


@contextmanager
def chromium() -> Iterator["Browser"]:
    """A browser that runs."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=EXECUTABLE, args=list(OPTIONS))
        yield browser
        browser.close()
