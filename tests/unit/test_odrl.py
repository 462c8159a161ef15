# SPDX-License-Identifier: EUPL-1.2
"""ODRL exports hold the terms of the published vocabulary, its cardinalities, and exactly the rules that stand."""

import json
import warnings
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from decide_samples import BUNDLE
from rdflib import RDF, XSD, Graph, Literal, URIRef
from rdflib.namespace import DCTERMS, ODRL2
from typer.testing import CliRunner

from sluis.cli.policy_odrl import app
from sluis.errors import InvalidInput
from sluis.policy.catalog import Category
from sluis.policy.conditions import ClaimListed
from sluis.policy.iris import PROFILE, TERMS, activity_iri, rule_iri
from sluis.policy.odrl import odrl_policy, odrl_profile
from sluis.policy.odrl_conditions import OPERANDS, constraint_of
from sluis.policy.rules import Notice, Obligations, Operation, Rule, RuleEffect, Status

VECTORS = Path(__file__).resolve().parents[1] / "vectors"
ODRL = str(ODRL2)
# The two kinds of term that ODRL 2.2 allows in a constraint (sections 2.5.1 and 3.11 of the vocabulary).
OPERATORS = {
    "eq",
    "gt",
    "gteq",
    "lt",
    "lteq",
    "neq",
    "isA",
    "hasPart",
    "isPartOf",
    "isAllOf",
    "isAnyOf",
    "isNoneOf",
}
LEFT = {"dateTime", "purpose", "recipient", "deliveryChannel", "elapsedTime", "event"}
OWN = [name for name, agreement in BUNDLE.agreements.items() if not agreement.is_general]


@cache
def context() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((VECTORS / "odrl" / "odrl.jsonld").read_text("utf-8"))["@context"]
    return found


def graph_of(document: dict[str, Any]) -> Graph:
    """The document as RDF, with the published context; what the context does not know is dropped there."""
    local = {**document, "@context": [context(), *document["@context"][1:]]}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # rdflib's own parser uses its own old class
        return Graph().parse(data=json.dumps(local), format="json-ld")


@cache
def installed(name: str) -> Graph:
    """The graph of an installed agreement; nobody changes it."""
    return graph_of(odrl_policy(BUNDLE, name))


def with_rule(**changes: Any) -> dict[str, Any]:
    """The policy of an agreement whose first permit is changed."""
    agreement = BUNDLE.agreements["waadi-14b"]
    rule = next(rule for rule in agreement.rules if rule.effect is RuleEffect.PERMIT)
    altered = agreement.model_copy(update={"rules": (rule.model_copy(update=changes),)})
    return odrl_policy(BUNDLE.with_agreements({**BUNDLE.agreements, "waadi-14b": altered}), "waadi-14b")


