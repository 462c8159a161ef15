# SPDX-License-Identifier: EUPL-1.2
"""The numbers of a year in one piece, and how they are released: fixed tables and series, small numbers hidden.

They are counted twice, from the index of exchanges for the console (`count_year`) and from the entries of the log for
whoever checks it (`recount.py`); both are released here, so that both hide the same.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from broker.oversight.aftermath import NONE, Aftermath, aftermath
from broker.oversight.indicators import Indicators, indicators
from broker.oversight.statistics import (
    GRAND,
    MIN_PERSONS,
    TOTAL,
    Released,
    ReleasedSeries,
    Table,
    release,
    release_counts,
    release_series,
    release_within,
)
from broker.storage.port import Store
from broker.storage.projected import DELAYABLE, DENIED, PARTLY, RELEASED, Days, Filter, Sight
from sluis.followup import Act
from sluis.policy.bundle import Bundle
from sluis.policy.rules import Notice

RESULTS = (RELEASED, PARTLY, DENIED)
DUTIES = (Act.FEEDBACK, Act.ATTEND, Act.ANSWER, Act.FULFIL)
NOTICES = (Notice.MUST.value, DELAYABLE, Notice.MUST_NOT.value, Notice.MAY.value)
KINDS = ("A1_VERDICT", "A1-FRAUDE", "HUISV-OVERBEW", "HUISV-AFHANK", "SNF_NORM_BREACH")
OTHER, UNKNOWN = "other", "unknown"
WRONG_RECIPIENT = "WRONG_RECIPIENT"  # a reason of a recall (policies/catalog/follow_ups.yaml)
PASSED = ((TOTAL, RELEASED), (TOTAL, PARTLY))  # which may all have reached their recipient

RoleOf = Callable[[str], str]  # the role of a participant, by OIN; `UNKNOWN` where there is none


@dataclass(frozen=True, slots=True, kw_only=True)
class Year:
    """The numbers of a year, before anything is hidden. Never shown as they are."""

    decisions: Mapping[tuple[str, str], int]  # by agreement and result
    flows: Mapping[tuple[str, str], int]  # decisions, by sender and recipient
    came: Aftermath
    indicators: Indicators


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleasedYear:
    """The numbers of a year as they may be shown; None where hidden."""

    agreements: Released
    roles: Released
    kinds: Released
    outcomes: ReleasedSeries
    measures: ReleasedSeries
    lost: ReleasedSeries
    looked: ReleasedSeries
    taken_back: Mapping[str, int | None]
    late: Mapping[str, int | None]
    breach: Mapping[str, int | None]
    registers: Mapping[str, int | None]


def count_year(store: Store, days: Days) -> Year:
    """Count over all participants, from the index: for the authority alone."""
    index, everything = store.exchange_index, Sight.everything()
    names = index.facets(everything, Filter(), days).counts["agreement"]
    return Year(
        decisions={
            (name, result): number
            for name in names
            for result, number in index.facets(everything, Filter({"agreement": [name]}), days)
            .counts["result"]
            .items()
        },
        flows={flow: found.total for flow, found in index.matrix(everything, days).items()},
        came=aftermath(store, days),
        indicators=indicators(store, days),
    )


def release_year(year: Year, bundle: Bundle, role_of: RoleOf) -> ReleasedYear:
    """Hide and round all of it, together."""
    came, numbers = year.came, year.indicators
    agreements, roles, kinds = _tables(year, bundle, role_of)
    outcomes = release_series(came.outcomes, MIN_PERSONS, hide_total=kinds.shown[GRAND] is None)
    words = bundle.catalog.follow_ups.words(Act.FEEDBACK, "measure")
    registers = {fact.register_name: 0 for fact in bundle.catalog.register_facts.values()}
    return ReleasedYear(
        agreements=agreements,
        roles=roles,
        kinds=kinds,
        outcomes=outcomes,
        measures=release_within({**dict.fromkeys(words, 0), **came.measures}, MIN_PERSONS, outcomes, NONE),
        lost=release_series(numbers.lost, MIN_PERSONS),
        looked=release_series(numbers.looked, MIN_PERSONS),
        taken_back=release_counts(came.taken_back, MIN_PERSONS),
        late=release_counts({act: came.late.get(act, 0) for act in DUTIES}, MIN_PERSONS),
        breach=_breach(came, numbers),
        registers=release_counts({**registers, **numbers.registers}, MIN_PERSONS),
    )


def _tables(year: Year, bundle: Bundle, role_of: RoleOf) -> tuple[Released, Released, Released]:
    """The three tables. What passed may all have been delivered: then the sum of the one is the total of the other.

    So either both are hidden, or neither.
    """
    by_agreement, by_role, by_kind = _agreements(year), _roles(year, bundle, role_of), _kinds(year.indicators)
    agreements, roles = release([by_agreement, by_role])
    [kinds] = release([by_kind])
    if any(agreements.shown[cell] is None for cell in PASSED) or kinds.shown[GRAND] is None:
        most = max(PASSED, key=by_agreement.value)
        agreements, roles = release([replace(by_agreement, also=frozenset({most})), by_role])
        [kinds] = release([by_kind], hide_total=True)
    return agreements, roles, kinds


def _agreements(year: Year) -> Table:
    """Agreement by result."""
    rows = sorted({agreement for agreement, _ in year.decisions})
    return Table(
        name="agreement",
        rows=rows,
        columns=RESULTS,
        counts=dict(year.decisions),
        minimum=MIN_PERSONS,
        linked=frozenset(PASSED),
    )


def _roles(year: Year, bundle: Bundle, role_of: RoleOf) -> Table:
    """Role of the sender by sector of the recipient."""
    counts: Counter[tuple[str, str]] = Counter()
    for (sender, recipient), number in year.flows.items():
        role = role_of(recipient)
        sector = str(bundle.sector_of(role)) if role in bundle.catalog.roles else UNKNOWN
        counts[role_of(sender), sector] += number
    rows, columns = sorted({cell[0] for cell in counts}), sorted({cell[1] for cell in counts})
    return Table(name="role", rows=rows, columns=columns, counts=counts, minimum=MIN_PERSONS)


def _kinds(numbers: Indicators) -> Table:
    """Signals that reached their recipient: kind by whether the recipient tells the data subject."""
    counts: Counter[tuple[str, str]] = Counter()
    for (kind, notice), number in numbers.duties.items():
        counts[kind if kind in KINDS else OTHER, notice] += number
    more = sorted({notice for (_, notice), number in counts.items() if number} - set(NOTICES))
    return Table(
        name="kind", rows=[*KINDS, OTHER], columns=[*NOTICES, *more], counts=counts, minimum=MIN_PERSONS
    )


def _breach(came: Aftermath, numbers: Indicators) -> Mapping[str, int | None]:
    """What may belong to a breach. All recalls together are shown too, so these are hidden as a part of them."""
    wrong = came.recalled.get(WRONG_RECIPIENT, 0)
    rest = sum(came.recalled.values()) - wrong
    recalls = release_series({WRONG_RECIPIENT: wrong, OTHER: rest}, MIN_PERSONS)
    return {
        WRONG_RECIPIENT: recalls.shown[WRONG_RECIPIENT],
        **release_counts(numbers.measures, MIN_PERSONS),
    }
