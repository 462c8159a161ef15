# SPDX-License-Identifier: EUPL-1.2
"""A change of the installed rules is described in legal words, with its mark and whose approval it needs."""

from typing import Any

import pytest

from broker.policy.change.diff import PolicyDiff, diff
from broker.policy.change.verdict import Verdict
from sluis.policy.bundle import read_bundle
from sluis.policy.catalog import Category, Sector
from sluis.policy.rules import RuleEffect, Status
from tests.rule_text import finished, unfinished
from tests.unit.decide_samples import BUNDLE, FILES
from tests.unit.policy_change_samples import (
    CATALOG,
    CONDITIONS,
    DUTIES,
    FACTS,
    bundle,
    condition,
    permit,
    prohibition,
)

LSI = "Landelijke Stuurgroep Interventieteams (LSI)"
AGREEMENT = "agreements/waadi-14b.yaml"
GENERAL = "agreements/00-algemeen.yaml"
RULE = "fine-to-foundation-from-2026-07-01"


def edited(old: str, new: str, *, name: str = AGREEMENT, rule: str = RULE) -> dict[str, bytes]:
    """The installed files with one text of one rule replaced."""
    text = FILES[name].decode()
    start = text.index(f"- id: {rule}\n") if rule else 0
    end = text.find("\n  - id: ", start) if rule else -1
    part = text[start:] if end < 0 else text[start:end]
    assert old in part
    return {**FILES, name: text.replace(part, part.replace(old, new, 1)).encode()}


def change(files: dict[str, bytes]) -> PolicyDiff:
    return diff(BUNDLE, read_bundle(files))


# What is replaced in the rule, by what, the verdict, and how the lines begin.
CHANGES: dict[str, tuple[str, str, str, list[str]]] = {
    "a field more": ("- firm_name\n", "- firm_name\n      - kvk_number\n", "wider", ["+ veld KvK-nummer voor"]),
    "a field less": ("      - firm_name\n", "", "narrower", ["- veld naam van de onderneming voor stichting"]),
    "a longer term": ("retention: P5Y", "retention: P6Y", "wider", ["bewaartermijn 5 jaar -> 6 jaar"]),
    "a shorter term": ("retention: P5Y", "retention: P1M", "narrower", ["bewaartermijn 5 jaar -> 1 maand"]),
    "a term dropped": (
        "      retention_after_loss: P6M\n",
        "",
        "wider",
        ["bewaartermijn na verlies van het certificaat 6 maanden -> geen"],
    ),
    "a lower code": ("handling: H3", "handling: H2", "wider", ["behandelcode H3 -> H2"]),
    "a duty to tell": (
        "notice: may-inform",
        "notice: must-inform\n      notice_within: P1M",
        "narrower",
        ["kennisgeving aan de betrokkene mag -> moet binnen 1 maand"],
    ),
    "a condition dropped": (
        "      - fact: certificate_valid\n        dutch: De onderneming heeft op dit moment een geldig certificaat.\n"
        "        otherwise: NO_CERTIFICATE\n",
        "",
        "wider",
        ["voorwaarde vervallen: De onderneming heeft op dit moment een geldig certificaat"],
    ),
    "a condition added": (
        "    conditions:\n",
        "    conditions:\n      - delivery: on_match\n        dutch: Alleen op verzoek.\n"
        "        otherwise: WRONG_DELIVERY\n",
        "narrower",
        ["voorwaarde toegevoegd: Alleen op verzoek"],
    ),
    "a longer look-back": (
        "not_older_than_years: 2",
        "not_older_than_years: 3",
        "wider",
        ["voorwaarde gewijzigd: De boetebeschikking is ten hoogste twee jaar oud ->"],
    ),
    "a provision more": ("[WML 7,", "[Waadi 14b(2), WML 7,", "wider", ["nieuwe bepaling op de lijst: Waadi 14b(2)"]),
    "a provision less": (", WML 18b(2)]", "]", "narrower", ["bepaling van de lijst gehaald: WML 18b(2)"]),
    "an end": (
        "valid_from: 2026-07-01",
        "valid_from: 2026-07-01\n    valid_until: 2026-12-31",
        "narrower",
        ["regel vervalt per 2027-01-01"],
    ),
    "a later start": ("valid_from: 2026-07-01", "valid_from: 2026-08-01", "narrower", ["geldt vanaf 2026-07-01 ->"]),
    "a draft": ("status: assumed", "status: draft", "narrower", ["aangenomen -> concept"]),
    "firm at last": ("status: assumed", "status: in-force", "same", ["aangenomen -> van kracht"]),
    "another recipient": (
        "recipient_roles: [certificate-foundation]",
        "recipient_roles: [labour-inspectorate]",
        "both",
        ["+ ontvanger Nederlandse Arbeidsinspectie", "- ontvanger stichting"],
    ),
    "a sender more": (
        "sender_roles: [labour-inspectorate]",
        "sender_roles: [labour-inspectorate, witness]",
        "wider",
        ["+ afzender getuige"],
    ),
    "a kind more": ("kinds: [FINE_IMPOSED]", "kinds: [FINE_IMPOSED, CERTIFICATE_STATUS]", "wider", ["+ soort signaal"]),
    "an act more": ("operations: [push]", "operations: [push, release]", "wider", ["+ handeling vrijgeven"]),
    "a title": ("title: Boete melden", "title: Een boete melden", "same", ["alleen de tekst is gewijzigd"]),
    "words of a condition": (
        "dutch: De boetebeschikking is ten hoogste twee jaar oud.",
        "dutch: De boete is ten hoogste twee jaar oud.",
        "same",
        ["de tekst van een voorwaarde is gewijzigd"],
    ),
    "another reason": ("otherwise: LOOKBACK", "otherwise: NO_CERTIFICATE", "same", ["reden bij een voorwaarde: "]),
    "another basis": (
        "gdpr: 6(1)(e)",
        "gdpr: 6(1)(c)",
        "same",
        ["grondslag vervallen: AVG 6(1)(e), WML 18p(7)", "nieuwe grondslag: AVG 6(1)(c), WML 18p(7)"],
    ),
    "another text referred to": ("&lid=7&g=2026-07-01", "&lid=7&g=2026-08-01", "same", ["verwijzing gewijzigd: "]),
    "another name": (f"id: {RULE}", "id: fine-to-foundation", "same", ["de regel heet nu fine-to-foundation"]),
}  # fmt: skip
OPPOSITE = {"wider": Verdict.NARROWER, "narrower": Verdict.WIDER, "both": Verdict.BOTH, "same": Verdict.SAME}


