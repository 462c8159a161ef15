# SPDX-License-Identifier: EUPL-1.2
"""When something ends. Pure.

A signal ends for every holder at once, at the first of
    the shortest `retention` of the rules that let it pass, counted from the decision on the push;
    the same of each later release, counted from that release (it never lengthens anything);
    the expiry that the sender signed in the header;
    `retention_after_loss`, counted from the day on which a register no longer holds the subject.

What was refused has no rule that gives a term. Its link to a person ends after `REFUSED`, or at the header's
expiry when that is sooner; a design choice, without a legal source.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from broker.decide.model import Decision, Effect
from broker.storage.retention_port import Link, RetainedSignal
from sluis.policy.bundle import ZONE, Bundle
from sluis.policy.terms import end_ms

REFUSED = "P1Y"
EXPIRY = "EXPIRY"
FOREVER_MS = 1 << 53
_ZONE = ZoneInfo(ZONE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Term:
    """An end, and what gave it: a period with its rule, or the header's expiry (`EXPIRY`, no rule)."""

    until_ms: int
    period: str
    rule: str = ""
    after_loss: str = ""

    @property
    def text(self) -> str:
        """Period and rule as they are stored: `P5Y fine-to-certifier`."""
        return f"{self.period} {self.rule}".rstrip()


def later(time_ms: int, period: str) -> int:
    """The first moment after a period (`P5Y`, `P6M`, `P30D`) that runs from a moment, in Unix milliseconds."""
    return end_ms(datetime.fromtimestamp(time_ms / 1000, UTC), period, _ZONE)


def signal_term(decision: Decision, bundle: Bundle, decided_ms: int, expires_at_ms: int) -> Term:
    """The term of a signal that a decision let pass."""
    period = decision.obligations["retention"]
    until = later(decided_ms, period)
    after_loss = decision.obligations.get("retention_after_loss", "")
    if expires_at_ms < until:
        return Term(until_ms=expires_at_ms, period=EXPIRY, after_loss=after_loss)
    rule = _rule(decision, bundle, period)
    return Term(until_ms=until, period=period, rule=rule, after_loss=after_loss)


def replacement_term(first: RetainedSignal, expires_at_ms: int) -> Term:
    """The term of a signal that takes the place of another: that of the first, which a correction never lengthens."""
    period, _, rule = first.term.partition(" ")
    if expires_at_ms < first.term_until_ms:
        return Term(until_ms=expires_at_ms, period=EXPIRY, after_loss=first.after_loss)
    return Term(until_ms=first.term_until_ms, period=period, rule=rule, after_loss=first.after_loss)


def link_of(decision: Decision, decided_ms: int, expires_at_ms: int = FOREVER_MS) -> Link:
    """When the link of an entry ends that leads to no kept signal: a question, a register, a refusal."""
    permitted = decision.effect is Effect.PERMIT
    period = decision.obligations.get("retention", REFUSED) if permitted else REFUSED
    return Link(ends_at_ms=min(later(decided_ms, period), expires_at_ms))


def _rule(decision: Decision, bundle: Bundle, period: str) -> str:
    """The first rule whose own term this is."""
    for found in decision.rules:
        rule = bundle.rules.get(found.id)
        if rule is not None and rule.obligations is not None and rule.obligations.retention == period:
            return rule.id
    return ""
