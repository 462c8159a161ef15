# SPDX-License-Identifier: EUPL-1.2
"""The demo's own checks of the change of epochs: each fails when what it is about did not happen."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, cast
from uuid import UUID

import pytest

from demo.afterlife_told import Client
from demo.epochs_told import EpochsChanged
from demo.own_fines import OwnFines
from sluis.client.registrar import LoadOutcome
from sluis.client.sender import PushOutcome
from sluis.identifiers import Oin
from tests.unit.test_demo_afterlife import TODAY, firm, member

OLD, NEW, REPORT = (UUID(int=number) for number in range(1, 4))
ANY = cast("Any", object())


def load(epoch: str, *, permitted: bool = True) -> LoadOutcome:
    return LoadOutcome(
        recipient=Oin.parse("00000099000000002000"),
        epoch=epoch,
        entries=3,
        permitted=permitted,
        reason="",
        log_index=9,
    )


def changed() -> EpochsChanged:
    """All went as it should."""
    return EpochsChanged(
        client=Client(body=member("Oost"), firm=firm(1, "Oost"), clients=[firm(1, "Oost")]),
        first="2026",
        second="2026-2",
        third="2026-3",
        pushes=[PushOutcome(draft=ANY, permitted=True)],
        sealed_in={OLD: "2026", NEW: "2026-3"},
        waiting_id=OLD,
        pushed_id=NEW,
        report_id=REPORT,
        report_epochs=["2026-2"],
        copy="DESTROYED",
        knew="2026-2",
        learnt="2026-3",
        kept_by_kit=(2, 0),
        loads=[load("2026"), load("2026-3")],
        asked=1,
        asked_in=["2026", "2026-3"],
        hits={"2026": (OLD, 11), "2026-3": (NEW, 12)},
        stays="wrong-state",
        retired_index=20,
        destroyed_at=[21, 22],
        seeds=[("2026", "2026-3"), ("2026", "2026-3")],
    )


BROKEN: dict[str, Callable[[EpochsChanged], EpochsChanged]] = {
    "a refusal": lambda one: replace(one, pushes=[PushOutcome(draft=ANY, permitted=False)]),
    "no report": lambda one: replace(one, report_epochs=[]),
    "a register refused": lambda one: replace(one, loads=[*one.loads, load("2026", permitted=False)]),
    "a register in one epoch": lambda one: replace(one, loads=one.loads[:1]),
    "the kit was told": lambda one: replace(one, knew="2026-3"),
    "sealed in the old epoch": lambda one: replace(one, sealed_in={OLD: "2026", NEW: "2026"}),
    "asked in one epoch": lambda one: replace(one, asked_in=["2026-3"]),
    "found in one epoch": lambda one: replace(one, hits={"2026-3": (NEW, 12)}),
    "found another": lambda one: replace(one, hits={**one.hits, "2026": (NEW, 11)}),
    "the first was retired": lambda one: replace(one, stays=""),
    "not retired": lambda one: replace(one, retired_index=0),
    "a copy is left": lambda one: replace(one, copy=""),
    "one evaluator": lambda one: replace(one, destroyed_at=[21]),
    "a seed is left": lambda one: replace(one, seeds=[one.seeds[0], ("2026", "2026-2", "2026-3")]),
    "destroyed before the log said so": lambda one: replace(one, destroyed_at=[19, 21]),
    "a kit kept them": lambda one: replace(one, kept_by_kit=(2, 2)),
    "a kit had none": lambda one: replace(one, kept_by_kit=(0, 0)),
}


def test_nothing_fails_when_all_went_well() -> None:
    assert changed().failures() == []


@pytest.mark.parametrize("broken", BROKEN)
def test_each_thing_that_went_otherwise_is_one_failure(broken: str) -> None:
    assert len(BROKEN[broken](changed()).failures()) == 1


def test_it_is_told_in_sentences_with_their_places_in_the_log() -> None:
    told = "\n".join(changed().lines("127.0.0.1:7390"))
    for words in (
        "log index 11",
        "2026-3, 12",
        "log index 20;",
        "21 and 22",
        "http://127.0.0.1:7390/tijdvakken",
    ):
        assert words in told, words
    assert "http" not in "\n".join(changed().lines(""))


def test_a_fine_of_the_demos_own_stands_in_no_file_and_is_made_once() -> None:
    one = firm(1, "Oost")
    taken = OwnFines(TODAY, []).about(one)
    own = OwnFines(TODAY, [taken])
    made = [own.about(one) for _ in range(3)]
    days = [fine.decided_on for fine in (taken, *made)]
    assert len(set(days)) == 4
    assert max(days) < TODAY
    assert {fine.establishment for fine in made} == {one.establishment}
    for _ in range(295):
        own.about(one)
    with pytest.raises(ValueError, match="every day"):
        own.about(one)
