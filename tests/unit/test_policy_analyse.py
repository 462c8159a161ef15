# SPDX-License-Identifier: EUPL-1.2
"""What stands out in a set of rules is found by running the engine, and named with rule, file and word."""

from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from broker.decide.engine import decide
from broker.decide.model import Request
from broker.policy.analyse import Observation, analyse, endings
from sluis.policy.bundle import Bundle, read_bundle
from sluis.policy.catalog import Category
from sluis.policy.rules import Notice, Rule, Status
from tests.unit.decide_samples import BUNDLE, FILES, NLA, PERMIT, SNA
from tests.unit.policy_change_samples import (
    AGREEMENT,
    CATALOG,
    CONDITIONS,
    DUTIES,
    FACTS,
    agreement,
    bundle,
    condition,
    permit,
    permits,
    prohibition,
    prohibitions,
    requests,
)
from tests.unit.test_policy_diff import edited

TODAY = date(2026, 11, 23)


def found(here: Bundle, kind: str, within: int = 90, today: date = TODAY) -> list[Observation]:
    return [item for item in analyse(here, today, within) if item.kind == kind]


def test_the_installed_rules_hold_nothing_that_can_never_apply() -> None:
    kinds = {item.kind for item in analyse(BUNDLE, TODAY, 90)}
    assert not kinds & {"never-applies", "field-always-withheld", "duties-contradict", "not-exact"}
    assert not {item.kind for item in analyse(BUNDLE, date(2026, 1, 1), 0)} & {"never-applies", "not-exact"}


CONTRADICTIONS = {
    "two lists without a shared value": (
        condition(claim="provision", one_of=["WML 7"]),
        condition(claim="provision", one_of=["WML 13"]),
    ),
    "old and recent": (
        condition(claim="notified_on", not_older_than_years="1"),
        condition(claim="notified_on", working_days_passed="10"),
        condition(claim="notified_on", not_passed="true"),
    ),
    "both ways of delivery": (condition(delivery="on_match"), condition(delivery="mailbox")),
    "one party in two roles": (condition(same_party="true"),),
    "a partnership of others": (condition(partnership=["lsi"]),),
    "a partnership that has ended": (condition(partnership=["team"]),),
}


@pytest.mark.parametrize("what", [*CONTRADICTIONS])
def test_conditions_that_exclude_each_other_never_apply(what: str) -> None:
    here = bundle(permit("never", conditions=CONTRADICTIONS[what]), permit("well"))
    (item,) = found(here, "never-applies")
    assert (item.rule, item.file) == ("never", "agreements/waadi-14b.yaml")
    assert item.is_never
    assert "kunnen niet samen vervuld zijn" in item.text.dutch
    assert "cannot hold together" in item.text.english


def test_a_permit_that_prohibitions_withhold_whole_never_applies() -> None:
    whole = bundle(permit("never"), prohibition("all"))
    (item,) = found(whole, "never-applies")
    assert item.rule == "never"
    assert item.text.dutch.endswith("tegengehouden door all")
    fields = frozenset({"law", "article"})
    parts = bundle(
        permit("never", fields=fields),
        prohibition("laws", fields=frozenset({"law"})),
        prohibition("organisation", categories=frozenset({Category.ORGANISATION})),
    )
    (item,) = found(parts, "never-applies")
    assert "laws" in item.text.dutch
    assert "organisation" in item.text.dutch


def test_two_prohibitions_that_together_cover_every_case_are_found() -> None:
    """Neither withholds all, but whatever the certificate, one of them applies."""
    against = (
        prohibition("with", conditions=(condition(fact="certificate_valid"),)),
        prohibition("without", conditions=(condition(without_fact="certificate_valid"),)),
    )
    (item,) = found(bundle(permit("never"), *against), "never-applies")
    assert item.text.dutch.endswith("with, without")
    assert not found(bundle(permit("never"), against[0]), "never-applies")


def test_a_prohibition_that_a_proven_fact_lifts_leaves_the_permit_alive() -> None:
    against = prohibition(conditions=(condition(without_fact="gate"),))
    assert not found(bundle(permit(), against), "never-applies")


def test_a_field_that_is_always_withheld_is_named_with_the_prohibition() -> None:
    fields = frozenset({"law", "bsn"})
    here = bundle(permit(fields=fields), prohibition("numbers", categories=frozenset({Category.BSN})))
    (item,) = found(here, "field-always-withheld")
    assert (item.rule, item.term) == ("one", "bsn")
    assert item.text.dutch == "veld burgerservicenummer wordt altijd achtergehouden door numbers"
    sometimes = prohibition("numbers", categories=frozenset({Category.BSN}), conditions=(CONDITIONS[7],))
    assert not found(bundle(permit(fields=fields), sometimes), "field-always-withheld")


def test_fields_that_pass_under_no_rule_are_named() -> None:
    named = {item.term for item in found(bundle(permit()), "field-never-released")}
    assert named == CATALOG.fields.keys() - {"law"}
    assert all(item.file == "catalog/fields.yaml" for item in found(BUNDLE, "field-never-released"))
    drafts = bundle(permit(), permit("two", fields=frozenset({"article"}), status=Status.DRAFT))
    assert "article" in {item.term for item in found(drafts, "field-never-released")}


