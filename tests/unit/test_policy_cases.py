# SPDX-License-Identifier: EUPL-1.2
"""The cases in `policies/cases/`: examples that a lawyer can read, with the outcome that must follow."""

from collections import Counter
from pathlib import Path

import pytest

from broker.decide.model import Effect
from broker.policy.cases import Outcome, request_of, run_case, run_cases
from broker.policy.decisive import Removal, conditions_of, deciding, failing, rules_of
from sluis.errors import InvalidInput
from sluis.policy.bundle import default_directory, load_bundle
from sluis.policy.cases import load_cases, read_cases
from sluis.policy.rules import RuleEffect
from sluis.policy.yaml_strict import load
from tests.rule_text import finished

BUNDLE = load_bundle(default_directory())
CASES = load_cases(default_directory(), BUNDLE)
OUTCOMES = run_cases(CASES, BUNDLE)
REFUSED = [outcome for outcome in OUTCOMES if outcome.case.file == "weigeringen"]

# What each refusal is for: the code of its first reason. X07 is two: no certificate, and another channel.
REFUSALS = {
    "X01": ["BSN_PRIVATE"],
    "X02": ["PURPOSE_INCOMPATIBLE"],
    "X03": ["SPECIAL_CATEGORY"],
    "X04": ["BULK_PROFILING"],
    "X05": ["CRIMINAL_NO_BASIS"],
    "X06": ["FISCAL_SECRECY"],
    "X07": ["NO_CERTIFICATE", "WRONG_CHANNEL"],
    "X08": ["LOOKBACK"],
    "X09": ["WORKER_IDENTITY"],
    "X10": ["MELDER_SECRET"],
    "X11": ["NOT_PUBLIC_BODY"],
    "X12": ["PURPOSE_LOCK"],
    "X13": ["RETENTION_PASSED"],
    "X14": ["SPECIAL_CATEGORY"],
    "X15": ["NO_GATEWAY"],
    "X16": ["NOT_YET_PUBLIC"],
    "X17": ["AUTOMATED_DECISION"],
    "X18": ["RULE_NOT_IN_FORCE"],
    "X19": ["NO_PARTNERSHIP"],
}


def sole_causes(outcomes: list[Outcome]) -> dict[str, list[str]]:
    """By case: for each thing that decides it, the cases that fail without that thing."""
    cases = [outcome.case for outcome in outcomes]
    return {
        outcome.case.name: [
            ", ".join(case.name for case in failing(removal, cases, BUNDLE))
            for removal in deciding(outcome, BUNDLE)
        ]
        for outcome in outcomes
    }


@pytest.mark.parametrize(
    "outcome", OUTCOMES, ids=[f"{item.case.file}: {item.case.name}" for item in OUTCOMES]
)
def test_the_case_comes_out_as_written(outcome: Outcome) -> None:
    assert outcome.differences == ()


def rules_that_permit() -> set[str]:
    """The permits that let something pass in some case."""
    permitted = [outcome for outcome in OUTCOMES if outcome.decision.effect is Effect.PERMIT]
    return {rule.id for outcome in permitted for rule in outcome.decision.rules}


def rules_that_refuse() -> set[str]:
    """The prohibitions that in some case give the first reason, for the whole or for a field."""
    return {
        rule_id
        for outcome in OUTCOMES
        for rule_id in (outcome.rule, *(item.rule_id for item in outcome.decision.withheld))
        if rule_id and outcome.reason == BUNDLE.rules[rule_id].code
    }


def test_every_rule_that_decides_has_a_case_that_shows_it() -> None:
    rules = [removal.rule for removal in rules_of(BUNDLE)]
    permits = {rule.id for rule in rules if rule.effect is RuleEffect.PERMIT}
    assert permits - rules_that_permit() == set()
    assert {rule.id for rule in rules} - permits - rules_that_refuse() == set()


# The failing cases are only counted here: pytest would print all rules and cases for each.


@pytest.mark.parametrize("removal", list(conditions_of(BUNDLE)), ids=str)
def test_every_condition_decides_some_case(removal: Removal) -> None:
    count = len(failing(removal, CASES, BUNDLE))
    assert count > 0


def test_every_prohibition_decides_some_case() -> None:
    prohibitions = [item for item in rules_of(BUNDLE) if item.rule.effect is RuleEffect.PROHIBIT]
    assert [str(item) for item in prohibitions if not failing(item, CASES, BUNDLE)] == []


def test_removing_a_rule_changes_no_case_that_it_does_not_concern() -> None:
    """`failing` looks only at the cases that a rule can concern; here all are decided again."""
    for removal in [*rules_of(BUNDLE)][::12]:
        without = removal.apply(BUNDLE)
        changed = {case.where for case in CASES if run_case(case, without).differences}
        found = {case.where for case in failing(removal, CASES, BUNDLE)}
        assert found == changed, str(removal)


# the refusals


