# SPDX-License-Identifier: EUPL-1.2
"""What a decision says of itself: its rules, withheld fields, duties and digest, in every kind of outcome."""

from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import pytest

from broker.decide.engine import decide
from broker.decide.model import Decision, Effect
from broker.decide.obligations import strictest
from broker.decide.slots import compiled, counters_asked, counters_used, slot_of
from sluis.policy.conditions import CountedAtMost, SameParty, SubjectsAtMost
from sluis.policy.rules import Obligations, Operation, Rule, Status
from tests.unit.decide_samples import (
    BODY,
    BUNDLE,
    FINE,
    NLA,
    PERMIT,
    PROHIBITION,
    SNA,
    outcome,
    with_rules,
)

LAW = ("law", "organisation")
NUMBER = ("establishment_number", "organisation")
CITY = ("city", "address")
BSN = ("bsn", "bsn")


def against(identifier: str, *fields: str, code: str = "WRONG_CHANNEL", **changes: Any) -> Rule:
    return PROHIBITION.model_copy(
        update={
            "id": identifier,
            "categories": frozenset(),
            "fields": frozenset(fields),
            "code": code,
            **changes,
        }
    )


def told(decision: Decision) -> list[tuple[str, str, str]]:
    return [(item.name, item.code, item.rule_id) for item in decision.withheld]


def ids(decision: Decision) -> list[str]:
    return [rule.id for rule in decision.rules]


def test_every_kind_of_outcome_names_the_bundle() -> None:
    whole = with_rules(prohibitions=[against("whole")])
    unlisted = ("worker_name", "personal")
    outcomes = [
        decide(FINE, BUNDLE),
        decide(replace(FINE, fields=(LAW, unlisted)), BUNDLE),
        decide(replace(FINE, fields=(LAW, unlisted), strict=True), BUNDLE),
        decide(replace(FINE, facts={}), BUNDLE),
        decide(replace(FINE, sender=SNA), BUNDLE),
        decide(replace(FINE, kind="x"), BUNDLE),
        decide(FINE, whole),
        decide(FINE, replace(BUNDLE, permits=None)),  # type: ignore[arg-type]  # broken on purpose
    ]
    assert {item.policy_digest for item in outcomes} == {BUNDLE.digest}
    assert [item.effect for item in outcomes] == [Effect.PERMIT] * 2 + [Effect.DENY] * 6


def test_a_field_of_another_category_is_withheld_by_no_rule() -> None:
    decision = outcome(fields=(LAW, ("city", "organisation")))
    assert told(decision) == [("city", "CATEGORY_MISMATCH", "")]
    assert [(item.code, item.params) for item in decision.reasons] == [
        ("CATEGORY_MISMATCH", {"fields": "city"})
    ]


def test_a_strict_denial_names_the_prohibitions_that_withhold_and_not_the_others() -> None:
    bundle = with_rules(
        prohibitions=[
            against("idle", "city", status=Status.ASSUMED),
            against("deciding", "law", status=Status.IN_FORCE),
        ]
    )
    decision = decide(replace(FINE, strict=True), bundle)
    assert (ids(decision), decision.assumed) == (["deciding"], False)
    assert told(decision) == [
        ("law", "WRONG_CHANNEL", "deciding"),
        ("establishment_number", "STRICT", ""),
    ]
    assert [item.code for item in decision.reasons] == ["WRONG_CHANNEL", "STRICT"]


def test_a_denial_without_prohibition_names_the_permits_that_fell_short() -> None:
    decision = outcome(fields=(("fine_amount", "organisation"),))
    assert (ids(decision), decision.assumed) == ([PERMIT.id], True)
    assert told(decision) == [("fine_amount", "FIELD_NOT_LISTED", "")]
    assert dict(decision.obligations) == {}


def test_an_assumed_prohibition_makes_the_denial_assumed() -> None:
    bundle = with_rules(prohibitions=[against("all", "law", "establishment_number", status=Status.ASSUMED)])
    decision = decide(FINE, bundle)
    assert (ids(decision), decision.assumed) == (["all"], True)


def test_a_permit_is_assumed_when_only_a_prohibition_is() -> None:
    firm = PERMIT.model_copy(update={"id": "firm", "status": Status.IN_FORCE})
    alone = replace(with_rules(permits=[firm]), permits=dict.fromkeys(BUNDLE.permits, (firm,)))
    assert decide(FINE, alone).assumed is False
    assumed = against("some", "law", status=Status.ASSUMED)
    mixed = replace(with_rules(permits=[firm], prohibitions=[assumed]), permits=alone.permits)
    decision = decide(FINE, mixed)
    assert (decision.effect, ids(decision), decision.assumed) == (Effect.PERMIT, ["firm", "some"], True)


