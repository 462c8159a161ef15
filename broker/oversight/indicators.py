# SPDX-License-Identifier: EUPL-1.2
"""Numbers of a year beside decisions and feedback, each counted from entries of the log and from nothing else.

    duties     signals that reached their recipient, by kind and by whether she tells the data subject
    lost       signals of which `retention.shorten` says that their subject is in no register any more
    looked     searches of a participant for what it exchanged about one data subject (`subject.find`, AVG art. 15)
    registers  entries of each register in force at the end of the year, in its largest copy (`register.load`)
    measures   what was done about keys, cards and participants that may have gone wrong

The log holds no address, no activity of a firm, no letter to a data subject and no report of a breach, so nothing here
is by province or by sector, and nothing says whether somebody was told.
"""

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from broker.oversight.aftermath import DELIVERED, bounds
from broker.retention.destroy import register_end
from broker.storage.port import Store
from broker.storage.projected import YEARS, Days, ExchangeRow, Filter, Sight

ALL = Sight.everything()
SHORTEN, RESTORE = "retention.shorten", "retention.restore"
LOAD = "register.load"
UNSAID = ""  # the entry names no duty
STILL, AGAIN = "still", "again"
FOUND, NOTHING = "found", "nothing"
MEASURES = ("card.revoke", "epoch.compromise", "party.stop", "stop.set")


@dataclass(frozen=True, slots=True, kw_only=True)
class Indicators:
    """The numbers of a year, before anything is hidden. Never shown as they are."""

    duties: Mapping[tuple[str, str], int]  # signals, by kind and notice
    lost: Mapping[str, int]  # signals: `STILL` at the end of the year, or there `AGAIN`
    looked: Mapping[str, int]  # searches that `FOUND` something, or `NOTHING`
    registers: Mapping[str, int]  # entries, by register
    measures: Mapping[str, int]  # by operation


def indicators(store: Store, days: Days) -> Indicators:
    """Count over all participants: for the authority alone."""
    index = store.exchange_index
    looked = Counter(row.shape.outcome for row in index.noted(ALL, ["subject.find"], days))
    measures = Counter(row.shape.operation for row in index.noted(ALL, MEASURES, days))
    return Indicators(
        duties=_duties(store, days),
        lost=_lost(store, days),
        looked={sort: looked[sort] for sort in (FOUND, NOTHING)},
        registers=_registers(store, days),
        measures={operation: measures[operation] for operation in MEASURES},
    )


def _duties(store: Store, days: Days) -> Mapping[tuple[str, str], int]:
    index = store.exchange_index
    found: dict[tuple[str, str], int] = {}
    for kind in index.facets(ALL, DELIVERED, days).counts["kind"]:
        counted = index.facets(ALL, Filter({**DELIVERED.chosen, "kind": [kind]}), days)
        notices = counted.counts["notice"]
        found |= {(kind, notice): number for notice, number in notices.items()}
        if unsaid := counted.total - sum(notices.values()):
            found[kind, UNSAID] = unsaid
    return found


def _lost(store: Store, days: Days) -> Mapping[str, int]:
    """Each signal once, by the last that the year says of it."""
    last: dict[str, str] = {}
    for row in store.exchange_index.noted(ALL, (SHORTEN, RESTORE), days):
        if row.shape.operation == SHORTEN:
            last[row.exchange] = STILL
        elif row.exchange in last:  # one that was lost in an earlier year is not counted
            last[row.exchange] = AGAIN
    return {state: sum(one == state for one in last.values()) for state in (STILL, AGAIN)}


def _registers(store: Store, days: Days) -> Mapping[str, int]:
    """Of each register the largest copy: the same firms stand in it again for each recipient, under other names."""
    until = Days(date(YEARS[0], 1, 1), days.last)
    last: dict[tuple[str, str, str], ExchangeRow] = {}
    for row in store.exchange_index.noted(ALL, [LOAD], until):
        if row.shape.outcome == "in-force":
            last[row.shape.sender, row.shape.recipient, row.shape.agreement] = row
    copies: Counter[tuple[str, str]] = Counter()
    for row in last.values():
        kept = store.log_row(row.log_index)
        entry = json.loads(kept.entry) if kept else {}
        if entry and register_end(entry) >= bounds(days)[1]:
            copies[entry["register"], row.shape.recipient] += int(entry["entries"])
    largest: Counter[str] = Counter()
    for (register, _), entries in copies.items():
        largest[register] = max(largest[register], entries)
    return largest
