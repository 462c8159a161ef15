# SPDX-License-Identifier: EUPL-1.2
"""The duties of a release under several rules: the strictest of each."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from types import MappingProxyType

from sluis.policy.rules import Notice, Obligations
from sluis.policy.schema import period_days


def strictest(all_duties: Sequence[Obligations]) -> Mapping[str, str]:
    """The shortest terms, the highest handling code, the firmest notice duty, only the shared grounds of delay."""
    if not all_duties:
        return {}
    return _strictest(tuple(all_duties))


@lru_cache(maxsize=4096)
def _strictest(all_duties: tuple[Obligations, ...]) -> Mapping[str, str]:
    firm = {duties.notice for duties in all_duties} - {Notice.MAY}
    found = {
        "retention": min((duties.retention for duties in all_duties), key=period_days),
        "handling": max(duties.handling for duties in all_duties),
        "notice": (min(firm) if firm else Notice.MAY).value,
    }
    for name in ("retention_after_loss", "notice_within", "feedback_within"):
        if terms := [term for duties in all_duties if (term := getattr(duties, name))]:
            found[name] = min(terms, key=period_days)
    bound = [duties.delay_grounds for duties in all_duties if duties.notice is not Notice.MAY]
    if bound and (shared := frozenset.intersection(*bound)):
        found["delay_grounds"] = ",".join(sorted(shared))
    return MappingProxyType(found)
