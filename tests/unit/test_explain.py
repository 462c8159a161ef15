# SPDX-License-Identifier: EUPL-1.2
"""Decisions in sentences."""

from dataclasses import replace

import pytest

from broker.decide.engine import decide
from broker.decide.explain import explain, explain_near_miss
from broker.decide.model import Decision, Effect, Reason
from broker.decide.near import near_misses
from broker.policy.cases import request_of
from sluis.policy.cases import Case
from sluis.policy.catalog import ENGINE_CODES
from tests.unit.decide_samples import BUNDLE, FINE, outcome
from tests.unit.test_policy_cases import CASES


def test_a_permit_names_article_rule_and_fields() -> None:
    words = explain(outcome(), BUNDLE)
    assert words.dutch == (
        "Toegestaan op grond van WML 18p(7) en Waadi 14b(3)(b). Regel: Boete melden aan de stichting (vanaf 1 juli "
        "2026) [fine-to-foundation-from-2026-07-01]. "
        "Doorgelaten: vestigingsnummer en overtreden wet. "
        "Deze regel berust op een aanname en wacht op een juridisch oordeel."
    )
    assert words.english == (
        "Permitted under WML 18p(7) and Waadi 14b(3)(b). Rule: fine-to-foundation-from-2026-07-01. "
        "Released: establishment number and law that was breached. "
        "This rule rests on an assumption and awaits legal sign-off."
    )


def test_a_partial_permit_says_what_was_withheld_and_why() -> None:
    words = explain(outcome(fields=(*FINE.fields, ("bsn", "bsn"))), BUNDLE)
    assert "Achtergehouden: burgerservicenummer (een burgerservicenummer gaat niet" in words.dutch
    assert "Withheld: citizen service number (a citizen service number does not" in words.english
    assert "UAVG 46(1)" not in words.english.split("Rule")[0]


def test_a_denial_names_every_reason_and_what_is_not_known() -> None:
    words = explain(outcome(claims={"provision": "Wav 2(1)"}, facts={}), BUNDLE)
    assert words.english.startswith(
        "Denied: the provision is not on the list of this legal basis; "
        "the register does not prove that the firm holds a valid certificate now (not known); "
        "the fine was imposed longer ago than the legal basis allows (not known)."
    )
    assert words.dutch.startswith("Geweigerd: de overtreden bepaling staat niet op de lijst")


def test_several_rules_and_fields_are_listed() -> None:
    fields = (*FINE.fields, ("bsn", "bsn"), ("fine_amount", "organisation"), ("city", "address"))
    words = explain(outcome(fields=fields), BUNDLE)
    assert words.english == (
        "Permitted under WML 18p(7) and Waadi 14b(3)(b). "
        "Rule: fine-to-foundation-from-2026-07-01; no-bsn-to-private. "
        "Released: establishment number, law that was breached and place. "
        "Withheld: citizen service number (a citizen service number does not go to a private party) and amount of the "
        "fine (the field is not on the list of this legal basis). "
        "This rule rests on an assumption and awaits legal sign-off."
    )
    assert "Doorgelaten: vestigingsnummer, overtreden wet en plaats. Achtergehouden: " in words.dutch


def test_a_denial_names_the_fields_of_each_reason_and_withholds_nothing_twice() -> None:
    fields = (*FINE.fields, ("bsn", "bsn"), ("fine_amount", "organisation"))
    words = explain(outcome(fields=fields, strict=True), BUNDLE)
    assert words.english == (
        "Denied: a citizen service number does not go to a private party (citizen service number); "
        "the field is not on the list of this legal basis (amount of the fine); "
        "the sender asked for all or nothing. Rule: no-bsn-to-private."
    )


@pytest.mark.parametrize(
    ("params", "dutch", "english"),
    [
        ({}, "", ""),
        ({"state": "unknown"}, " (niet bekend)", " (not known)"),
        ({"state": "disproven", "claim": "law"}, "", ""),
        ({"state": "unknown", "most": "5"}, " (niet bekend) (ten hoogste 5)", " (not known) (at most 5)"),
        ({"fields": "law"}, " (overtreden wet)", " (law that was breached)"),
        (
            {"fields": "law,city,no_such_field"},
            " (overtreden wet, plaats en no_such_field)",
            " (law that was breached, place and no_such_field)",
        ),
        ({"draft": "False", "from": "2027-01-01"}, " (geldt vanaf 2027-01-01)", " (from 2027-01-01)"),
        ({"draft": "False", "until": "2026-01-01"}, " (gold tot en met 2026-01-01)", " (until 2026-01-01)"),
        ({"draft": "True", "from": "2027-01-01"}, " (ontwerp)", " (a draft)"),
    ],
)
def test_what_a_reason_says_besides_its_code(params: dict[str, str], dutch: str, english: str) -> None:
    denial = Decision(effect=Effect.DENY, policy_digest="", reasons=(Reason("NO_RULE", params),))
    words = explain(denial, BUNDLE)
    assert words.dutch == f"Geweigerd: er is geen regel die dit toestaat{dutch}."
    assert words.english == f"Denied: there is no rule that permits this{english}."


def test_a_near_miss_names_all_that_it_lacks() -> None:
    miss = near_misses(replace(FINE, claims={}, facts={}), BUNDLE)[0]
    words = explain_near_miss(miss, BUNDLE)
    assert words.english == (
        "Nearly applied: fine-to-foundation-until-2026-06-30. "
        "Missing: the rule that would permit this is not in force on this day (until 2026-06-30); "
        "the provision is not on the list of this legal basis (not known); "
        "the register does not prove that the firm holds a valid certificate now (not known); "
        "the fine was imposed longer ago than the legal basis allows (not known)."
    )


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_every_case_can_be_explained_without_a_bare_code(case: Case) -> None:
    decision = decide(request_of(case, BUNDLE), BUNDLE)
    words = explain(decision, BUNDLE)
    for text in (words.dutch, words.english):
        assert text.endswith(".")
        assert not [reason.code for reason in decision.reasons if reason.code in text]
        assert "{" not in text


@pytest.mark.parametrize("code", sorted(ENGINE_CODES))
def test_every_code_of_the_engine_has_a_sentence(code: str) -> None:
    words = explain(Decision(effect=Effect.DENY, policy_digest="", reasons=(Reason(code),)), BUNDLE)
    assert code not in words.dutch + words.english


def test_a_code_or_field_without_label_is_shown_as_it_is() -> None:
    decision = replace(outcome(), released=("no_such_field",)).denied("NO_SUCH_CODE")
    assert "NO_SUCH_CODE" in explain(decision, BUNDLE).dutch
