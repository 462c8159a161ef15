# SPDX-License-Identifier: EUPL-1.2
"""The numbers of a year counted from the entries of the log alone, one after the other.

Whoever may read the entries counts the same as the console does, without the broker's database: `sluis audit
statistics` feeds this with a log that it has just verified. What is missing is `late`: when a duty was due follows from
the rules and the working days of then, not from an entry.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from broker.oversight.aftermath import NONE, TAKEN_BACK, Aftermath, Told, bounds
from broker.oversight.indicators import (
    AGAIN,
    FOUND,
    LOAD,
    MEASURES,
    NOTHING,
    RESTORE,
    SHORTEN,
    STILL,
    Indicators,
)
from broker.oversight.yearly import UNKNOWN, Year
from broker.retention.destroy import register_end
from broker.storage.projected import DELAYABLE, DENIED, PARTLY, RELEASED, Days, day_of
from sluis.followup import Act

Entry = Mapping[str, Any]


@dataclass(slots=True)
class _Said:
    """What feedback said of a signal in the year: when first, and the codes of the last."""

    first_ms: int
    codes: Mapping[str, str]


@dataclass(slots=True)
class Recount:
    """Counts the entries of some days; give it every entry of the log, in order."""

    days: Days
    _roles: dict[str, str] = field(default_factory=dict)
    _decisions: Counter[tuple[str, str]] = field(default_factory=Counter)
    _flows: Counter[tuple[str, str]] = field(default_factory=Counter)
    _duties: Counter[tuple[str, str]] = field(default_factory=Counter)
    _delivered: dict[str, int] = field(default_factory=dict)
    _said: dict[str, _Said] = field(default_factory=dict)
    _taken_back: dict[str, dict[str, str]] = field(default_factory=dict)
    _lost: dict[str, str] = field(default_factory=dict)
    _noted: Counter[str] = field(default_factory=Counter)
    _loads: dict[tuple[str, str, str], Entry] = field(default_factory=dict)

    def add(self, _index: int, entry: Entry) -> None:
        """Take the next entry."""
        operation, time_ms = (
            entry["operation"],
            round(datetime.fromisoformat(entry["time"]).timestamp() * 1000),
        )
        if operation == "party.admit":
            self._roles[entry["party"]] = entry["role"]
        if operation == LOAD and entry["outcome"] == "in-force" and day_of(time_ms) <= self.days.last:
            self._loads[entry["sender"], entry["recipient"], entry["agreement"]] = entry
        if not self.days.first <= day_of(time_ms) <= self.days.last:
            return
        if "decision" in entry:
            self._decided(entry, time_ms)
        elif operation.startswith("followup."):
            self._follow_up(entry, operation.partition(".")[2], time_ms)
        elif operation == SHORTEN:
            self._lost[entry["exchange"]] = STILL
        elif operation == RESTORE and entry["exchange"] in self._lost:
            self._lost[entry["exchange"]] = AGAIN
        elif operation == "subject.find":
            self._noted[FOUND if entry["found"] else NOTHING] += 1
        elif operation in MEASURES:
            self._noted[operation] += 1

    def _decided(self, entry: Entry, time_ms: int) -> None:
        result = DENIED
        if entry["decision"] == "permit":
            result = PARTLY if entry["released"] and entry["withheld"] else RELEASED
        self._decisions[entry["agreement"], result] += 1
        self._flows[entry["sender"], entry["recipient"]] += 1
        if entry.get("outcome") in ("mailbox", "released"):
            self._duties[entry["kind"], _notice(entry)] += 1
            self._delivered.setdefault(entry["exchange"], time_ms)

    def _follow_up(self, entry: Entry, act: str, time_ms: int) -> None:
        if act == Act.FEEDBACK:
            said = self._said.setdefault(entry["exchange"], _Said(time_ms, {}))
            said.codes = entry["codes"]
        elif act in TAKEN_BACK:
            self._taken_back.setdefault(act, {})[entry["exchange"]] = entry["codes"]["reason"]

    def role_of(self, oin: str) -> str:
        """The role of a participant, as the log last says it."""
        return self._roles.get(oin, UNKNOWN)

    def year(self) -> Year:
        """What was counted."""
        return Year(
            decisions=self._decisions,
            flows=self._flows,
            came=self._came(),
            indicators=Indicators(
                duties=self._duties,
                lost={state: sum(one == state for one in self._lost.values()) for state in (STILL, AGAIN)},
                looked={sort: self._noted[sort] for sort in (FOUND, NOTHING)},
                registers=self._registers(),
                measures={operation: self._noted[operation] for operation in MEASURES},
            ),
        )

    def _came(self) -> Aftermath:
        return Aftermath(
            delivered=self._duties.total(),
            told=[
                Told(
                    delivered_ms=self._delivered[exchange],
                    told_ms=said.first_ms,
                    outcome=said.codes["outcome"],
                    measure=said.codes.get("measure", NONE),
                )
                for exchange, said in self._said.items()
                if exchange in self._delivered
            ],
            taken_back={act.value: len(self._taken_back.get(act, {})) for act in TAKEN_BACK},
            late={},
            recalled=Counter(self._taken_back.get(Act.RECALL, {}).values()),
        )

    def _registers(self) -> Mapping[str, int]:
        end_ms = bounds(self.days)[1]
        copies: Counter[tuple[str, str]] = Counter()
        for entry in self._loads.values():
            if register_end(entry) >= end_ms:
                copies[entry["register"], entry["recipient"]] += entry["entries"]
        return {
            name: max(entries for (other, _), entries in copies.items() if other == name)
            for name, _ in copies
        }


def _notice(entry: Entry) -> str:
    duties = entry["obligations"]
    if duties.get("notice") == "must-inform" and duties.get("delay_grounds"):
        return DELAYABLE
    return str(duties.get("notice", ""))
