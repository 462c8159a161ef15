# SPDX-License-Identifier: EUPL-1.2
"""An entry of an exchange in words, in both languages, without a value."""

import json
from typing import get_args

import pytest

from broker.console.story import headline, result_of, story_of
from broker.console.texts import Language, has_text
from broker.decide.engine import decide
from broker.decide.model import FactState
from broker.policy.cases import request_of
from broker.record import exchange_record
from sluis.canonical import canonical_json
from sluis.header import Delivery
from sluis.policy.catalog import Category
from sluis.policy.rules import Notice, Obligations, Status
from tests.unit.decide_samples import BUNDLE, FINE, outcome
from tests.unit.test_policy_cases import CASES


def test_every_case_of_the_rules_can_be_told_in_both_languages() -> None:
    seen = set()
    for case in CASES:
        request = request_of(case, BUNDLE)
        decision = decide(request, BUNDLE)
        entry = json.loads(canonical_json(exchange_record("signal.push", request, decision, BUNDLE)))
        for language in Language:
            story = story_of(entry, BUNDLE, language)
            assert story.sentences
            assert all(rule.title and rule.text and rule.agreement for rule in story.rules)
            assert all(
                article.href.startswith("https://") for rule in story.rules for article in rule.articles
            )
            assert len(story.data) == len(entry["released"]) + len(entry["withheld"])
            # What persons stated stands nowhere: it is not in the entry, and nothing is added.
            told = repr(story)
            assert not any(value in told for value in request.claims.values() if "@" in value)
            seen |= {story.result, *entry["obligations"], entry["obligations"].get("notice", "")}
    assert {"released", "partly", "denied", "retention", "handling", Notice.MAY, Notice.MUST} <= seen


def test_what_passed_and_what_did_not_stands_by_label() -> None:
    decision = outcome(fields=(*FINE.fields, ("bsn", "bsn")))
    entry = exchange_record("signal.push", FINE, decision, BUNDLE)
    story = story_of(entry, BUNDLE, Language.DUTCH)
    assert story.result == result_of(entry) == "partly"
    last = story.data[-1]
    assert (last.label, last.released, last.category) == ("burgerservicenummer", False, "burgerservicenummer")
    assert last.why.startswith("een burgerservicenummer gaat niet")
    assert last.rule == BUNDLE.rules[decision.withheld[0].rule_id].title


def test_duties_are_sentences_in_the_language_of_the_page() -> None:
    entry = exchange_record("signal.push", FINE, outcome(), BUNDLE)
    entry["obligations"] = {
        "retention": "P1Y",
        "handling": "H2",
        "notice": "must-inform",
        "notice_within": "P30D",
        "delay_grounds": "41(1)(d),41(1)(h)",
    }
    assert story_of(entry, BUNDLE, Language.ENGLISH).duties == [
        "Keep for at most 1 year, then destroy.",
        "Use for this purpose only and do not pass on.",
        "Tell the person concerned, within 30 days.",
        "Telling may wait only on a ground of Article 41(1) of the Dutch act that implements the GDPR (part d, h). "
        "A person decides that, never the computer.",
    ]
    assert (
        story_of(entry, BUNDLE, Language.DUTCH).duties[0]
        == "Ten hoogste 1 jaar bewaren en daarna vernietigen."
    )


@pytest.mark.parametrize(
    ("operation", "outcomes"),
    [
        ("signal.push", ("mailbox", "on_match", "refused")),
        ("signal.release", ("released", "refused")),
        ("signal.acknowledge", ("delivered",)),
        ("match.question", ("answered", "refused")),
        ("watch.load", ("in-force", "refused", "taken-back")),
        ("watch.hit", ("answered", "refused")),
        ("match.digest", ("given", "refused")),
        ("register.load", ("in-force", "refused")),
    ],
)
def test_every_step_that_a_broker_logs_has_its_sentence(operation: str, outcomes: tuple[str, ...]) -> None:
    for language in Language:
        told = {
            headline({"operation": operation, "outcome": item, "asked": 3, "hits": 1}, language)
            for item in outcomes
        }
        assert len(told) == len(outcomes)
        assert not any(operation in sentence for sentence in told)


def test_every_duty_that_a_rule_may_bring_has_its_sentence() -> None:
    handling = get_args(Obligations.model_fields["handling"].annotation)
    keys = [
        *(f"story.handling.{code}" for code in handling),
        *(f"story.notice.{notice}" for notice in Notice),
    ]
    keys += [f"story.status.{status}" for status in Status] + [f"story.fact.{state}" for state in FactState]
    keys += [f"label.category.{category}" for category in Category]
    keys += [f"label.delivery.{delivery}" for delivery in Delivery]
    assert len(keys) > 20
    assert [key for key in keys if not has_text(key)] == []


def test_words_that_the_rules_do_not_know_are_shown_as_they_stand() -> None:
    entry = exchange_record("signal.push", FINE, outcome(), BUNDLE)
    entry |= {"released": ["strange"], "rules": [{"id": "gone", "status": "in-force", "basis": ["X 1"]}]}
    story = story_of(entry, BUNDLE, Language.DUTCH)
    assert story.data[0].label == "strange"
    assert (story.rules[0].id, story.rules[0].title, story.rules[0].articles[0].href) == ("gone", "", "")
    assert headline({"operation": "new.thing"}, Language.DUTCH).endswith("new.thing.")
