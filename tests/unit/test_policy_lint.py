# SPDX-License-Identifier: EUPL-1.2
"""Each refusal that `sluis.policy.lint` lists: the rule as it should be loads, one thing wrong is refused.

A refusal names the file, the line of the mistake, the word, and what to do about it.
"""

import pytest

from sluis.errors import InvalidInput
from sluis.policy.bundle import read_bundle
from tests.rule_text import extended, finished
from tests.unit.decide_samples import FEW

NAME = "agreements/lint.yaml"
RULE = """\
id: lint
title: Proef
explanation: Een afspraak om de toets te toetsen.
rules:
  - id: lint-permit
    title: Toestaan
    effect: permit
    status: in-force
    valid_from: 2025-07-01
    valid_until: 2026-06-30
    operations: [push]
    sender_roles: [labour-inspectorate]
    recipient_roles: [labour-inspectorate]
    kinds: [FINE_IMPOSED]
    purposes: [CERTIFICAATBEOORDELING]
    fields: [law, lint_person, lint_health, lint_offence]
    conditions:
      - {fact: lint_one_officer, dutch: privacytoets, otherwise: LOOKBACK}
      - {fact: lint_two_officers, dutch: vier ogen, otherwise: LOOKBACK}
      - {counter: lint_counter, at_most: 5, dutch: teller, otherwise: LOOKBACK}
      - {partnership: [lint_partners], dutch: verband, otherwise: LOOKBACK}
      - {claim: lint_day, not_older_than_years: 2, dutch: termijn, otherwise: LOOKBACK}
      - {claim: lint_choice, one_of: [left], dutch: keuze, otherwise: LOOKBACK}
    obligations: {retention: P5Y, handling: H3, notice: must-inform, notice_within: P1M}
    legal_basis:
      - gdpr: 9(2)(g)
        law: LINT
        article: "7"
        paragraph: "1"
        juriconnect: jci1.3:c:BWBR0000007&artikel=7&lid=1
        explanation: Uitleg
      - gdpr: "10"
        law: LINTREG
        article: "5"
        paragraph: "1"
        eli: http://data.europa.eu/eli/reg/2016/679/art_5/par_1
        explanation: Uitleg
    explanation: Uitleg
"""
WORDS = {
    "fields": """
  lint_person: {dutch: a, english: a, category: personal, value: {type: date}}
  lint_health: {dutch: a, english: a, category: special, value: {type: date}}
  lint_offence: {dutch: a, english: a, category: criminal, value: {type: date}}
  lint_number: {dutch: a, english: a, category: bsn, value: {type: date}}
""",
    "functions": """
  lint-officer: {dutch: a, english: a}
""",
    "facts": """
  lint_one_officer:
    {dutch: a, english: a, source: officer, functions: [lint-officer], valid_days: 9,
     reasons: {LINT_REASON: {dutch: a, english: a}}}
  lint_two_officers:
    {dutch: a, english: a, source: officer, functions: [lint-officer], valid_days: 9, persons: 2,
     reasons: {LINT_REASON: {dutch: a, english: a}}}
  lint_sender:
    {dutch: a, english: a, source: sender, functions: [lint-officer], valid_days: 9, persons: 2,
     reasons: {LINT_REASON: {dutch: a, english: a}}}
  lint_counter: {dutch: a, english: a, source: counter, per: sender, window: day}
""",
    "partnerships": """
  lint_partners: {dutch: a, english: a, valid_from: 2020-01-01, roles: [labour-inspectorate], source: a,
                  oins: ["00000000000000000001"]}
""",
    "claims": """
  lint_day: {dutch: a, english: a, type: date, asserted_by: sender}
  lint_choice: {dutch: a, english: a, type: choice, values: [left, right], asserted_by: sender}
""",
    "laws": """
  LINT:
    bwb: BWBR0000007
    title: a
    articles:
      - {article: "7", valid_from: 2020-01-01, valid_until: 2026-06-30, mark: verified, source: a}
      - {article: "8", valid_from: 2020-01-01, mark: recalled, source: a}
  LINTREG:
    celex: 32016R0679
    title: a
    articles:
      - {article: "5", valid_from: 2018-05-25, mark: verified, source: a}
""",
}
FULL = {
    **FEW,
    **{f"catalog/{sort}.yaml": extended(FEW[f"catalog/{sort}.yaml"], words) for sort, words in WORDS.items()},
    NAME: finished(RULE),
}


def with_change(old: str, new: str, name: str = NAME) -> dict[str, bytes]:
    text = FULL[name].decode()
    assert old in text
    return {**FULL, name: text.replace(old, new, 1).encode()}


def refused(files: dict[str, bytes], name: str, marker: str) -> str:
    """The message; the line named must be the one on which `marker` stands."""
    with pytest.raises(InvalidInput) as caught:
        read_bundle(files)
    assert caught.value.code == "malformed-rule"
    text = files[name].decode()
    assert caught.value.where == f"{name}:{text[: text.index(marker)].count(chr(10)) + 1}"
    return caught.value.message


