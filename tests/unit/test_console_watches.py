# SPDX-License-Identifier: EUPL-1.2
"""Watches on Vandaag: what is new in a kept choice, until she looks; hers alone, and of her own exchanges."""

import pytest

from broker.audit.projection import Projection
from broker.console import saved_views
from broker.console.views import watches
from tests.console_world import Browser, browse
from tests.world import FIRM, OTHER_FIRM, World

KEEP, WATCH = "/uitwisselingen/bewaren", "/volgen"
NEW = "Nieuw in uw keuze"


async def push(world: World, number: int = 1) -> None:
    """Refused signals: nobody certified the firm."""
    for _ in range(number):
        await world.push(world.envelope(OTHER_FIRM))
    while Projection(world.store).advance():
        pass


async def keep(browser: Browser, name: str, **choice: str) -> None:
    assert (await browser.post(KEEP, {"name": name, **choice})).status_code == 303


async def watch(browser: Browser, name: str, act: str = "begin") -> int:
    return (await browser.post(WATCH, {"name": name, "act": act})).status_code


async def news(browser: Browser) -> list[str]:
    """The sentences about watches."""
    lines = (await browser.get("/")).text.split("\n")
    return [line.partition(NEW)[2].partition("<")[0].strip() for line in lines if NEW in line]


async def test_a_watch_counts_what_came_since_she_last_looked(world: World) -> None:
    async with browse(world) as browser:
        await keep(browser, "geweigerd", result="denied")
        await push(world)
        assert await news(browser) == []
        assert await watch(browser, "geweigerd") == 303
        assert await news(browser) == []  # what was there before is not new
        await push(world)
        assert await news(browser) == ["‘geweigerd’: 1 uitwisseling"]
        await push(world)
        assert await news(browser) == ["‘geweigerd’: 2 uitwisselingen"]
        looked = await browser.post(WATCH, {"name": "geweigerd", "act": "look"})
        assert looked.headers["location"] == "/uitwisselingen?result=denied"
        assert await news(browser) == []
        await push(world)
        assert await watch(browser, "geweigerd", "end") == 303
        assert await news(browser) == []


async def test_only_what_falls_in_the_choice_counts(world: World) -> None:
    await world.certify(FIRM)
    async with browse(world) as browser:
        for name, choice in (
            ("geweigerd", {"result": "denied"}),
            ("alles", {}),
            ("vroeger", {"from": "2025-01-01", "until": "2025-12-31"}),
            ("nooit", {"from": "2026-02-30"}),
            ("verkeerd om", {"from": "2026-12-31", "until": "2026-01-01"}),
        ):
            await keep(browser, name, **choice)
            assert await watch(browser, name) == 303
        await world.push(world.envelope(FIRM))
        await push(world)
        assert await news(browser) == ["‘alles’: 2 uitwisselingen", "‘geweigerd’: 1 uitwisseling"]


async def test_a_watch_is_one_officers_and_shows_her_own_exchanges(world: World) -> None:
    async with (
        browse(world) as browser,
        browse(world, reference="fg-2") as colleague,
        browse(world, actor=world.cast.body) as stranger,
    ):
        for one in (browser, stranger):
            await keep(one, "alles")
            assert await watch(one, "alles") == 303
        await push(world)
        assert await news(browser) == ["‘alles’: 1 uitwisseling"]
        assert await news(colleague) == []
        assert await news(stranger) == []
        assert await watch(colleague, "alles") == 404


async def test_many_are_not_counted_to_the_end_and_watches_are_few(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watches, "AT_MOST", 2)
    monkeypatch.setattr(saved_views, "MAX_WATCHES", 2)
    async with browse(world) as browser:
        for name in ("a", "b", "c"):
            await keep(browser, name)
        assert [await watch(browser, name) for name in ("a", "b", "c", "a")] == [303, 303, 400, 303]
        await push(world, 3)
        assert (await news(browser))[0] == "‘a’: meer dan 2 uitwisselingen"
        assert await watch(browser, "a", "peek") == 400
        await keep(browser, "a", result="denied")  # kept anew, it stays a watch
        assert "‘a’: meer dan 2 uitwisselingen" in await news(browser)
