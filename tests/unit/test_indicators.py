# SPDX-License-Identifier: EUPL-1.2
"""The yearly numbers: from the index, from the entries, and by hand from the same entries they are the same.

By hand nothing of the product is used but the entries themselves; leave one out and the numbers differ.
"""

import random
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from broker.audit.projection import Projection
from broker.cards import CardOffice
from broker.console.reading_findings import Oversight
from broker.oversight.indicators import Indicators, indicators
from broker.oversight.recount import Recount
from broker.oversight.yearly import Year, count_year, release_year
from broker.policy.active import install
from broker.storage.open import open_store
from broker.storage.port import PartyStatus, Store
from broker.storage.projected import EVERY, Days, Sight
from sluis.canonical import canonical_json
from sluis.errors import NotPermitted
from sluis.header import new_uuid7
from sluis.policy.bundle import default_directory, read_files
from tests.console_world import officer_of
from tests.contract.exchange_rows import BANK, NLA, SNCU, entry
from tests.retention_world import sweep
from tests.unit.test_subject_search import find
from tests.world import DAY_MS, FIRM, OTHER_FIRM, World, bundle, pseudonym

YEAR, NEXT = (Days(date(year, 1, 1), date(year, 12, 31)) for year in (2026, 2027))
Entry = Mapping[str, Any]


# by hand


def in_year(row: Entry, year: int) -> bool:
    """Whether an entry is of a year in the Netherlands, which begins an hour before that of UTC."""
    moment = datetime.fromisoformat(row["time"]) + timedelta(hours=1)
    return moment.year == year


def by_hand(entries: Sequence[Entry], year: int = 2026) -> Indicators:
    """Count from the entries, in another way than the broker."""
    mine = [row for row in entries if in_year(row, year)]
    duties: Counter[tuple[str, str]] = Counter()
    for row in mine:
        if row.get("outcome") in ("mailbox", "released") and row.get("decision") == "permit":
            notice = row["obligations"].get("notice", "")
            later = "-delayable" if notice == "must-inform" and "delay_grounds" in row["obligations"] else ""
            duties[row["kind"], notice + later] += 1
    moved = [row for row in mine if row["operation"].startswith("retention.") and "exchange" in row]
    shortened = {row["exchange"] for row in moved if row["operation"].endswith("shorten")}
    ends = {row["exchange"]: row["operation"] for row in moved}
    gone = {exchange for exchange in shortened if ends[exchange].endswith("shorten")}
    looked = [row["found"] for row in mine if row["operation"] == "subject.find"]
    operations = Counter(row["operation"] for row in mine)
    return Indicators(
        duties=duties,
        lost={"still": len(gone), "again": len(shortened - gone)},
        looked={"found": sum(one > 0 for one in looked), "nothing": looked.count(0)},
        registers=registers_by_hand(entries, year),
        measures={
            name: operations[name] for name in ("card.revoke", "epoch.compromise", "party.stop", "stop.set")
        },
    )


def registers_by_hand(entries: Sequence[Entry], year: int) -> dict[str, int]:
    """The newest load of each owner for each recipient, unless its term was over; the terms here are whole days."""
    copies: dict[tuple[str, str], dict[tuple[str, str], int]] = {}
    for row in entries:
        if (
            row["operation"] != "register.load"
            or row["outcome"] != "in-force"
            or row["time"] >= f"{year}-12-31T23"
        ):
            continue
        days = {"P400D": 400, "P30D": 30, "P6M": 183}[row["obligations"]["retention"]]
        holds = datetime.fromisoformat(row["time"]) + timedelta(days=days) > datetime(
            year, 12, 31, 22, tzinfo=UTC
        )
        owners = copies.setdefault((row["register"], row["recipient"]), {})
        owners[row["sender"], row["agreement"]] = row["entries"] if holds else 0
    found: dict[str, int] = {}
    for (name, _), owners in copies.items():
        found[name] = max(found.get(name, 0), sum(owners.values()))
    return {name: number for name, number in found.items() if number}


