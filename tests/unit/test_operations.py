# SPDX-License-Identifier: EUPL-1.2
"""Every operation of the broker is listed, described in docs, and told in both languages."""

import re
from pathlib import Path
from typing import Any

import pytest

from broker.console.acts import WORDS
from broker.console.story import headline
from broker.console.texts import Language, has_text, text_of
from broker.operations import OPERATIONS, Readers, is_known
from broker.step import Step
from sluis.errors import Defect
from tests.world import World

ROOT = Path(__file__).resolve().parents[2]
ENTRIES = [
    (operation, outcome) for operation, known in OPERATIONS.items() for outcome in sorted(known.outcomes)
]


def sentence(operation: str, outcome: str, language: Language) -> str:
    """What an entry says, with a word in each place."""
    entry = {"operation": operation, "outcome": outcome, "asked": 3, "hits": 1}
    return headline(entry, language, dict.fromkeys(WORDS, "*"))


@pytest.mark.parametrize("language", list(Language))
def test_every_entry_has_a_name_and_a_sentence_of_its_own(language: Language) -> None:
    names = {operation: text_of(language, f"label.operation.{operation}") for operation in OPERATIONS}
    told = {entry: sentence(*entry, language) for entry in ENTRIES}
    assert len(set(names.values())) == len(OPERATIONS) > 50
    assert len(set(told.values())) == len(ENTRIES) > 60
    for (operation, outcome), text in told.items():
        assert text.endswith((".", "?", "*")), (operation, outcome)
        assert operation not in text, (operation, outcome)  # as it stands only where there is no sentence


def test_no_name_or_sentence_is_for_an_operation_that_is_not_there() -> None:
    from broker.console.texts import all_texts

    named = {
        key.removeprefix("label.operation.") for key in all_texts() if key.startswith("label.operation.")
    }
    assert named == set(OPERATIONS)


def test_the_broker_enters_nothing_else(world: World) -> None:
    for wrong in (
        {"operation": "epoch.begin"},
        {"operation": "epoch.announce", "outcome": "begun"},
        {"operation": "signal.push"},
        {"operation": ["signal.push"], "outcome": "mailbox"},
        {},
    ):
        before = world.size
        with world.store.transaction() as tx:
            with pytest.raises(Defect):
                Step(tx, world.clock(), []).log(wrong)
            tx.commit()
        assert world.size == before
    assert not is_known("signal.push", None)


def test_what_the_code_writes_out_is_listed() -> None:
    written = {
        name
        for path in (ROOT / "broker").rglob("*.py")
        for name in re.findall(r'"operation": "([a-z.-]+)"', path.read_text("utf-8"))
    }
    assert len(written) > 20
    assert written <= OPERATIONS.keys()


def test_the_page_on_the_log_describes_each_of_them() -> None:
    page = (ROOT / "docs" / "log-format.md").read_text("utf-8")
    table = page.partition("| operation | members | written when |")[2].partition("\n\n")[0]
    described = [
        name for row in table.splitlines()[2:] for name in re.findall(r"`([a-z.-]+)`", row.split("|")[1])
    ]
    assert sorted(described) == sorted(OPERATIONS)


def test_what_everyone_may_read_names_no_exchange_and_no_reason_about_a_participant() -> None:
    open_to_all = {name for name, known in OPERATIONS.items() if known.readers is Readers.EVERYONE}
    assert not any(
        name.startswith(("signal.", "match.", "watch.", "followup.", "console.", "finding."))
        for name in open_to_all
    )
    assert {"epoch.announce", "key.destroy", "party.admit"} <= open_to_all
    assert not {"party.stop", "party.resume", "card.revoke", "stop.set", "officer.retire"} & open_to_all


def test_a_word_that_a_sentence_wants_is_one_that_it_gets() -> None:
    with pytest.raises(Defect):
        headline({"operation": "epoch.announce"}, Language.DUTCH)
    entry: dict[str, Any] = {"operation": "followup.notify", "outcome": "told", "act": "recall"}
    assert has_text("story.followup.notify.told.recall")
    assert "teruggeroepen" in headline(entry, Language.DUTCH)
