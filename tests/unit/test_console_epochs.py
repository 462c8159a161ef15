# SPDX-License-Identifier: EUPL-1.2
"""Epochs and single entries of the log in the console: what stands there, for whom, and what waits for attention."""

import csv
import html
import io
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from broker.cards import CardOffice
from broker.console.people import Role
from sluis.epoch_log import KeyDestruction
from sluis.merkle import leaf_hash
from sluis.v1 import directory_pb2
from tests.actors import Actor
from tests.console_world import browse, logged
from tests.unit.epoch_samples import MOMENTS, Evaluators, both_evaluators, directory, forget_epochs, office
from tests.unit.test_console_exchange import follow
from tests.unit.test_console_record import KEYS, sign
from tests.world import FIRM, ORIGIN, FakeContext, World

SCRIPT = "<script>alert(1)</script>"


@pytest.fixture
def evaluators(world: World, tmp_path: Path) -> Iterator[Evaluators]:
    """Evaluators in a world in which no epoch is announced yet."""
    forget_epochs(world)
    with both_evaluators(world, tmp_path) as made:
        yield made


@pytest.fixture
async def rotated(world: World, evaluators: Evaluators) -> Evaluators:
    """2026, then 2026-2 in its place, which an emergency ends, then 2026-3; 2027 is to come."""
    for name in ("2026", "2026-2", "2026-3", "2027"):
        await evaluators.publish(name)
    acts = office(world)
    acts.announce("2026", MOMENTS["2026"], "the first")
    acts.announce("2026-2", None, "scheduled")
    world.clock.move(hours=1)
    acts.rotate("2026-3", "2026-2", f"found in a bin {SCRIPT}", stop_questions=True)
    acts.announce("2027", MOMENTS["2027"], "next year")
    return evaluators


async def destroyed(world: World, actor: Actor, epoch: str) -> None:
    """An evaluator states that its seed of a retired epoch is gone."""
    index = place(world, "key.retire", epoch)
    row = world.store.log_row(index)
    assert row is not None
    statement = KeyDestruction(
        log_origin=ORIGIN,
        evaluator=actor.oin,
        epoch=epoch,
        retired_index=index,
        retired_leaf=leaf_hash(row.entry),
        destroyed_at_ms=world.clock.ms(),
    )
    request = directory_pb2.PublishKeyDestructionRequest(
        statement=statement.encode(), signature=statement.sign(actor.signing)
    )
    await directory(world).PublishKeyDestruction(request, FakeContext(actor))


def place(world: World, operation: str, epoch: str) -> int:
    """The index of the last entry of an operation on an epoch."""
    return [
        index
        for index, entry in enumerate(world.entries())
        if (entry["operation"], entry.get("epoch")) == (operation, epoch)
    ][-1]


async def text_of(world: World, path: str, role: Role = Role.OFFICER, actor: Actor | None = None) -> str:
    async with browse(world, role, actor, keys=KEYS) as browser:
        answer = await browser.get(path)
    assert answer.status_code == 200, answer.text
    return answer.text


def plain(text: str) -> str:
    """What a reader sees."""
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", text)).split()).replace(" ,", ",")


def section(text: str, epoch: str) -> str:
    """What the page says of one epoch."""
    parts = text.split('<section class="panel"')
    return next(part.partition("</section>")[0] for part in parts if f"Tijdvak {epoch}:" in part)


@pytest.mark.parametrize("role", list(Role))
async def test_every_epoch_stands_there_with_its_entries_of_the_log(
    world: World, rotated: Evaluators, role: Role
) -> None:
    text = await text_of(world, "/tijdvakken", role)
    assert SCRIPT not in text
    headings = re.findall(r"Tijdvak (\S+): (\w+)", text)
    assert headings == [
        ("2027", "aangekondigd"),
        ("2026-3", "huidig"),
        ("2026-2", "gesloten"),
        ("2026", "afgelopen"),
    ]
    closed = section(text, "2026-2")
    assert "niemand vraagt er nog in" in closed
    assert "reden: found in a bin &lt;script&gt;" in closed
    for operation in ("epoch.announce", "epoch.compromise"):
        assert f'href="/logboek/regel/{place(world, operation, "2026-2")}"' in closed
    assert "1 januari 2027, 01:00" in plain(section(text, "2027"))
    assert '<time datetime="2027-01-01T00:00:00Z">' in section(text, "2026-3")  # its end
    english = await text_of(world, "/tijdvakken?lang=en", role)
    assert "Epoch 2026-3: current" in english


async def test_an_end_is_told_when_each_key_is_gone(world: World, rotated: Evaluators) -> None:
    office(world).retire("2026-2")
    first, second = world.cast.evaluators
    text = await text_of(world, "/tijdvakken")
    assert "Nog niet elke rekenende partij" in section(text, "2026-2")
    assert plain(section(text, "2026-2")).count("nog niet") == 2
    waits = "heeft haar sleutel nog niet vernietigd"
    assert plain(await text_of(world, "/")).count(waits) == 2
    world.clock.move(hours=1)
    await destroyed(world, first, "2026-2")
    assert plain(await text_of(world, "/")).count(waits) == 1
    assert f"{second.name} {waits}" in plain(await text_of(world, "/"))
    await destroyed(world, second, "2026-2")
    assert waits not in plain(await text_of(world, "/"))
    text = await text_of(world, "/tijdvakken")
    ended = section(text, "2026-2")
    assert "elke rekenende partij heeft haar sleutel vernietigd" in ended
    for index in [i for i, entry in enumerate(world.entries()) if entry["operation"] == "key.destroy"]:
        assert f'href="/logboek/regel/{index}"' in ended
    assert f'href="/logboek/regel/{place(world, "key.retire", "2026-2")}"' in ended
    async with browse(world) as browser:
        answer = await browser.post("/tijdvakken.csv", {"reason": "voor de proef"})
    rows = {row["epoch"]: row for row in csv.DictReader(io.StringIO(answer.text))}
    assert rows["2026-2"]["destroyed"] == "2026-06-22T12:00:00Z"
    assert rows["2026"]["destroyed"] == ""