def own(policy: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    general = {rule.id for item in BUNDLE.agreements.values() if item.is_general for rule in item.rules}
    return [
        item
        for item in policy.get(kind, [])
        if not any(item["uid"].startswith(rule_iri(name) + "/") for name in general)
    ]


def dictionaries(node: Any) -> list[dict[str, Any]]:
    if isinstance(node, list):
        return [found for item in node for found in dictionaries(item)]
    if isinstance(node, dict):
        return [node, *(found for item in node.values() for found in dictionaries(item))]
    return []


@pytest.mark.parametrize("name", OWN)
def test_every_key_is_a_term_of_the_context_or_of_the_profile(name: str) -> None:
    for part in dictionaries({**odrl_policy(BUNDLE, name), "@context": None}):
        for key in part:
            assert key in context() or key.startswith(("@", "sluis:", "dct:")), key


@pytest.mark.parametrize("name", OWN)
def test_every_odrl_term_is_in_the_published_vocabulary(name: str) -> None:
    graph = installed(name)
    terms = {str(node) for triple in graph for node in triple if str(node).startswith(ODRL)}
    unknown = [term for term in terms if term.removeprefix(ODRL) not in ODRL2.__annotations__]
    assert unknown == []
    assert len(terms) > 15


@pytest.mark.parametrize("name", OWN)
def test_constraints_have_one_of_each_operand_and_an_operator_of_odrl(name: str) -> None:
    graph = installed(name)
    found = {*graph.objects(None, ODRL2.constraint), *graph.objects(None, ODRL2.refinement)}
    assert len(found) > 10
    for item in found:
        [left] = graph.objects(item, ODRL2.leftOperand)
        [operator] = graph.objects(item, ODRL2.operator)
        assert list(graph.objects(item, ODRL2.rightOperand))
        assert str(operator).removeprefix(ODRL) in OPERATORS
        if str(left).startswith(ODRL):
            assert str(left).removeprefix(ODRL) in LEFT
        else:
            assert any(
                own_term == str(left).removeprefix(TERMS)
                or (own_term.endswith("/") and str(left).removeprefix(TERMS).startswith(own_term))
                for own_term in OPERANDS
            )


@pytest.mark.parametrize("name", OWN)
def test_rules_have_the_cardinalities_of_the_information_model(name: str) -> None:
    """ODRL Information Model 2.2, sections 2.1, 2.2.1, 2.3.2 and 2.6."""
    graph = installed(name)
    [policy] = graph.subjects(RDF.type, ODRL2.Set)
    assert list(graph.objects(policy, ODRL2.profile)) == [URIRef(PROFILE)]
    rules = [
        rule
        for kind in (ODRL2.permission, ODRL2.prohibition, ODRL2.obligation)
        for rule in graph.objects(policy, kind)
    ]
    assert rules
    for rule in rules:
        for predicate in (ODRL2.action, ODRL2.assignee, ODRL2.target):
            assert len(list(graph.objects(rule, predicate))) == 1, (rule, predicate)
    for kind in (ODRL2.PartyCollection, ODRL2.AssetCollection):
        for collection in graph.subjects(RDF.type, kind):
            sources = list(graph.objects(collection, ODRL2.source))
            assert bool(sources) == bool(list(graph.objects(collection, ODRL2.refinement)))
            assert bool(sources) != isinstance(collection, URIRef)


@pytest.mark.parametrize("name", OWN)
def test_exactly_the_rules_that_stand_are_exported(name: str) -> None:
    policy = odrl_policy(BUNDLE, name)
    general = [rule for item in BUNDLE.agreements.values() if item.is_general for rule in item.rules]
    assert general
    rules = [rule for rule in (*BUNDLE.agreements[name].rules, *general) if rule.status is not Status.DRAFT]
    for kind, effect in (("permission", RuleEffect.PERMIT), ("prohibition", RuleEffect.PROHIBIT)):
        exported = {item["uid"] for item in policy.get(kind, []) if not item["uid"].endswith("/no-notice")}
        assert exported == {
            f"{rule_iri(rule.id)}/{operation}"
            for rule in rules
            if rule.effect is effect
            for operation in rule.operations
        }
    assert policy["sluis:policyDigest"] == BUNDLE.digest
    assert policy["sluis:processingActivity"] == {"@id": activity_iri(name)}


def test_a_draft_is_left_out() -> None:
    assert own(with_rule(status=Status.DRAFT), "permission") == []
    assert len(own(with_rule(status=Status.ASSUMED), "permission")) == 1


def test_a_permit_is_told_in_full() -> None:
    rule = BUNDLE.rules["fine-to-foundation-until-2026-06-30"]
    policy = odrl_policy(BUNDLE, "waadi-14b")
    graph = graph_of(policy)
    uid = URIRef(f"{rule_iri(rule.id)}/push")
    constraints = {
        str(graph.value(item, ODRL2.leftOperand)).rpartition("/")[2]
        + " "
        + str(graph.value(item, ODRL2.operator)).rpartition("/")[2]: sorted(
            graph.objects(item, ODRL2.rightOperand)
        )
        for item in graph.objects(uid, ODRL2.constraint)
    }
    assert constraints["dateTime gteq"] == [Literal("2025-07-01T00:00:00+02:00", datatype=XSD.dateTime)]
    assert constraints["dateTime lt"] == [Literal("2026-07-01T00:00:00+02:00", datatype=XSD.dateTime)]
    assert constraints["purpose isAnyOf"] == [URIRef(TERMS + "purposes/CERTIFICAATBEOORDELING")]
    assert constraints["recipient isAnyOf"] == [URIRef(TERMS + "roles/certificate-foundation")]
    assert constraints["certificate_valid eq"] == [URIRef(TERMS + "proven")]
    assert constraints["decided_on lteq"] == [Literal("P2Y", datatype=XSD.duration)]
    listed = next(item for item in rule.conditions if isinstance(item, ClaimListed))
    assert [str(item) for item in constraints["provision isAnyOf"]] == sorted(listed.one_of)
    bases = list(graph.objects(uid, URIRef(TERMS + "legalBasis")))
    assert {str(graph.value(item, URIRef(TERMS + "citation"))) for item in bases} == {
        basis.citation for basis in rule.legal_basis
    }
    assert {str(graph.value(item, DCTERMS.identifier)) for item in bases} == {
        basis.juriconnect for basis in rule.legal_basis
    }
    assert graph.value(uid, URIRef(TERMS + "status")) == Literal("in-force")
    erase = URIRef(f"{uid}/retention")
    assert graph.value(erase, ODRL2.action) == ODRL2["delete"]
    within = graph.value(erase, ODRL2.constraint)
    assert graph.value(within, ODRL2.rightOperand) == Literal("P5Y", datatype=XSD.duration)


def test_prohibitions_above_every_agreement_are_in_every_export() -> None:
    for name in OWN:
        found = {item["uid"]: item for item in odrl_policy(BUNDLE, name)["prohibition"]}
        bsn = found[f"{rule_iri('no-bsn-to-private')}/push"]
        assert bsn["target"]["refinement"][0]["rightOperand"] == [
            {"@id": f"{TERMS}categories/{Category.BSN}"}
        ]
        assert bsn["sluis:reason"] == "BSN_PRIVATE"
        assert bsn["assignee"] == {"type": "PartyCollection", "uid": bsn["assignee"]["uid"]}


def test_duties_of_notice_are_told() -> None:
    duties: dict[str, Any] = {"retention": "P1Y", "handling": "H3"}
    must = Obligations(notice=Notice.MUST, notice_within="P30D", delay_grounds=["41(1)(d)"], **duties)  # type: ignore[arg-type]
    [told] = [
        item for item in own(with_rule(obligations=must), "obligation") if item["uid"].endswith("/notice")
    ]
    assert (told["action"], told["sluis:delayGround"]) == ("inform", ["UAVG 41(1)(d)"])
    assert told["constraint"][0]["rightOperand"]["@value"] == "P30D"
    must_not = Obligations(notice=Notice.MUST_NOT, **duties)
    [silent] = own(with_rule(obligations=must_not), "prohibition")
    assert (silent["action"], silent["uid"].rpartition("/")[2]) == ("inform", "no-notice")
    may = with_rule(obligations=Obligations(notice=Notice.MAY, **duties))
    assert [item["action"] for item in own(may, "obligation")] == ["delete"]
    assert own(may, "prohibition") == []


EVERY_SORT: list[tuple[dict[str, Any], str, str]] = [
    ({"claim": "c", "one_of": ["x"]}, "claims/c", "isAnyOf"),
    ({"claim": "c", "not_older_than_years": "2"}, "ages/c", "lteq"),
    ({"claim": "c", "not_passed": "true"}, "claims/c", "gteq"),
    ({"claim": "c", "working_days_passed": "10"}, "workingDaysSince/c", "gteq"),
    ({"fact": "f"}, "facts/f", "eq"),
    ({"without_fact": "f"}, "facts/f", "neq"),
    ({"same_party": "true"}, "recipient", "eq"),
    ({"delivery": "on_match"}, "deliveryChannel", "eq"),
    ({"partnership": ["lsi"]}, "partnership", "isAnyOf"),
    ({"counter": "n", "at_most": "5"}, "counters/n", "lteq"),
    ({"subjects_at_most": "1"}, "subjects", "lteq"),
]


@pytest.mark.parametrize(("condition", "left", "operator"), EVERY_SORT)
def test_every_sort_of_condition_has_its_constraint(
    condition: dict[str, Any], left: str, operator: str
) -> None:
    raw = BUNDLE.rules["fine-to-foundation-until-2026-06-30"]
    text = condition | {"dutch": "Zo is het.", "otherwise": "LOOKBACK"}
    rule = raw.model_copy(
        update={"conditions": Rule.model_validate(_as_read(raw) | {"conditions": [text]}).conditions}
    )
    constraint = constraint_of(rule.conditions[0])
    assert str(constraint["leftOperand"]).removeprefix("sluis:") == left
    assert str(constraint["operator"]).removeprefix("odrl:") == operator
    policy = with_rule(conditions=rule.conditions)
    graph = graph_of(policy)
    assert any(str(item).endswith(f"/{operator}") for item in graph.objects(None, ODRL2.operator))
    assert constraint in own(policy, "permission")[0]["constraint"]


def _as_read(rule: Rule) -> dict[str, Any]:
    """A rule as its file holds it, without conditions."""
    whole = rule.model_dump(mode="json", exclude={"conditions"}, exclude_none=True)
    return {key: value for key, value in whole.items() if value not in ([], None)}


def test_a_way_of_delivery_binds_a_push_alone() -> None:
    rule = BUNDLE.rules["fine-to-certifier-from-2026-07-01"]
    found = {item["uid"]: item for item in odrl_policy(BUNDLE, "waadi-14b")["permission"]}
    for operation in (Operation.PUSH, Operation.RELEASE):
        left = [item["leftOperand"] for item in found[f"{rule_iri(rule.id)}/{operation}"]["constraint"]]
        assert ("deliveryChannel" in left) == (operation is Operation.PUSH)


def test_an_export_is_the_same_every_time() -> None:
    agreement = BUNDLE.agreements["waadi-14b"]
    turned = agreement.model_copy(update={"rules": agreement.rules[::-1]})
    other = BUNDLE.with_agreements(dict(reversed([*{**BUNDLE.agreements, "waadi-14b": turned}.items()])))
    first, second = (odrl_policy(bundle, "waadi-14b") for bundle in (BUNDLE, other))
    second["sluis:policyDigest"] = first["sluis:policyDigest"]
    assert json.dumps(first) == json.dumps(second)


@pytest.mark.parametrize("name", ["no-such", "00-algemeen", ""])
def test_what_is_no_agreement_between_parties_is_refused(name: str) -> None:
    with pytest.raises(InvalidInput) as error:
        odrl_policy(BUNDLE, name)
    assert error.value.code == "unknown-agreement"


def test_the_profile_describes_every_term_that_constraints_and_rules_use() -> None:
    graph = graph_of(odrl_profile())
    assert set(graph.subjects(RDF.type, ODRL2.Action)) == {URIRef(TERMS + item) for item in Operation}
    assert set(graph.subjects(RDF.type, ODRL2.LeftOperand)) == {URIRef(TERMS + name) for name in OPERANDS}
    assert set(graph.subjects(ODRL2.includedIn, ODRL2.use)) == set(graph.subjects(RDF.type, ODRL2.Action))


def test_the_command_prints_a_policy_and_the_profile() -> None:
    runner = CliRunner()
    policy = runner.invoke(app, ["odrl", "waadi-14b"])
    assert policy.exit_code == 0
    assert json.loads(policy.stdout) == odrl_policy(BUNDLE, "waadi-14b")
    assert json.loads(runner.invoke(app, ["odrl", "profile"]).stdout) == odrl_profile()
    assert isinstance(runner.invoke(app, ["odrl", "no-such"]).exception, InvalidInput)