def test_the_rule_as_it_should_be_read_bundle() -> None:
    assert "lint-permit" in read_bundle(FULL).rules
    read_bundle(with_change("[law, ", "[lint_number, "))  # an authority may be given the number of a person


@pytest.mark.parametrize(
    ("old", "new", "marker", "words", "mend"),
    [
        ("9(2)(g)", "6(1)(e)", "legal_basis", "`lint_health` is a special category", "cite AVG 9(2)"),
        ("lint_two_officers", "lint_one_officer", "conditions", "`lint_health` is a special category", "`persons: 2`"),
        ("lint_two_officers", "lint_sender", "conditions", "`lint_health` is a special category", "two officers"),
        ('gdpr: "10"', 'gdpr: "6"', "legal_basis", "`lint_offence` is criminal data", "cite AVG 10"),
        ("{fact: lint_one_officer", "{without_fact: lint_one_officer", "without_fact",
         "a missing fact never permits", "use `fact`"),
        ("{fact: lint_one_officer", "{fact: lint_counter", "{fact: lint_counter", "`lint_counter` is a counter",
         "use `counter` with `at_most`"),
        ("{counter: lint_counter", "{counter: lint_one_officer", "counter:", "`lint_one_officer` is not a counter",
         "`source: counter`"),
        ("{counter: lint_counter", "{counter: lint_nothing", "counter:", "`lint_nothing` is not a counter",
         "`source: counter`"),
        ("[lint_partners]", "[lint_strangers]", "partnership:", "`lint_strangers` is not in the catalogue of",
         "add it to catalog/partnerships.yaml"),
        ("{fact: lint_one_officer", "{fact: lint_nothing", "{fact: lint_nothing", "`lint_nothing` is not in the",
         "add it to catalog/facts.yaml"),
        ("claim: lint_day", "claim: lint_choice", "claim: lint_choice", "`lint_choice` is of another type", "`one_of`"),
        ("claim: lint_choice", "claim: lint_day", "claim: lint_day, one_of", "`lint_day` is of another type",
         "`not_passed`"),
        ("claim: lint_choice", "claim: lint_nothing", "claim: lint_nothing", "`lint_nothing` is not in the",
         "add it to catalog/claims.yaml"),
        ("one_of: [left]", "one_of: [up]", "one_of: [up]", "`up` is no value of the claim", "catalog/claims.yaml"),
        ("artikel=7&lid=1", "artikel=7", "juriconnect", "does not point at LINT 7(1)", "artikel=7&lid=1`"),
        ("artikel=7&lid=1", "artikel=77&lid=1", "juriconnect", "does not point at LINT 7(1)", "artikel=7&lid=1`"),
        ("BWBR0000007", "BWBR0000008", "juriconnect", "does not point at LINT 7(1)", "BWBR0000007"),
        ("art_5/par_1", "art_6/par_1", "eli:", "does not point at LINTREG 5(1)", "art_5/par_1`"),
        ("art_5/par_1", "art_5/par_11", "eli:", "does not point at LINTREG 5(1)", "art_5/par_1`"),
        ("2016/679", "2016/680", "eli:", "does not point at LINTREG 5(1)", "2016/679"),
        ('article: "7"', 'article: "8"', "- gdpr: 9(2)(g)", "LINT 8(1) is marked `recalled`", "make it `assumed`"),
        ("valid_until: 2026-06-30", "valid_until: 2026-07-01", "valid_until", "it outlives LINT 7",
         "whose text ends on 2026-06-30; end it on that day"),
        ('article: "7"', 'article: "9"', "- gdpr: 9(2)(g)", "no single text of LINT 9 on 2025-07-01",
         "add the version to catalog/laws.yaml"),
        ("law: LINT\n", "law: LINTS\n", "law: LINTS", "`LINTS` is not in the catalogue", "add it to catalog/laws.yaml"),
        ("kinds: [FINE_IMPOSED]", "kinds: [FINE]", "kinds: [FINE]", "`FINE` is not in the catalogue",
         "add it to catalog/kinds.yaml"),
        ("title: Proef\n", "title: Proef\napplies_to: every-agreement\n", "effect: permit", "may only prohibit",
         "in one of its own"),
    ],
)  # fmt: skip
def test_one_thing_wrong_is_refused_with_the_way_to_mend_it(
    old: str, new: str, marker: str, words: str, mend: str
) -> None:
    message = refused(with_change(old, new), NAME, marker)
    assert "rule `lint-permit`" in message
    assert words in message
    assert mend in message


def test_data_on_persons_need_a_privacy_gate() -> None:
    gates = "".join(line + "\n" for line in RULE.split("\n") if "_officer" in line)
    without = RULE.replace(gates, "").replace(", lint_health, lint_offence", "")
    message = refused({**FULL, NAME: finished(without)}, NAME, "conditions:")
    assert "`lint_person` (personal) is about a person" in message
    assert "demand a fact by an officer" in message
    read_bundle({**FULL, NAME: finished(without.replace("[law, lint_person]", "[law]"))})