def measures_by_hand(entries: Sequence[Entry], year: int = 2026) -> Counter[str]:
    """What the last feedback of each signal that was delivered in the year names as measure."""
    mine = [row for row in entries if in_year(row, year)]
    came = {
        row["exchange"] for row in mine if row.get("outcome") in ("mailbox", "released") and "decision" in row
    }
    last = {row["exchange"]: row["codes"] for row in mine if row["operation"] == "followup.feedback"}
    return Counter(codes.get("measure", "") for exchange, codes in last.items() if exchange in came)


# the ways of the product


def recounted(entries: Sequence[Entry], days: Days = YEAR) -> Recount:
    """From the entries, as `sluis audit statistics` does."""
    count = Recount(days)
    for index, row in enumerate(entries):
        count.add(index, row)
    return count


def from_index(store: Store, days: Days = YEAR) -> Year:
    """From the index, as the console does; without what an entry does not tell."""
    while Projection(store).advance():
        pass
    year = count_year(store, days)
    return replace(year, came=replace(year.came, late={}))


def plain(year: Year) -> Year:
    """Without the order of what was told, and without zeros."""
    came = replace(year.came, told=sorted(year.came.told, key=repr))
    duties = {cell: number for cell, number in year.indicators.duties.items() if number}
    registers = dict(year.indicators.registers)
    found = replace(year.indicators, duties=duties, registers=registers)
    return replace(year, came=came, indicators=found)


# a year that a broker lives


async def lived(world: World) -> None:
    """Signals, feedback, a wrong recipient, firms that leave the register and come back, searches, stops."""
    install(world.store, read_files(default_directory()), world.clock())
    gone = pseudonym("gone")
    await world.certify(FIRM, OTHER_FIRM, gone)
    signals = []
    for place, firm in enumerate((FIRM, OTHER_FIRM, gone, gone, FIRM, pseudonym("nobody"))):
        signal_id = new_uuid7(world.clock.ms() + place)
        await world.push(
            world.envelope(firm, signal_id=signal_id, expires_at_ms=world.clock.ms() + 900 * DAY_MS)
        )
        signals.append(signal_id)
    nla, sna = world.cast.nla, world.cast.sna
    world.clock.move(days=3)
    codes = [{"outcome": "CONFIRMED", "measure": "CERTIFICATE_SUSPENDED"}, {"outcome": "NOT_CONFIRMED"}]
    for signal, said in zip(signals, codes, strict=False):
        await world.follow_up("feedback", signal, sna, codes={"outcome": "UNDER_INVESTIGATION"})
        await world.follow_up("feedback", signal, sna, codes=said)
    await world.follow_up("recall", signals[4], nla, codes={"reason": "WRONG_RECIPIENT"})
    for held in ((OTHER_FIRM,), (FIRM, OTHER_FIRM), (OTHER_FIRM,), (FIRM, OTHER_FIRM)):
        world.clock.move(days=1)
        await world.certify(*held)
        await sweep(world)
    world.clock.move(days=90)
    await world.certify(FIRM, OTHER_FIRM)  # each half year anew
    await find(world, nla, FIRM)
    await find(world, nla, pseudonym("nobody"))
    world.operator.stop("agreement", "avv-10", "for the test")
    world.operator.set_status(world.cast.body.oin, PartyStatus.STOPPED, "for the test")
    CardOffice(world.store, world.clock).revoke(world.cast.other_body.oin, "", None, "for the test")


async def test_of_a_year_that_was_lived_all_three_ways_count_the_same(world: World) -> None:
    await lived(world)
    entries = world.entries()
    year, again = from_index(world.store), recounted(entries)
    assert plain(again.year()) == plain(year)
    assert plain(year).indicators == by_hand(entries)
    assert {name: number for name, number in year.came.measures.items() if number} == measures_by_hand(
        entries
    )
    assert year.indicators.lost == {"still": 2, "again": 2}
    assert year.indicators.looked == {"found": 1, "nothing": 1}
    assert year.indicators.registers == {"certificates": 2}
    assert year.indicators.measures == {
        "card.revoke": 1,
        "epoch.compromise": 0,
        "party.stop": 1,
        "stop.set": 1,
    }
    assert year.indicators.duties == {("FINE_IMPOSED", "may-inform"): 5}
    assert year.came.recalled == {"WRONG_RECIPIENT": 1}
    assert year.came.measures == {"CERTIFICATE_SUSPENDED": 1, "": 1}
    roles = {row.oin: row.role for row in world.store.party_page("", 100, "")}
    assert {oin: again.role_of(oin) for oin in roles} == roles
    assert release_year(again.year(), bundle(), again.role_of) == release_year(
        year, bundle(), roles.__getitem__
    )


