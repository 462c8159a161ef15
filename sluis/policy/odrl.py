# SPDX-License-Identifier: EUPL-1.2
"""An agreement as an ODRL 2.2 policy in JSON-LD, for partners in data spaces (docs/standards.md, "ODRL").

A permit becomes a permission of the sender, a prohibition a prohibition of the sender; those that stand above
every agreement are in every export. What the recipient takes upon itself becomes obligations of the recipient:
in ODRL a duty of a permission must be done beforehand, and these come after. Draft rules are left out.

ODRL knows no unknown. The profile keeps ours: what is not known counts as not met in a permission, and as
met in a prohibition. An export is for reading and comparing; only the rules themselves decide.
"""

from collections.abc import Iterable, Iterator
from datetime import date, datetime, time, timedelta
from typing import TypeAlias

from sluis.errors import InvalidInput
from sluis.policy.bundle import Bundle
from sluis.policy.conditions import DeliveryIs
from sluis.policy.iris import NAMESPACE, PROFILE, TERMS, activity_iri, rule_iri
from sluis.policy.odrl_conditions import OPERANDS, Json, constraint, constraint_of, iri, term
from sluis.policy.rules import Agreement, LegalBasis, Notice, Obligations, Operation, Rule, RuleEffect, Status

CONTEXT = "http://www.w3.org/ns/odrl.jsonld"
SIGNALS = NAMESPACE + "signals"
PARTIES = NAMESPACE + "parties"

Refinements: TypeAlias = list[Json]


def odrl_policy(bundle: Bundle, agreement_id: str) -> Json:
    """One agreement as a policy of type Set. Raises InvalidInput `unknown-agreement`."""
    agreement = bundle.agreements.get(agreement_id)
    if agreement is None or agreement.is_general:
        raise InvalidInput("unknown-agreement", "the rules hold no such agreement between parties")
    general = (item for item in bundle.agreements.values() if item.is_general)
    rules = [*_standing(agreement), *(rule for item in general for rule in _standing(item))]
    parts: dict[str, list[Json]] = {"permission": [], "prohibition": [], "obligation": []}
    for rule in sorted(rules, key=lambda rule: rule.id):
        for kind, part in _rule(rule, bundle):
            parts[kind].append(part)
    return {
        "@context": [CONTEXT, {"sluis": TERMS}],
        "uid": f"{NAMESPACE}policies/{agreement.id}",
        "type": "Set",
        "profile": PROFILE,
        "conflict": "prohibit",
        "dct:title": _dutch(agreement.title),
        "dct:description": _dutch(agreement.explanation),
        "sluis:processingActivity": iri(activity_iri(agreement.id)),
        "sluis:policyDigest": bundle.digest,
        **{kind: found for kind, found in parts.items() if found},
    }


def _standing(agreement: Agreement) -> Iterator[Rule]:
    return (rule for rule in agreement.rules if rule.status is not Status.DRAFT)


def _rule(rule: Rule, bundle: Bundle) -> Iterator[tuple[str, Json]]:
    """An ODRL rule has one action, so a rule of ours becomes one for each operation."""
    permits = rule.effect is RuleEffect.PERMIT
    for operation in sorted(rule.operations):
        uid = f"{rule_iri(rule.id)}/{operation.value}"
        yield (
            "permission" if permits else "prohibition",
            {
                "uid": uid,
                "dct:title": _dutch(rule.title),
                "dct:description": _dutch(rule.explanation),
                "assignee": _parties(_sender(rule)),
                "action": f"sluis:{operation.value}",
                "target": _signals(rule, bundle),
                "constraint": [*_scope(rule, bundle), *_conditions(rule, operation)],
                "sluis:status": rule.status.value,
                "sluis:legalBasis": [_legal_basis(basis) for basis in rule.legal_basis],
                **({"sluis:reason": rule.code} if rule.code else {}),
                **({"sluis:handling": rule.obligations.handling} if rule.obligations else {}),
            },
        )
        if rule.obligations is not None:
            yield from _duties(uid, rule, rule.obligations, bundle)


def _conditions(rule: Rule, operation: Operation) -> Iterator[Json]:
    for condition in rule.conditions:
        if operation is Operation.PUSH or not isinstance(condition, DeliveryIs):  # only a push is delivered
            yield constraint_of(condition)


def _duties(uid: str, rule: Rule, duties: Obligations, bundle: Bundle) -> Iterator[tuple[str, Json]]:
    """The recipient's duties: erase in time; tell the subject, or do not."""
    recipient = {"assignee": _parties(_recipient(rule)), "target": _signals(rule, bundle)}

    def follows(name: str, action: str, *constraints: Json, **more: object) -> Json:
        body: Json = {"uid": f"{uid}/{name}", **recipient, "action": action}
        if constraints:
            body["constraint"] = list(constraints)
        return body | {"sluis:follows": iri(uid)} | more

    yield "obligation", follows("retention", "delete", _within(duties.retention))
    if duties.retention_after_loss is not None:
        after = constraint("event", "gt", iri(term("certificateLoss")))
        yield (
            "obligation",
            follows("retention-after-loss", "delete", after, _within(duties.retention_after_loss)),
        )
    if duties.feedback_within is not None:
        yield "obligation", follows("feedback", "inform", _within(duties.feedback_within))
    grounds = {"sluis:delayGround": [f"UAVG {ground}" for ground in sorted(duties.delay_grounds)]}
    told = {"informedParty": term("dataSubject"), **(grounds if duties.delay_grounds else {})}
    if duties.notice is Notice.MUST and duties.notice_within is not None:
        yield "obligation", follows("notice", "inform", _within(duties.notice_within), **told)
    elif duties.notice is Notice.MUST_NOT:
        yield "prohibition", follows("no-notice", "inform", **told)