@pytest.mark.parametrize("what", [*CHANGES])
def test_a_change_of_a_permit_is_described(what: str) -> None:
    old, new, verdict, texts = CHANGES[what]
    files = edited(old, new)
    found = change(files)
    assert found.verdict == verdict
    assert found.exact
    assert len(found.lines) == len(texts)
    for line, text in zip(found.lines, texts, strict=True):
        assert line.text.dutch.startswith(text)
        assert line.agreement == "waadi-14b"
        assert line.text.english != line.text.dutch or "H3" in text
    if len(texts) == 1:
        assert found.lines[0].mark == verdict
    back = diff(read_bundle(files), BUNDLE)
    assert back.verdict is OPPOSITE[verdict]


def test_a_line_names_the_flow() -> None:
    (line,) = change(edited("retention: P5Y", "retention: P1Y")).lines
    assert line.flow.dutch.startswith(
        "Nederlandse Arbeidsinspectie -> stichting die het certificaatregister beheert"
    )
    assert "beoordelen of een afgegeven certificaat geldig blijft; vanaf 1 juli 2026" in line.flow.dutch
    assert line.text.english == "retention 5 years -> 1 year"


def test_wider_needs_legal_and_privacy_and_narrower_any_other_officer() -> None:
    wider = change(edited("retention: P5Y", "retention: P6Y"))
    assert [item.function for item in wider.required_approvals] == ["legal", "privacy"]
    narrower = change(edited("retention: P5Y", "retention: P4Y"))
    assert [item.function for item in narrower.required_approvals] == [""]


def test_nothing_changed_is_nothing_said() -> None:
    found = change(dict(FILES))
    assert (found.verdict, found.lines, found.flows) == (Verdict.SAME, (), ())
    assert found.summary.dutch == "Er is niets gewijzigd."


def test_other_text_with_the_same_decisions_is_said_to_be_so() -> None:
    found = change(edited("title: Boete melden", "title: Een boete melden"))
    assert found.verdict is Verdict.SAME
    assert found.summary.english == "The text of the rules differs, the decisions do not."
    assert found.before != found.after
    text = unfinished(FILES[AGREEMENT]).decode()
    start, end = text.index(f"  - id: {RULE}\n"), text.index("  - id: fine-to-certifier-until-2026-06-30\n")
    moved = text[:start] + text[end:].rstrip() + "\n\n" + text[start:end]
    order = change({**FILES, AGREEMENT: finished(moved)})
    assert (order.verdict, order.lines) == (Verdict.SAME, ())
    assert order.summary == found.summary


