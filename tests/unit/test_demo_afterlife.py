# SPDX-License-Identifier: EUPL-1.2
"""The demo's own checks of what follows an exchange: each fails when what it is about did not happen."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import pytest

from adapters.certified_register import CertifiedFirm
from demo.afterlife import choose
from demo.afterlife_told import Afterlife, Client, TakenBack
from demo.cast import CastMember
from sluis.identifiers import Identifier, IdentifierType, Oin

TODAY = date(2026, 6, 22)
AWAY, SNA = "00000099000000101000", "00000099000000002000"
ANY = cast("Any", object())


def member(name: str) -> CastMember:
    return CastMember(slug=name, name=name, role="certification-body", oin=Oin.parse(AWAY), folder=Path(name))


def firm(number: int, body: str, days: int = 100) -> CertifiedFirm:
    return CertifiedFirm(
        line=number,
        name="Proef",
        address="Kade 1",
        postcode="3011 AB",
        city="Rotterdam",
        kvk=Identifier.parse(IdentifierType.KVK, "00999901"),
        establishment=Identifier.parse(IdentifierType.VESTIGING, f"0999{number:08}"),
        valid_from=date(2020, 1, 1),
        valid_until=TODAY + timedelta(days=days),
        certified_by=body,
    )


def lived() -> Afterlife:
    """All went as it should."""
    client = Client(body=member("Oost"), firm=firm(1, "Oost"), clients=[firm(1, "Oost")])
    return Afterlife(
        private=client,
        watched=client,
        asked=50,
        claimed=2,
        fined=2,
        found=ANY,
        watching=1,
        told=ANY,
        answer="NOT_OPEN",
        answer_index=7,
        owed=(1, 0),
        rectified=TakenBack(holders=2, receipts={SNA: "MARKED", AWAY: "MARKED"}, copies=[True, True]),
        recalled=TakenBack(
            holders=2,
            receipts={SNA: "DESTROYED"},
            open={AWAY: datetime.now(UTC)},
            late=[AWAY],
            copies=[True],
        ),
        destroyed={"outcome": "destroyed", "counted_from": "expiry"},
        emptied=True,
        copy="DESTROYED",
        copy_gone=True,
    )


BROKEN: dict[str, Callable[[Afterlife], Afterlife]] = {
    "no hit": lambda life: replace(life, found=None),
    "all clients shown": lambda life: replace(life, claimed=50),
    "no watch": lambda life: replace(life, told=None),
    "a list cut short": lambda life: replace(life, watching=0),
    "no answer": lambda life: replace(life, answer=""),
    "feedback still due": lambda life: replace(life, owed=(1, 1)),
    "one marked": lambda life: replace(life, rectified=replace(life.rectified, receipts={SNA: "MARKED"})),
    "not in the file": lambda life: replace(life, rectified=replace(life.rectified, copies=[True, False])),
    "nobody away": lambda life: replace(life, recalled=replace(life.recalled, open={})),
    "the copy recalled is there": lambda life: replace(life, recalled=replace(life.recalled, copies=[False])),
    "nobody late": lambda life: replace(life, recalled=replace(life.recalled, late=[])),
    "another late": lambda life: replace(life, recalled=replace(life.recalled, late=[SNA])),
    "no record": lambda life: replace(life, destroyed={}),
    "not emptied": lambda life: replace(life, emptied=False),
    "a copy of what ended": lambda life: replace(life, copy_gone=False),
}


def test_nothing_fails_when_all_went_well() -> None:
    assert lived().failures() == []


@pytest.mark.parametrize("broken", BROKEN)
def test_each_thing_that_went_otherwise_is_one_failure(broken: str) -> None:
    assert len(BROKEN[broken](lived()).failures()) == 1


def test_a_firm_is_chosen_that_one_body_alone_certifies_longest() -> None:
    firms = [
        firm(1, "Oost", 50),
        firm(2, "Oost", 90),
        firm(3, "Oost", 400),
        firm(3, "West"),  # has two
        firm(4, "West", -1),  # has lapsed
    ]
    chosen = choose(firms, [member("Oost"), member("West")], TODAY)
    assert [(one.body.name, one.firm.line, len(one.clients)) for one in chosen] == [("Oost", 2, 3)]
