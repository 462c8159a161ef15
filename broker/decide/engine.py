# SPDX-License-Identifier: EUPL-1.2
"""Decides an exchange under the rules. Pure: no clock, no I/O, the same answer for the same input.

    1 a word that is not in the catalogue denies
    2 a permit matches only if every condition is proven; a prohibition matches unless one is disproven
    3 fields: those of all matching permits, as far as requested, minus what prohibitions withhold;
      nothing left denies, and so does any loss when the request is strict
    4 a prohibition without fields stops the whole exchange
    5 obligations: the strictest of the permits that contribute
    6 no rule denies; a mistake in here denies

The reasons of a denial, most decisive first: unknown words; a prohibition of the whole; the unmet conditions
of the nearest permit, in its own order; prohibited fields; no rule at all.
"""

from collections.abc import Mapping
from datetime import date

from broker.decide.conditions import state_of, unmet
from broker.decide.model import Decision, Effect, FactState, Party, Reason, Request, RuleRef, Withheld
from sluis.policy.bundle import Bundle
from sluis.policy.catalog import Catalog
from sluis.policy.rules import WITH_FIELDS, Notice, Obligations, Rule, Status
from sluis.policy.schema import period_days


def decide(request: Request, bundle: Bundle) -> Decision:
    """Decide. Never raises: whatever goes wrong is a denial."""
    try:
        return _decide(request, bundle)
    # Semantics 6: no mistake of ours, of whatever kind, may let anything pass.
    except Exception:
        return Decision(
            effect=Effect.DENY,
            policy_digest=getattr(bundle, "digest", ""),
            reasons=(Reason("ENGINE_ERROR"),),
        )


def _decide(request: Request, bundle: Bundle) -> Decision:
    catalog = bundle.catalog
    if unknown := _unknown_words(request, bundle):
        return _deny(request, bundle, unknown)
    today = request.at.astimezone(bundle.zone).date()
    whole, partial = _prohibitions(request, bundle, today)
    if whole:
        return _deny(request, bundle, [Reason(rule.code or "") for rule in whole], whole)

    matching: list[Rule] = []
    near: list[tuple[Rule, list[Reason]]] = []
    for rule in _candidates(request, bundle, today):
        failed = _unmet_conditions(rule, request, today, catalog)
        if failed:
            near.append((rule, failed))
        else:
            matching.append(rule)
    if not matching:
        return _deny_unmatched(request, bundle, near, partial)
    if request.operation not in WITH_FIELDS and not request.fields:
        return _permit(bundle, matching, (), [])
    return _decide_fields(request, bundle, matching, partial)


def _unknown_words(request: Request, bundle: Bundle) -> list[Reason]:
    """Reasons name positions, never the word: an unknown word may be anything, also a number of a person."""
    catalog = bundle.catalog
    reasons = [
        Reason("UNKNOWN_PARTY", {"party": which})
        for which, party in (("sender", request.sender), ("recipient", request.recipient))
        if not _is_known(party, catalog)
    ]
    if request.agreement not in bundle.agreements or bundle.agreements[request.agreement].is_general:
        reasons.append(Reason("UNKNOWN_AGREEMENT"))
    if request.kind not in catalog.kinds:
        reasons.append(Reason("UNKNOWN_KIND"))
    if request.purpose not in catalog.purposes:
        reasons.append(Reason("UNKNOWN_PURPOSE"))
    for position, (name, _) in enumerate(request.fields, start=1):
        if name not in catalog.fields:
            reasons.append(Reason("UNKNOWN_FIELD", {"position": str(position)}))
    for position, (name, value) in enumerate(sorted(request.claims.items()), start=1):
        claim = catalog.claims.get(name)
        if claim is None:
            reasons.append(Reason("UNKNOWN_CLAIM", {"position": str(position)}))
        elif not claim.fits(value):
            reasons.append(Reason("CLAIM_MALFORMED", {"claim": name}))
    if not request.fields and request.operation in WITH_FIELDS:
        reasons.append(Reason("NO_FIELDS"))
    return reasons


def _is_known(party: Party, catalog: Catalog) -> bool:
    role = catalog.roles.get(party.role)
    return role is not None and role.sector == party.sector


def _prohibitions(request: Request, bundle: Bundle, today: date) -> tuple[list[Rule], list[Rule]]:
    """The matching prohibitions: of the whole exchange, and of fields."""
    whole: list[Rule] = []
    partial: list[Rule] = []
    key = (request.agreement, request.operation.value, request.recipient.role)
    for rule in bundle.prohibitions.get(key, ()):
        if (
            rule.holds_on(today)
            and (not rule.sender_roles or request.sender.role in rule.sender_roles)
            and (not rule.kinds or request.kind in rule.kinds)
            and (not rule.purposes or request.purpose in rule.purposes)
            and all(
                state_of(condition, request, today, bundle.catalog) is not FactState.DISPROVEN
                for condition in rule.conditions
            )
        ):
            (partial if rule.withholds_fields else whole).append(rule)
    return whole, partial


def _candidates(request: Request, bundle: Bundle, today: date) -> list[Rule]:
    """The permits that fit but for their conditions."""
    key = (
        request.agreement,
        request.operation.value,
        request.sender.role,
        request.recipient.role,
        request.kind,
    )
    return [
        rule
        for rule in bundle.permits.get(key, ())
        if request.purpose in rule.purposes and rule.holds_on(today)
    ]