def test_the_first_of_several_prohibitions_withholds_and_the_whole_names_all() -> None:
    bundle = with_rules(
        prohibitions=[against("one", "city"), against("two", "law"), against("three", "law", code="LOOKBACK")]
    )
    assert told(decide(FINE, bundle)) == [("law", "WRONG_CHANNEL", "two")]
    whole = with_rules(
        prohibitions=[against("one"), against("two", code="LOOKBACK"), against("three", "law")]
    )
    decision = decide(FINE, whole)
    assert ids(decision) == ["one", "two"]
    assert [item.code for item in decision.reasons] == ["WRONG_CHANNEL", "LOOKBACK"]
    assert {item[1:] for item in told(decision)} == {("WRONG_CHANNEL", "one")}


def test_the_permits_come_first_and_then_the_prohibitions_by_name() -> None:
    bundle = with_rules(prohibitions=[against("zz", "establishment_number"), against("aa", "city")])
    decision = decide(replace(FINE, fields=(NUMBER, LAW, CITY, BSN)), bundle)
    assert ids(decision) == [PERMIT.id, "aa", "no-bsn-to-private", "zz"]
    assert decision.released == ("law",)


def test_without_a_matching_permit_each_field_still_says_what_prohibits_it() -> None:
    bundle = with_rules(
        prohibitions=[
            against("other", "city", code="LOOKBACK"),
            against("law-not", "law", code="NO_CERTIFICATE"),
        ]
    )
    request = replace(FINE, fields=(NUMBER, LAW, CITY, BSN))
    near = decide(replace(request, facts={}), bundle)
    assert told(near) == [
        ("establishment_number", "NO_CERTIFICATE", PERMIT.id),
        ("law", "NO_CERTIFICATE", "law-not"),
        ("city", "LOOKBACK", "other"),
        ("bsn", "BSN_PRIVATE", "no-bsn-to-private"),
    ]
    none = decide(replace(request, sender=SNA), bundle)
    assert told(none) == [
        ("establishment_number", "NO_CERTIFICATE", ""),
        ("law", "NO_CERTIFICATE", "law-not"),
        ("city", "LOOKBACK", "other"),
        ("bsn", "BSN_PRIVATE", "no-bsn-to-private"),
    ]
    assert (none.rules, none.assumed) == ((), False)
    assert [item.code for item in none.reasons] == ["NO_CERTIFICATE", "LOOKBACK", "BSN_PRIVATE", "NO_RULE"]


def test_permits_add_up() -> None:
    fields = (*FINE.fields, ("fine_amount", "organisation"), CITY)
    more = [
        PERMIT.model_copy(update={"id": "more", "fields": frozenset({"fine_amount"})}),
        PERMIT.model_copy(update={"id": "none", "fields": frozenset({"kvk_number"})}),
    ]
    decision = decide(replace(FINE, fields=fields), with_rules(permits=more))
    assert decision.released == ("establishment_number", "law", "fine_amount", "city")
    assert ids(decision) == [PERMIT.id, "more"]


def test_of_two_permits_that_lack_as_much_the_first_by_name_explains() -> None:
    twins = [PERMIT.model_copy(update={"id": name}) for name in ("zz", "aa")]
    assert ids(decide(replace(FINE, facts={}), with_rules(permits=twins))) == ["aa"]


def test_words_of_the_catalogue_only() -> None:
    decision = outcome(
        claims={"decided_on": "?", "x": "1", "provision": "WML 7"}, fields=(LAW, ("x", "x"), ("y", "y"))
    )
    assert [(item.code, item.params) for item in decision.reasons] == [
        ("UNKNOWN_FIELD", {"position": "2"}),
        ("UNKNOWN_FIELD", {"position": "3"}),
        ("CLAIM_MALFORMED", {"claim": "decided_on"}),
        ("UNKNOWN_CLAIM", {"position": "3"}),
    ]
    assert [name for name, _, _ in told(decision)] == ["law"]
    nobody = outcome(sender=replace(NLA, role=""), recipient=replace(SNA, role="x"))
    assert [item.params for item in nobody.reasons] == [{"party": "sender"}, {"party": "recipient"}]


def test_a_role_of_named_organisations_is_theirs_alone() -> None:
    roles = dict(BUNDLE.catalog.roles)
    roles[NLA.role] = roles[NLA.role].model_copy(update={"oins": frozenset({NLA.oin})})
    bundle = replace(BUNDLE, catalog=replace(BUNDLE.catalog, roles=roles))
    assert decide(FINE, bundle).effect is Effect.PERMIT
    other = decide(replace(FINE, sender=replace(NLA, oin="0" * 20)), bundle)
    assert [item.params for item in other.reasons] == [{"party": "sender"}]


