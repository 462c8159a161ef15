# SPDX-License-Identifier: EUPL-1.2
"""Wider or narrower: whether more passes, or under fewer duties, than before.

    retention, retention_after_loss, notice_within, feedback_within
                   longer is wider; a term that falls away is wider
    handling       lower is wider
    notice         must, may, must not: each next one is wider
    delay_grounds  more grounds to put the notice off are wider

Terms of equal length in other units (P1M, P30D) are both wider and narrower: months differ.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from sluis.policy.rules import Notice
from sluis.policy.schema import period_days


class Verdict(StrEnum):
    """Which way a change goes."""

    SAME = "same"
    WIDER = "wider"
    NARROWER = "narrower"
    BOTH = "both"

    @property
    def opposite(self) -> "Verdict":
        """The verdict on the change undone."""
        return {Verdict.WIDER: Verdict.NARROWER, Verdict.NARROWER: Verdict.WIDER}.get(self, self)


@dataclass(frozen=True, slots=True, order=True)
class DutyChange:
    """A duty of the recipient that comes out otherwise; empty: there is none."""

    name: str
    before: str
    after: str
    verdict: Verdict


def together(verdicts: Iterable[Verdict]) -> Verdict:
    """The verdict on several changes at once."""
    found = set(verdicts) - {Verdict.SAME}
    return found.pop() if len(found) == 1 else Verdict.BOTH if found else Verdict.SAME


def compare_duties(before: Mapping[str, str], after: Mapping[str, str]) -> Iterator[DutyChange]:
    """What differs between the duties of a release under two bundles."""
    same_notice = before["notice"] == after["notice"]
    for name in _DUTIES:
        old, new = before.get(name, ""), after.get(name, "")
        # A term for the notice and grounds to put it off come and go with the duty itself.
        if old != new and (same_notice or name not in ("notice_within", "delay_grounds")):
            yield DutyChange(name, old, new, _duty_verdict(name, old, new))


_DUTIES = (
    *("retention", "retention_after_loss", "handling", "notice", "notice_within", "delay_grounds"),
    "feedback_within",
)
_WEIGHT = {Notice.MUST: 2, Notice.MAY: 1, Notice.MUST_NOT: 0}


def _duty_verdict(name: str, old: str, new: str) -> Verdict:
    if name == "delay_grounds":
        one, other = set(filter(None, old.split(","))), set(filter(None, new.split(",")))
        return together([Verdict.WIDER] * bool(other - one) + [Verdict.NARROWER] * bool(one - other))
    if name == "handling":
        return Verdict.WIDER if new < old else Verdict.NARROWER
    if name == "notice":
        return Verdict.WIDER if _WEIGHT[Notice(new)] < _WEIGHT[Notice(old)] else Verdict.NARROWER
    if not (old and new):
        return Verdict.NARROWER if new else Verdict.WIDER
    if period_days(old) == period_days(new):
        return Verdict.BOTH
    return Verdict.WIDER if period_days(new) > period_days(old) else Verdict.NARROWER
