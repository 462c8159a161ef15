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

from collections.abc import Iterable, Mapping
from datetime import date

from broker.decide.model import Decision, Effect, FactState, Party, Reason, Request, Withheld
from broker.decide.obligations import strictest
from broker.decide.slots import Compiled, Slot, slot_of
from sluis.policy.bundle import Bundle
from sluis.policy.catalog import Catalog
from sluis.policy.rules import WITH_FIELDS

# A member of an enumeration is looked up slowly; these are asked for in every condition.
PROVEN, DISPROVEN = FactState.PROVEN, FactState.DISPROVEN


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
    if whole := [rule for rule in slot.whole if _applies(rule, request, today)]:
        return _deny(request, bundle, [Reason(rule.code) for rule in whole], whole)
    names = {name for name, _ in request.fields}
    # A prohibition of fields that nobody asks for cannot change the outcome, so it is not asked.
    partial = [
        rule for rule in slot.partial if not rule.fields.isdisjoint(names) and _applies(rule, request, today)
    ]
    matching = [rule for rule in slot.permits if _matches(rule, request, today)]
    if not matching:
        return _deny_unmatched(request, bundle, slot, partial, today)
    if not request.fields and request.operation not in WITH_FIELDS:
        return _permit(bundle, matching, [], (), [])
    return _decide_fields(request, bundle, matching, partial)


def unknown_words(request: Request, bundle: Bundle) -> list[Reason]:
    """Reasons name positions, never the word: an unknown word may be anything, also a number of a person."""
    catalog = bundle.catalog
    reasons: list[Reason] = []
    if not _is_known(request.sender, catalog):
        reasons.append(Reason("UNKNOWN_PARTY", {"party": "sender"}))
    if not _is_known(request.recipient, catalog):
        reasons.append(Reason("UNKNOWN_PARTY", {"party": "recipient"}))
    agreement = bundle.agreements.get(request.agreement)
    if agreement is None or agreement.is_general:
        reasons.append(Reason("UNKNOWN_AGREEMENT"))
    if request.kind not in catalog.kinds:
        reasons.append(Reason("UNKNOWN_KIND"))
    if request.purpose not in catalog.purposes:
        reasons.append(Reason("UNKNOWN_PURPOSE"))
    if not catalog.fields.keys() >= {name for name, _ in request.fields}:
        reasons += _unknown_fields(request, catalog)
    if not claims_fit(request, catalog):
        reasons += _wrong_claims(request, catalog)
    if not request.fields and request.operation in WITH_FIELDS:
        reasons.append(Reason("NO_FIELDS"))
    return reasons


def _unknown_fields(request: Request, catalog: Catalog) -> list[Reason]:
    return [
        Reason("UNKNOWN_FIELD", {"position": str(position)})
        for position, (name, _) in enumerate(request.fields, start=1)
        if name not in catalog.fields
    ]


def _fits(name: str, value: str, catalog: Catalog) -> bool:
    claim = catalog.assertions.get(name)
    return claim is not None and claim.fits(value)


def claims_fit(request: Request, catalog: Catalog) -> bool:
    """Whether every claim has a name and a value that the catalogue knows."""
    for name, value in request.claims.items():  # noqa: SIM110  with all() this takes twice the time
        if not _fits(name, value, catalog):
            return False
    return True


def _wrong_claims(request: Request, catalog: Catalog) -> list[Reason]:
    return [
        Reason(_refusal(name, value, catalog), {"claim": name})
        if name in catalog.assertions
        else Reason("UNKNOWN_CLAIM", {"position": str(position)})
        for position, (name, value) in enumerate(sorted(request.claims.items()), start=1)
        if not _fits(name, value, catalog)
    ]


def _refusal(name: str, value: str, catalog: Catalog) -> str:
    """Why a claim does not pass: a value that the catalogue refuses has a reason of its own."""
    spec = catalog.claims.get(name)
    return spec.refused.get(value, "CLAIM_MALFORMED") if spec else "CLAIM_MALFORMED"


def _is_known(party: Party, catalog: Catalog) -> bool:
    role = catalog.roles.get(party.role)
    if role is None or role.sector != party.sector:
        return False
    return role.oins is None or party.oin in role.oins


def _applies(prohibition: Compiled, request: Request, today: date) -> bool:
    for _, check in prohibition.checks:  # noqa: SIM110  with all() this takes twice the time
        if check(request, today) is DISPROVEN:
            return False
    return True


def _matches(permit: Compiled, request: Request, today: date) -> bool:
    for _, check in permit.checks:  # noqa: SIM110  likewise
        if check(request, today) is not PROVEN:
            return False
    return True