@pytest.mark.parametrize("field", ["lint_number", "lint_health", "lint_offence"])
def test_some_data_never_go_to_a_private_party(field: str) -> None:
    private = RULE.replace("recipient_roles: [labour-inspectorate]", "recipient_roles: [certification-body]")
    private = private.replace("[law, lint_person, lint_health, lint_offence]", f"[{field}]")
    message = refused({**FULL, NAME: finished(private)}, NAME, "fields:")
    assert f"`{field}`" in message
    assert "may not go to a private party; take it out" in message


@pytest.mark.parametrize("kind", ["WAV-PERSOON", "SOCIAL_SECURITY_DATA"])
def test_a_kind_about_persons_never_goes_to_a_private_party(kind: str) -> None:
    rule = RULE.replace("kinds: [FINE_IMPOSED]", f"kinds: [FINE_IMPOSED, {kind}]")
    rule = rule.replace("[law, lint_person, lint_health, lint_offence]", "[law]")
    read_bundle({**FULL, NAME: finished(rule)})
    private = rule.replace("recipient_roles: [labour-inspectorate]", "recipient_roles: [certification-body]")
    message = refused({**FULL, NAME: finished(private)}, NAME, "kinds:")
    assert f"`{kind}` is about persons and may not go to a private party" in message


def test_an_id_is_given_once_over_all_agreements() -> None:
    taken = min(read_bundle(FULL).agreements["waadi-14b"].rules, key=lambda rule: rule.id).id
    files = with_change("id: lint-permit", f"id: {taken}")
    later = {**files, "agreements/zz.yaml": files[NAME].replace(b"id: lint\n", b"id: zz\n")}
    del later[NAME]
    assert "this id is used twice; give one" in refused(later, "agreements/zz.yaml", f"id: {taken}")


def test_a_prohibition_cannot_count() -> None:
    against = """\
  - id: lint-against
    title: Proef
    effect: prohibit
    status: assumed
    valid_from: 2025-07-01
    operations: [push]
    code: NO_RULE
    conditions:
      - {counter: lint_counter, at_most: 3, dutch: Proef., otherwise: NO_RULE}
    legal_basis:
      - {gdpr: 6(3), law: LINT, article: "7", juriconnect: "jci1.3:c:BWBR0000007&artikel=7", explanation: Proef.}
    explanation: Proef.
"""
    text = RULE.removesuffix("...\n") + against + "...\n"
    message = refused(
        {**FULL, NAME: text.encode()}, NAME, "{counter: lint_counter, at_most: 3, dutch: Proef."
    )
    assert "a prohibition cannot count; put `counter` in the permits" in message


def test_one_rule_cannot_demand_what_another_forbids() -> None:
    start = RULE.index("  - id: lint-permit")
    against = RULE[start:].replace("lint-permit", "lint-silent")
    against = against.replace("notice: must-inform, notice_within: P1M", "notice: must-not-inform")
    files = {**FULL, NAME: finished(RULE + against)}
    with pytest.raises(InvalidInput, match="contradicts that of `lint-permit`; make them agree") as caught:
        read_bundle(files)
    line = (RULE + against)[: (RULE + against).index("must-not-inform")].count("\n") + 1
    assert caught.value.where == f"{NAME}:{line}"


@pytest.mark.parametrize(
    ("sort", "old", "new", "marker", "words"),
    [
        ("partnerships", '["00000000000000000001"]', '["1"]', 'oins: ["1"]', "`1` is not an OIN; write its 20 digits"),
        ("partnerships", "roles: [labour-inspectorate], source: a", "roles: [lint-role], source: a", "lint-role",
         "`lint-role` is not in the catalogue; correct it, or add it to catalog/roles.yaml"),
        ("facts", "functions: [lint-officer]", "functions: [lint-stranger]", "lint-stranger",
         "`lint-stranger` is not in the catalogue; correct or add it (catalog/functions.yaml)"),
        ("facts", "lint_sender:", "lint_day:", "", "`lint_day` is the name of a fact too; rename one of them"),
        ("laws", "valid_until: 2026-06-30, mark: verified, source: a}",
         "valid_until: 2019-06-30, mark: verified, source: a}", "valid_until: 2019-06-30",
         "ends before it begins; correct a date"),
    ],
)  # fmt: skip
def test_a_mistake_in_the_catalogue_is_refused_with_the_way_to_mend_it(
    sort: str, old: str, new: str, marker: str, words: str
) -> None:
    files = with_change(old, new, f"catalog/{sort}.yaml")
    where = (f"catalog/{sort}.yaml", marker) if marker else ("catalog/claims.yaml", "lint_day:")
    assert words in refused(files, *where)
