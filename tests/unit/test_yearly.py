# SPDX-License-Identifier: EUPL-1.2
"""All numbers of a year together: who solves them, knowing how they hang together, pins no hidden one."""

from collections import Counter
from collections.abc import Mapping

from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from broker.oversight.aftermath import NONE, Aftermath, Told
from broker.oversight.indicators import Indicators
from broker.oversight.statistics import MIN_PERSONS, TOTAL, Released, ReleasedSeries
from broker.oversight.yearly import Year, _agreements, _kinds, _roles, release_year
from tests.attacker import Attacker, Name, Sum, sums_of, truth_of
from tests.unit.test_statistics import leaks
from tests.world import bundle

NOBODY = Indicators(
    duties={},
    lost={"still": 0, "again": 0},
    looked={"found": 0, "nothing": 0},
    registers={},
    measures=dict.fromkeys(("card.revoke", "epoch.compromise", "party.stop", "stop.set"), 0),
)
ROLES = {"1": "labour-inspectorate", "2": "certificate-foundation"}

# What every exchange is: by agreement, result, sender, recipient, kind, notice, outcome and measure.
EXCHANGE = st.tuples(
    st.sampled_from(["avv-10", "waadi-14b"]),
    st.sampled_from(["released", "partly", "denied"]),
    st.sampled_from("12"),
    st.sampled_from("12"),
    st.sampled_from(["A1_VERDICT", "FINE_IMPOSED"]),
    st.sampled_from(["must-inform", "may-inform"]),
    st.sampled_from(["CONFIRMED", "NOT_CONFIRMED", NONE]),
    st.sampled_from(["FINE", NONE]),
)
SORTS = st.dictionaries(EXCHANGE, st.sampled_from([1, 2, 4, 9, 11, 30]), max_size=7)


def year_of(sorts: Mapping[tuple[str, ...], int]) -> Year:
    """A year with so many exchanges of each sort; what passed reached its recipient, so that all sums hang together."""
    decisions: Counter[tuple[str, str]] = Counter()
    flows: Counter[tuple[str, str]] = Counter()
    duties: Counter[tuple[str, str]] = Counter()
    told = []
    for (agreement, result, sender, recipient, kind, notice, outcome, measure), number in sorts.items():
        decisions[agreement, result] += number
        flows[sender, recipient] += number
        if result != "denied":
            duties[kind, notice] += number
            one = Told(delivered_ms=0, told_ms=0, outcome=outcome, measure=measure)
            told += [one] * number if outcome != NONE else []
    came = Aftermath(
        delivered=duties.total(), told=told, taken_back=dict.fromkeys(("correct", "recall"), 0), late={}
    )
    indicators = Indicators(
        duties=duties,
        lost=NOBODY.lost,
        looked=NOBODY.looked,
        registers={},
        measures=NOBODY.measures,
    )
    return Year(decisions=decisions, flows=flows, came=came, indicators=indicators)


@settings(
    max_examples=100, deadline=None, phases=[Phase.explicit, Phase.generate]
)  # made smaller, it takes minutes
@given(SORTS)
def test_who_solves_the_whole_page_pins_no_hidden_number(sorts: dict[tuple[str, ...], int]) -> None:
    year = year_of(sorts)
    released = release_year(year, bundle(), ROLES.__getitem__)
    tables = [
        (_agreements(year), released.agreements, "decisions"),
        (_roles(year, bundle(), ROLES.__getitem__), released.roles, "decisions"),
        (_kinds(year.indicators), released.kinds, "delivered"),
    ]
    truth: dict[Name, int] = {}
    sums: list[Sum] = []
    hidden: set[Name] = set()
    for table, shown, grand in tables:
        truth |= {whole(name, grand): value for name, value in truth_of(table).items()}
        sums += [{whole(name, grand): factor for name, factor in line.items()} for line in sums_of(table)]
        hidden |= {whole(name, grand) for name in hidden_of(shown)}
    series(truth, hidden, "outcome", year.came.outcomes, released.outcomes)
    series(truth, hidden, "measure", year.came.measures, released.measures)
    parts = [name for name in truth if name[0] == "outcome"]
    untold = ("outcome", NONE, "")
    sums.append({**dict.fromkeys(parts, 1), "delivered": -1})
    sums.append(
        {
            **{name: 1 for name in truth if name[0] == "measure"},
            **{name: -1 for name in parts if name != untold},
        }
    )
    # That everything that passed reached its recipient is more than a reader knows.
    sums.append({("agreement", TOTAL, "released"): 1, ("agreement", TOTAL, "partly"): 1, "delivered": -1})
    names = sorted(hidden, key=str)
    attacker = Attacker(sums, truth, names)
    excused = close(year.came)
    assert leaks(attacker, truth, names) - excused == set()
    for name in excused & hidden:  # she sees that it is below ten, but not which number it is
        assert attacker.most(name) != attacker.least(name)


def close(came: Aftermath) -> set[Name]:
    """The parts of wholes that are so near ten that no part can be ten while all others are one or more."""
    outcomes, measures = ({k: v for k, v in one.items() if v} for one in (came.outcomes, came.measures))
    found: set[Name] = set()
    for name, parts in (("outcome", outcomes), ("measure", measures)):
        if sum(parts.values()) < MIN_PERSONS + len(outcomes) + len(measures):
            found |= {(name, part, "") for part in parts}
    return found


def whole(name: Name, grand: str) -> Name:
    """The name of a number; the grand total has the name of what it counts."""
    return grand if name == "grand" else name


def hidden_of(shown: Released) -> set[Name]:
    """The names of the numbers that a table hides."""
    return {
        "grand" if cell == (TOTAL, TOTAL) else (shown.name, *cell)
        for cell, value in shown.shown.items()
        if value is None
    }


def series(
    truth: dict[Name, int], hidden: set[Name], name: str, counts: Mapping[str, int], shown: ReleasedSeries
) -> None:
    """Add the parts of a series to what there is and to what is hidden."""
    for part, value in shown.shown.items():
        truth[name, part, ""] = counts.get(part, 0)
        hidden |= {(name, part, "")} if value is None else set()
