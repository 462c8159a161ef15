# SPDX-License-Identifier: EUPL-1.2
"""Which permits nearly applied, and what they lack. For the asking party's own officers, never for others.

What a party lacks tells about its case (a certificate that lapsed, a gate that nobody passed), so this is computed
for whoever asks about its own request, and stands in no log entry.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from broker.decide.engine import day_of, decide, unknown_words, unmet_conditions
from broker.decide.model import Effect, Reason, Request, RuleRef
from broker.decide.slots import compiled, fits, slot_of
from sluis.policy.bundle import Bundle
from sluis.policy.rules import Status

MOST = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class NearMiss:
    """A permit of the right sort, and why it did not apply."""

    rule: RuleRef
    missing: tuple[Reason, ...]


def near_misses(request: Request, bundle: Bundle, most: int = MOST) -> tuple[NearMiss, ...]:
    """The permits that would have let something pass that did not, nearest first.

    Without those that the decision itself names: their reasons stand there.
    """
    if unknown_words(request, bundle):
        return ()
    decision = decide(request, bundle)
    lost = {name for name, _ in request.fields}.difference(decision.released)
    if decision.effect is Effect.PERMIT and not lost:
        return ()
    named = {rule.id for rule in decision.rules}
    found = [
        miss
        for miss in (*_standing(request, bundle), *_sleeping(request, bundle))
        if miss.rule.id not in named
        and (not request.fields or not compiled(bundle.rules[miss.rule.id], bundle).fields.isdisjoint(lost))
    ]
    return tuple(sorted(found, key=lambda miss: (len(miss.missing), miss.rule.id))[:most])


def _standing(request: Request, bundle: Bundle) -> Iterator[NearMiss]:
    today = day_of(request, bundle)
    for permit in slot_of(request, bundle, today).permits:
        if missing := unmet_conditions(permit, request, today):
            yield NearMiss(rule=permit.ref, missing=tuple(missing))


def _sleeping(request: Request, bundle: Bundle) -> Iterator[NearMiss]:
    today = day_of(request, bundle)
    for rule in bundle.agreements[request.agreement].rules:
        draft = rule.status is Status.DRAFT
        if not (draft or not rule.holds_on(today)) or not fits(rule, request):
            continue
        asleep = {"draft": str(draft)}
        if today < rule.valid_from:
            asleep["from"] = rule.valid_from.isoformat()
        elif rule.valid_until and rule.valid_until < today:
            asleep["until"] = rule.valid_until.isoformat()
        reason = Reason("RULE_NOT_IN_FORCE", asleep)
        permit = compiled(rule, bundle)
        yield NearMiss(rule=permit.ref, missing=(reason, *unmet_conditions(permit, request, today)))
