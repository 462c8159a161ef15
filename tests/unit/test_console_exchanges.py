# SPDX-License-Identifier: EUPL-1.2
"""The list of exchanges: facets, days, pages, twins, and whose exchanges stand in it."""

import csv
import html
import io
import json
import re
from dataclasses import replace
from datetime import date
from urllib.parse import urlencode

import pytest

from broker.console import saved_views
from broker.console.histogram import HEIGHT, histogram
from broker.console.people import Role
from broker.console.views import exchanges
from broker.storage.projected import FACETS, Column, Results
from tests.console_world import browse, logged
from tests.unit.test_console_exchange import follow
from tests.world import FIRM, OTHER_FIRM, VALUES, World

PATH = "/uitwisselingen"


@pytest.fixture
async def busy(world: World) -> World:
    """Two days: three fines that pass, one of them in part, and one that does not."""
    await world.certify(FIRM)
    await world.push(world.envelope(FIRM))
    await world.push(world.envelope(FIRM))
    world.clock.move(days=1)
    await world.push(world.envelope(OTHER_FIRM))
    await world.push(world.deposit(FIRM))
    follow(world)
    return world


def count(text: str) -> int:
    [found] = re.findall(r'<p class="total"[^>]*><strong>([0-9]+) ', text)
    return int(found)


def rows(text: str) -> list[int]:
    return [int(found) for found in re.findall(r'href="/uitwisseling/([0-9]+)"', text)]


async def see(world: World, actor: object = None, role: Role = Role.OFFICER, **words: str) -> str:
    async with browse(world, role, actor) as browser:  # type: ignore[arg-type]
        answer = await browser.get(f"{PATH}?{urlencode(words)}")
    assert answer.status_code == 200, answer.text
    return answer.text


async def test_a_facet_narrows_and_its_link_takes_it_away(busy: World) -> None:
    every = await see(busy)
    denied = await see(busy, result="denied")
    assert 0 < count(denied) < count(every)
    assert len(rows(denied)) == count(denied)
    [link] = re.findall(
        r'<a href="([^"]*)" aria-current="true"><span aria-hidden="true">✓ </span>geweigerd', denied
    )
    assert link == PATH
    # Under the other choices, not under its own: the others can still be chosen.
    assert "geheel vrijgegeven</a>" in denied


async def test_counts_of_a_facet_add_up_to_what_its_link_shows(busy: World) -> None:
    text = await see(busy, busy.cast.officer, Role.AUTHORITY)
    [facets] = re.findall(r'<nav class="facets".*?</nav>', text, re.DOTALL)
    links = re.findall(r'<a href="([^"]+)">[^<]*</a> <span class="count">([0-9.]+)</span>', facets)
    assert len(links) > 12
    async with browse(busy, Role.AUTHORITY, busy.cast.officer) as browser:
        for href, number in links:
            answer = await browser.get(html.unescape(href))
            assert count(answer.text) == int(number), href


async def test_the_days_stand_on_the_page_and_bound_it(busy: World) -> None:
    text = await see(busy)
    assert "25 mei 2026" in text
    assert "23 juni 2026" in text
    first = count(await see(busy, **{"from": "2026-06-22", "until": "2026-06-22"}))
    second = count(await see(busy, **{"from": "2026-06-23", "until": "2026-06-23"}))
    assert (first, second, count(text)) == (2, 1, 3)
    for words in ({"from": "2026-06-23", "until": "2026-06-22"}, {"from": "2026-02-31"}, {"from": "morgen"}):
        async with browse(busy) as browser:
            assert (await browser.get(f"{PATH}?{urlencode(words)}")).status_code == 400, words


async def test_the_next_page_is_offered_only_when_there_is_one(busy: World) -> None:
    total = count(await see(busy))
    assert 'rel="next"' not in await see(busy)
    show = exchanges.show
    page = replace(exchanges.PAGES[0], handler=lambda context: show(replace(context, limit=total - 1)))
    async with browse(busy, pages=[page]) as browser:
        text = (await browser.get(f"{PATH}?result=released")).text
        assert 'rel="next"' not in text
        text = (await browser.get(PATH)).text
        [older] = re.findall(r'rel="next" href="([^"]+)"', text)
        rest = (await browser.get(html.unescape(older))).text
    assert len(rows(text)) == total - 1
    assert len(rows(rest)) == 1
    assert count(rest) == total


async def test_an_officer_sees_her_own_exchanges_only(busy: World) -> None:
    cast = busy.cast
    counts = {
        "nla": count(await see(busy, cast.nla)),
        "sna": count(await see(busy, cast.sna)),
        "officer": count(await see(busy, cast.officer)),
        "all": count(await see(busy, cast.officer, Role.AUTHORITY)),
    }
    assert counts["nla"] == 3
    assert counts["officer"] == 0
    assert counts["sna"] == counts["all"] > counts["nla"]
    # Asking for another's by name gives nothing, and no number that tells of them.
    text = await see(busy, cast.body, sender=cast.nla.oin)
    assert count(text) == 0
    assert rows(text) == []


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("sender", "1"),
        ("sender", "<script>alert(1)</script>"),
        ("article", "Waadi 14b' OR 1=1"),
        ("article", "a 999990019"),
        ("kind", "../../etc/passwd"),
        ("policy", "sha256:zz"),
        ("result", "alles"),
        ("before", "-1"),
    ],
)
async def test_a_choice_of_another_form_is_refused(busy: World, name: str, value: str) -> None:
    async with browse(busy) as browser:
        answer = await browser.get(f"{PATH}?{urlencode({name: value})}")
    assert answer.status_code == 400
    assert "<script" not in answer.text


