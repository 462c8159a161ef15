# SPDX-License-Identifier: EUPL-1.2
"""The cases in `policies/cases/`: examples that a lawyer can read, with the outcome that must follow."""

from dataclasses import replace
from datetime import date, datetime, time
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from broker.decide.engine import decide
from broker.decide.model import Decision, Fact, FactState, Party, Request
from sluis.policy.bundle import Bundle, default_directory, load_bundle
from sluis.policy.rules import Rule
from sluis.policy.yaml_strict import load

OUTCOME = {"toegestaan": "permit", "geweigerd": "deny"}
YES = {"ja": True, "nee": False}
INPUT = {
    "datum", "handeling", "van", "naar", "aflevering", "soort", "doel", "velden", "beweringen", "bewezen",
    "streng", "weerlegd", "beweerd_door_afzender", "opgegeven_categorie", "zelfde_partij",
}  # fmt: skip
EXPECTED = {"besluit", "reden", "regel", "aangenomen", "doorgelaten", "achtergehouden"}
BUNDLE = load_bundle(default_directory())


def read_cases() -> list[dict[str, Any]]:
    """All cases of all files, completed with what their file takes as given."""
    cases = []
    for file in sorted(default_directory().joinpath("cases").iterdir(), key=lambda entry: entry.name):
        document: Any = load(file.read_bytes(), file.name).value
        assert document.keys() == {"afspraak", "standaard", "zaken"}
        for case in document["zaken"]:
            assert case.keys() <= INPUT | EXPECTED | {"naam"}, case["naam"]
            cases.append({"afspraak": document["afspraak"], **document["standaard"], **case})
    return cases


def party(role: str, number: int, bundle: Bundle) -> Party:
    return Party(oin=f"{number:020d}", role=role, sector=bundle.sector_of(role))


def request_of(case: dict[str, Any], bundle: Bundle) -> Request:
    """The exchange that a case describes, at noon in Amsterdam."""
    sender = party(case["van"], 1, bundle)
    recipient = sender if YES[case.get("zelfde_partij", "nee")] else party(case["naar"], 2, bundle)
    owner = party("certificate-foundation", 3, bundle)
    facts = {
        **{name: Fact(state=FactState.PROVEN, source="register:certificates", asserter=owner)
           for name in case["bewezen"]},
        **{name: Fact(state=FactState.DISPROVEN, source="register:certificates", asserter=owner)
           for name in case.get("weerlegd", [])},
        **{name: Fact(state=FactState.PROVEN, source="sender", asserter=sender)
           for name in case.get("beweerd_door_afzender", [])},
    }  # fmt: skip
    declared = case.get("opgegeven_categorie", {})
    known = bundle.fields
    categories = {name: known[name].category if name in known else "organisation" for name in case["velden"]}
    return Request(
        operation=case["handeling"],
        sender=sender,
        recipient=recipient,
        agreement=case["afspraak"],
        kind=case["soort"],
        purpose=case["doel"],
        delivery=case["aflevering"],
        fields=tuple((name, declared.get(name, category)) for name, category in categories.items()),
        claims=case["beweringen"],
        facts=facts,
        at=datetime.combine(date.fromisoformat(case["datum"]), time(12), ZoneInfo("Europe/Amsterdam")),
        strict=YES[case["streng"]],
    )


def disagreement(case: dict[str, Any], decision: Decision) -> str:
    """What a decision has otherwise than the case demands; empty when it agrees."""
    found: dict[str, Any] = {
        "besluit": decision.effect.value,
        "reden": decision.reasons[0].code if decision.reasons else "",
        "regel": decision.rules[0].id if decision.rules else "",
        "aangenomen": decision.assumed,
        "doorgelaten": list(decision.released),
        "achtergehouden": {item.name: item.code for item in decision.withheld},
    }
    wanted = {key: case[key] for key in EXPECTED if key in case}
    wanted["besluit"] = OUTCOME[case["besluit"]]
    wanted.setdefault("reden", "")
    if "aangenomen" in wanted:
        wanted["aangenomen"] = YES[wanted["aangenomen"]]
    return "; ".join(
        f"{key}: {found[key]} instead of {value}" for key, value in wanted.items() if found[key] != value
    )


CASES = read_cases()


@pytest.mark.parametrize("case", CASES, ids=[case["naam"] for case in CASES])
def test_the_case_comes_out_as_written(case: dict[str, Any]) -> None:
    assert disagreement(case, decide(request_of(case, BUNDLE), BUNDLE)) == ""


def test_every_deciding_rule_and_every_reason_of_a_rule_has_a_case() -> None:
    decisions = [decide(request_of(case, BUNDLE), BUNDLE) for case in CASES]
    rules = {rule.id for decision in decisions for rule in decision.rules}
    codes = {reason.code for decision in decisions for reason in decision.reasons}
    wanted = {condition.otherwise for rule in BUNDLE.rules.values() for condition in rule.conditions} | {
        rule.code for rule in BUNDLE.rules.values() if rule.code
    }
    assert BUNDLE.rules.keys() == rules
    assert wanted <= codes


def test_every_condition_is_decisive_in_some_case() -> None:
    """Without a condition of a rule, and without a prohibition, at least one case must come out otherwise."""
    for rule in BUNDLE.rules.values():
        changes: list[Rule | None] = [
            rule.model_copy(update={"conditions": rule.conditions[:at] + rule.conditions[at + 1 :]})
            for at in range(len(rule.conditions))
        ]
        for change in [*changes, None]:
            bundle = replaced(BUNDLE, rule.id, change)
            assert any(disagreement(case, decide(request_of(case, bundle), bundle)) for case in CASES)


def replaced(bundle: Bundle, rule_id: str, rule: Rule | None) -> Bundle:
    """The bundle with one rule changed or gone."""

    def swap(index: Any) -> Any:
        return {
            key: tuple(rule if item.id == rule_id else item for item in rules if rule or item.id != rule_id)
            for key, rules in index.items()
        }

    return replace(bundle, permits=swap(bundle.permits), prohibitions=swap(bundle.prohibitions))
