# SPDX-License-Identifier: EUPL-1.2
"""The office: a stage on which a small day was played, and officers of the inspectorate with keys of their own."""

import asyncio
import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from adapters.certification_body import ask
from adapters.foundation import certification_bodies, pass_on
from adapters.json_lines import keep_in
from adapters.labour_inspectorate import fine_draft
from broker.console.people import Role
from broker.policy.officers import OfficerFunction
from demo.rule_change import enrol_for_console
from tests.browser.afterwards import follow_up, hold, try_out_numbers
from tests.scenarios.scene import Scene, set_option, set_scene
from tests.warm import OURS, run

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator, Page

FINES = 5
QUESTION, REFUSED = 1, 1
EXCHANGES = FINES + QUESTION + REFUSED  # that the inspectorate's officers see
LIFE_MS = 8_000  # of the signal that ends
TOO_OLD = timedelta(days=800)
WIDE, HIGH = 1280, 900


@dataclass(frozen=True, slots=True)
class Office:
    """The scene, and the key files of the two officers: fg-1 (privacy) and jurist-1 (law)."""

    scene: Scene
    keys: dict[str, Path]
    signals: dict[str, str] = field(default_factory=dict)  # `held` and `ended`, by id

    @property
    def url(self) -> str:
        """The console's address."""
        return f"http://{self.scene.stage.console}"

    def link(self, officer: str, role: Role = Role.OFFICER) -> str:
        """An address that signs an officer in once, as the operator makes it."""
        stage = self.scene.stage
        words = ["link", officer, "--organisation", str(stage.cast.inspectorate.oin), "--role", role]
        done = run_sluis("console", *words, "--config", str(stage.broker.command[-1]))
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def sign_in(self, browser: "Browser", officer: str, role: Role = Role.OFFICER) -> "Page":
        """Open a browser of her own (no cookies shared) and sign her in."""
        context = browser.new_context(viewport={"width": WIDE, "height": HIGH}, locale="nl-NL")
        context.set_default_timeout(10_000)
        page = context.new_page()
        page.goto(self.link(officer, role))
        page.get_by_role("button", name="Aanmelden").click()
        page.wait_for_url(f"{self.url}/")
        return page


def run_sluis(*words: str, typed: str = "") -> subprocess.CompletedProcess[str]:
    """Run a command line of ours, and type something into it."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SLUIS_")}
    if not typed:
        return run(words, kept)
    return subprocess.run(
        [*OURS, *words], input=typed, capture_output=True, text=True, check=False, timeout=60, env=kept
    )


async def _play(scene: Scene) -> dict[str, str]:
    """Fines that pass, one that is too old, facts passed on, a body that gets hits, and what came of it all.

    The last fine ends soon. Gives the ids of the signals of which a page is opened by name.
    """
    cast = scene.stage.cast
    await scene.keep_registers()
    await scene.push(FINES - 1)
    async with scene.kit(cast.inspectorate) as kit:
        (ending,) = scene.drafts(1)
        ending = replace(ending, expires_at_ms=int(time.time() * 1000) + LIFE_MS)
        (passed,) = await kit.sender.push([ending])
        assert passed.permitted
        (fine,) = scene.fines(1)
        old = replace(fine, decided_on=fine.decided_on - TOO_OLD, found_on=fine.found_on - TOO_OLD)
        (refused,) = await kit.sender.push([fine_draft(old, cast.foundation.oin)])
    assert (refused.permitted, refused.reason) == (False, "LOOKBACK")
    received = await scene.receive()
    async with scene.kit(cast.foundation) as kit:
        await pass_on(kit, received, scene.firms, await certification_bodies(kit), scene.today)
    body = cast.bodies[0]
    clients = [firm.establishment for firm in scene.firms if firm.certified_by == body.name]
    async with scene.kit(body) as kit:
        report = await ask(kit, clients, keep_in(body.folder / "hits.jsonl"))
    assert report.hits
    await follow_up(scene, received)
    await try_out_numbers(scene)
    return {"held": str(received[1].header.signal_id), "ended": str(passed.signal_id)}


@contextmanager
def open_office(root: Path) -> Iterator[Office]:
    """Start everything, play the day, and enrol the officers."""
    with set_scene(root) as scene:
        set_option(scene.stage.broker, retention_seconds=0.5)
        scene.stage.start()
        signals = asyncio.run(_play(scene))
        member = scene.stage.cast.inspectorate
        keys = {
            name: enrol_for_console(scene.stage, name, member, function)
            for name, function in (("fg-1", OfficerFunction.PRIVACY), ("jurist-1", OfficerFunction.LEGAL))
        }
        hold(scene, keys, signals["held"])
        yield Office(scene, keys, signals)


def come_back_until(page: "Page", selector: str, text: str = "") -> "Locator":
    """Load the page again until it shows something: what follows the log comes a moment later."""
    wanted = page.locator(selector, has_text=text).first
    for _ in range(50):
        page.wait_for_load_state()
        if wanted.count():
            return wanted
        page.wait_for_timeout(200)
        page.reload()
    raise AssertionError(f"{page.url} never showed {selector} {text}")
