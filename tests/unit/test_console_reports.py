# SPDX-License-Identifier: EUPL-1.2
"""Rapporten and Verzoek van betrokkene: what stands on the pages, whose it is, and what is refused."""

import csv
import io
from dataclasses import replace

from broker.audit.projection import Projection
from broker.console.people import Role
from broker.oversight.reports import REFUSALS, case_results, register
from tests.console_world import Browser, browse, logged
from tests.world import FIRM, World, bundle

SCRIPT = "<script>alert(1)</script>"
PATHS = (
    "/rapporten",
    "/rapporten/verwerkingen",
    "/rapporten/dpia",
    "/rapporten/inbreuk",
    "/rapporten/jaarverslag",
    "/betrokkene",
    "/beoordelen",
)


async def pushed(world: World) -> str:
    await world.certify(FIRM)
    envelope = world.envelope(FIRM)
    await world.push(envelope)
    while Projection(world.store).advance():
        pass
    return str(envelope.header.signal_id)


async def export(browser: Browser, path: str) -> list[dict[str, str]]:
    answer = await browser.post(path, {"reason": "voor de proef"})
    assert answer.status_code == 200, path
    return list(csv.DictReader(io.StringIO(answer.text)))


async def test_every_page_opens_in_both_languages(world: World) -> None:
    exchange = await pushed(world)
    async with browse(world) as browser:
        for path in (*PATHS, f"/betrokkene/ontvangers/{exchange}"):
            for language in ("nl", "en"):
                answer = await browser.get(f"{path}?lang={language}")
                assert answer.status_code == 200, (path, answer.text)
                assert answer.text.count("<h1") == 1
    async with browse(world, Role.AUTHORITY, world.cast.officer) as browser:
        assert (await browser.get("/rapporten/jaarcijfers")).status_code == 200


async def test_the_register_has_every_rule_that_lets_data_pass(world: World) -> None:
    found = register(bundle())
    async with browse(world) as browser:
        rows = await export(browser, "/rapporten/verwerkingen.csv")
        some = await export(browser, "/rapporten/verwerkingen.csv?agreement=waadi-14b")
    assert [row["rule"] for row in rows] == [item.rule.id for item in found]
    assert 0 < len(some) < len(rows)
    for row in rows:
        assert all(row.values()), row


def test_the_examples_come_out_and_the_refusals_are_among_them() -> None:
    results = case_results(bundle())
    assert results.error == ""
    assert (results.failed, results.run > 100) == ((), True)
    assert results.refusals is not None
    assert set(results.refusals) <= set(REFUSALS)
    assert len(results.refusals) > 15
    assert all(results.refusals.values())


async def test_a_breach_counts_ones_own_exchanges_of_the_days_and_the_participant(world: World) -> None:
    await pushed(world)
    cast = world.cast
    days = "from=2026-06-01&to=2026-06-30"

    async def rows(actor: object, query: str) -> list[dict[str, str]]:
        async with browse(world, actor=actor) as browser:  # type: ignore[arg-type]
            return await export(browser, f"/rapporten/inbreuk.csv?{query}")

    [row] = await rows(cast.nla, days)
    assert (row["sender"], row["recipient"], row["exchanges"]) == (cast.nla.oin, cast.sna.oin, "1")
    assert row["first_index"] == row["last_index"] == str(world.size - 2)
    assert len(await rows(cast.nla, f"{days}&party={cast.sna.oin}")) == 1
    assert await rows(cast.nla, f"{days}&party={cast.body.oin}") == []
    assert await rows(cast.nla, "from=2025-06-01&to=2025-06-30") == []
    assert await rows(cast.body, days) == []


async def test_whom_to_tell_is_for_the_parties_of_an_exchange(world: World) -> None:
    exchange = await pushed(world)
    path = f"/betrokkene/ontvangers/{exchange}"
    async with browse(world) as browser:
        [row] = await export(browser, f"{path}.csv")
    assert row["recipient"] == world.cast.sna.oin
    async with browse(world, actor=world.cast.body) as browser:
        assert (await browser.get(path)).status_code == 404
        assert (await browser.post(f"{path}.csv", {"reason": "voor de proef"})).status_code == 404
        for wrong in ("..%2f..%2fetc", SCRIPT, "0"):
            assert (await browser.get(f"/betrokkene/ontvangers/{wrong}")).status_code == 404


async def test_statistics_are_the_authoritys_and_of_a_year_that_is_over(world: World) -> None:
    await pushed(world)
    async with browse(world, Role.AUTHORITY, world.cast.officer) as browser:
        assert (await browser.get("/rapporten/jaarcijfers?year=2026")).status_code == 400
        assert (await browser.post("/rapporten/jaarcijfers.csv", {"reason": ""})).status_code == 400
        world.clock.move(days=365)
    async with browse(world, Role.AUTHORITY, world.cast.officer) as browser:
        rows = await export(browser, "/rapporten/jaarcijfers.csv?year=2026")
    assert {row["exchanges"] for row in rows} == {"verborgen", "0", "niets te tellen"}
    assert [entry["filter"] for entry in logged(world, "console.read") if "export" in entry] == [
        {"year": "2026"}
    ]
    async with browse(world) as browser:
        assert (await browser.get("/rapporten/jaarcijfers")).status_code == 403
        assert "jaarcijfers" not in (await browser.get("/rapporten")).text


async def test_names_that_are_markup_or_formulas_stay_text(world: World) -> None:
    exchange = await pushed(world)
    row = world.store.party(world.cast.sna.oin)
    assert row is not None
    with world.store.transaction() as tx:
        tx.put_party(replace(row, name=f"=cmd{SCRIPT}"))
        tx.commit()
    async with browse(world) as browser:
        for path in (
            "/rapporten/inbreuk?from=2026-01-01&to=2026-12-31",
            "/rapporten/jaarverslag",
            f"/betrokkene/ontvangers/{exchange}",
        ):
            text = (await browser.get(path)).text
            assert SCRIPT not in text
            assert "&lt;script&gt;" in text, path
        for query in (f"party={SCRIPT}", f"from={SCRIPT}", "from=2026-13-45&to=2026-12-31"):
            assert (await browser.get(f"/rapporten/inbreuk?{query}")).status_code == 400, query


async def test_no_page_takes_a_file_with_an_answer(world: World) -> None:
    async with browse(world) as browser:
        page = await browser.get("/betrokkene")
        script = (await browser.get("/static/subject.js")).text
        assert (await browser.post("/betrokkene", {"file": "x"})).status_code == 405
    assert '<form method="post" action="/betrokkene' not in page.text
    for way_out in (
        "fetch(",
        "XMLHttpRequest",
        "sendBeacon",
        "WebSocket",
        "innerHTML",
        "localStorage",
        "import(",
    ):
        assert way_out not in script
