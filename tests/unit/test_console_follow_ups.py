# SPDX-License-Identifier: EUPL-1.2
"""What officers see of the rest of a signal's life: its page, what is overdue, the yearly report, its evidence."""

import html
import re

import pytest

from broker.audit.projection import Projection
from broker.console.pages import LogKeys
from broker.console.people import Role
from broker.console.views import today
from broker.policy.active import install
from broker.storage.projected import EVERY, Sight
from sluis.checkpoint import Checkpoint
from sluis.checkpoint_signers import sign_checkpoint
from sluis.client.sender import new_uuid7
from sluis.envelope import Envelope
from sluis.evidence import verify_evidence
from sluis.policy.bundle import default_directory, read_files
from sluis.tlog_policy import TlogPolicy
from tests.actors import Actor
from tests.console_world import browse
from tests.unit.log_samples import LOG_KEYS, TIME, vkeys
from tests.world import FIRM, ORIGIN, VALUES, World

KEYS = LogKeys(log=vkeys(LOG_KEYS), witnesses=[])


def follow(world: World) -> None:
    """Let the index follow the log, and sign the head."""
    projection = Projection(world.store)
    while projection.advance():
        pass
    tree = world.store.head().tree
    head = Checkpoint(origin=ORIGIN, size=tree.size, root=tree.root())
    world.store.add_checkpoint(tree.size, sign_checkpoint(head, LOG_KEYS, TIME), world.clock.ms())


async def lived(world: World) -> Envelope:
    """A fine with feedback, a correction that its holder has not carried out, and a question."""
    install(world.store, read_files(default_directory()), world.clock())
    await world.certify(FIRM)
    first = world.envelope(FIRM)
    await world.push(first)
    about, nla, sna = first.header.signal_id, world.cast.nla, world.cast.sna
    codes = {"outcome": "CONFIRMED", "measure": "CERTIFICATE_SUSPENDED", "usability": "4"}
    await world.follow_up("feedback", about, sna, codes=codes)
    await world.follow_up("ask", about, sna)
    new = world.envelope(FIRM, fields={**VALUES, "count": "2"}, previous=about)
    await world.follow_up("correct", about, nla, signal=new, replacement=new.header.signal_id)
    follow(world)
    return first


async def page(world: World, path: str, actor: Actor, role: Role = Role.OFFICER) -> str:
    async with browse(world, role, actor, keys=KEYS) as browser:
        answer = await browser.get(path)
        if answer.status_code == 303:
            answer = await browser.get(answer.headers["location"])
    assert answer.status_code == 200, answer.text
    return html.unescape(answer.text)


def plain(text: str) -> str:
    """A page without its tags, on one line."""
    return " ".join(re.sub(r"<[^>]+>", "", text).split())


async def test_the_page_of_an_exchange_tells_the_rest_of_its_life(world: World) -> None:
    first = await lived(world)
    told = await page(world, f"/uitwisseling/{first.header.signal_id}", world.cast.nla)
    for words in (
        "De ontvanger meldde de afzender wat er van het signaal kwam.",
        "Bevestigd; certificaat geschorst; zeer bruikbaar.",
        "De ontvanger stelde de afzender een vraag over het signaal. Is dit gegeven nog actueel?",
        "De afzender verbeterde het signaal. Kopieën bij andere partijen: 1. Een gegeven was onjuist.",
        "De houder van deze kopie kreeg bericht dat de afzender het signaal verbeterde.",
        "Binnen 1 jaar melden wat ervan kwam.",
    ):
        assert words in told, words


async def test_the_page_of_an_exchange_says_what_is_still_to_be_done_by_whom_and_until_when(
    world: World,
) -> None:
    first = await lived(world)
    path = f"/uitwisseling/{first.header.signal_id}"
    told = plain(await page(world, path, world.cast.nla))
    assert "Wat nog moet gebeuren" in told
    assert "moet melden wat met de kopie is gedaan: vóór 29 juni 2026" in told
    assert "moet een vraag over het signaal beantwoorden" not in told  # it was corrected since
    assert "te laat sinds" not in told
    world.clock.move(days=8)
    told = plain(await page(world, path, world.cast.sna))
    assert "moet melden wat met de kopie is gedaan: te laat sinds 29 juni 2026" in told


