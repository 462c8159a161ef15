# SPDX-License-Identifier: EUPL-1.2
"""Beoordelen: drawing, assigning, concluding, four eyes; and nobody else's findings."""

import asyncio
import datetime
import re
from dataclasses import dataclass

import pytest

from broker.audit.projection import Projection
from broker.console.people import Role, described
from broker.console.reading import Reader
from broker.oversight.findings import Conclusion, Finding, State
from broker.oversight.reviewing import Draw, OpenAnomaly
from broker.oversight.sampling import Candidate, Ground, digest_of, draw, seed_of
from sluis.errors import Conflict, NotPermitted
from sluis.merkle import CompactRange, leaf_hash
from tests.console_world import browse, logged, officer_of
from tests.world import FIRM, World, bundle

REASON = {"reason": "nagekeken in het dossier"}


def follow(world: World) -> None:
    while Projection(world.store).advance():
        pass


async def drawn(world: World, signals: int = 1) -> list[str]:
    """Push signals, draw, and give the ids of the findings."""
    await world.certify(FIRM)
    for _ in range(signals):
        await world.push(world.envelope(FIRM))
    follow(world)
    async with browse(world) as browser:
        assert (await browser.post("/beoordelen/trekking", {})).status_code == 303
        text = (await browser.get("/beoordelen")).text
    return re.findall(r'href="/beoordelen/(f[0-9]+-[0-9]+)"', text)


async def test_a_draw_stands_in_the_log_and_can_be_repeated_from_it(world: World) -> None:
    assert len(await drawn(world, 2)) == 2
    [entry] = logged(world, "finding.draw")
    assert (entry["population"], entry["drawn"], entry["first"]) == (2, 2, 0)
    leaves = [leaf_hash(raw) for raw in world.raw_entries()[: entry["size"]]]
    root = CompactRange().extend(leaves)[0].root()
    seed = seed_of(root, world.cast.nla.oin, entry["first"], entry["end"])
    assert seed.hex() == entry["seed"]
    rows = world.store.findings.page(world.cast.nla.oin, "", 1 << 62, 10)
    assert entry["digest"]
    assert {row.state for row in rows} == {"open"}


async def test_entries_are_drawn_from_once(world: World) -> None:
    await drawn(world)
    async with browse(world) as browser:
        follow(world)
        await browser.post("/beoordelen/trekking", {})
        text = (await browser.get("/beoordelen")).text
    first, second = logged(world, "finding.draw")
    assert (second["first"], second["drawn"]) == (first["end"], 0)
    assert len(re.findall(r'href="/beoordelen/f', text)) == 1


async def test_a_finding_leads_to_its_exchange_and_that_to_whom_a_correction_must_reach(world: World) -> None:
    [finding] = await drawn(world)
    async with browse(world) as browser:
        page = f"/beoordelen/{finding}"
        for start in ("/uitwisseling/", "/betrokkene/ontvangers/"):
            [page] = re.findall(f'href="({start}[^"]+)"', (await browser.get(page)).text)
            assert (await browser.get(page)).status_code == 200


async def test_a_wrong_finding_needs_another_officer(world: World) -> None:
    [finding] = await drawn(world)
    path = f"/beoordelen/{finding}"
    async with browse(world) as one, browse(world, reference="fg-2") as other:
        assert (await one.post(f"{path}/oordeel", {"conclusion": "breach", **REASON})).status_code == 409
        await one.post(f"{path}/toewijzen", {"to": "fg-1"})
        assert (await other.post(f"{path}/oordeel", {"conclusion": "breach", **REASON})).status_code == 403
        await one.post(f"{path}/oordeel", {"conclusion": "breach", **REASON})
        assert "wacht op een tweede functionaris" in (await one.get(path)).text
        assert (await one.post(f"{path}/tweede", {"choice": "confirm"})).status_code == 403
        assert (await other.post(f"{path}/tweede", {"choice": "confirm"})).status_code == 303
        assert (await other.post(f"{path}/tweede", {"choice": "confirm"})).status_code == 409
        text = (await other.get(path)).text
    assert "afgesloten" in text
    assert [entry["operation"] for entry in map(dict, world.entries()) if "finding" in entry] == [
        "finding.assign",
        "finding.conclude",
        "finding.confirm",
    ]
    [concluded] = logged(world, "finding.conclude")
    assert (concluded["conclusion"], concluded["four_eyes"], concluded["reader"]) == ("breach", True, "fg-1")