def test_a_prohibition_applies_only_while_none_of_its_conditions_is_disproven() -> None:
    apart, few = (
        {"same_party": "true", "dutch": "Dezelfde partij.", "otherwise": "LOOKBACK"},
        {"subjects_at_most": "1", "dutch": "Een persoon.", "otherwise": "LOOKBACK"},
    )
    disproven, proven = SameParty.model_validate(apart), SubjectsAtMost.model_validate(few)
    for conditions, applies in (
        ((), True),
        ((proven,), True),
        ((disproven,), False),
        ((proven, disproven), False),
        ((disproven, proven), False),
    ):
        bundle = with_rules(prohibitions=[against("against", conditions=conditions)])
        assert (decide(FINE, bundle).effect is Effect.DENY) is applies


def test_a_condition_of_a_prohibition_looks_at_the_day() -> None:
    freely = PERMIT.model_copy(update={"id": "freely", "conditions": ()})
    recent = against("recent", conditions=PERMIT.conditions[2:])  # of decisions not older than two years
    bundle = with_rules(permits=[freely], prohibitions=[recent])
    for decided, effect in (("2024-11-23", Effect.DENY), ("2024-11-22", Effect.PERMIT)):
        claims = {**FINE.claims, "decided_on": decided}
        decision = decide(replace(FINE, claims=claims), bundle)
        assert (decision.effect, ids(decision)[0]) == (
            effect,
            "recent" if effect is Effect.DENY else "freely",
        )


def test_a_prohibition_for_the_sector_of_the_sender() -> None:
    public = with_rules(prohibitions=[against("public", sender_sectors=frozenset({"public"}))])
    private = with_rules(prohibitions=[against("private", sender_sectors=frozenset({"private"}))])
    assert ids(decide(FINE, public)) == ["public"]
    assert decide(FINE, private).effect is Effect.PERMIT


@pytest.mark.parametrize(
    ("rule", "code"),
    [
        (PERMIT.model_copy(update={"id": "ended", "valid_until": date(2026, 11, 22)}), "RULE_NOT_IN_FORCE"),
        (against("ended", valid_until=date(2026, 11, 22)), "NO_RULE"),
        (
            against(
                "ended",
                valid_until=date(2026, 11, 22),
                **{key: getattr(PERMIT, key) for key in ("operations", "sender_roles", "recipient_roles")},
                **{key: getattr(PERMIT, key) for key in ("kinds", "purposes")},
            ),
            "NO_RULE",
        ),
        (PERMIT.model_copy(update={"id": "other", "sender_roles": frozenset({BODY.role})}), "NO_RULE"),
        (PERMIT.model_copy(update={"id": "other", "recipient_roles": frozenset({BODY.role})}), "NO_RULE"),
        (PERMIT.model_copy(update={"id": "other", "operations": frozenset({Operation.RELEASE})}), "NO_RULE"),
        (PERMIT.model_copy(update={"id": "other", "kinds": frozenset({"CERTIFICATE_STATUS"})}), "NO_RULE"),
        (PERMIT.model_copy(update={"id": "other", "purposes": frozenset({"OTHER"})}), "NO_RULE"),
    ],
)
def test_only_a_permit_that_would_fit_is_a_rule_of_another_day(rule: Rule, code: str) -> None:
    agreement = BUNDLE.agreements["waadi-14b"].model_copy(update={"rules": (rule,)})
    decision = decide(FINE, BUNDLE.with_agreements({"waadi-14b": agreement}))
    assert [item.code for item in decision.reasons] == [code]


@pytest.mark.parametrize(
    ("at", "permitted"),
    [
        (datetime(2026, 11, 21, 22, 59, 59, tzinfo=UTC), False),
        (datetime(2026, 11, 21, 23, 0, tzinfo=UTC), True),
        (datetime(2026, 11, 23, 22, 59, 59, tzinfo=UTC), True),
        (datetime(2026, 11, 23, 23, 0, tzinfo=UTC), False),
    ],
)
def test_a_rule_holds_on_its_first_and_last_day_in_amsterdam(at: datetime, permitted: bool) -> None:
    """One bundle for all times: what was decided on another day does not linger."""
    for day in (20, 22, 24):
        decide(replace(FINE, at=datetime(2026, 11, day, 12, tzinfo=UTC)), TWO_DAYS)
    decision = decide(replace(FINE, at=at), TWO_DAYS)
    assert (decision.effect is Effect.PERMIT) is permitted
    prohibited = decide(replace(FINE, at=at), TWO_DAYS_NOT)
    assert (prohibited.effect is Effect.DENY) is permitted


_PERIOD: dict[str, Any] = {"valid_from": date(2026, 11, 22), "valid_until": date(2026, 11, 23)}
_WITHIN = BUNDLE.agreements["waadi-14b"].model_copy(
    update={"rules": (PERMIT.model_copy(update={"id": "two-days", **_PERIOD}),)}
)
TWO_DAYS = BUNDLE.with_agreements({"waadi-14b": _WITHIN})
_ALWAYS = BUNDLE.agreements["waadi-14b"].model_copy(
    update={"rules": (PERMIT, against("two-days", **_PERIOD))}
)
TWO_DAYS_NOT = BUNDLE.with_agreements({"waadi-14b": _ALWAYS})


