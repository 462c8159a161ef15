# SPDX-License-Identifier: EUPL-1.2
"""What came of the signals of a year: what is counted, in which year, and what the page shows of it."""

import csv
import html
import io
from datetime import date
from uuid import UUID

from broker.audit.projection import Projection
from broker.console.people import Role
from broker.oversight.aftermath import NONE, Aftermath, aftermath
from broker.policy.active import install
from broker.storage.projected import Days
from sluis.client.sender import new_uuid7
from sluis.policy.bundle import default_directory, read_files
from tests.console_world import browse
from tests.unit.test_subject_search import find
from tests.world import FIRM, OTHER_FIRM, VALUES, World

YEAR, BEFORE = (Days(date(year, 1, 1), date(year, 12, 31)) for year in (2026, 2025))
PATH = "/rapporten/jaarcijfers"


async def push(world: World, number: int) -> list[UUID]:
    """Signals that reach the foundation."""
    pushed = []
    for place in range(number):
        envelope = world.envelope(FIRM, signal_id=new_uuid7(world.clock.ms() + place))
        await world.push(envelope)
        pushed.append(envelope.header.signal_id)
    return pushed


def counted(world: World, days: Days = YEAR) -> Aftermath:
    while Projection(world.store).advance():
        pass
    return aftermath(world.store, days)


async def lived(world: World, told: int, untold: int) -> list[UUID]:
    """Signals of which the first ones are confirmed after ten days, all with an interim word before."""
    install(world.store, read_files(default_directory()), world.clock())
    await world.certify(FIRM)
    signals = await push(world, told + untold)
    for days, outcome in ((4, "UNDER_INVESTIGATION"), (6, "CONFIRMED")):
        world.clock.move(days=days)
        for signal in signals[:told]:
            await world.follow_up("feedback", signal, world.cast.sna, codes={"outcome": outcome})
    return signals


async def test_of_a_signal_the_first_feedback_gives_the_days_and_the_last_one_the_outcome(
    world: World,
) -> None:
    await lived(world, told=2, untold=1)
    came = counted(world)
    assert came.outcomes == {"CONFIRMED": 2, NONE: 1}
    assert [one.days for one in came.told] == [4, 4]
    assert (came.median_days(2), came.median_days(3)) == (4, None)


async def test_another_year_counts_nothing_of_it(world: World) -> None:
    await lived(world, told=1, untold=0)
    assert counted(world, BEFORE) == Aftermath(
        delivered=0, told=[], taken_back={"correct": 0, "rectify": 0, "recall": 0}, late={}
    )


async def test_what_is_said_after_the_year_changes_no_number_of_it(world: World) -> None:
    (told, untold) = await lived(world, told=1, untold=1)
    then = counted(world)
    world.clock.move(days=365)
    await world.follow_up("feedback", untold, world.cast.sna, codes={"outcome": "NOT_CONFIRMED"})
    await world.follow_up("rectify", told, world.cast.nla)
    now = counted(world)
    assert (now.outcomes, now.taken_back) == (then.outcomes, then.taken_back)


async def test_what_was_taken_back_is_counted_by_act_and_signal(world: World) -> None:
    one, two, three, _ = await lived(world, told=0, untold=4)
    nla = world.cast.nla
    await world.follow_up("rectify", one, nla)
    await world.follow_up("recall", two, nla)
    new = world.envelope(FIRM, fields={**VALUES, "count": "2"}, previous=three)
    await world.follow_up("correct", three, nla, signal=new, replacement=new.header.signal_id)
    came = counted(world)
    assert came.taken_back == {"correct": 1, "rectify": 1, "recall": 1}
    assert came.delivered == 5  # the replacement reached the foundation too


async def test_a_duty_that_is_done_late_stays_late_and_one_in_time_is_not(world: World) -> None:
    signals = await lived(world, told=0, untold=3)
    nla, sna = world.cast.nla, world.cast.sna
    asked = [world.statement("rectify", signal, nla) for signal in signals]
    for statement in asked:
        await world.send(statement, nla)

    async def fulfil(place: int) -> None:
        await world.follow_up("fulfil", signals[place], sna, refers_to=asked[place].follow_up_id)

    world.clock.move(days=2)
    await fulfil(0)
    world.clock.move(days=9)
    assert counted(world).late == {"fulfil": 2}
    await fulfil(1)
    assert counted(world).late == {"fulfil": 2}
    assert counted(world, BEFORE).late == {}


async def shown(world: World) -> tuple[str, dict[str, str]]:
    """The page in the next year, and the numbers of its export by row."""
    counted(world)
    world.clock.move(days=365)
    async with browse(world, Role.AUTHORITY, world.cast.officer) as browser:
        page = await browser.get(f"{PATH}?year=2026")
        answer = await browser.post(f"{PATH}.csv?year=2026", {"reason": "voor de proef"})
    assert (page.status_code, answer.status_code) == (200, 200)
    rows = csv.DictReader(io.StringIO(answer.text))
    return html.unescape(page.text), {
        row["row"]: row["exchanges"] for row in rows if row["column"] == "aantal"
    }


async def test_the_page_shows_share_median_and_outcomes_once_they_are_of_enough_signals(world: World) -> None:
    signals = await lived(world, told=13, untold=11)
    await world.follow_up("recall", signals[20], world.cast.nla)
    page, numbers = await shown(world)
    assert (numbers["bevestigd"], numbers["nog geen terugmelding"]) == ("15", "10")
    assert (numbers["Deel met een terugmelding"], numbers["Mediaan van signaal tot eerste terugmelding"]) == (
        "60%",
        "4 dagen",
    )
    assert (numbers["teruggeroepen"], numbers["gerectificeerd"]) == ("verborgen", "0")
    assert ">bevestigd: 15</p>" in page
    assert "teruggeroepen: " not in page


async def test_of_few_signals_nothing_is_shown(world: World) -> None:
    await lived(world, told=9, untold=12)
    page, numbers = await shown(world)
    for row in ("bevestigd", "nog geen terugmelding", "Deel met een terugmelding"):
        assert numbers[row] == "verborgen", row
    assert numbers["Mediaan van signaal tot eerste terugmelding"] == "verborgen"
    assert ">bevestigd: " not in page


async def test_the_page_shows_the_other_numbers_and_says_what_the_log_cannot_know(world: World) -> None:
    signals = await lived(world, told=12, untold=11)
    for signal in signals[:12]:
        codes = {"outcome": "CONFIRMED", "measure": "CERTIFICATE_SUSPENDED"}
        await world.follow_up("feedback", signal, world.cast.sna, codes=codes)
    for _ in range(10):
        await find(world, world.cast.nla, FIRM)
    await find(world, world.cast.nla, OTHER_FIRM)
    page, numbers = await shown(world)
    assert numbers["certificaat geschorst"] == "10"
    assert numbers["geen maatregel genoemd"] == "0"
    assert numbers["Signalen met een terugmelding"] == "10"
    assert ">certificaat geschorst: 10</p>" in page
    # One search that found nothing is hidden, and so is the other part of the whole.
    assert (
        numbers["er was niets te vinden"]
        == numbers["er was een uitwisseling over de betrokkene"]
        == "verborgen"
    )
    assert numbers["Keren dat is gezocht"] == "10"
    assert numbers["aan het eind van het jaar nog weg"] == "0"
    assert ">andere soorten: 25</p>" in page  # of each kind that is named, there was none
    assert ">hoeft niet in te lichten: 25</p>" in page
    for said in (
        "Per provincie is er niets te tellen.",
        "Of de betrokkene echt is ingelicht, later of te laat",
    ):
        assert said in page
