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
of the nearest permit, in its own order; prohibited fields; no rule at all, or none in force on this day.
"""

from collections.abc import Iterable
from datetime import date

from broker.decide.conditions import unmet
from broker.decide.model import Decision, Effect, FactState, Party, Reason, Request, Withheld
from broker.decide.obligations import strictest
from broker.decide.slots import Compiled, Slot, compiled, slot_of
from sluis.policy.bundle import Bundle
from sluis.policy.catalog import Catalog
from sluis.policy.rules import WITH_FIELDS


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


def day_of(request: Request, bundle: Bundle) -> date:
    """The day in Amsterdam on which a request is decided."""
    return request.at.astimezone(bundle.zone).date()


def _decide(request: Request, bundle: Bundle) -> Decision:
    if unknown := unknown_words(request, bundle):
        return _deny(request, bundle, unknown)
    today = day_of(request, bundle)
    slot = slot_of(request, bundle, today)
    if whole := _applying(slot.whole, request, today):
        return _deny(request, bundle, [Reason(rule.code) for rule in whole], whole)
    partial = _applying(slot.partial, request, today)
    matching = [rule for rule in slot.permits if _matches(rule, request, today)]
    if not matching:
        return _deny_unmatched(request, bundle, slot, partial, today)
    if request.operation not in WITH_FIELDS and not request.fields:
        return _permit(bundle, matching, (), [])
    return _decide_fields(request, bundle, matching, partial)


def unknown_words(request: Request, bundle: Bundle) -> list[Reason]:
    """Reasons name positions, never the word: an unknown word may be anything, also a number of a person."""
    catalog = bundle.catalog
    reasons = [
        Reason("UNKNOWN_PARTY", {"party": which})
        for which, party in (("sender", request.sender), ("recipient", request.recipient))
        if not _is_known(party, catalog)
    ]
    agreement = bundle.agreements.get(request.agreement)
    if agreement is None or agreement.is_general:
        reasons.append(Reason("UNKNOWN_AGREEMENT"))
    if request.kind not in catalog.kinds:
        reasons.append(Reason("UNKNOWN_KIND"))
    if request.purpose not in catalog.purposes:
        reasons.append(Reason("UNKNOWN_PURPOSE"))
    fields = catalog.fields
    for position, (name, _) in enumerate(request.fields, start=1):
        if name not in fields:
            reasons.append(Reason("UNKNOWN_FIELD", {"position": str(position)}))
    for position, (name, value) in enumerate(sorted(request.claims.items()), start=1):
        claim = catalog.assertions.get(name)
        if claim is None:
            reasons.append(Reason("UNKNOWN_CLAIM", {"position": str(position)}))
        elif not claim.fits(value):
            reasons.append(Reason("CLAIM_MALFORMED", {"claim": name}))
    if not request.fields and request.operation in WITH_FIELDS:
        reasons.append(Reason("NO_FIELDS"))
    return reasons


def _is_known(party: Party, catalog: Catalog) -> bool:
    role = catalog.roles.get(party.role)
    if role is None or role.sector != party.sector:
        return False
    return role.oins is None or party.oin in role.oins


def _applying(prohibitions: tuple[Compiled, ...], request: Request, today: date) -> list[Compiled]:
    return [
        rule
        for rule in prohibitions
        if all(check(request, today) is not FactState.DISPROVEN for _, check in rule.checks)
    ]


def _matches(permit: Compiled, request: Request, today: date) -> bool:
    return all(check(request, today) is FactState.PROVEN for _, check in permit.checks)


def unmet_conditions(permit: Compiled, request: Request, today: date) -> list[Reason]:
    """What a permit lacks, in its own order; empty when it matches."""
    states = ((condition, check(request, today)) for condition, check in permit.checks)
    return [unmet(condition, state) for condition, state in states if state is not FactState.PROVEN]


def _prohibited(name: str, partial: list[Compiled]) -> Withheld | None:
    for rule in partial:
        if name in rule.fields:
            return Withheld(name, rule.code, rule.ref.id)
    return None


def _decide_fields(
    request: Request, bundle: Bundle, matching: list[Compiled], partial: list[Compiled]
) -> Decision:
    released: list[str] = []
    withheld: list[Withheld] = []
    for name, declared in request.fields:
        if declared != bundle.catalog.fields[name].category:
            withheld.append(Withheld(name, "CATEGORY_MISMATCH"))
        elif found := _prohibited(name, partial):
            withheld.append(found)
        elif any(name in rule.fields for rule in matching):
            released.append(name)
        else:
            withheld.append(Withheld(name, "FIELD_NOT_LISTED"))
    if withheld and (request.strict or not released):
        withholding = {item.rule_id for item in withheld}
        rules = [rule for rule in partial if rule.ref.id in withholding]
        reasons = _field_reasons(withheld)
        if released:
            reasons.append(Reason("STRICT"))
            withheld += [Withheld(name, "STRICT") for name in released]
        return Decision(
            effect=Effect.DENY,
            policy_digest=bundle.digest,
            rules=tuple(rule.ref for rule in rules or matching),
            reasons=tuple(reasons),
            withheld=tuple(withheld),
            assumed=any(rule.assumed for rule in rules or matching),
        )
    contributing = [rule for rule in matching if not rule.fields.isdisjoint(released)]
    return _permit(bundle, contributing, tuple(released), withheld)


def _permit(
    bundle: Bundle, rules: list[Compiled], released: tuple[str, ...], withheld: list[Withheld]
) -> Decision:
    withholding = sorted({item.rule_id for item in withheld if item.rule_id})
    contributing = [*rules, *(compiled(bundle.rules[rule_id], bundle) for rule_id in withholding)]
    return Decision(
        effect=Effect.PERMIT,
        policy_digest=bundle.digest,
        rules=tuple(rule.ref for rule in contributing),
        reasons=tuple(_field_reasons(withheld)),
        released=released,
        withheld=tuple(withheld),
        obligations=strictest([rule.obligations for rule in rules if rule.obligations]),
        assumed=any(rule.assumed for rule in contributing),
    )


def _deny_unmatched(
    request: Request, bundle: Bundle, slot: Slot, partial: list[Compiled], today: date
) -> Decision:
    """No permit matches: say what the nearest one lacks, else what is prohibited, else that there is none."""
    prohibited = [found for name, _ in request.fields if (found := _prohibited(name, partial))]
    by_field = _field_reasons(prohibited)
    near = [(unmet_conditions(rule, request, today), rule) for rule in slot.permits]
    if near:
        failed, nearest = min(near, key=lambda item: (len(item[0]), item[1].ref.id))
        return _deny(request, bundle, [*failed, *by_field], [nearest], prohibited)
    none = Reason("RULE_NOT_IN_FORCE" if slot.dormant else "NO_RULE")
    return _deny(request, bundle, [*by_field, none], [], prohibited)


def _deny(
    request: Request,
    bundle: Bundle,
    reasons: list[Reason],
    rules: list[Compiled] | None = None,
    prohibited: Iterable[Withheld] = (),
) -> Decision:
    own = {item.name: item for item in prohibited}
    rules = rules or []
    rule_id = rules[0].ref.id if rules else ""
    return Decision(
        effect=Effect.DENY,
        policy_digest=bundle.digest,
        rules=tuple(rule.ref for rule in rules),
        reasons=tuple(reasons),
        withheld=tuple(
            own.get(name) or Withheld(name, reasons[0].code, rule_id)
            for name, _ in request.fields
            if name in bundle.catalog.fields
        ),
        assumed=any(rule.assumed for rule in rules),
    )


def _field_reasons(withheld: list[Withheld]) -> list[Reason]:
    """One reason for each code; what a rule prohibits comes before what no rule permits."""
    if not withheld:
        return []
    names: dict[str, list[str]] = {}
    for item in sorted(withheld, key=lambda item: not item.rule_id):
        names.setdefault(item.code, []).append(item.name)
    return [Reason(code, {"fields": ",".join(fields)}) for code, fields in names.items()]