def test_a_slot_is_of_one_agreement() -> None:
    agreement = BUNDLE.agreements["waadi-14b"]
    other = agreement.model_copy(update={"id": "other", "rules": (against("never"),)})
    bundle = BUNDLE.with_agreements({"waadi-14b": agreement, "other": other})
    for _ in range(2):
        assert decide(FINE, bundle).effect is Effect.PERMIT
        assert decide(replace(FINE, agreement="other"), bundle).effect is Effect.DENY


def test_the_counters_that_a_request_needs_and_that_it_used() -> None:
    counted = CountedAtMost.model_validate(
        {"counter": "persons_today", "at_most": "5", "dutch": "Ten hoogste vijf.", "otherwise": "LOOKBACK"}
    )
    rule = PERMIT.model_copy(update={"id": "counted", "conditions": (counted,)})
    bundle = with_rules(permits=[rule])
    assert counters_asked(FINE, bundle) == {"persons_today"}
    assert counters_asked(FINE, BUNDLE) == frozenset()
    assert counters_asked(replace(FINE, kind="x"), bundle) == frozenset()
    decision = decide(replace(FINE, counters={"persons_today": 1}), bundle)
    assert ids(decision) == [PERMIT.id, "counted"]
    assert counters_used(decision, bundle) == {"persons_today"}
    assert counters_used(decide(replace(FINE, counters={"persons_today": 5}), bundle), bundle) == frozenset()
    against_it = with_rules(prohibitions=[against("counting", "law", conditions=(counted,))])
    assert counters_used(decide(FINE, against_it), against_it) == frozenset()


def test_a_rule_is_compiled_once_and_keeps_the_rule_for_who_shows_it() -> None:
    assert compiled(PERMIT, BUNDLE) is compiled(PERMIT, BUNDLE)
    assert slot_of(FINE, BUNDLE, FINE.at.date()) is slot_of(FINE, BUNDLE, FINE.at.date())
    assert compiled(PERMIT, BUNDLE).rule is PERMIT
    assert compiled(PROHIBITION, BUNDLE).rule is PROHIBITION


def duties(**changes: object) -> Obligations:
    plain = {"retention": "P1Y", "handling": "H1", "notice": "may-inform"}
    return Obligations.model_validate(plain | changes)


MUST = {"notice": "must-inform", "notice_within": "P30D"}


@pytest.mark.parametrize(
    ("several", "expected"),
    [
        ([], {}),
        ([duties()], {"retention": "P1Y", "handling": "H1", "notice": "may-inform"}),
        (
            [duties(retention="P10M"), duties(retention="P2M", handling="H3"), duties(retention="P5Y")],
            {"retention": "P2M", "handling": "H3", "notice": "may-inform"},
        ),
        (
            [duties(**MUST, retention_after_loss="P1Y"), duties(retention_after_loss="P90D")],
            {
                "retention": "P1Y",
                "handling": "H1",
                "notice": "must-inform",
                "notice_within": "P30D",
                "retention_after_loss": "P90D",
            },
        ),
        (
            [
                duties(**MUST, delay_grounds=["41(1)(d)", "41(1)(e)"]),
                duties(notice="must-inform", notice_within="P2M", delay_grounds=["41(1)(d)", "41(1)(j)"]),
                duties(),
            ],
            {
                "retention": "P1Y",
                "handling": "H1",
                "notice": "must-inform",
                "notice_within": "P30D",
                "delay_grounds": "41(1)(d)",
            },
        ),
        (
            [duties(**MUST, delay_grounds=["41(1)(e)", "41(1)(d)"])],
            {
                "retention": "P1Y",
                "handling": "H1",
                "notice": "must-inform",
                "notice_within": "P30D",
                "delay_grounds": "41(1)(d),41(1)(e)",
            },
        ),
        (
            [duties(**MUST, delay_grounds=["41(1)(d)"]), duties(**MUST)],
            {"retention": "P1Y", "handling": "H1", "notice": "must-inform", "notice_within": "P30D"},
        ),
        (
            [duties(notice="must-not-inform"), duties()],
            {"retention": "P1Y", "handling": "H1", "notice": "must-not-inform"},
        ),
    ],
)
def test_of_several_duties_the_strictest(several: list[Obligations], expected: dict[str, str]) -> None:
    assert strictest(several) == expected
    assert strictest(several[::-1]) == expected


def test_an_exception_that_nobody_foresaw_denies() -> None:
    assert [item.code for item in decide(None, BUNDLE).reasons] == ["ENGINE_ERROR"]  # type: ignore[arg-type]