def test_every_refusal_stands_in_the_file_once_with_its_code() -> None:
    found: dict[str, list[str]] = {}
    for outcome in REFUSED:
        found.setdefault(outcome.case.name[:3], []).append(outcome.reason)
        assert outcome.decision.effect is Effect.DENY, outcome.case.name
    locked = found.get("X12")
    wanted = REFUSALS | ({"X12": ["SECRECY"]} if locked == ["SECRECY"] else {})  # Waadi 14b has both
    assert {name: sorted(codes) for name, codes in found.items()} == wanted


def test_every_refusal_has_one_cause_without_which_only_that_case_fails() -> None:
    causes = sole_causes(REFUSED)
    assert causes == {name: [name] for name in causes}
    assert len(causes) == 20


HEAD = """
afspraak: waadi-14b
standaard: {datum: 2026-11-23, handeling: push, van: labour-inspectorate, naar: certificate-foundation,
  aflevering: mailbox, soort: FINE_IMPOSED, doel: CERTIFICAATBEOORDELING, velden: [law],
  beweringen: {provision: WML 7, decided_on: 2026-03-02}, bewezen: [certificate_valid]}
zaken:
"""


def read_text(text: str, head: str = HEAD) -> list[Outcome]:
    cases = read_cases(load(finished(head + text), "cases/x.yaml"), BUNDLE)
    return list(run_cases(cases, BUNDLE))


def test_what_decides_a_refusal_is_found_by_taking_it_away() -> None:
    outcomes = read_text(
        "  - {naam: bsn, velden: [bsn], besluit: geweigerd, reden: BSN_PRIVATE}\n"
        "  - {naam: oud, beweringen: {provision: WML 7, decided_on: 2020-03-02}, besluit: geweigerd, reden: LOOKBACK}\n"
        "  - {naam: weg, naar: certification-body, besluit: geweigerd, reden: WRONG_CHANNEL}\n"
        "  - {naam: vroeg, datum: 2020-01-01, besluit: geweigerd, reden: RULE_NOT_IN_FORCE}\n"
        "  - {naam: woord, soort: VREEMD, besluit: geweigerd, reden: UNKNOWN_KIND}\n"
        "  - {naam: lhn, velden: [payroll_tax_number], besluit: geweigerd, reden: BSN_PRIVATE}\n"
    )
    assert [outcome.differences for outcome in outcomes] == [()] * 6
    causes = sole_causes(outcomes)
    assert causes["oud"] == ["oud"]
    assert causes["weg"] == ["weg"]
    assert causes["woord"] == []  # the catalogue refuses it, no rule
    assert causes["bsn"] == causes["lhn"] == ["bsn, lhn"]  # one prohibition for both
    assert causes["vroeg"] == []  # two rules are dormant on that day; neither alone is the cause


# comparing


@pytest.mark.parametrize(
    ("expected", "difference"),
    [
        ("besluit: geweigerd", "besluit: toegestaan instead of geweigerd"),
        ("besluit: toegestaan, reden: LOOKBACK", "reden: nothing instead of LOOKBACK"),
        (
            "besluit: toegestaan, regel: no-bsn-to-private",
            "regel: fine-to-foundation-from-2026-07-01 instead of no-bsn-to-private",
        ),
        ("besluit: toegestaan, aangenomen: nee", "aangenomen: ja instead of nee"),
        ("besluit: toegestaan, doorgelaten: [article]", "doorgelaten: law instead of article"),
        (
            "besluit: toegestaan, achtergehouden: {bsn: BSN_PRIVATE}",
            "achtergehouden: nothing instead of bsn: BSN_PRIVATE",
        ),
        ("besluit: toegestaan, plichten: {retention: P1Y}", "plichten.retention: P5Y instead of P1Y"),
    ],
)
def test_a_case_that_comes_out_otherwise_says_in_what(expected: str, difference: str) -> None:
    (outcome,) = read_text(f"  - {{naam: een, {expected}}}\n")
    assert outcome.differences == (difference,)


def test_an_expected_reason_that_is_not_written_means_none() -> None:
    (outcome,) = read_text("  - {naam: een, velden: [law, fine_amount], besluit: toegestaan}\n")
    assert outcome.differences == ("reden: FIELD_NOT_LISTED instead of nothing",)


def test_organisations_in_cases_have_numbers_of_the_range_for_tests() -> None:
    for case in CASES:
        request = request_of(case, BUNDLE)
        for party in (request.sender, request.recipient):
            tied = BUNDLE.catalog.roles[party.role].oins if party.role in BUNDLE.catalog.roles else None
            assert party.oin.startswith("00000099") or party.oin in (tied or ())
        assert (request.sender.oin == request.recipient.oin) <= case.same_party


# reading