def test_a_flow_says_exactly_what_comes_out_otherwise() -> None:
    files = edited("- firm_name\n", "- kvk_number\n")
    (flow,) = change(files).flows
    assert (flow.sort.sender, flow.sort.recipient) == ("labour-inspectorate", "certificate-foundation")
    assert (str(flow.span.first), flow.span.last) == ("2026-07-01", None)
    assert (flow.difference.gained, flow.difference.lost) == ({"kvk_number"}, {"firm_name"})
    assert not flow.difference.more | flow.difference.fewer
    (fewer,) = change(edited(", WML 18b(2)]", "]")).flows
    assert fewer.difference.fewer == BUNDLE.rules[RULE].fields
    assert (fewer.difference.lost, fewer.difference.ends) == (set(), False)
    (ends,) = change(edited("status: assumed", "status: draft")).flows
    assert ends.difference.ends


@pytest.mark.parametrize(
    ("old", "new", "verdict", "text"),
    [
        ("categories: [bsn]", "categories: [bsn, address]", "narrower", "+ verboden categorie adresgegevens"),
        ("    categories: [bsn]\n", "", "narrower", "categorie: burgerservicenummers -> alle"),
        ("    categories: [bsn]\n", "    fields: [city]\n", "narrower", "+ verboden veld plaats"),
        ("valid_from: 2018-05-25", "valid_from: 2019-05-25", "same", "geldt vanaf"),
        ("code: BSN_PRIVATE", "code: SPECIAL_CATEGORY", "same", "reden van het verbod: BSN_PRIVATE"),
    ],
)
def test_a_change_of_a_prohibition_is_described(old: str, new: str, verdict: str, text: str) -> None:
    found = change(edited(old, new, name=GENERAL, rule="no-bsn-to-private"))
    assert found.verdict == verdict
    assert found.lines[0].text.dutch.startswith(text)
    if verdict == "same" and "code" not in old:
        assert found.lines[0].text.dutch.endswith("(verandert op zichzelf geen beslissing)")


def test_a_sector_more_widens_a_prohibition_and_narrows_what_passes() -> None:
    private = prohibition(recipient_sectors=frozenset({Sector.PRIVATE}))
    everyone = prohibition(recipient_sectors=frozenset({Sector.PRIVATE, Sector.PUBLIC}))
    asked = permit(recipient_roles=frozenset({"labour-inspectorate", "certificate-foundation"}))
    found = diff(bundle(asked, private), bundle(asked, everyone))
    assert found.verdict is Verdict.NARROWER
    assert found.lines[0].text.dutch == "+ sector van de ontvanger publieke partijen"
    nobody = diff(bundle(permit(), private), bundle(permit(), everyone))
    assert nobody.lines[0].text.english.endswith("(changes no decision by itself)")


def without_rule(rule: str, name: str = AGREEMENT) -> dict[str, bytes]:
    text = unfinished(FILES[name]).decode()
    start = text.index(f"  - id: {rule}\n")
    end = text.find("\n  - id: ", start)
    return {**FILES, name: finished(text[:start] + (text[end + 1 :] if end > 0 else ""))}


def test_a_rule_that_is_new_or_dropped_is_one_line() -> None:
    fewer = without_rule(RULE)
    (dropped,) = change(fewer).lines
    assert (dropped.mark, dropped.rule, dropped.kind) == (Verdict.NARROWER, RULE, "rule")
    assert dropped.text.dutch.startswith("vervallen: toestemming `Boete melden aan de stichting")
    (new,) = diff(read_bundle(fewer), BUNDLE).lines
    assert new.mark is Verdict.WIDER
    assert "velden: adres, overtreden artikel" in new.text.dutch
    assert new.text.dutch.endswith("bewaartermijn 5 jaar")


def test_a_prohibition_that_stops_nothing_says_so() -> None:
    """No permit lets a national number through, so the prohibition of it changes no decision."""
    found = change(without_rule("no-bsn-to-private", GENERAL))
    assert found.verdict is Verdict.SAME
    assert found.lines[0].text.dutch.startswith("vervallen: verbod `Geen burgerservicenummer")
    assert "verandert op zichzelf geen beslissing" in found.lines[0].text.dutch


