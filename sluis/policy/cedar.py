# SPDX-License-Identifier: EUPL-1.2
"""A bundle in Cedar (docs.cedarpolicy.com): a schema with enumerated words and one policy for each rule.

One decision for each field: principal is the sender's role, action the operation, resource the field; an
exchange without fields asks about `Exchange::"whole"`. What the request claims and the registers say is context.
The ids of policies are those of rules; `engine.*` are the engine's own: known parties, right categories.

Where Cedar and our rules differ:
    Cedar skips a policy that errors, so a `forbid` that misses an attribute lets pass: all are guarded by `has`
    Cedar knows true and false, we a third: a `permit` asks proven, a `forbid` stands `unless` disproven
    Cedar has no loops, calendars or time zones: the day in Amsterdam and working days are context
    a strict request, duties and reasons are not in Cedar; an unknown word makes the request invalid, so denied

Drafts are not exported. The broker never asks Cedar: this is the second implementation that tests compare with.
"""

from collections.abc import Iterable, Iterator, Mapping

from sluis.errors import InvalidInput
from sluis.policy.bundle import Bundle
from sluis.policy.catalog import Catalog, Category, ClaimSpec, Role, Sector
from sluis.policy.cedar_conditions import (
    choice_type,
    condition_expression,
    day_number,
    entity,
    key,
    one_of,
    quoted,
)
from sluis.policy.facts import CounterFact, StatedFact
from sluis.policy.rules import Agreement, Operation, Rule, RuleEffect, Status

WHOLE = "whole"
ENGINE = "engine."
_TYPES = """\
type Party = { oin: String, role: Role, sector: Sector };
type Fact = { state: State, source: String, asserter_role?: String };
type Statement = { person: String, organisation: String, function: String, at: Long, reason: String };
type Statements = { first: Statement, second?: Statement };"""
_STATES = ("proven", "disproven", "unknown")


def cedar_schema(bundle: Bundle) -> str:
    """Write the schema, in Cedar's own notation. Raises InvalidInput `malformed-rule` for an empty vocabulary."""
    catalog = bundle.catalog
    words: dict[str, Iterable[str]] = {
        "Role": catalog.roles,
        "Sector": Sector,
        "Agreement": [name for name, item in bundle.agreements.items() if not item.is_general],
        "Kind": catalog.kinds,
        "Purpose": catalog.purposes,
        "Field": catalog.fields,
        "Exchange": [WHOLE],
        "State": _STATES,
    }
    words |= {
        choice_type(name): spec.values
        for name, spec in catalog.claims.items()
        if _is_choice(spec) and spec.values
    }
    enumerated = "\n".join(_enumeration(sort, names) for sort, names in words.items())
    operations = ", ".join(sorted(Operation))
    return f"""\
{enumerated}

{_TYPES}
{_context(catalog)}

action {operations} appliesTo {{ principal: [Role], resource: [Field, Exchange], context: Context }};
"""


def cedar_policies(bundle: Bundle) -> str:
    """Write all rules that may decide, in the order of their agreements and ids, after the engine's own."""
    policies = [*_engine(bundle.catalog)]
    for agreement in bundle.agreements.values():
        for rule in sorted(agreement.rules, key=lambda rule: rule.id):
            if rule.status is not Status.DRAFT:
                policies.append(_policy(rule, agreement, bundle.catalog))
    return "\n".join(policies)


def _enumeration(sort: str, names: Iterable[str]) -> str:
    listed = sorted(names)
    if not listed:
        raise InvalidInput("malformed-rule", "a catalogue without words cannot be exported", where=sort)
    return f"entity {sort} enum [{', '.join(map(quoted, listed))}];"


def _context(catalog: Catalog) -> str:
    claims = [
        (name, written)
        for name, spec in sorted(catalog.claims.items())
        if (written := _claim_type(name, spec)) is not None
    ]
    dates = [(name, "Long") for name, spec in sorted(catalog.claims.items()) if spec.type == "date"]
    facts = sorted(catalog.facts.items())
    return f"""\
type Context = {{
  agreement: Agreement,
  kind: Kind,
  purpose: Purpose,
  sender: Party,
  recipient: Party,
  category: String,
  delivery: String,
  subjects: Long,
  at: Long,
  today: Long,
  claims: {_record(claims)},
  statements: {_record((name, "Statements") for name, fact in facts if isinstance(fact, StatedFact))},
  facts: {_record((name, "Fact") for name in sorted(catalog.register_facts))},
  counters: {_record((name, "Long") for name, fact in facts if isinstance(fact, CounterFact))},
  working_days: {_record(dates)}
}};"""


def _record(attributes: Iterable[tuple[str, str]]) -> str:
    inner = ", ".join(f"{key(name)}?: {sort}" for name, sort in attributes)
    return f"{{ {inner} }}" if inner else "{}"