@pytest.mark.parametrize(
    ("text", "message", "line"),
    [
        ("- een", "keys are due here", 1),
        ("afspraak: waadi-14b", "`zaken`: a list of at least one case is due", 1),
        ("afspraak: waadi-14b\nzaken: []", "`zaken`: a list of at least one case is due", 2),
        ("afspraak: waadi-14b\nzaken: een", "`zaken`: a list of at least one case is due", 2),
        ("afspraak: waadi-14b\nzaak: []\n", "`zaak`: this key is not known here", 2),
        ("afspraak: x\nzaken: [een]", "a case has keys and values", 2),
        ("afspraak: x\nzaken:\n  - {naam: een", "the file is not valid YAML", 4),
        ("standaard: een\nzaken: [{naam: x}]", "`standaard`: keys and values are due here", 1),
        ("standaard: {naam: een}\nzaken: [{naam: x}]", "`naam`: every case has a name of its own", 1),
        ("standaard:\n  soort: X\n  streng: yes\nzaken: [{naam: x}]", "`streng`: write `ja` or `nee`", 3),
    ],
)
def test_a_broken_file_is_refused_whole(text: str, message: str, line: int) -> None:
    with pytest.raises(InvalidInput, match=r".") as caught:
        read_text(text, head="")
    assert message in caught.value.message
    assert caught.value.where == f"cases/x.yaml:{line}"


def test_an_empty_file_and_one_that_was_cut_short_are_refused() -> None:
    with pytest.raises(InvalidInput, match="the file is empty"):
        load(b"", "cases/x.yaml")
    with pytest.raises(InvalidInput, match="cut short"):
        load(b"afspraak: x\nzaken: [{naam: een}]\n", "cases/x.yaml")


@pytest.mark.parametrize(
    ("case", "message"),
    [
        ("besluit: toegestaan, kleur: rood", "`kleur`: this key is not known here"),
        ("besluit: misschien", "`besluit`: input should be 'toegestaan' or 'geweigerd'"),
        ("reden: LOOKBACK", "`besluit`: this key is missing; write it in the case or under `standaard`"),
        ("besluit: toegestaan, handeling: stelen", "`handeling`: input should be"),
        ("besluit: toegestaan, datum: 1-7-2026", "`datum`: a date such as `2026-07-01` is due"),
        ("besluit: toegestaan, velden: [law, law]", "`velden`: the list holds a word twice"),
        ("besluit: toegestaan, beweringen: [WML 7]", "`beweringen`: names with a text each are due"),
        ("besluit: toegestaan, onderwerpen: veel", "`onderwerpen`: a whole number such as `2` is due"),
        ("besluit: geweigerd, reden: ZOMAAR", "`reden` of `een`: `ZOMAAR` is not a code of"),
        ("besluit: geweigerd, regel: geen-regel", "`regel` of `een`: `geen-regel` is not the id of a rule"),
        ("besluit: geweigerd, achtergehouden: {bsn: ZOMAAR}", "`ZOMAAR` is not a code of"),
        ("besluit: geweigerd, achtergehouden: {kleur: STRICT}", "`kleur` is not a field of the catalogue"),
        ("besluit: toegestaan, doorgelaten: [kleur]", "`kleur` is not a field of the catalogue"),
        ("besluit: toegestaan, plichten: {zwijgen: ja}", "`zwijgen` is not a duty that a rule can impose"),
        ("besluit: toegestaan, bewezen: [zomaar]", "`zomaar` is not a fact that a register proves"),
        ("besluit: toegestaan, verklaard: [certificate_valid]", "is `bewezen` meant?"),
        ("besluit: toegestaan, geteld: {zomaar: 3}", "`zomaar` is not a counter of the catalogue"),
    ],
)
def test_a_wrong_case_is_refused_with_line_key_and_the_way_to_mend_it(case: str, message: str) -> None:
    with pytest.raises(InvalidInput, match=r".") as caught:
        read_text(f"  - {{naam: goed, besluit: toegestaan}}\n  - {{naam: een, {case}}}\n")
    assert message in caught.value.message
    assert caught.value.where == "cases/x.yaml:8"


def test_a_name_that_is_used_twice_is_refused() -> None:
    with pytest.raises(InvalidInput, match="is used twice"):
        read_text("  - {naam: een, besluit: toegestaan}\n  - {naam: een, besluit: geweigerd}\n")


def test_a_case_may_be_about_words_that_do_not_exist() -> None:
    (outcome,) = read_text(
        "  - {naam: een, van: wie, soort: WAT, doel: WAAROM, velden: [x], beweringen: {y: z}, afspraak: geen,"
        " besluit: geweigerd, reden: UNKNOWN_PARTY}\n"
    )
    assert outcome.differences == ()


@pytest.mark.parametrize("name", ["zaken.txt", "zaken.yml"])
def test_other_files_among_the_cases_are_refused(tmp_path: Path, name: str) -> None:
    tmp_path.joinpath("cases").mkdir()
    tmp_path.joinpath("cases", name).write_text("afspraak: x\n")
    with pytest.raises(InvalidInput, match="only files with cases"):
        load_cases(tmp_path, BUNDLE)


def test_a_directory_without_cases_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="cannot be read"):
        load_cases(tmp_path, BUNDLE)
    tmp_path.joinpath("cases").mkdir()
    with pytest.raises(InvalidInput, match="no file with cases"):
        load_cases(tmp_path, BUNDLE)


def test_names_within_a_file_are_different() -> None:
    assert max(Counter((case.file, case.name) for case in CASES).values()) == 1