def _within(period: str) -> Json:
    return constraint("elapsedTime", "lteq", {"@value": period, "@type": "xsd:duration"})


def _scope(rule: Rule, bundle: Bundle) -> Iterator[Json]:
    """When, for what, and to whom. Days are days in Amsterdam, both inclusive."""
    yield constraint("dateTime", "gteq", _midnight(rule.valid_from, bundle))
    if rule.valid_until is not None and rule.valid_until < date.max:
        yield constraint("dateTime", "lt", _midnight(rule.valid_until + timedelta(days=1), bundle))
    if rule.purposes:
        yield constraint("purpose", "isAnyOf", _terms("purposes", rule.purposes))
    if rule.recipient_roles:
        yield constraint("recipient", "isAnyOf", _terms("roles", rule.recipient_roles))
    if rule.recipient_sectors:
        yield constraint("sluis:recipientSector", "isAnyOf", _terms("sectors", rule.recipient_sectors))


def _midnight(day: date, bundle: Bundle) -> Json:
    moment = datetime.combine(day, time(), tzinfo=bundle.zone)
    return {"@value": moment.isoformat(), "@type": "xsd:dateTime"}


def _sender(rule: Rule) -> Refinements:
    return _chosen("role", "roles", rule.sender_roles) + _chosen("sector", "sectors", rule.sender_sectors)


def _recipient(rule: Rule) -> Refinements:
    return _chosen("role", "roles", rule.recipient_roles) + _chosen(
        "sector", "sectors", rule.recipient_sectors
    )


def _signals(rule: Rule, bundle: Bundle) -> Json:
    chosen = _chosen("kind", "kinds", rule.kinds)
    if rule.fields:  # as the engine reads it: what is listed, and whatever has a listed category
        named = {name for name, spec in bundle.catalog.fields.items() if spec.category in rule.categories}
        chosen += _chosen("field", "fields", rule.fields | named)
    else:
        chosen += _chosen("category", "categories", rule.categories)
    return _collection("AssetCollection", SIGNALS, chosen)


def _parties(chosen: Refinements) -> Json:
    return _collection("PartyCollection", PARTIES, chosen)


def _collection(kind: str, source: str, chosen: Refinements) -> Json:
    """ODRL 2.2, sections 2.2.1 and 2.3.2: a refined part of a collection names it as its source."""
    if not chosen:
        return {"type": kind, "uid": source}
    return {"type": kind, "source": source, "refinement": chosen}


def _chosen(operand: str, sort: str, names: Iterable[str]) -> Refinements:
    listed = _terms(sort, names)
    return [constraint(f"sluis:{operand}", "isAnyOf", listed)] if listed else []


def _terms(sort: str, names: Iterable[str]) -> list[Json]:
    return [iri(term(f"{sort}/{name}")) for name in sorted(map(str, names))]


def _legal_basis(basis: LegalBasis) -> Json:
    source = (
        {"dct:identifier": basis.juriconnect} if basis.juriconnect else {"dct:source": iri(basis.reference)}
    )
    return {
        "sluis:citation": basis.citation,
        "sluis:gdprArticle": basis.gdpr,
        **source,
        "dct:description": _dutch(basis.explanation),
    }


def _dutch(text: str) -> Json:
    return {"@value": text, "@language": "nl"}


def odrl_profile() -> Json:
    """The terms of the profile as JSON-LD: actions, and what can stand on the left of a constraint."""
    actions = {
        Operation.PUSH: "Send a sealed signal to its recipient.",
        Operation.QUESTION: "Ask which signals there are about one's own relations, by pseudonyms.",
        Operation.WATCH: "Leave a list of pseudonyms, to be told when a signal about one of them arrives.",
        Operation.RELEASE: "Let a deposited signal go to the recipient who asked.",
        Operation.REGISTER: "Load a register of pseudonyms.",
        Operation.ASK: "Ask the sender of a signal a question about it, in codes.",
        Operation.ANSWER: "Answer a question about a signal, in codes.",
    }
    described = [
        {"uid": term(operation.value), "type": "Action", "odrl:includedIn": iri("odrl:use")}
        | {"dct:description": {"@value": text, "@language": "en"}}
        for operation, text in actions.items()
    ]
    operands = [
        {"uid": term(name), "type": "LeftOperand"} | {"dct:description": {"@value": text, "@language": "en"}}
        for name, text in OPERANDS.items()
    ]
    title = {"@value": "Sluis: legal bases for exchanges between supervisors", "@language": "en"}
    profile: Json = {"uid": PROFILE, "dct:title": title}
    return {"@context": [CONTEXT, {"sluis": TERMS}], "@graph": [profile, *described, *operands]}