def test_permits_that_apply_together_with_other_duties_are_named() -> None:
    (item,) = found(bundle(permit("a"), permit("b", obligations=DUTIES[1])), "duties-differ")
    assert (item.rule, item.term) == ("a", "b")
    assert item.text.dutch == "geldt samen met b; de strengste plicht bindt: bewaartermijn, behandelcode"
    apart = bundle(
        permit("a", conditions=(CONDITIONS[11],)),
        permit("b", obligations=DUTIES[1], conditions=(condition(delivery="mailbox"),)),
    )
    assert not found(apart, "duties-differ")
    assert not found(bundle(permit("a"), permit("b")), "duties-differ")


def test_a_duty_to_tell_and_one_to_be_silent_contradict() -> None:
    silent = DUTIES[0].model_copy(update={"notice": Notice.MUST_NOT})
    (item,) = found(
        bundle(permit("a", obligations=DUTIES[2]), permit("b", obligations=silent)), "duties-contradict"
    )
    assert (item.rule, item.term) == ("a", "b")


def test_rules_and_texts_that_end_within_the_days_are_named() -> None:
    june = date(2026, 6, 1)
    seen = analyse(BUNDLE, june, 29)
    ends = {item.rule for item in seen if item.kind == "rule-ends"}
    assert "fine-to-foundation-until-2026-06-30" in ends
    texts = {(item.rule, item.term) for item in seen if item.kind == "text-ends"}
    assert ("fine-to-foundation-until-2026-06-30", "Waadi 14b(1)") in texts
    assert not any(rule.endswith("from-2026-07-01") for rule, _ in texts)
    past = {item.rule for item in seen if item.kind == "period-past"}
    assert past.isdisjoint(ends)
    assert not {item.kind for item in analyse(BUNDLE, june, 28)} & {"rule-ends", "text-ends"}
    assert ends <= {item.rule for item in found(BUNDLE, "period-past")}
    # What can be told without running the rules is the same.
    assert set(endings(BUNDLE, june, 29)) == {
        item for item in seen if item.kind in ("rule-ends", "text-ends")
    }
    assert endings(BUNDLE, june, 28) == ()


def test_a_reference_to_an_older_text_than_the_catalogue_has_is_named() -> None:
    assert not found(BUNDLE, "text-changed")
    newer = edited("g=2026-07-01", "g=2026-06-30")
    (item,) = found(read_bundle(newer), "text-changed")
    assert (item.rule, item.term) == ("fine-to-foundation-from-2026-07-01", "WML 18p(7)")
    assert (
        item.text.dutch
        == "verwijst naar WML 18p(7) van 2026-06-30; de catalogus heeft een tekst van 2026-07-01"
    )


def test_words_that_no_rule_uses_are_named() -> None:
    unused = {
        (item.file, item.term) for item in found(bundle(permit(conditions=(CONDITIONS[14],))), "word-unused")
    }
    assert ("catalog/facts.yaml", "gate") in unused
    assert ("catalog/facts.yaml", "sent_today") not in unused
    assert ("catalog/claims.yaml", "colour") in unused
    assert ("catalog/kinds.yaml", "CERTIFICATE_STATUS") in unused
    assert ("catalog/kinds.yaml", "FINE_IMPOSED") not in unused
    used = bundle(permit(conditions=(CONDITIONS[13], CONDITIONS[2])))
    now = {item.term for item in found(used, "word-unused")}
    assert not now & {"team", "lsi", "colour", "partnership"}
    assert FACTS.keys() <= now


def test_what_is_past_is_not_called_impossible() -> None:
    here = bundle(
        permit("old", valid_until=date(2026, 6, 30)), prohibition("now", valid_from=date(2026, 7, 1))
    )
    assert not found(here, "never-applies")
    (item,) = found(here, "period-past")
    assert item.rule == "old"
    # Seen from before, it applies.
    assert not found(here, "never-applies", today=date(2026, 1, 1))


def test_when_not_every_state_was_run_nothing_is_called_impossible() -> None:
    never = permit("never", conditions=(*CONTRADICTIONS["old and recent"], *CONDITIONS[7:10]))
    here = bundle(never, prohibition(conditions=(CONDITIONS[0],)))
    assert [item.rule for item in analyse(here, TODAY, 0) if item.is_never] == ["never"]
    few = analyse(here, TODAY, 0, most_states=4)
    assert not any(item.is_never for item in few)
    assert {item.term for item in few if item.kind == "not-exact"} == {"push"}


@settings(max_examples=40, deadline=None)
@given(permits("one"), permits("two"), prohibitions("against"), st.lists(requests, min_size=15, max_size=15))
def test_no_request_is_permitted_by_a_permit_that_never_applies(
    one: Rule, two: Rule, against: Rule, some: list[Request]
) -> None:
    here = bundle(one, two, against)
    first = date(2026, 1, 1)
    never = {item.rule for item in found(here, "never-applies", today=first)}
    withheld = {(item.rule, item.term) for item in found(here, "field-always-withheld", today=first)}
    closed = {item.term for item in found(here, "field-never-released", today=first)}
    for request in some:
        decision = decide(request, here)
        if decision.released:
            ids = {ref.id for ref in decision.rules}
            assert not ids & never
            assert not closed & set(decision.released)
            assert not {(rule, name) for rule in ids for name in decision.released} & withheld


def test_the_general_rules_are_told_apart_by_their_file() -> None:
    (item,) = [i for i in found(BUNDLE, "rule-ends", 29, date(2026, 6, 1)) if i.rule.startswith("fines-only")]
    assert item.file == "agreements/00-algemeen.yaml"
    assert {NLA.role, SNA.role} <= CATALOG.roles.keys()
    assert agreement([PERMIT]).id == AGREEMENT.id
    assert set(FILES)