async def test_a_name_that_is_markup_is_text_everywhere(busy: World) -> None:
    row = busy.store.party(busy.cast.sna.oin)
    assert row is not None
    with busy.store.transaction() as tx:
        tx.put_party(replace(row, name="=x<script>alert(1)</script>"))
        tx.commit()
    index = rows(await see(busy))[0]
    async with browse(busy) as browser:
        for path in (PATH, f"{PATH}?recipient={busy.cast.sna.oin}", f"/uitwisseling/{index}"):
            text = (await browser.get(path)).text
            assert "<script>alert" not in text
            assert "&lt;script&gt;alert" in text


async def test_what_was_chosen_is_in_the_log(busy: World) -> None:
    await see(busy, article="Waadi 14b(1)", sender=busy.cast.nla.oin, **{"from": "2026-06-01"})
    [entry] = logged(busy, "console.read")
    assert (entry["page"], entry["filter"]) == (
        PATH,
        {"article": "Waadi 14b(1)", "sender": busy.cast.nla.oin, "from": "2026-06-01"},
    )


async def test_the_twins_hold_codes_of_the_same_exchanges(busy: World) -> None:
    every = rows(await see(busy))
    form = {"reason": "voor het jaarverslag"}
    async with browse(busy) as browser:
        table = list(csv.DictReader(io.StringIO((await browser.post(f"{PATH}.csv", form)).text)))
        objects = (await browser.post(f"{PATH}.json", form)).json()["rows"]
        lines = (await browser.post(f"{PATH}.jsonl", form)).text.splitlines()
        denied = (await browser.post(f"{PATH}.jsonl?result=denied", form)).text.splitlines()
        assert (await browser.post(f"{PATH}.jsonl", {})).status_code == 400
    assert [json.loads(line) for line in lines] == objects
    assert [row["log_index"] for row in objects] == every == [int(row["log_index"]) for row in table]
    assert set(table[0]) == {"log_index", "at", "exchange"} | (FACETS.keys() - {"outcome"})
    assert len(denied) == sum(row["result"] == "denied" for row in objects)
    assert not any(value in line for line in lines for value in (VALUES["establishment_number"], FIRM.hex()))


async def test_an_empty_list_says_so(world: World) -> None:
    follow(world)
    text = await see(world, result="denied")
    assert "Er is niets om te tonen" in text
    assert count(text) == 0


def test_columns_stand_on_the_ground_and_the_highest_fills_the_drawing() -> None:
    days = [
        Column(first=date(2026, 1, day), last=date(2026, 1, day), results=results)
        for day, results in enumerate(
            [Results(), Results(released=2, partly=1, denied=1), Results(denied=2)], start=1
        )
    ]
    drawn = histogram(days)
    assert [(piece.part, piece.y, piece.height) for piece in drawn.pieces] == [
        ("released", HEIGHT / 2, HEIGHT / 2),
        ("partly", HEIGHT / 4, HEIGHT / 4),
        ("denied", 0, HEIGHT / 4),
        ("denied", HEIGHT / 2, HEIGHT / 2),
    ]
    assert all(piece.x + piece.width <= 100 for piece in drawn.pieces)
    assert histogram(days[:1]).pieces == []


# saved views


async def test_a_choice_is_kept_under_a_name_and_forgotten(busy: World) -> None:
    form = {"name": " Geweigerd  <b> ", "result": "denied", "from": "2026-06-01", "other": "1"}
    async with browse(busy) as browser:
        kept = await browser.post(f"{PATH}/bewaren", form)
        address = f"{PATH}?result=denied&from=2026-06-01"
        assert (kept.status_code, kept.headers["location"]) == (303, address)
        text = (await browser.get(address)).text
        assert "Geweigerd &lt;b&gt;</a>" in text
        assert html.escape(address) in (await browser.get(PATH)).text
        gone = await browser.post(f"{PATH}/vergeten", {"name": "Geweigerd <b>"})
        assert gone.status_code == 303
        assert "Geweigerd &lt;b&gt;" not in (await browser.get(PATH)).text


async def test_nobody_else_sees_a_kept_choice(busy: World) -> None:
    async with browse(busy, reference="fg-1") as browser:
        await browser.post(f"{PATH}/bewaren", {"name": "eigen keuze"})
        assert "eigen keuze" in (await browser.get(PATH)).text
    for actor, reference in ((None, "fg-2"), (busy.cast.sna, "fg-1")):
        async with browse(busy, actor=actor, reference=reference) as browser:
            await browser.post(f"{PATH}/vergeten", {"name": "eigen keuze"})
            assert "eigen keuze" not in (await browser.get(PATH)).text
    async with browse(busy, reference="fg-1") as browser:
        assert "eigen keuze" in (await browser.get(PATH)).text


@pytest.mark.parametrize(
    "form",
    [
        {"name": ""},
        {"name": "x" * 61},
        {"name": "over 999990019"},
        {"name": "goed", "sender": "//evil.example"},
        {"name": "goed", "result": "alles"},
        {"name": "goed", "csrf": "x"},
    ],
)
async def test_a_choice_that_will_not_do_is_not_kept(busy: World, form: dict[str, str]) -> None:
    async with browse(busy) as browser:
        refused = await browser.post(f"{PATH}/bewaren", form)
    assert refused.status_code == (403 if "csrf" in form else 400)
    assert busy.store.console.views(busy.cast.nla.oin, "fg-1") == []


async def test_no_officer_keeps_choices_without_end(busy: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(saved_views, "MAX_VIEWS", 2)
    async with browse(busy) as browser:
        statuses = [
            (await browser.post(f"{PATH}/bewaren", {"name": name})).status_code
            for name in ("a", "b", "b", "c")
        ]
    assert statuses == [303, 303, 303, 400]
