# SPDX-License-Identifier: EUPL-1.2
"""The console on retention: until when, under which term, what was destroyed, what is held, what is overdue."""

import csv
import html
import io
from uuid import UUID

import pytest

from broker.console.people import Role
from broker.policy.active import install
from broker.storage.projected import Sight
from sluis.followup import FollowUp
from sluis.policy.bundle import default_directory, read_files
from tests.actors import Actor
from tests.console_world import browse
from tests.retention_world import Office, sweep
from tests.unit.test_console_exchange import follow
from tests.world import FIRM, World


@pytest.fixture
async def exchange(world: World) -> int:
    """A fine that ends in a year; gives the index of its entry."""
    install(world.store, read_files(default_directory()), world.clock())
    await world.certify(FIRM)
    answer = await world.push(world.envelope(FIRM))
    follow(world)
    return answer.receipt.log_index


async def text_of(world: World, path: str, *, actor: Actor | None = None, lang: str = "nl") -> str:
    async with browse(world, actor=actor) as browser:
        answer = await browser.get(f"{path}?lang={lang}")
    assert answer.status_code == 200, answer.text
    return html.unescape(answer.text)


async def test_the_page_of_an_exchange_tells_when_it_ends_and_by_which_term(
    world: World, exchange: int
) -> None:
    dutch = await text_of(world, f"/uitwisseling/{exchange}")
    assert "De gegevens worden vernietigd op" in dutch
    assert "de datum die de afzender zelf heeft gesteld" in dutch
    assert "2027-06-22T10:00:00Z" in dutch
    long = await world.push(world.envelope(FIRM, expires_at_ms=world.clock.ms() + 6 * 365 * 86_400_000))
    follow(world)
    english = await text_of(world, f"/uitwisseling/{long.receipt.log_index}", lang="en")
    assert "5 years after the decision" in english
    assert "Boete melden aan de stichting (tot en met 30 juni 2026)" in english


async def test_afterwards_it_tells_when_it_was_destroyed_and_where_the_record_stands(
    world: World, exchange: int
) -> None:
    world.clock.move(days=366)
    await sweep(world)
    follow(world)
    for actor in (world.cast.nla, world.cast.sna):
        page = await text_of(world, f"/uitwisseling/{exchange}", actor=actor)
        assert "De gegevens zijn vernietigd op" in page
        assert "2027-06-23T10:00:00Z" in page
        assert "Vernietigd zijn de versleutelde inhoud met haar sleutel" in page
        assert "De broker heeft vernietigd wat hij van het signaal had." in page
        assert "De broker vroeg de kopieën te vernietigen. Kopieën: 1. De bewaartermijn is voorbij." in page
    record = next(i for i, entry in enumerate(world.entries()) if entry["operation"] == "signal.destroy")
    found = world.store.exchange_index.exchange(
        Sight(world.cast.sna.oin), world.entries()[record]["exchange"]
    )
    assert record in [row.log_index for row in found]


async def test_the_report_lists_what_was_destroyed_for_whom_it_concerns(world: World, exchange: int) -> None:
    assert "vernietigd" in await text_of(world, "/rapporten")
    world.clock.move(days=366)
    await sweep(world)
    async with browse(world) as browser:
        answer = await browser.post("/rapporten/vernietigd.csv", {"reason": "voor de proef"})
        twin = (await browser.post("/rapporten/vernietigd.json", {"reason": "voor de proef"})).json()
    (row,) = list(csv.DictReader(io.StringIO(answer.text)))
    assert twin["rows"][0]["exchange"] == row["exchange"]
    assert row["term"].startswith("de datum die de afzender")
    assert (row["at"], row["ended"]) == ("2027-06-23T10:00:00Z", "2027-06-22T10:00:00Z")
    assert row["exchange"] in await text_of(world, "/rapporten/vernietigd")
    assert row["copy"] == "gevraagd; nog geen antwoord"
    (delivery,) = await world.told(world.cast.sna)
    asked = FollowUp.decode(delivery.follow_up.statement)
    await world.follow_up("fulfil", asked.signal_id, world.cast.sna, refers_to=asked.follow_up_id)
    assert "vernietigd, zegt de ontvanger" in await text_of(world, "/rapporten/vernietigd")
    assert row["exchange"] not in await text_of(world, "/rapporten/vernietigd", actor=world.cast.body)