def _is_choice(spec: ClaimSpec) -> bool:
    return spec.type == "choice"


def _claim_type(name: str, spec: ClaimSpec) -> str | None:
    """The type of a claim; none for a choice of nothing, which no value fits."""
    if _is_choice(spec):
        return choice_type(name) if spec.values else None
    return "Long" if spec.type == "date" else "String"


def _engine(catalog: Catalog) -> Iterator[str]:
    """What the engine checks before and beside the rules."""
    sender = [
        _known(role, name, "principal", "context.sender") for name, role in sorted(catalog.roles.items())
    ]
    recipient = [
        _known(role, name, "context.recipient.role", "context.recipient")
        for name, role in sorted(catalog.roles.items())
    ]
    yield _written(
        f"{ENGINE}unknown-sender", "forbid", "principal, action, resource", [], [" ||\n  ".join(sender)]
    )
    yield _written(
        f"{ENGINE}sender-role",
        "forbid",
        "principal, action, resource",
        [],
        ["context.sender.role == principal"],
    )
    yield _written(
        f"{ENGINE}unknown-recipient", "forbid", "principal, action, resource", [], [" ||\n  ".join(recipient)]
    )
    for category in sorted(Category):
        fields = [entity("Field", name) for name, spec in catalog.fields.items() if spec.category is category]
        if fields:
            yield _written(
                f"{ENGINE}category-{category}",
                "forbid",
                "principal, action, resource is Field",
                [one_of("resource", fields)],
                [f"context.category == {quoted(category)}"],
            )


def _known(role: Role, name: str, role_of: str, party: str) -> str:
    steps = [f"{role_of} == {entity('Role', name)}", f"{party}.sector == {entity('Sector', role.sector)}"]
    if role.oins is not None:
        steps.append(f"({one_of(f'{party}.oin', map(quoted, role.oins))})")
    return f"({' && '.join(steps)})"


def _policy(rule: Rule, agreement: Agreement, catalog: Catalog) -> str:
    when = [f"context.agreement == {entity('Agreement', agreement.id)}"] if not agreement.is_general else []
    when += _period(rule)
    when += _parties(rule)
    for name, sort, words in (("kind", "Kind", rule.kinds), ("purpose", "Purpose", rule.purposes)):
        if words:
            when.append(one_of(f"context.{name}", (entity(sort, word) for word in words)))
    actions = ", ".join(entity("Action", operation) for operation in sorted(rule.operations))
    resource = "resource"
    fields = rule.fields | {name for name, spec in catalog.fields.items() if spec.category in rule.categories}
    if rule.withholds_fields:
        resource = "resource is Field"
        when.append(one_of("resource", (entity("Field", name) for name in fields)))
    elif rule.effect is RuleEffect.PERMIT:
        resource = f"resource == {entity('Exchange', WHOLE)}"
    expressions = [condition_expression(condition, catalog) for condition in rule.conditions]
    unless = []
    if rule.effect is RuleEffect.PERMIT:
        when += [expression.proven for expression in expressions]
    elif expressions:
        unless = [" ||\n  ".join(expression.disproven for expression in expressions)]
    effect = "permit" if rule.effect is RuleEffect.PERMIT else "forbid"
    notes = {
        "title": rule.title,
        "status": rule.status.value,
        "basis": "; ".join(basis.citation for basis in rule.legal_basis),
    }
    return _written(rule.id, effect, f"principal, action in [{actions}], {resource}", when, unless, notes)


def _period(rule: Rule) -> Iterator[str]:
    yield f"{day_number(rule.valid_from)} <= context.today"
    if rule.valid_until is not None:
        yield f"context.today <= {day_number(rule.valid_until)}"


def _parties(rule: Rule) -> Iterator[str]:
    for expression, sort, words in (
        ("principal", "Role", rule.sender_roles),
        ("context.sender.sector", "Sector", rule.sender_sectors),
        ("context.recipient.role", "Role", rule.recipient_roles),
        ("context.recipient.sector", "Sector", rule.recipient_sectors),
    ):
        if words:
            yield one_of(expression, (entity(sort, word) for word in words))


def _written(
    identifier: str,
    effect: str,
    scope: str,
    when: list[str],
    unless: list[str],
    notes: Mapping[str, str] | None = None,
) -> str:
    lines = [f"@{name}({quoted(text)})" for name, text in {"id": identifier, **(notes or {})}.items()]
    lines.append(f"{effect} ({scope})")
    if when:
        lines.append("when {\n  " + " &&\n  ".join(when) + "\n}")
    if unless:
        lines.append("unless {\n  " + "".join(unless) + "\n}")
    return "\n".join(lines) + ";\n"
