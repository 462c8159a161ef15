# SPDX-License-Identifier: EUPL-1.2
"""The sharp edges of the decision, one by one."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from broker.decide.engine import decide
from broker.decide.model import Effect, Fact, FactState, Party
from sluis.errors import InvalidInput
from sluis.policy.bundle import read_bundle
from sluis.policy.catalog import Purpose
from sluis.policy.conditions import FactProven
from sluis.policy.rules import Notice, Operation, Status
from tests.unit.decide_samples import (
    AUTUMN,
    BODY,
    BUNDLE,
    FILES,
    FINE,
    NLA,
    PERMIT,
    PROHIBITION,
    SNA,
    VALID,
    outcome,
    reason,
    with_rules,
)


def test_a_full_permit_names_its_rule_articles_and_duties() -> None:
    decision = outcome()
    assert decision.effect is Effect.PERMIT
    assert decision.released == ("establishment_number", "law")
    assert decision.reasons == ()
    assert decision.rules[0].basis == ("WML 18p(7)", "Waadi 14b(3)(b)")
    assert (decision.rules[0].status, decision.assumed) == ("assumed", True)
    assert decision.obligations == {
        "retention": "P5Y",
        "retention_after_loss": "P6M",
        "feedback_within": "P1Y",
        "handling": "H3",
        "notice": "may-inform",
    }


@pytest.mark.parametrize(
    ("at", "rule"),
    [
        (datetime(2026, 6, 30, 21, 59, 59, tzinfo=UTC), "fine-to-foundation-until-2026-06-30"),
        (datetime(2026, 6, 30, 22, 0, 0, tzinfo=UTC), "fine-to-foundation-from-2026-07-01"),
    ],
)
def test_the_law_changes_at_midnight_in_amsterdam(at: datetime, rule: str) -> None:
    assert outcome(at=at).rules[0].id == rule


@pytest.mark.parametrize(
    ("fact", "found"),
    [
        (None, "unknown"),
        (replace(VALID, state=FactState.UNKNOWN), "unknown"),
        (replace(VALID, state=FactState.DISPROVEN), "disproven"),
        (replace(VALID, asserter=NLA), "unknown"),
        (replace(VALID, asserter=None), "unknown"),
        (replace(VALID, source="sender"), "unknown"),
        (replace(VALID, source="register:others"), "unknown"),
    ],
)
def test_only_the_register_of_the_foundation_proves_a_certificate(fact: Fact | None, found: str) -> None:
    decision = outcome(facts={"certificate_valid": fact} if fact else {})
    assert reason(decision) == "NO_CERTIFICATE"
    assert decision.reasons[0].params == {"state": found, "fact": "certificate_valid"}


@pytest.mark.parametrize(
    ("decided", "day", "permitted"),
    [
        ("2024-02-29", datetime(2026, 2, 28, 12, tzinfo=UTC), True),
        ("2024-02-29", datetime(2026, 3, 1, 12, tzinfo=UTC), False),
        ("2026-02-28", datetime(2028, 2, 28, 12, tzinfo=UTC), True),
        ("2026-02-28", datetime(2028, 2, 29, 12, tzinfo=UTC), False),
        ("2024-01-31", datetime(2026, 1, 31, 12, tzinfo=UTC), True),
        ("2024-01-31", datetime(2026, 2, 1, 12, tzinfo=UTC), False),
        ("2026-11-23", AUTUMN, True),
        ("2026-11-24", AUTUMN, False),
        ("9998-01-01", AUTUMN, False),
        ("0001-01-01", AUTUMN, False),
    ],
)
def test_two_years_end_on_the_same_day_of_the_month(decided: str, day: datetime, permitted: bool) -> None:
    decision = outcome(claims={**FINE.claims, "decided_on": decided}, at=day)
    assert (decision.effect is Effect.PERMIT) is permitted
    assert reason(decision) == ("" if permitted else "LOOKBACK")


def test_all_unmet_conditions_are_named_in_the_order_of_the_rule() -> None:
    decision = outcome(claims={"provision": "Wav 2(1)", "decided_on": "2020-01-01"}, facts={})
    assert [item.code for item in decision.reasons] == ["PROVISION_NOT_LISTED", "NO_CERTIFICATE", "LOOKBACK"]
    assert {item.code for item in decision.withheld} == {"PROVISION_NOT_LISTED"}


def test_reasons_never_hold_a_value_or_a_word_of_the_caller() -> None:
    secret = "999990019"
    decisions = [
        outcome(fields=((secret, secret), ("law", "organisation"))),
        outcome(claims={secret: secret}),
        outcome(claims={"provision": secret, "decided_on": "2020-01-01"}),
        outcome(kind=secret),
        outcome(purpose=secret),
        outcome(agreement=secret),
        outcome(sender=replace(NLA, role=secret)),
        outcome(fields=(("law", secret),)),
        outcome(claims={"provision": "WML 99", "decided_on": "2020-01-01"}),
    ]
    for decision in decisions:
        assert decision.effect is Effect.DENY
        assert secret not in repr(decision)
        assert "WML 99" not in repr(decision)


def test_all_unknown_words_are_named_at_once() -> None:
    nobody = Party(oin=NLA.oin, role="", sector="")
    decision = outcome(
        sender=nobody, recipient=nobody, agreement="x", kind="x", purpose="x", fields=(), claims={"x": ""}
    )
    assert [item.code for item in decision.reasons] == [
        "UNKNOWN_PARTY", "UNKNOWN_PARTY", "UNKNOWN_AGREEMENT", "UNKNOWN_KIND", "UNKNOWN_PURPOSE", "UNKNOWN_CLAIM",
        "NO_FIELDS",
    ]  # fmt: skip


def test_a_party_with_the_sector_of_another_role_is_unknown() -> None:
    assert reason(outcome(recipient=replace(SNA, sector="public"))) == "UNKNOWN_PARTY"


def test_the_general_agreement_is_no_agreement_to_exchange_under() -> None:
    assert reason(outcome(agreement="00-algemeen")) == "UNKNOWN_AGREEMENT"


def test_a_prohibited_field_names_the_rule_that_prohibits_it() -> None:
    decision = outcome(fields=(*FINE.fields, ("bsn", "bsn"), ("fine_amount", "organisation")))
    assert decision.effect is Effect.PERMIT
    assert [(item.name, item.code, item.rule_id) for item in decision.withheld] == [
        ("bsn", "BSN_PRIVATE", "no-bsn-to-private"),
        ("fine_amount", "FIELD_NOT_LISTED", ""),
    ]
    assert [rule.id for rule in decision.rules] == [PERMIT.id, "no-bsn-to-private"]
    assert [(item.code, item.params) for item in decision.reasons] == [
        ("BSN_PRIVATE", {"fields": "bsn"}),
        ("FIELD_NOT_LISTED", {"fields": "fine_amount"}),
    ]


def test_a_strict_request_loses_everything_when_it_would_lose_anything() -> None:
    decision = outcome(fields=(*FINE.fields, ("fine_amount", "organisation")), strict=True)
    assert decision.effect is Effect.DENY
    assert [item.code for item in decision.reasons] == ["FIELD_NOT_LISTED", "STRICT"]
    assert {item.name: item.code for item in decision.withheld} == {
        "fine_amount": "FIELD_NOT_LISTED",
        "establishment_number": "STRICT",
        "law": "STRICT",
    }


def test_a_question_carries_no_fields() -> None:
    question = replace(
        FINE, operation=Operation.QUESTION, sender=BODY, recipient=BODY, claims={}, facts={}, delivery=""
    )
    assert decide(replace(question, fields=()), BUNDLE).effect is Effect.PERMIT
    assert reason(decide(question, BUNDLE)) == "FIELD_NOT_LISTED"


def test_obligations_are_the_strictest_of_the_rules_that_contribute() -> None:
    assert PERMIT.obligations is not None
    short = PERMIT.obligations.model_copy(
        update={"retention": "P90D", "retention_after_loss": None, "handling": "H4", "notice": Notice.MUST}
    )
    other = PERMIT.model_copy(update={"id": "other", "fields": frozenset({"law"}), "obligations": short})
    decision = decide(FINE, with_rules(permits=[other]))
    assert decision.obligations == {
        "retention": "P90D",
        "retention_after_loss": "P6M",
        "feedback_within": "P1Y",
        "handling": "H4",
        "notice": "must-inform",
    }
    idle = other.model_copy(update={"fields": frozenset({"city"})})
    assert decide(FINE, with_rules(permits=[idle])).obligations["retention"] == "P5Y"


def test_the_permit_that_lacks_least_explains_the_denial() -> None:
    nearer = PERMIT.model_copy(update={"id": "nearer", "conditions": PERMIT.conditions[2:]})
    decision = decide(replace(FINE, claims={}, facts={}), with_rules(permits=[nearer]))
    assert [rule.id for rule in decision.rules] == ["nearer"]
    assert reason(decision) == "LOOKBACK"


@pytest.mark.parametrize(
    ("facts", "applies"),
    [
        ({}, True),
        ({"certificate_valid": VALID}, True),
        ({"certificate_valid": replace(VALID, state=FactState.UNKNOWN)}, True),
        ({"certificate_valid": replace(VALID, state=FactState.DISPROVEN)}, False),
        ({"certificate_valid": replace(VALID, state=FactState.DISPROVEN, asserter=NLA)}, True),
    ],
)
def test_a_prohibition_applies_unless_its_condition_is_disproven(
    facts: dict[str, Fact], applies: bool
) -> None:
    certificate = tuple(condition for condition in PERMIT.conditions if isinstance(condition, FactProven))
    against = PROHIBITION.model_copy(
        update={"id": "against", "categories": frozenset(), "conditions": certificate}
    )
    freely = PERMIT.model_copy(update={"id": "freely", "conditions": ()})
    decision = decide(replace(FINE, facts=facts), with_rules(permits=[freely], prohibitions=[against]))
    assert (decision.effect is Effect.DENY) is applies


def test_a_prohibition_may_name_fields() -> None:
    against = PROHIBITION.model_copy(
        update={"id": "against", "categories": frozenset(), "fields": frozenset({"law"})}
    )
    decision = decide(FINE, with_rules(prohibitions=[against]))
    assert decision.released == ("establishment_number",)
    assert [(item.name, item.rule_id) for item in decision.withheld] == [("law", "against")]


def test_a_public_party_may_be_given_what_a_private_party_may_not() -> None:
    public = PERMIT.model_copy(
        update={"id": "public", "recipient_roles": frozenset({NLA.role}), "fields": frozenset({"bsn"})}
    )
    request = replace(FINE, recipient=NLA, fields=(("bsn", "bsn"),))
    assert decide(request, with_rules(permits=[public])).released == ("bsn",)


def test_an_unmet_condition_outweighs_a_prohibited_field_and_that_outweighs_no_rule() -> None:
    fields = (*FINE.fields, ("bsn", "bsn"))
    near = outcome(fields=fields, facts={})
    assert [item.code for item in near.reasons] == ["NO_CERTIFICATE", "BSN_PRIVATE"]
    none = outcome(fields=fields, sender=SNA)
    assert [item.code for item in none.reasons] == ["BSN_PRIVATE", "NO_RULE"]
    assert {item.name: item.code for item in none.withheld}["bsn"] == "BSN_PRIVATE"


@pytest.mark.parametrize("key", ["sender_roles", "kinds", "purposes"])
def test_a_prohibition_for_others_does_not_apply(key: str) -> None:
    against = PROHIBITION.model_copy(update={"id": "against", "categories": frozenset()})
    assert decide(FINE, with_rules(prohibitions=[against])).effect is Effect.DENY
    elsewhere = against.model_copy(update={key: frozenset({"SOMETHING_ELSE"})})
    assert decide(FINE, with_rules(prohibitions=[elsewhere])).effect is Effect.PERMIT


def test_a_permit_for_another_purpose_does_not_permit() -> None:
    other = Purpose(dutch="iets anders", english="something else")
    catalog = replace(BUNDLE.catalog, purposes={**BUNDLE.catalog.purposes, "OTHER": other})
    assert reason(decide(replace(FINE, purpose="OTHER"), replace(BUNDLE, catalog=catalog))) == "NO_RULE"


def test_a_draft_never_decides() -> None:
    drafts = {
        name: data.replace(b"status: assumed", b"status: draft") if name.startswith("agreements/") else data
        for name, data in FILES.items()
    }
    assert reason(decide(FINE, read_bundle(drafts))) == "RULE_NOT_IN_FORCE"


BROKEN: dict[str, Callable[[], Any]] = {
    "no bundle": lambda: None,
    "no catalogue": lambda: replace(BUNDLE, catalog=None),  # type: ignore[arg-type]
    "no zone": lambda: replace(BUNDLE, zone="Europe/Amsterdam"),  # type: ignore[arg-type]
    "an index of another type": lambda: replace(BUNDLE, permits=dict.fromkeys(BUNDLE.permits)),  # type: ignore[arg-type]
    "an unknown condition": lambda: with_rules(permits=[PERMIT.model_copy(update={"conditions": ("what",)})]),
}


@pytest.mark.parametrize("broken", [*BROKEN])
def test_a_mistake_in_the_engine_denies(broken: str) -> None:
    decision = decide(FINE, BROKEN[broken]())
    assert decision.effect is Effect.DENY
    assert reason(decision) == "ENGINE_ERROR"
    assert decision.released == ()


def test_a_mistake_without_rules_names_no_bundle() -> None:
    assert decide(FINE, None).policy_digest == ""  # type: ignore[arg-type]


def test_a_denial_by_an_assumed_rule_is_assumed() -> None:
    assert outcome(facts={}).assumed is True
    firm = PERMIT.model_copy(update={"id": "a-firm-rule", "status": Status.IN_FORCE})
    assert decide(replace(FINE, facts={}), with_rules(permits=[firm])).assumed is False


@pytest.mark.parametrize(("decided", "withheld"), [("2024-11-23", ["law"]), ("2024-11-22", [])])
def test_a_condition_of_a_prohibition_of_fields_looks_at_the_day(decided: str, withheld: list[str]) -> None:
    freely = PERMIT.model_copy(update={"id": "freely", "conditions": ()})
    changes = {"categories": frozenset(), "fields": frozenset({"law"}), "conditions": PERMIT.conditions[2:]}
    recent = PROHIBITION.model_copy(update={"id": "recent", **changes})
    request = replace(FINE, claims={**FINE.claims, "decided_on": decided})
    decision = decide(request, with_rules(permits=[freely], prohibitions=[recent]))
    assert (decision.effect, [item.name for item in decision.withheld]) == (Effect.PERMIT, withheld)


def test_a_decision_can_be_turned_into_a_denial() -> None:
    stopped = outcome().denied("RULE_STOPPED", {"scope": "agreement", "target": "waadi-14b"})
    assert (stopped.effect, stopped.released, dict(stopped.obligations)) == (Effect.DENY, (), {})
    assert [(item.code, item.params) for item in stopped.reasons] == [
        ("RULE_STOPPED", {"scope": "agreement", "target": "waadi-14b"})
    ]
    assert [(item.name, item.code, item.rule_id) for item in stopped.withheld] == [
        ("establishment_number", "RULE_STOPPED", ""),
        ("law", "RULE_STOPPED", ""),
    ]
    partly = outcome(fields=(*FINE.fields, ("bsn", "bsn"))).denied("RULE_STOPPED")
    assert [item.code for item in partly.reasons] == ["RULE_STOPPED", "BSN_PRIVATE"]
    assert [item.name for item in partly.withheld] == ["bsn", "establishment_number", "law"]


class Nowhere(tzinfo):
    """A zone that does not know its distance to UTC."""

    def utcoffset(self, _: datetime | None) -> None:
        return None


@pytest.mark.parametrize(
    ("changes", "message", "where"),
    [
        ({"at": datetime(2026, 1, 1)}, "the time of a request must have a zone", "at"),  # noqa: DTZ001  # the case
        ({"at": datetime(2026, 1, 1, tzinfo=Nowhere())}, "the time of a request must have a zone", "at"),
        ({"at": datetime(1, 12, 31, tzinfo=UTC)}, "the time of a request is out of reach", "at"),
        ({"at": datetime(9999, 1, 1, tzinfo=UTC)}, "the time of a request is out of reach", "at"),
        ({"fields": (("law", "organisation"), ("law", "bsn"))}, "a field stands there twice", "fields"),
        ({"subjects": -1}, "a number of subjects is below zero", "subjects"),
        ({"counters": {"a": 0, "b": -1}}, "a number of subjects is below zero", "subjects"),
        ({"operation": "steal"}, "the operation is not known", "operation"),
    ],
)
def test_a_malformed_request_cannot_be_made(changes: dict[str, Any], message: str, where: str) -> None:
    with pytest.raises(InvalidInput) as found:
        replace(FINE, **changes)
    assert (found.value.code, found.value.message, found.value.where) == ("malformed-request", message, where)


def test_a_request_of_the_first_and_last_year_within_reach_can_be_made() -> None:
    for year in (2, 9998):
        assert replace(
            FINE, at=datetime(year, 1, 1, tzinfo=UTC), subjects=0, counters={"a": 0}
        ).operation is (Operation.PUSH)


@settings(max_examples=50, deadline=None)
@given(st.datetimes(timezones=st.timezones()))
def test_any_time_in_any_zone_is_decided(at: datetime) -> None:
    if at.year in (1, 9999):
        with pytest.raises(InvalidInput, match="malformed-request"):
            outcome(at=at)
        return
    decision = outcome(at=at)
    assert reason(decision) != "ENGINE_ERROR"
    assert decision.effect is Effect.DENY or date(2026, 3, 1) < at.date() + timedelta(days=1)
