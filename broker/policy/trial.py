# SPDX-License-Identifier: EUPL-1.2
"""Proefbeslissing: what would be decided, if. Nobody's data, nothing stored, nothing logged.

What is supposed is a case without an outcome (`sluis.policy.cases`), so a page and the tests of the rules ask the same
question: at noon in Amsterdam on a day, between organisations with numbers of the range for tests.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from pydantic import ValidationError

from broker.decide.engine import decide
from broker.decide.explain import Explanation, explain, explain_near_miss
from broker.decide.model import Decision
from broker.decide.near import NearMiss, near_misses
from broker.policy.cases import request_of
from sluis.errors import InvalidInput
from sluis.policy.bundle import Bundle
from sluis.policy.cases import Case
from sluis.policy.facts import RegisterFact, StatedFact
from sluis.policy.rules import Operation


@dataclass(frozen=True, slots=True, kw_only=True)
class Supposed:
    """An exchange to suppose."""

    agreement: str
    operation: str
    sender: str
    recipient: str
    kind: str
    purpose: str
    delivery: str = ""
    fields: tuple[str, ...] = ()
    claims: Mapping[str, str]
    proven: tuple[str, ...] = ()
    disproven: tuple[str, ...] = ()
    stated: tuple[str, ...] = ()
    subjects: int = 1
    same_party: bool = False
    strict: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Foreseen:
    """What would be decided on a day, in words, and which permits nearly applied."""

    day: date
    decision: Decision
    words: Explanation
    near: tuple[tuple[NearMiss, Explanation], ...]

    @property
    def essence(self) -> tuple[object, ...]:
        """What the parties would notice."""
        decision = self.decision
        reasons = tuple(reason.code for reason in decision.reasons)
        return (decision.effect, decision.released, tuple(sorted(decision.obligations.items())), reasons)


def foresee(supposed: Supposed, day: date, bundle: Bundle) -> Foreseen:
    """Decide what is supposed. Raises InvalidInput for words that no exchange could hold."""
    request = request_of(_case(supposed, day, bundle), bundle)
    decision = decide(request, bundle)
    near = near_misses(request, bundle)
    return Foreseen(
        day=day,
        decision=decision,
        words=explain(decision, bundle),
        near=tuple((miss, explain_near_miss(miss, bundle)) for miss in near),
    )


def _case(supposed: Supposed, day: date, bundle: Bundle) -> Case:
    facts = bundle.catalog.facts
    for where, names, sort in (
        ("proven", supposed.proven, RegisterFact),
        ("disproven", supposed.disproven, RegisterFact),
        ("stated", supposed.stated, StatedFact),
    ):
        if any(not isinstance(facts.get(name), sort) for name in names):
            raise InvalidInput("malformed-request", "there is no such fact", where=where)
    if set(supposed.proven) & set(supposed.disproven):
        raise InvalidInput("malformed-request", "a fact is proven or disproven, not both", where="proven")
    values = {
        "naam": "proef",
        "afspraak": supposed.agreement,
        "datum": day.isoformat(),
        "handeling": supposed.operation,
        "van": supposed.sender,
        "naar": supposed.recipient,
        "zelfde_partij": "ja" if supposed.same_party else "nee",
        "aflevering": supposed.delivery,
        "soort": supposed.kind,
        "doel": supposed.purpose,
        "velden": list(supposed.fields),
        "beweringen": dict(supposed.claims),
        "bewezen": list(supposed.proven),
        "weerlegd": list(supposed.disproven),
        "verklaard": list(supposed.stated),
        "onderwerpen": str(supposed.subjects),  # as a case file has it
        "streng": "ja" if supposed.strict else "nee",
        "besluit": "geweigerd",  # a case has an outcome; nobody compares this one
    }
    try:
        return Case.model_validate(values)
    except ValidationError:
        raise InvalidInput("malformed-request", "a word of the exchange has the wrong form") from None


def offers(bundle: Bundle, agreement: str) -> Mapping[str, tuple[str, ...]]:
    """What an agreement's rules speak of, so that a form can offer it: by sort, in the order of the catalogue."""
    rules = bundle.agreements[agreement].rules
    catalog = bundle.catalog
    senders = {name for rule in rules for name in rule.sender_roles}
    recipients = {name for rule in rules for name in rule.recipient_roles}
    kinds = {name for rule in rules for name in rule.kinds}
    purposes = {name for rule in rules for name in rule.purposes}
    operations = {name for rule in rules for name in rule.operations}
    fields = {name for rule in rules for name in rule.fields}
    return {
        "operation": tuple(name.value for name in Operation if name in operations),
        "sender": tuple(name for name in catalog.roles if name in senders),
        "recipient": tuple(name for name in catalog.roles if name in recipients),
        "kind": tuple(name for name in catalog.kinds if name in kinds),
        "purpose": tuple(name for name in catalog.purposes if name in purposes),
        "field": tuple(name for name in catalog.fields if name in fields),
    }
