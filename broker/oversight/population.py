# SPDX-License-Identifier: EUPL-1.2
"""From the index of exchanges to what a sample is drawn from (`sampling.py`).

The severity of a signal is sealed, so the broker does not know it and no candidate has one.
"""

from collections.abc import Callable, Iterator, Mapping
from datetime import date

from broker.oversight.reviewing import Population
from broker.oversight.sampling import Candidate, refusals_above
from broker.storage.projected import DENIED, EVERY, ExchangeIndex, ExchangeRow, Sight, day_of
from sluis.policy.bundle import Bundle
from sluis.policy.rules import Notice

PAGE = 200


def population(
    index: ExchangeIndex,
    sight: Sight,
    first: int,
    bundle: Bundle,
    is_private: Callable[[str], bool],
) -> Population:
    """All that was released or refused from an entry on, as far as the index has come."""
    end = index.position()
    candidates: list[Candidate] = []
    refused: list[tuple[str, str, str, int]] = []
    first_use: dict[tuple[str, str], date] = {}
    for row in every_row(index, sight, end):
        shape = row.shape
        if shape.result != DENIED and row.exchange:
            # Newest first, so what is written last is the first use.
            first_use[shape.rule, shape.recipient] = day_of(row.time_ms)
        if row.log_index < first:
            continue
        if shape.result == DENIED:
            refused.append((shape.sender, shape.recipient, shape.reason, row.log_index))
        elif row.exchange:
            candidates.append(_candidate(row, bundle, is_private))
    return Population(
        first=first,
        end=end,
        candidates=candidates,
        first_use=first_use,
        refusals=refusals_above(refused),
    )


def every_row(index: ExchangeIndex, sight: Sight, end: int | None = None) -> Iterator[ExchangeRow]:
    """Every row of a sight below an index, newest first."""
    before = end
    while page := index.exchanges(sight, EVERY, None, before, PAGE):
        yield from page
        before = page[-1].log_index


def _candidate(row: ExchangeRow, bundle: Bundle, is_private: Callable[[str], bool]) -> Candidate:
    shape = row.shape
    return Candidate(
        exchange=row.exchange,
        log_index=row.log_index,
        rule=shape.rule,
        recipient=shape.recipient,
        day=day_of(row.time_ms),
        private_recipient=is_private(shape.recipient),
        delayed=notice_is_put_off(bundle, shape.rule),
    )


def notice_is_put_off(bundle: Bundle, rule_id: str) -> bool:
    """Whether the recipient must not tell the subject under a rule, for now."""
    rule = bundle.rules.get(rule_id)
    return bool(rule and rule.obligations and rule.obligations.notice is Notice.MUST_NOT)


def is_private_of(bundle: Bundle, roles: Mapping[str, str]) -> Callable[[str], bool]:
    """Tells which organisations are no public authority, by their role."""

    def is_private(oin: str) -> bool:
        role = roles.get(oin, "")
        return role in bundle.catalog.roles and bundle.sector_of(role) == "private"

    return is_private
