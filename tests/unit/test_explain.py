# SPDX-License-Identifier: EUPL-1.2
"""Decisions in sentences."""

from dataclasses import replace

import pytest

from broker.decide.engine import decide
from broker.decide.explain import explain
from broker.decide.model import Decision, Effect, Reason
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