async def test_refused_steps_leave_nothing(world: World) -> None:
    [finding] = await drawn(world)
    path = f"/beoordelen/{finding}"
    async with browse(world) as browser:
        size = world.size
        for where, form in (
            ("toewijzen", {"to": "<script>"}),
            ("toewijzen", {"to": "fg-2", "csrf": "x"}),
            ("oordeel", {"conclusion": "fine", **REASON}),
            ("oordeel", {"conclusion": "remark"}),
            ("oordeel", {"conclusion": "remark", "reason": "over burger 999990019"}),
            ("tweede", {"choice": "send-back"}),
        ):
            answer = await browser.post(f"{path}/{where}", form)
            assert answer.status_code in (400, 403), (where, form)
        assert world.size == size


async def test_a_finding_of_another_organisation_is_not_there(world: World) -> None:
    [finding] = await drawn(world)
    for actor, role in (
        (world.cast.body, Role.OFFICER),
        (world.cast.sna, Role.OFFICER),
        (world.cast.officer, Role.AUTHORITY),
    ):
        async with browse(world, role, actor) as browser:
            assert (await browser.get(f"/beoordelen/{finding}")).status_code == 404
            answer = await browser.post(f"/beoordelen/{finding}/toewijzen", {"to": "fg-1"})
            assert answer.status_code == 404
            assert finding not in (await browser.get("/beoordelen")).text
    assert logged(world, "finding.assign") == []


@dataclass(frozen=True)
class Odd:
    """An anomaly."""

    code: str = "volume-spike"
    text: str = "Veel meer dan anders <script>"
    links: tuple[str, ...] = (
        "/uitwisselingen?kind=x",
        "javascript:alert(1)",
        "//evil.example/x",
        "/\\evil.example",
    )


async def test_an_anomaly_becomes_a_finding_once_and_is_shown_as_text(world: World) -> None:
    officer = officer_of(world.cast.nla)
    work = OpenAnomaly(
        by=officer, described=described(officer), anomaly=Odd(), key="volume-2026-06", log_index=3
    )
    submit = world.broker.desk.committer.submit
    finding = await submit(work)
    with pytest.raises(Conflict):
        await submit(work)
    async with browse(world) as browser:
        text = (await browser.get(f"/beoordelen/{finding}")).text
    assert "&lt;script&gt;" in text
    assert "javascript:" not in text
    assert "evil.example" not in text
    assert 'href="/uitwisselingen?kind=x"' in text
    assert [entry["anomaly"] for entry in logged(world, "finding.open")] == ["volume-spike"]


async def test_two_draws_at_once_draw_once(world: World) -> None:
    await world.certify(FIRM)
    await world.push(world.envelope(FIRM))
    follow(world)
    officer = officer_of(world.cast.nla)
    population = Reader(world.store, officer).oversight.population(bundle())
    work = Draw(by=officer, described=described(officer), population=population)
    submit = world.broker.desk.committer.submit
    done = await asyncio.gather(submit(work), submit(work), return_exceptions=True)
    assert sorted(isinstance(one, Conflict) for one in done) == [False, True]
    assert len(logged(world, "finding.draw")) == 1


def test_the_digest_is_of_what_was_drawn() -> None:
    items = [
        Candidate(exchange=str(at), log_index=at, rule="r", recipient="b", day=datetime.date(2026, 1, 1))
        for at in range(3)
    ]
    assert digest_of(draw(items, b"", {}, 3)) != digest_of(draw(items, b"", {}, 2))


@pytest.mark.parametrize("conclusion", list(Conclusion))
@pytest.mark.parametrize("ground", list(Ground))
def test_who_concludes_never_confirms(conclusion: Conclusion, ground: Ground) -> None:
    opened = Finding(
        finding_id="f1-0", organisation="", subject="s", ground=ground, log_index=1, opened_at_ms=0
    )
    with pytest.raises(Conflict):
        opened.concluded("fg-1", conclusion, "r")
    found = opened.assigned("fg-1").concluded("fg-1", conclusion, "r")
    due = conclusion in (Conclusion.BREACH, Conclusion.NOT_IN_ORDER) or ground is Ground.SEVERITY
    assert found.state is (State.PROPOSED if due else State.CONCLUDED)
    if due:
        with pytest.raises(NotPermitted):
            found.confirmed("fg-1")
        with pytest.raises(NotPermitted):
            found.sent_back("fg-1")
        assert found.sent_back("fg-2").state is State.ASSIGNED
        assert found.confirmed("fg-2").second_reviewer == "fg-2"
    else:
        with pytest.raises(Conflict):
            found.confirmed("fg-2")


async def test_a_finding_leads_to_its_exchange(world: World) -> None:
    (finding,) = await drawn(world)
    async with browse(world) as browser:
        page = (await browser.get(f"/beoordelen/{finding}")).text
        found = re.search(r'href="(/uitwisseling[^"]*)"', page.partition("<main")[2])
        assert found
        assert (await browser.get(found[1])).status_code == 200