async def test_another_year_and_what_comes_later_change_nothing(world: World) -> None:
    await lived(world)
    then = plain(from_index(world.store))
    world.clock.move(days=365)
    await world.certify(FIRM)
    await find(world, world.cast.nla, FIRM)
    assert plain(from_index(world.store)) == then
    assert plain(recounted(world.entries()).year()) == then
    later = from_index(world.store, NEXT)
    assert plain(later).indicators == by_hand(world.entries(), 2027)
    assert later.indicators.looked == {"found": 1, "nothing": 0}


async def test_what_was_noted_is_no_exchange_and_no_page_opens_on_it(world: World) -> None:
    await find(world, world.cast.nla, FIRM)
    from_index(world.store)
    index, last = world.store.exchange_index, world.size - 1
    assert world.entries()[last]["operation"] == "subject.find"
    assert index.at(Sight.everything(), last) is None
    assert index.facets(Sight.everything(), EVERY, None).total == 0
    assert len(index.noted(Sight(world.cast.nla.oin), ["subject.find"], YEAR)) == 1
    assert index.noted(Sight(world.cast.sna.oin), ["subject.find"], YEAR) == []


# a year that is made up


KINDS = ("FINE_IMPOSED", "A1_VERDICT", "A1-FRAUDE", "HUISV-OVERBEW", "HUISV-AFHANK", "SNF_NORM_BREACH")
NOTICES: tuple[dict[str, str], ...] = (
    {"notice": "may-inform"},
    {"notice": "must-inform", "notice_within": "P1M"},
    {"notice": "must-inform", "notice_within": "P1M", "delay_grounds": "41(1)(d)"},
    {"notice": "must-not-inform"},
)


def made_up(seed: int, size: int = 160) -> list[dict[str, Any]]:
    """Entries of all the sorts that count, and some that do not, from the end of 2025 to the beginning of 2027."""
    choice = random.Random(seed)
    at, step = datetime(2025, 11, 25, tzinfo=UTC), timedelta(days=430) / size
    rows: list[dict[str, Any]] = []
    for place in range(size):
        at += step
        sort = choice.randrange(10)
        pushes = [row for row in rows if row["operation"] == "signal.push" and row["outcome"] == "mailbox"]
        if sort == 0 and pushes:
            about = rows.index(choice.choice(pushes))
            operation = choice.choice(["retention.shorten", "retention.restore"])
            rows.append(told(at, operation, rows, about, outcome="moved"))
        elif sort == 1:
            rows.append(
                {"operation": "subject.find", "reader": NLA, "asked": 3, "found": choice.randrange(3)}
            )
        elif sort == 2:
            operation = choice.choice(
                ["card.revoke", "epoch.compromise", "party.stop", "party.resume", "stop.set"]
            )
            rows.append({"operation": operation, "party": BANK, "scope": "rule"})
        elif sort == 3:
            retention = choice.choice(["P400D", "P30D"])
            rows.append(
                entry(at, operation="register.load", sender=SNCU, recipient=choice.choice([SNCU, BANK]))
                | {
                    "register": choice.choice(["certificates", "admissions"]),
                    "entries": choice.randrange(1, 90),
                }
                | {"outcome": choice.choice(["in-force", "in-force", "refused"])}
                | {"obligations": {"retention": retention, "notice": "may-inform"}}
            )
            rows[-1]["agreement"] = rows[-1]["register"]
        elif sort == 4 and pushes:
            about = rows.index(choice.choice(pushes))
            measure = choice.choice([{}, {"measure": "CERTIFICATE_WITHDRAWN"}, {"measure": "FINE"}])
            codes = {"outcome": "CONFIRMED", **measure}
            rows.append(told(at, "followup.feedback", rows, about, outcome="sent", codes=codes))
        else:
            outcome = choice.choice(["mailbox", "mailbox", "on_match", "refused"])
            decision = "deny" if outcome == "refused" else "permit"
            duties = {} if outcome == "refused" else choice.choice(NOTICES)
            row = entry(at, kind=choice.choice(KINDS), outcome=outcome, decision=decision, obligations=duties)
            rows.append(row | {"exchange": f"signal-{place}"})
        rows[-1] |= {"v": 1, "nonce": f"{place:032x}", "time": entry(at)["time"]}
    return rows