def test_a_whole_agreement_can_come_and_go() -> None:
    few = {name: data for name, data in FILES.items() if name != AGREEMENT}
    found = diff(read_bundle(few), BUNDLE)
    assert found.verdict is Verdict.WIDER
    rules = BUNDLE.rules
    permits = [line for line in found.lines if rules[line.rule].effect is RuleEffect.PERMIT]
    assert {line.mark for line in permits} == {Verdict.WIDER}
    assert len(found.lines) == len(BUNDLE.agreements["waadi-14b"].rules)
    assert diff(BUNDLE, read_bundle(few)).verdict is Verdict.NARROWER


def test_a_change_that_does_nothing_until_the_others_are_made_is_marked_by_leaving_it_out() -> None:
    """Two permits lose a field that each lets through; the field is lost when both have."""
    fields, few = frozenset({"law", "article"}), frozenset({"law"})
    before = bundle(permit("a", fields=fields), permit("b", fields=fields))
    found = diff(before, bundle(permit("a", fields=few), permit("b", fields=few)))
    assert found.verdict is Verdict.NARROWER
    assert [(line.kind, line.mark) for line in found.lines] == [("field", Verdict.NARROWER)] * 2


def test_what_no_change_does_alone_gets_a_line_of_its_own() -> None:
    """Either of two permits opens the flow, once either of two conditions lifts the prohibition."""
    lifting = (condition(fact="certificate_valid"), condition(fact="certificate_valid", dutch="Nog eens."))
    drafts, firm = (
        [permit(name, status=status) for name in ("a", "b")] for status in (Status.DRAFT, Status.IN_FORCE)
    )
    found = diff(bundle(*drafts, prohibition()), bundle(*firm, prohibition(conditions=lifting)))
    assert found.verdict is Verdict.WIDER
    alone, last = found.lines[:-1], found.lines[-1]
    assert [line.mark for line in alone] == [Verdict.SAME] * 4
    assert (last.kind, last.mark, last.agreement) == ("together", Verdict.WIDER, "waadi-14b")
    assert last.text.dutch == "door de wijzigingen samen: dit mag voortaan; + veld overtreden wet"
    assert last.flow.dutch.startswith("Nederlandse Arbeidsinspectie -> stichting")


def test_order_and_renaming_change_nothing() -> None:
    one, two = permit("a", conditions=tuple(CONDITIONS[:2])), permit("b", fields=frozenset({"article"}))
    swapped = one.model_copy(update={"conditions": one.conditions[::-1]})
    found = diff(bundle(one, two), bundle(two, swapped))
    assert found.verdict is Verdict.SAME
    assert [line.kind for line in found.lines] == ["wording"]


def test_lists_of_partnerships_and_limits_of_number_are_described() -> None:
    inside: dict[str, Any] = {"recipient_roles": frozenset({"labour-inspectorate"})}
    asked = (CONDITIONS[12], CONDITIONS[14], CONDITIONS[16])
    before = bundle(permit(conditions=asked, **inside))
    asked = (CONDITIONS[13], CONDITIONS[15], condition(subjects_at_most="9"))
    after = bundle(permit(conditions=asked, **inside))
    texts = [(line.text.dutch, line.mark) for line in diff(before, after).lines]
    assert texts[0] == ("nieuw samenwerkingsverband op de lijst: " + LSI, Verdict.WIDER)
    assert texts[1][0].endswith("(5 -> 3)")
    assert texts[1][1] is Verdict.NARROWER
    assert texts[2][0].endswith("(2 -> 9)")
    assert texts[2][1] is Verdict.WIDER


CATALOGUE: list[tuple[str, str, str, str, str]] = [
    ("roles", "sector: private\n    dutch: getuige", "sector: public\n    dutch: getuige", "same", "rol witness"),
    ("fields", "category: address\n    dutch: plaats", "category: meta\n    dutch: plaats", "same", "veld city"),
    ("fields", "dutch: plaats", "dutch: woonplaats", "same", "veld city (woonplaats): alleen de tekst"),
    ("fields", "max_length: 100", "max_length: 150", "both", "veld city (plaats): de vorm of betekenis"),
    ("facts", "owner_role: certificate-foundation", "owner_role: witness", "both", "feit certificate_valid"),
    ("kinds", "subject: vestiging", "subject: kvk", "both", "soort signaal FINE_IMPOSED"),
    ("purposes", "purposes:\n", "purposes:\n  NEW: {dutch: iets, english: x}\n", "same", "nieuw in de catalogus: doel"),
    ("laws", "valid_from: 2018-05-25", "valid_from: 2018-05-24", "same", "UAVG: nieuwe tekst van artikel 22"),
    ("laws", "title: Wet allocatie", "title: Wet op de allocatie", "same", "Waadi: naam of nummer"),
    ("reasons", "dutch: dit mag alleen", "dutch: dat mag alleen", "same", "reden NOT_OWN_DOMAIN"),
]  # fmt: skip


