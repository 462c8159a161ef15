# SPDX-License-Identifier: EUPL-1.2
"""Which permits nearly applied, told to the party that asks."""

from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import pytest

from broker.decide.engine import decide
from broker.decide.explain import explain_near_miss
from broker.decide.model import Effect
from broker.decide.near import near_misses
from sluis.policy.bundle import read_bundle
from sluis.policy.rules import Operation, Status
from tests.unit.decide_samples import BODY, BUNDLE, FILES, FINE, PERMIT, with_rules


def test_a_full_permit_has_no_near_miss() -> None:
    assert near_misses(FINE, BUNDLE) == ()


def test_a_permitted_question_without_fields_has_no_near_miss() -> None:
    question = replace(
        FINE,
        operation=Operation.QUESTION,
        sender=BODY,
        recipient=BODY,
        fields=(),
        claims={},
        facts={},
        delivery="",
    )
    assert decide(question, BUNDLE).effect is Effect.PERMIT
    assert near_misses(question, BUNDLE) == ()
    stranger = replace(question, recipient=replace(BODY, oin="9" * 20))
    assert [reason.code for reason in decide(stranger, BUNDLE).reasons] == ["NOT_OWN_DOMAIN"]
    assert [[reason.code for reason in miss.missing] for miss in near_misses(stranger, BUNDLE)] == [
        ["RULE_NOT_IN_FORCE", "NOT_OWN_DOMAIN"],
    ]


def test_a_denial_names_what_the_nearest_permits_lack_nearest_first() -> None:
    nearer = PERMIT.model_copy(update={"id": "nearer", "conditions": PERMIT.conditions[2:]})
    request = replace(FINE, facts={}, claims={})
    bundle = with_rules(permits=[nearer])
    assert [rule.id for rule in decide(request, bundle).rules] == ["nearer"]
    nearest, further, *_ = near_misses(request, bundle)  # what the decision names needs no second telling
    assert nearest.rule.id == PERMIT.id
    assert len(further.missing) >= len(nearest.missing)
    assert [reason.code for reason in nearest.missing] == [
        "PROVISION_NOT_LISTED",
        "NO_CERTIFICATE",
        "LOOKBACK",
    ]


def test_only_permits_that_could_release_what_was_lost_count() -> None:
    more = PERMIT.model_copy(update={"id": "more", "fields": frozenset({"fine_amount"})})
    request = replace(FINE, fields=(*FINE.fields, ("fine_amount", "organisation")))
    lacking = more.model_copy(update={"conditions": (PERMIT.conditions[2].model_copy(update={
        "not_older_than_years": 0}),)})  # fmt: skip
    bundle = with_rules(permits=[lacking])
    assert [miss.rule.id for miss in near_misses(request, bundle)] == ["more"]
    elsewhere = lacking.model_copy(update={"fields": frozenset({"city"})})
    assert near_misses(request, with_rules(permits=[elsewhere])) == ()


def test_a_rule_of_another_day_and_a_draft_say_so() -> None:
    june = replace(FINE, claims={"provision": "Wav 2(1)", "decided_on": "2026-03-02"})
    misses = {miss.rule.id: miss for miss in near_misses(june, BUNDLE)}
    past = misses["fine-to-foundation-until-2026-06-30"]
    assert past.missing[0].code == "RULE_NOT_IN_FORCE"
    assert past.missing[0].params["until"] == "2026-06-30"
    words = explain_near_miss(past, BUNDLE)
    assert words.dutch == (
        "Bijna van toepassing: Boete melden aan de stichting (tot en met 30 juni 2026) "
        "[fine-to-foundation-until-2026-06-30]. Wat ontbreekt: de regel die dit zou toestaan geldt op deze dag niet "
        "(gold tot en met 2026-06-30)."
    )
    drafts = {
        name: data.replace(b"status: assumed", b"status: draft") if name.startswith("agreements/") else data
        for name, data in FILES.items()
    }
    sleeping = near_misses(FINE, read_bundle(drafts))
    assert "(a draft)" in explain_near_miss(sleeping[0], read_bundle(drafts)).english


@pytest.mark.parametrize(
    ("changes", "params", "words"),
    [
        ({"valid_from": date(2026, 11, 24)}, {"draft": "False", "from": "2026-11-24"}, "(from 2026-11-24)"),
        (
            {"valid_from": date(2026, 11, 24), "valid_until": date(2026, 12, 31)},
            {"draft": "False", "from": "2026-11-24"},
            "(from 2026-11-24)",
        ),
        (
            {"valid_until": date(2026, 11, 22)},
            {"draft": "False", "until": "2026-11-22"},
            "(until 2026-11-22)",
        ),
        ({"status": Status.DRAFT}, {"draft": "True"}, "(a draft)"),
        ({"status": Status.DRAFT, "valid_until": date(2026, 11, 23)}, {"draft": "True"}, "(a draft)"),
        ({"status": Status.DRAFT, "valid_from": date(2026, 11, 23)}, {"draft": "True"}, "(a draft)"),
        (
            {"status": Status.DRAFT, "valid_from": date(2026, 11, 24)},
            {"draft": "True", "from": "2026-11-24"},
            "(a draft)",
        ),
    ],
)
def test_a_rule_that_sleeps_says_why_and_what_else_it_lacks(
    changes: dict[str, Any], params: dict[str, str], words: str
) -> None:
    rule = PERMIT.model_copy(update=changes)
    agreement = BUNDLE.agreements["waadi-14b"].model_copy(update={"rules": (rule,)})
    bundle = BUNDLE.with_agreements({"waadi-14b": agreement})
    (miss,) = near_misses(replace(FINE, facts={}), bundle)
    assert (miss.rule.id, [reason.code for reason in miss.missing]) == (
        PERMIT.id,
        ["RULE_NOT_IN_FORCE", "NO_CERTIFICATE"],
    )
    assert miss.missing[0].params == params
    assert words in explain_near_miss(miss, bundle).english


def test_a_rule_of_another_sort_does_not_sleep() -> None:
    elsewhere = PERMIT.model_copy(update={"kinds": frozenset({"OTHER"}), "valid_until": date(2026, 11, 22)})
    agreement = BUNDLE.agreements["waadi-14b"].model_copy(update={"rules": (elsewhere,)})
    assert near_misses(FINE, BUNDLE.with_agreements({"waadi-14b": agreement})) == ()


def test_nobody_nearly_permits_an_unknown_word() -> None:
    assert near_misses(replace(FINE, kind="WHAT"), BUNDLE) == ()
    assert near_misses(replace(FINE, fields=(("what", "organisation"),)), BUNDLE) == ()


def test_the_list_is_short() -> None:
    many = [PERMIT.model_copy(update={"id": f"a-{number}"}) for number in reversed(range(9))]
    request = replace(FINE, facts={}, at=datetime(2026, 11, 23, tzinfo=UTC))
    misses = near_misses(request, with_rules(permits=many))
    # The nearest of all is the one that the decision itself names.
    assert [miss.rule.id for miss in misses] == [f"a-{number}" for number in range(1, 6)]