def unmet_conditions(permit: Compiled, request: Request, today: date) -> list[Reason]:
    """What a permit lacks, in its own order; empty when it matches."""
    states = [check(request, today) for _, check in permit.checks]
    return [lack[state] for lack, state in zip(permit.lacks, states, strict=True) if state is not PROVEN]


def _prohibited(partial: list[Compiled]) -> dict[str, Withheld]:
    """The fields that prohibitions withhold, each by the first of them."""
    found: dict[str, Withheld] = {}
    for rule in reversed(partial):
        found.update(rule.withholds)
    return found


def _decide_fields(
    request: Request, bundle: Bundle, matching: list[Compiled], partial: list[Compiled]
) -> Decision:
    released: list[str] = []
    withheld: list[Withheld] = []
    listed = matching[0].fields.union(*[rule.fields for rule in matching[1:]])
    prohibited = _prohibited(partial)
    fields = bundle.catalog.fields
    for name, declared in request.fields:
        if declared != fields[name].category:
            withheld.append(Withheld(name, "CATEGORY_MISMATCH"))
        elif name in prohibited:
            withheld.append(prohibited[name])
        elif name in listed:
            released.append(name)
        else:
            withheld.append(Withheld(name, "FIELD_NOT_LISTED"))
    withholding = {item.rule_id for item in withheld}
    against = [rule for rule in partial if rule.ref.id in withholding]
    if withheld and (request.strict or not released):
        reasons = _field_reasons(withheld)
        if released:
            reasons.append(Reason("STRICT"))
            withheld += [Withheld(name, "STRICT") for name in released]
        return Decision(
            effect=Effect.DENY,
            policy_digest=bundle.digest,
            rules=tuple([rule.ref for rule in against or matching]),
            reasons=tuple(reasons),
            withheld=tuple(withheld),
            assumed=_any_assumed(against or matching),
        )
    contributing = [rule for rule in matching if not rule.fields.isdisjoint(released)]
    return _permit(bundle, contributing, against, tuple(released), withheld)


def _permit(
    bundle: Bundle,
    rules: list[Compiled],
    against: list[Compiled],
    released: tuple[str, ...],
    withheld: list[Withheld],
) -> Decision:
    contributing = [*rules, *sorted(against, key=_rule_id)]
    return Decision(
        effect=Effect.PERMIT,
        policy_digest=bundle.digest,
        rules=tuple([rule.ref for rule in contributing]),
        reasons=tuple(_field_reasons(withheld)),
        released=released,
        withheld=tuple(withheld),
        obligations=_duties(rules),
        assumed=_any_assumed(contributing),
    )


def _duties(permits: list[Compiled]) -> Mapping[str, str]:
    if len(permits) == 1:
        return permits[0].duties
    return strictest([rule.obligations for rule in permits if rule.obligations])


def _deny_unmatched(
    request: Request, bundle: Bundle, slot: Slot, partial: list[Compiled], today: date
) -> Decision:
    """No permit matches: say what the nearest one lacks, else what is prohibited, else that there is none."""
    of_rules = _prohibited(partial)
    prohibited = [of_rules[name] for name, _ in request.fields if name in of_rules]
    by_field = _field_reasons(prohibited)
    if slot.permits:
        near = [(unmet_conditions(rule, request, today), rule) for rule in slot.permits]
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
    known = bundle.catalog.fields
    rules = rules or []
    rule_id = rules[0].ref.id if rules else ""
    return Decision(
        effect=Effect.DENY,
        policy_digest=bundle.digest,
        rules=tuple([rule.ref for rule in rules]),
        reasons=tuple(reasons),
        withheld=tuple(
            [
                own.get(name) or Withheld(name, reasons[0].code, rule_id)
                for name, _ in request.fields
                if name in known
            ]
        ),
        assumed=_any_assumed(rules),
    )


def _field_reasons(withheld: list[Withheld]) -> list[Reason]:
    """One reason for each code; what a rule prohibits comes before what no rule permits."""
    if not withheld:
        return []
    names: dict[str, list[str]] = {}
    ruled = [item for item in withheld if item.rule_id]
    for item in (*ruled, *[item for item in withheld if not item.rule_id]):
        names.setdefault(item.code, []).append(item.name)
    return [Reason(code, {"fields": ",".join(fields)}) for code, fields in names.items()]


def _any_assumed(rules: list[Compiled]) -> bool:
    return True in [rule.assumed for rule in rules]


def _rule_id(rule: Compiled) -> str:
    return rule.ref.id