async def test_what_a_holder_further_on_owes_stands_on_the_page_of_the_first_signal_too(world: World) -> None:
    install(world.store, read_files(default_directory()), world.clock())
    await world.certify(FIRM)
    first = world.envelope(FIRM)
    await world.push(first)
    await world.certify(FIRM, recipient=world.cast.body)
    onward = world.deposit(FIRM, previous=first.header.signal_id)
    await world.push(onward)
    assert len((await world.ask(FIRM)).hits) == 1
    await world.follow_up("recall", first.header.signal_id, world.cast.nla)
    follow(world)
    owes = "moet melden wat met de kopie is gedaan: vóór 29 juni 2026"
    mine = f"/uitwisseling/{first.header.signal_id}"
    assert plain(await page(world, mine, world.cast.nla)).count(owes) == 2
    assert plain(await page(world, mine, world.cast.sna)).count(owes) == 1  # its own
    told = plain(await page(world, f"/uitwisseling/{onward.header.signal_id}", world.cast.body))
    assert told.count(owes) == 1
    assert "De houder van deze kopie kreeg bericht dat het signaal is teruggeroepen." in told


async def test_the_page_of_a_replacement_says_what_it_is(world: World) -> None:
    await lived(world)
    (entry,) = [one for one in world.entries() if one["operation"] == "signal.correct"]
    told = await page(world, f"/uitwisseling/{entry['exchange']}", world.cast.nla)
    assert "Dit signaal komt in de plaats van een onjuist signaal." in told
    assert "Boete melden aan de stichting" in told


async def test_the_index_counts_a_follow_up_only_where_something_was_decided(world: World) -> None:
    first = await lived(world)
    index = world.store.exchange_index
    counts = index.facets(Sight.everything(), EVERY, None).counts["operation"]
    assert counts == {"register.load": 1, "signal.push": 1, "followup.ask": 1, "signal.correct": 1}
    life = index.exchange(Sight(world.cast.sna.oin), str(first.header.signal_id))
    assert [row.shape.operation for row in life] == [
        "signal.push",
        "followup.feedback",
        "followup.ask",
        "followup.correct",
        "followup.notify",
    ]
    assert index.exchange(Sight(world.cast.body.oin), str(first.header.signal_id)) == []


async def test_the_evidence_of_an_exchange_holds_its_follow_ups(world: World) -> None:
    first = await lived(world)
    async with browse(world, Role.OFFICER, world.cast.nla, keys=KEYS) as browser:
        index = world.store.exchange_index.exchange(Sight.everything(), str(first.header.signal_id))[
            0
        ].log_index
        answer = await browser.post(f"/uitwisseling/{index}/bewijs", {"reason": "voor een test"})
    assert answer.status_code == 200, answer.text
    verified = verify_evidence(answer.content, TlogPolicy.of(KEYS.log, [], 0))
    assert len(verified.entries) == 5


async def test_what_is_overdue_waits_for_the_officers_of_both_sides_and_of_nobody_else(world: World) -> None:
    await lived(world)
    world.clock.move(days=20)
    late = "heeft op 29 juni 2026 nog niet gemeld wat met een teruggenomen of verlopen kopie is gedaan"
    for actor in (world.cast.nla, world.cast.sna):
        told = await page(world, "/", actor)
        assert f"Stichting {late}" in told
    assert late not in await page(world, "/", world.cast.body)
    assert late not in await page(world, "/", world.cast.nla, Role.OPERATOR)


async def test_severity_4_that_nobody_looked_at_waits_for_the_officers(world: World) -> None:
    await world.certify(FIRM)
    claims = {"provision": "WML 7", "decided_on": "2026-03-02", "severity": "4"}
    await world.push(world.envelope(FIRM, claims=claims))
    world.clock.move(hours=5)
    told = await page(world, "/", world.cast.nla)
    assert (
        "moest voor 22 juni 2026 laten weten dat een mens naar een zeer ernstig signaal heeft gekeken" in told
    )


async def test_overdue_duties_of_one_sort_are_told_in_one_line_and_the_rest_counted(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await world.certify(FIRM)
    for number in range(12):
        envelope = world.envelope(FIRM, signal_id=new_uuid7(world.clock.ms() + number))
        await world.push(envelope)
        await world.follow_up("rectify", envelope.header.signal_id, world.cast.nla)
    world.clock.move(days=8)
    told = await page(world, "/", world.cast.nla)
    assert told.count("teruggenomen of verlopen kopie") == 1
    assert "is gedaan (dit geldt voor 12 signalen; dit is het oudste)" in told
    assert "dingen die te laat zijn" not in told
    monkeypatch.setattr(today, "MOST_OVERDUE", 9)
    told = await page(world, "/", world.cast.nla)
    assert "(dit geldt voor 9 signalen; dit is het oudste)" in told
    assert "En nog 3 dingen die te laat zijn" in told


async def test_the_yearly_report_counts_what_was_told_back(world: World) -> None:
    await lived(world)
    told = await page(world, "/rapporten/jaarverslag", world.cast.sna)
    for line in ("bevestigd: 1", "certificaat geschorst: 1", "zeer bruikbaar: 1"):
        assert line in told, line
    assert "Er is in dit jaar niets teruggemeld." in await page(
        world, "/rapporten/jaarverslag?year=2025", world.cast.sna
    )