async def test_a_hold_shows_with_its_reason_to_who_asked_and_as_a_fact_to_the_other(
    world: World, exchange: int
) -> None:
    entry = world.entries()[exchange]
    Office(world).hold(entry["exchange"])
    world.clock.move(days=400)
    await sweep(world)
    follow(world)
    own = await text_of(world, f"/uitwisseling/{exchange}")
    assert "De gegevens blijven bewaard" in own
    assert "Er loopt een rechtszaak" in own
    other = await text_of(world, f"/uitwisseling/{exchange}", actor=world.cast.sna)
    assert "De andere partij heeft gevraagd om te bewaren." in other
    assert "rechtszaak" not in other
    listed = await text_of(world, "/rapporten/bewaring")
    assert entry["exchange"] in listed
    assert "fg-1 (privacyfunctionaris), jz-1 (jurist)" in listed
    assert entry["exchange"] not in await text_of(world, "/rapporten/bewaring", actor=world.cast.sna)
    assert "geen verslag" not in await text_of(world, "/")


async def test_what_ended_without_a_record_is_told_today(world: World, exchange: int) -> None:
    sentence = "waarvan geen verslag van vernietiging is: 1"
    world.clock.move(days=365, hours=23)
    assert sentence not in await text_of(world, "/")
    world.clock.move(hours=2)
    assert sentence in await text_of(world, "/")
    assert "hadden vernietigd moeten zijn" in await text_of(world, f"/uitwisseling/{exchange}")
    assert sentence not in await text_of(world, "/", actor=world.cast.body)
    async with browse(world, Role.OPERATOR) as browser:
        assert sentence not in html.unescape((await browser.get("/")).text)
    await sweep(world)
    assert sentence not in await text_of(world, "/")


@pytest.mark.parametrize("act", ["recall", "rectify"])
async def test_of_a_signal_that_was_taken_back_the_page_says_that_only_an_envelope_is_left(
    world: World, exchange: int, act: str
) -> None:
    signal_id = UUID(world.entries()[exchange]["exchange"])
    world.clock.move(days=2)
    await world.follow_up(act, signal_id, world.cast.nla)
    follow(world)
    index = next(i for i, entry in enumerate(world.entries()) if entry["operation"] == f"followup.{act}")
    for actor in (world.cast.nla, world.cast.sna):
        page = await text_of(world, f"/uitwisseling/{exchange}", actor=actor)
        assert "De gegevens worden vernietigd op" not in page
        assert 'De inhoud is bij deze dienst verwijderd op <time datetime="2026-06-24T10:00:00Z">' in page
        assert f"nam het signaal terug of verbeterde het (regel {index} van het logboek)" in page
        assert "een envelop zonder inhoud" in page
        assert "Ook dat wordt vernietigd op" in page
        assert "2027-06-22T10:00:00Z" in page
    world.clock.move(days=365)
    await sweep(world)
    assert "De gegevens zijn vernietigd op" in await text_of(world, f"/uitwisseling/{exchange}")


async def test_what_was_taken_back_under_a_hold_is_kept_whole_and_the_page_says_so(
    world: World, exchange: int
) -> None:
    entry = world.entries()[exchange]
    office = Office(world)
    hold = office.hold(entry["exchange"])
    await world.follow_up("recall", UUID(entry["exchange"]), world.cast.nla)
    follow(world)
    assert "De gegevens blijven bewaard" in await text_of(world, f"/uitwisseling/{exchange}")
    office.lift(hold)
    page = await text_of(world, f"/uitwisseling/{exchange}")
    assert "De gegevens worden vernietigd op" in page
    assert "envelop zonder inhoud" not in page
