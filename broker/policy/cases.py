# SPDX-License-Identifier: EUPL-1.2
"""Runs the cases of `policies/cases/`: makes the request that a case describes, decides it, and compares.

A case is decided at noon in Amsterdam on its day. Statements that it asks for under `verklaard` are made on that
day at 09:00 UTC by as many persons of the sender as the fact demands. Organisations have numbers of the range
for tests (OIN prefix 00000099), unless the catalogue ties their role to certain numbers.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, time

from broker.decide.engine import decide
from broker.decide.model import Decision, Effect, Fact, FactState, Party, Request
from sluis.policy.bundle import Bundle
from sluis.policy.cases import Case
from sluis.policy.facts import CounterFact, RegisterFact, StatedFact, Statement

_DUTCH = {Effect.PERMIT: "toegestaan", Effect.DENY: "geweigerd"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of a case. `differences` is empty when it came out as written."""

    case: Case
    decision: Decision
    differences: tuple[str, ...]

    @property
    def verdict(self) -> str:
        """`toegestaan` or `geweigerd`, as decided."""
        return _DUTCH[self.decision.effect]

    @property
    def reason(self) -> str:
        """The code of the first reason; empty when there is none."""
        return self.decision.reasons[0].code if self.decision.reasons else ""

    @property
    def rule(self) -> str:
        """The id of the first rule; empty when no rule decided."""
        return self.decision.rules[0].id if self.decision.rules else ""


def run_case(case: Case, bundle: Bundle) -> Outcome:
    """Decide one case and compare."""
    decision = decide(request_of(case, bundle), bundle)
    return Outcome(case=case, decision=decision, differences=tuple(_differences(case, decision)))


def run_cases(cases: Iterable[Case], bundle: Bundle) -> tuple[Outcome, ...]:
    """Decide all cases, in their order."""
    return tuple(run_case(case, bundle) for case in cases)


def request_of(case: Case, bundle: Bundle) -> Request:
    """The exchange that a case describes."""
    sender = _party(case.sender, 1, case, bundle)
    recipient = sender if case.same_party else _party(case.recipient, 2, case, bundle)
    known = bundle.fields
    own = {name: known[name].category.value if name in known else "organisation" for name in case.fields}
    return Request(
        operation=case.operation,
        sender=sender,
        recipient=recipient,
        agreement=case.agreement,
        kind=case.kind,
        purpose=case.purpose,
        delivery=case.delivery,
        fields=tuple((name, case.declared.get(name, category)) for name, category in own.items()),
        claims=case.claims | _statements(case, sender, recipient, bundle),
        facts=_facts(case, sender, bundle),
        counters={
            name: case.counted.get(name, 0)
            for name, fact in bundle.catalog.facts.items()
            if isinstance(fact, CounterFact)
        },
        subjects=case.subjects,
        at=datetime.combine(case.day, time(12), bundle.zone),
        strict=case.strict,
    )


def _party(role: str, number: int, case: Case, bundle: Bundle) -> Party:
    """A participant with this role; the second one differs from the first where it can."""
    known = bundle.catalog.roles.get(role)
    tied = sorted(known.oins or ()) if known else []
    partnership = bundle.catalog.partnerships.get(case.claims.get("partnership", ""))
    if partnership and partnership.oins and role in partnership.roles:
        tied = sorted(oin for oin in partnership.oins if not tied or oin in tied) or tied
    if number == 2 and case.sender == case.recipient:
        tied = tied[1:]
    oin = tied[0] if tied else f"00000099{number:09d}000"
    return Party(oin=oin, role=role, sector=bundle.sector_of(role))


def _facts(case: Case, sender: Party, bundle: Bundle) -> dict[str, Fact]:
    facts = {name: _found(name, FactState.PROVEN, case, bundle) for name in case.proven}
    facts |= {name: _found(name, FactState.DISPROVEN, case, bundle) for name in case.disproven}
    for name in case.asserted:
        facts[name] = Fact(state=FactState.PROVEN, source="sender", asserter=sender)
    return facts


def _found(name: str, state: FactState, case: Case, bundle: Bundle) -> Fact:
    """What the register says, kept by the organisation that may vouch for it."""
    spec = bundle.catalog.facts[name]
    if not isinstance(spec, RegisterFact):  # the reader of cases refuses this
        raise TypeError("a register proves no such fact")
    return Fact(state=state, source=spec.source, asserter=_party(spec.owner_role, 3, case, bundle))


def _statements(case: Case, sender: Party, recipient: Party, bundle: Bundle) -> dict[str, str]:
    claims = {name: _stated(bundle.catalog.facts[name], case, sender) for name in case.stated}
    for name, text in case.statements.items():
        claims[name] = text.replace("AFZENDER", sender.oin).replace("ONTVANGER", recipient.oin)
    return claims


def _stated(spec: object, case: Case, sender: Party) -> str:
    """The right statement by enough persons of the sender."""
    if not isinstance(spec, StatedFact):  # the reader of cases refuses this
        raise TypeError("nobody states such a fact")
    return ",".join(
        str(
            Statement(
                person=f"fg-{number}",
                organisation=sender.oin,
                function=min(spec.functions),
                at=datetime.combine(case.day, time(9), UTC),
                reason=next(iter(spec.reasons)),
            )
        )
        for number in range(1, spec.persons + 1)
    )


def _differences(case: Case, decision: Decision) -> Iterable[str]:
    found = {
        "besluit": _DUTCH[decision.effect],
        "reden": decision.reasons[0].code if decision.reasons else "",
        "regel": decision.rules[0].id if decision.rules else "",
        "aangenomen": "ja" if decision.assumed else "nee",
        "doorgelaten": ", ".join(decision.released),
        "achtergehouden": _pairs({item.name: item.code for item in decision.withheld}),
    }
    wanted = {"besluit": case.verdict, "reden": case.reason or ""}
    if case.rule is not None:
        wanted["regel"] = case.rule
    if case.assumed is not None:
        wanted["aangenomen"] = "ja" if case.assumed else "nee"
    if case.released is not None:
        wanted["doorgelaten"] = ", ".join(case.released)
    if case.withheld is not None:
        wanted["achtergehouden"] = _pairs(case.withheld)
    for name, value in (case.duties or {}).items():
        wanted[f"plichten.{name}"] = value
        found[f"plichten.{name}"] = decision.obligations.get(name, "")
    for key, value in wanted.items():
        if found[key] != value:
            yield f"{key}: {found[key] or 'nothing'} instead of {value or 'nothing'}"


def _pairs(words: dict[str, str]) -> str:
    return ", ".join(f"{name}: {code}" for name, code in sorted(words.items()))