async def test_today_says_where_signals_go_and_tells_of_a_closed_epoch_for_a_month(
    world: World, rotated: Evaluators
) -> None:
    for role in Role:
        today = plain(await text_of(world, "/", role))
        assert "Nieuwe signalen komen in 2026-3, sinds 22 juni 2026, 13:00" in today
        assert "Er wordt ook nog gevraagd in 2026 " in today
        assert "Aangekondigd 2027, vanaf 1 januari 2027, 01:00" in today
        assert "Tijdvak 2026-2 is op 22 juni 2026 gesloten" in today
    world.clock.move(days=30)
    assert "gesloten" not in plain(await text_of(world, "/"))
    office(world).compromise("2026-3", "and this one")
    today = await text_of(world, "/")
    assert "Geen tijdvak neemt signalen aan" in today
    assert "geen tijdvak" in plain(today)


async def test_before_the_first_epoch_nothing_breaks(world: World, evaluators: Evaluators) -> None:
    assert "Er is nog geen tijdvak aangekondigd." in await text_of(world, "/tijdvakken")
    assert "Geen tijdvak neemt signalen aan" not in await text_of(world, "/")
    office(world).announce("2027", datetime(2027, 1, 1, tzinfo=UTC), "test")
    assert "Geen tijdvak neemt signalen aan" in await text_of(world, "/")


@pytest.mark.parametrize("role", list(Role))
async def test_an_entry_is_told_in_a_sentence_with_its_proof(
    world: World, rotated: Evaluators, role: Role
) -> None:
    sign(world)
    closed = await text_of(world, f"/logboek/regel/{place(world, 'epoch.compromise', '2026-2')}", role)
    assert "De beheerder sloot tijdvak 2026-2" in closed
    assert "Er wordt ook niets meer in gevraagd." in closed
    assert "found in a bin &lt;script&gt;" in closed
    assert SCRIPT not in closed
    assert 'data-exchange=""' in closed
    assert "Deze regel staat ongewijzigd in het logboek" in closed
    assert "uitwisseling (nagerekend" not in closed
    key = plain(await text_of(world, f"/logboek/regel/{place(world, 'key.publish', '2026-3')}?lang=en", role))
    assert "published its key for the pseudonyms of" in key
    assert "in epoch 2026-3" in key
    announced = plain(await text_of(world, f"/logboek/regel/{place(world, 'epoch.announce', '2027')}", role))
    assert "Begin: 1 januari 2027, 01:00." in announced
    assert [entry["filter"] for entry in logged(world, "console.read")][-1]["index"].isdecimal()


async def test_a_number_that_is_filled_in_leads_to_its_entry(world: World, rotated: Evaluators) -> None:
    async with browse(world) as browser:
        answer = await browser.get("/logboek/regel?index=3")
        assert (answer.status_code, answer.headers["location"]) == (303, "/logboek/regel/3")
        assert (await browser.get("/logboek/regel?index=-3")).status_code == 400
        for index in ("03", "-1", "x", "99999999", "1e3", "9" * 40):
            assert (await browser.get(f"/logboek/regel/{index}")).status_code == 404, index


async def test_an_entry_of_an_exchange_leads_to_its_page_and_to_nobody_else(world: World) -> None:
    await world.certify(FIRM)
    index = (await world.push(world.envelope(FIRM))).receipt.log_index
    follow(world)
    for role, actor, status in (
        (Role.OFFICER, world.cast.nla, 200),
        (Role.OFFICER, world.cast.body, 404),
        (Role.OPERATOR, world.cast.nla, 403),
    ):
        async with browse(world, role, actor) as browser:
            answer = await browser.get(f"/logboek/regel/{index}")
            assert answer.headers["location"] == f"/uitwisseling/{index}"
            assert (await browser.get(answer.headers["location"])).status_code == status


async def test_an_entry_of_reading_is_for_its_organisation_and_the_authority(world: World) -> None:
    async with browse(world, reference="fg-nla") as browser:
        await browser.get("/inzage")
    index = world.size - 1
    for role, actor, status in (
        (Role.OFFICER, world.cast.nla, 200),
        (Role.OFFICER, world.cast.sna, 404),
        (Role.AUTHORITY, world.cast.officer, 200),
        (Role.OPERATOR, world.cast.nla, 404),
    ):
        async with browse(world, role, actor) as browser:
            answer = await browser.get(f"/logboek/regel/{index}")
            assert answer.status_code == status, (role, actor.name)
            assert ("fg-nla" in answer.text) is (status == 200)


async def test_a_revoked_card_stands_on_the_pages_of_today_and_of_participants(world: World) -> None:
    CardOffice(world.store, world.clock).revoke(world.cast.sna.oin, "", None, "the key was lost")
    index = world.size - 1
    assert "De kaart met sleutels" in await text_of(world, "/")
    assert "kaart met sleutels" in await text_of(world, "/deelnemers")
    async with browse(world) as browser:  # why is for the participant and the authority
        assert (await browser.get(f"/logboek/regel/{index}")).status_code == 404
    entry = plain(await text_of(world, f"/logboek/regel/{index}", actor=world.cast.sna))
    assert f"De beheerder trok een kaart met sleutels van {world.cast.sna.name} in." in entry
    assert "the key was lost" in entry