def _unmet_conditions(rule: Rule, request: Request, today: date, catalog: Catalog) -> list[Reason]:
    states = ((condition, state_of(condition, request, today, catalog)) for condition in rule.conditions)
    return [unmet(condition, state) for condition, state in states if state is not FactState.PROVEN]


def _prohibited(name: str, category: str, partial: list[Rule]) -> Withheld | None:
    for rule in partial:
        if name in rule.fields or category in rule.categories:
            return Withheld(name, rule.code or "", rule.id)
    return None


def _decide_fields(request: Request, bundle: Bundle, matching: list[Rule], partial: list[Rule]) -> Decision:
    released: list[str] = []
    withheld: list[Withheld] = []
    for name, declared in request.fields:
        category = bundle.catalog.fields[name].category
        if declared != category:
            withheld.append(Withheld(name, "CATEGORY_MISMATCH"))
        elif found := _prohibited(name, category, partial):
            withheld.append(found)
        elif any(name in rule.fields for rule in matching):
            released.append(name)
        else:
            withheld.append(Withheld(name, "FIELD_NOT_LISTED"))
    if withheld and (request.strict or not released):
        rules = [rule for rule in partial if rule.id in {item.rule_id for item in withheld}]
        reasons = _field_reasons(withheld)
        if released:
            reasons.append(Reason("STRICT"))
            withheld += [Withheld(name, "STRICT") for name in released]
        return Decision(
            effect=Effect.DENY,
            policy_digest=bundle.digest,
            rules=tuple(_reference(rule) for rule in rules or matching),
            reasons=tuple(reasons),
            withheld=tuple(withheld),
            assumed=any(rule.status is Status.ASSUMED for rule in rules or matching),
        )
    contributing = [rule for rule in matching if any(name in rule.fields for name in released)]
    return _permit(bundle, contributing, tuple(released), withheld)


def _permit(
    bundle: Bundle, rules: list[Rule], released: tuple[str, ...], withheld: list[Withheld]
) -> Decision:
    withholding = sorted({item.rule_id for item in withheld if item.rule_id})
    contributing = [*rules, *(bundle.rules[rule_id] for rule_id in withholding)]
    return Decision(
        effect=Effect.PERMIT,
        policy_digest=bundle.digest,
        rules=tuple(_reference(rule) for rule in contributing),
        reasons=tuple(_field_reasons(withheld)),
        released=released,
        withheld=tuple(withheld),
        obligations=_strictest([rule.obligations for rule in rules if rule.obligations]),
        assumed=any(rule.status is Status.ASSUMED for rule in contributing),
    )


def _deny_unmatched(
    request: Request, bundle: Bundle, near: list[tuple[Rule, list[Reason]]], partial: list[Rule]
) -> Decision:
    """No permit matches: say what the nearest one lacks, else what is prohibited, else that there is none."""
    named = ((name, bundle.catalog.fields[name].category) for name, _ in request.fields)
    prohibited = [found for name, category in named if (found := _prohibited(name, category, partial))]
    by_field = _field_reasons(prohibited)
    if near:
        nearest, failed = min(near, key=lambda item: (len(item[1]), item[0].id))
        return _deny(request, bundle, [*failed, *by_field], [nearest], prohibited)
    return _deny(request, bundle, [*by_field, Reason("NO_RULE")], [], prohibited)


def _deny(
    request: Request,
    bundle: Bundle,
    reasons: list[Reason],
    rules: list[Rule] | None = None,
    prohibited: list[Withheld] | None = None,
) -> Decision:
    own = {item.name: item for item in prohibited or ()}
    rules = rules or []
    rule_id = rules[0].id if rules else ""
    return Decision(
        effect=Effect.DENY,
        policy_digest=bundle.digest,
        rules=tuple(_reference(rule) for rule in rules),
        reasons=tuple(reasons),
        withheld=tuple(
            own.get(name) or Withheld(name, reasons[0].code, rule_id)
            for name, _ in request.fields
            if name in bundle.catalog.fields
        ),
        assumed=any(rule.status is Status.ASSUMED for rule in rules),
    )


def _field_reasons(withheld: list[Withheld]) -> list[Reason]:
    """One reason for each code; what a rule prohibits comes before what no rule permits."""
    names: dict[str, list[str]] = {}
    for item in sorted(withheld, key=lambda item: not item.rule_id):
        names.setdefault(item.code, []).append(item.name)
    return [Reason(code, {"fields": ",".join(fields)}) for code, fields in names.items()]


def _reference(rule: Rule) -> RuleRef:
    return RuleRef(
        id=rule.id, status=rule.status.value, basis=tuple(basis.citation for basis in rule.legal_basis)
    )


def _strictest(all_duties: list[Obligations]) -> Mapping[str, str]:
    """The shortest retention, the highest handling code, the firmest notice duty."""
    if not all_duties:
        return {}
    notices = {duties.notice for duties in all_duties}
    firm = notices - {Notice.MAY}
    strictest = {
        "retention": min((duties.retention for duties in all_duties), key=period_days),
        "handling": max(duties.handling for duties in all_duties),
        "notice": (min(firm) if firm else Notice.MAY).value,
    }
    after_loss = [duties.retention_after_loss for duties in all_duties if duties.retention_after_loss]
    if after_loss:
        strictest["retention_after_loss"] = min(after_loss, key=period_days)
    return strictest