@pytest.mark.parametrize(("sort", "old", "new", "verdict", "text"), CATALOGUE)
def test_a_change_of_the_catalogue_is_described(
    sort: str, old: str, new: str, verdict: str, text: str
) -> None:
    found = change(edited(old, new, name=f"catalog/{sort}.yaml", rule=""))
    assert found.verdict == verdict
    assert found.lines[0].text.dutch.startswith(text)
    assert found.lines[0].mark == verdict
    assert found.lines[0].agreement == ""


def test_a_category_that_a_prohibition_names_withholds_its_fields() -> None:
    fields = {
        **CATALOG.fields,
        "law": CATALOG.fields["law"].model_copy(update={"category": Category.SPECIAL}),
    }
    asked = (permit(), prohibition(categories=frozenset({Category.SPECIAL})))
    found = diff(bundle(*asked), bundle(*asked, fields=fields))
    assert (found.verdict, found.lines[0].mark) == (Verdict.NARROWER, Verdict.NARROWER)
    assert found.lines[0].text.dutch == "veld law (overtreden wet): categorie organisation -> special"


def test_what_the_engine_does_not_weigh_counts_beside_what_it_does() -> None:
    value = CATALOG.fields["city"].value
    law = CATALOG.fields["law"].model_copy(update={"category": Category.SPECIAL, "value": value})
    asked = (permit(), prohibition(categories=frozenset({Category.SPECIAL})))
    assert diff(bundle(*asked), bundle(*asked, fields={**CATALOG.fields, "law": law})).verdict is Verdict.BOTH


def test_a_new_claim_and_a_condition_on_it_only_narrow() -> None:
    """A sender under the old rules has no such claim to state, so the old rules are asked without it."""
    few = {name: claim for name, claim in CATALOG.claims.items() if name != "colour"}
    assertions = {name: claim for name, claim in CATALOG.assertions.items() if name != "colour"}
    before = bundle(permit(), claims=few, assertions=assertions)
    found = diff(before, bundle(permit(conditions=(CONDITIONS[2],))))
    assert found.verdict is Verdict.NARROWER
    assert [(line.kind, line.mark.value) for line in found.lines] == [
        ("catalogue", "same"),
        ("condition", "narrower"),
    ]


def test_a_value_that_a_claim_may_no_longer_have_narrows() -> None:
    colour = CATALOG.claims["colour"].model_copy(update={"values": ("red", "green")})
    words: dict[str, Any] = {
        "claims": {**CATALOG.claims, "colour": colour},
        "assertions": {**CATALOG.assertions, "colour": colour},
    }
    for rules in (
        (permit(conditions=(condition(claim="colour", one_of=["blue"]),)),),
        (permit(), prohibition(conditions=(CONDITIONS[2],))),
    ):
        found = diff(bundle(*rules), bundle(*rules, **words))
        assert (found.verdict, found.lines[0].mark) == (Verdict.NARROWER, Verdict.NARROWER)
    unasked = diff(bundle(permit()), bundle(permit(), **words))
    assert (unasked.verdict, unasked.lines[0].mark) == (Verdict.SAME, Verdict.SAME)


def test_counting_otherwise_is_for_officers_to_weigh() -> None:
    asked = permit(conditions=(CONDITIONS[14],))
    other = FACTS["sent_today"].model_copy(update={"per": "sender-and-recipient"})
    found = diff(bundle(asked), bundle(asked, facts={**FACTS, "sent_today": other}))
    assert found.verdict is Verdict.BOTH
    unused = diff(bundle(permit()), bundle(permit(), facts={**FACTS, "sent_today": other}))
    assert unused.verdict is Verdict.SAME


def test_duties_are_compared_field_by_field() -> None:
    """The strict permit concerns one field; a request for the other alone keeps its long term."""
    both = frozenset({"law", "article"})
    before = bundle(permit(fields=both))
    after = bundle(permit(fields=both), permit("strict", fields=frozenset({"law"}), obligations=DUTIES[1]))
    (flow,) = diff(before, after).flows
    assert {duty.after for duty in flow.difference.duties} == {"P1Y", "H2"}
    reverse = diff(after, bundle(permit("strict", fields=both, obligations=DUTIES[1])))
    assert reverse.verdict is Verdict.NARROWER
