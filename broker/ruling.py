# SPDX-License-Identifier: EUPL-1.2
"""A decision at the broker: counted, taken under the rules that decide now, checked for stops, and logged.

Every kind of exchange (push, question, release, register) goes through `rule_on` and `Ruling.log`, so that
each of them is decided on the same grounds and leaves the same record.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from broker.decide.engine import claims_fit, decide
from broker.decide.inputs import commit_inputs, write_inputs
from broker.decide.model import Decision, Effect, Request
from broker.decide.slots import counters_asked, counters_used
from broker.messages import RULE_STOPPED
from broker.record import bind_signal, exchange_record
from broker.retention.terms import link_of
from broker.step import Logged, Step, new_salt
from broker.storage.port import Counter
from broker.storage.retention_port import Link
from sluis.policy.bundle import Bundle
from sluis.policy.catalog import Category
from sluis.policy.facts import CounterFact

_CATEGORIES = frozenset(Category)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ruling:
    """A request, what was decided on it, and under which rules."""

    request: Request
    decision: Decision
    bundle: Bundle

    @property
    def permitted(self) -> bool:
        """Whether the exchange may go on."""
        return self.decision.effect is Effect.PERMIT

    def denied(self, code: str, params: Mapping[str, str]) -> "Ruling":
        """The same ruling turned into a denial for a reason beside the rules."""
        return replace(self, decision=self.decision.denied(code, params))

    def log(
        self,
        step: Step,
        operation: str,
        members: Mapping[str, object],
        *,
        bound: tuple[bytes, bytes] | None = None,
        link: Link | None = None,
    ) -> Logged:
        """Log the ruling; `bound` is the pseudonym and root of the signal that it is about.

        `link` says how long that can be opened; without it, as long as the term of the decision itself.
        What was decided on is kept beside the log, unless a word in it is unknown: that word may be anything.
        """
        salt = new_salt()
        entry = {**exchange_record(operation, self.request, self.decision, self.bundle), **members}
        inputs = b"" if self._has_strange_words() else write_inputs(self.request)
        if inputs:
            entry["inputs"] = commit_inputs(salt, inputs)
        if bound:
            entry["binding"] = bind_signal(salt, *bound).hex()
        return step.log(entry, salt=salt, inputs=inputs, link=link or link_of(self.decision, step.now_ms))

    def _has_strange_words(self) -> bool:
        catalog = self.bundle.catalog
        request = self.request
        return not (
            request.agreement in self.bundle.agreements
            and request.kind in catalog.kinds
            and request.purpose in catalog.purposes
            and all(name in catalog.fields for name, _ in request.fields)
            and all(declared in _CATEGORIES for _, declared in request.fields)
            and claims_fit(request, catalog)
        )


def rule_on(step: Step, request: Request, bundle: Bundle) -> Ruling:
    """Decide a request under the bundle, with the counters and stops of this transaction, and count it."""
    counted = {
        name: step.counted(counter)
        for name in counters_asked(request, bundle)
        if (counter := counter_of(name, request, bundle))
    }
    if counted:
        request = replace(request, counters=counted)
    decision = stop_check(step, request, decide(request, bundle))
    if decision.effect is Effect.PERMIT:
        for name in counters_used(decision, bundle):
            if counter := counter_of(name, request, bundle):
                step.count(counter, request.subjects)
    return Ruling(request=request, decision=decision, bundle=bundle)


def counter_of(name: str, request: Request, bundle: Bundle) -> Counter | None:
    """The counter of this day that a request falls under."""
    spec = bundle.catalog.facts.get(name)
    if not isinstance(spec, CounterFact):
        return None
    return Counter(
        name=name,
        sender=request.sender.oin,
        recipient=request.recipient.oin if spec.per == "sender-and-recipient" else "",
        day=request.at.astimezone(bundle.zone).date().isoformat(),
    )


def stop_check(step: Step, request: Request, decision: Decision) -> Decision:
    """Deny what would pass by a stopped agreement or rule."""
    targets: Mapping[str, tuple[str, ...]] = {
        "agreement": (request.agreement,),
        "rule": tuple(rule.id for rule in decision.rules),
    }
    for scope, names in targets.items():
        for name in names:
            if step.stopped(scope, name):
                return decision.denied(RULE_STOPPED, {"scope": scope, "target": name})
    return decision