def told(at: datetime, operation: str, rows: list[dict[str, Any]], about: int, **more: Any) -> dict[str, Any]:
    """An entry about an earlier signal."""
    row = {"operation": operation, "sender": NLA, "recipient": SNCU, "previous": about}
    return row | {"exchange": rows[about]["exchange"]} | more


@contextmanager
def stored(folder: Path, rows: Sequence[Entry]) -> Iterator[Store]:
    """A store whose log has these entries."""
    folder.mkdir()
    with closing(open_store(f"sqlite:///{folder}/broker.db", now_ms=lambda: 0)) as store:
        with store.transaction() as tx:
            for row in rows:
                tx.append(canonical_json(dict(row)), 1_000)
            tx.commit()
        while Projection(store).advance():
            pass
        yield store


def without(rows: Sequence[Entry], at: int) -> list[dict[str, Any]]:
    """The log without one entry, and without what refers to it."""
    kept = [index for index in range(len(rows)) if index != at and rows[index].get("previous") != at]
    place = {index: number for number, index in enumerate(kept)}
    return [
        {**rows[index], **({"previous": place[rows[index]["previous"]]} if "previous" in rows[index] else {})}
        for index in kept
    ]


def found_in(store: Store) -> Indicators:
    """From the index, without zeros."""
    found = indicators(store, YEAR)
    duties = {cell: number for cell, number in found.duties.items() if number}
    return replace(found, duties=duties, registers=dict(found.registers))


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_of_a_year_that_was_made_up_all_three_ways_count_the_same(tmp_path: Path, seed: int) -> None:
    rows = made_up(seed)
    expected, again = by_hand(rows), recounted(rows).year()
    with stored(tmp_path / "all", rows) as store:
        assert found_in(store) == expected
    assert again.indicators == expected
    assert {name: number for name, number in again.came.measures.items() if number} == measures_by_hand(rows)
    assert all(
        sum(part.values()) for part in (expected.duties, expected.lost, expected.looked, expected.measures)
    )


@pytest.mark.parametrize(
    "wanted", ["signal.push", "retention.shorten", "subject.find", "register.load", "card.revoke", "stop.set"]
)
def test_an_entry_that_is_left_out_changes_the_numbers(tmp_path: Path, wanted: str) -> None:
    rows = made_up(4, 240)
    expected = by_hand(rows)
    counts = [
        index
        for index, row in enumerate(rows)
        if row["operation"] == wanted and by_hand(without(rows, index)) != expected
    ]
    assert counts, "at least one entry of this sort counts"
    for index in counts[:3]:
        less = without(rows, index)
        assert recounted(less).year().indicators != expected
        with stored(tmp_path / str(index), less) as store:
            assert found_in(store) == by_hand(less) != expected


def test_feedback_that_is_left_out_changes_the_measures() -> None:
    rows = made_up(4, 240)
    expected = measures_by_hand(rows)
    last = {row["exchange"]: at for at, row in enumerate(rows) if row["operation"] == "followup.feedback"}
    changed = 0
    for at in last.values():
        less = recounted(without(rows, at)).year().came.measures
        changed += {name: number for name, number in less.items() if number} != expected
    assert changed


async def test_the_index_can_be_filled_anew(world: World) -> None:
    await lived(world)
    then = plain(from_index(world.store))
    world.store.exchange_index.clear()
    assert plain(from_index(world.store)) == then


def test_nobody_but_the_authority_may_count(world: World) -> None:
    with pytest.raises(NotPermitted):
        Oversight(world.store, officer_of(world.cast.nla)).year(YEAR)


async def test_what_is_destroyed_later_changes_no_number(world: World) -> None:
    await lived(world)
    then = plain(from_index(world.store))
    world.clock.move(days=3 * 365)
    destroyed = await sweep(world)
    assert destroyed.signals > 0
    assert plain(from_index(world.store)) == then == plain(recounted(world.entries()).year())
