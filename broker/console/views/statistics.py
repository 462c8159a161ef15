# SPDX-License-Identifier: EUPL-1.2
"""Jaarcijfers: fixed tables over a year that is over, with small numbers hidden (broker/oversight/statistics.py).

Decisions by agreement and by role, and what came of signals (broker/oversight/aftermath.py).
For the authority alone, and over all exchanges: a table of one organisation beside the whole would give the rest away.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from broker.console.figures import BarChart, bar_chart
from broker.console.listing import Cell, Column, Listing
from broker.console.pages import AUTHORITY, Context, Page, View
from broker.console.views.reports import YEAR, year_days
from broker.console.words import word
from broker.oversight.aftermath import NONE, TAKEN_BACK, Aftermath
from broker.oversight.statistics import (
    MIN_PERSONS,
    ROUND_TO,
    TOTAL,
    Released,
    Table,
    release,
    release_counts,
    release_series,
)
from broker.storage.projected import DENIED, PARTLY, RELEASED, ZONE, Filter
from sluis.errors import InvalidInput
from sluis.followup import Act

RESULTS = (RELEASED, PARTLY, DENIED)
DUTIES = (Act.FEEDBACK, Act.ATTEND, Act.ANSWER, Act.FULFIL)
OUTCOME_TEXTS = {RELEASED: "outcome.released", PARTLY: "outcome.in_part", DENIED: "outcome.denied"}

COLUMNS = (
    Column(key="table", heading="page.statistics.table"),
    Column(key="row", heading="page.statistics.row"),
    Column(key="column", heading="page.statistics.column"),
    Column(key="exchanges", heading="page.statistics.exchanges"),
)


def show(context: Context) -> View:
    """Show the tables of a year. Raises InvalidInput for one that is not over."""
    this_year = context.now.astimezone(ZONE).year
    year = int(context.filters.get("year", this_year - 1))
    if year >= this_year:
        raise InvalidInput("malformed-request", "a year is published when it is over", where="year")
    tables = release([_by_agreement(context, year), _by_role(context, year)])
    came = _series(context, context.reader.oversight.aftermath(year_days(year)), tables[0])
    rows = [row for table in tables for row in _rows(context, table)]
    rows += [row for series in came for row in _lines(context, series)]
    values = {
        "year": year,
        "years": range(this_year - 1, this_year - 6, -1),
        "tables": [_shown(context, table) for table in tables],
        "minimum": MIN_PERSONS,
        "round_to": ROUND_TO,
        "came": came,
    }
    return View(values=values, listing=Listing(columns=COLUMNS, rows=rows))


def _by_agreement(context: Context, year: int) -> Table:
    """Agreement by result."""
    days, oversight = year_days(year), context.reader.oversight
    names = list(oversight.facets(Filter(), days).counts["agreement"])
    counts = {
        (name, result): number
        for name in names
        for result, number in oversight.facets(Filter({"agreement": [name]}), days).counts["result"].items()
    }
    return Table(name="agreement", rows=sorted(names), columns=RESULTS, counts=counts, minimum=MIN_PERSONS)


def _by_role(context: Context, year: int) -> Table:
    """Role of the sender by sector of the recipient."""
    oversight = context.reader.oversight
    roles = oversight.roles()
    counts: dict[tuple[str, str], int] = {}
    for (sender, recipient), results in oversight.matrix(year_days(year)).items():
        role = roles.get(recipient, "")
        sector = context.bundle.sector_of(role) if role in context.bundle.catalog.roles else "unknown"
        cell = (roles.get(sender, "unknown"), sector)
        counts[cell] = counts.get(cell, 0) + results.total
    rows, columns = sorted({cell[0] for cell in counts}), sorted({cell[1] for cell in counts})
    return Table(name="role", rows=rows, columns=columns, counts=counts, minimum=MIN_PERSONS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """Numbers below each other, as they may be shown; the picture has those that are not hidden."""

    name: str
    caption: str
    row: str
    unit: str
    lines: list[tuple[str, str]]
    chart: BarChart
    facts: list[tuple[str, str]]  # what follows from the numbers, such as a share


def _series(context: Context, came: Aftermath, decisions: Released) -> list[Series]:
    """What came of signals. Where the sum of what passed is hidden, so is the sum of what was delivered."""
    hide_total = any(decisions.shown[TOTAL, result] is None for result in (RELEASED, PARTLY))
    outcomes = release_series(came.outcomes, MIN_PERSONS, hide_total=hide_total)
    words = context.bundle.catalog.follow_ups.words(Act.FEEDBACK, "outcome")
    order = [
        *(name for name in words if name in outcomes.shown),
        *sorted(outcomes.shown.keys() - words - {NONE}),
    ]
    shown = {word(context, words[name]) if name in words else name: outcomes.shown[name] for name in order}
    shown[context.t("page.statistics.no_feedback")] = outcomes.shown[NONE]
    median = came.median_days(MIN_PERSONS)
    facts = [
        (context.t("page.statistics.delivered"), _value(context, outcomes.total)),
        (context.t("page.statistics.share"), _share(context, outcomes.shown[NONE], outcomes.total)),
        (
            context.t("page.statistics.median"),
            context.t("page.statistics.hidden" if came.told else "page.statistics.nothing")
            if median is None
            else context.t("page.statistics.days", n=median),
        ),
    ]
    taken_back = release_counts(came.taken_back, MIN_PERSONS)
    late = release_counts({act: came.late.get(act, 0) for act in DUTIES}, MIN_PERSONS)
    return [
        _one(context, "outcome", shown, facts),
        _one(
            context,
            "taken_back",
            {context.t(f"page.statistics.act.{act}"): taken_back[act] for act in TAKEN_BACK},
        ),
        _one(context, "late", {context.t(f"page.statistics.duty.{act}"): late[act] for act in DUTIES}),
    ]


def _one(
    context: Context, name: str, shown: Mapping[str, int | None], facts: list[tuple[str, str]] | None = None
) -> Series:
    caption, unit = context.t(f"page.statistics.by_{name}"), context.t(f"page.statistics.unit.{name}")
    values = [(label, value) for label, value in shown.items() if value is not None]
    return Series(
        name=name,
        caption=caption,
        row=context.t(f"page.statistics.row.{name}"),
        unit=unit,
        lines=[(label, _value(context, value)) for label, value in shown.items()],
        chart=bar_chart(name=name, caption=caption, unit=unit, values=values),
        facts=facts or [],
    )


def _share(context: Context, without: int | None, total: int | None) -> str:
    """The share with feedback, worked out from what is shown, so that it tells no more than that."""
    if without is None or total is None:
        return context.t("page.statistics.hidden")
    if not total:
        return context.t("page.statistics.nothing")
    return f"{round(100 * max(0, total - without) / total)}%"


def _lines(context: Context, series: Series) -> list[dict[str, Cell]]:
    column = context.t("page.statistics.number")
    return [
        {"table": series.caption, "row": label, "column": column, "exchanges": value}
        for label, value in (*series.lines, *series.facts)
    ]


def _label(context: Context, name: str) -> str:
    bundle = context.bundle
    if name == TOTAL:
        return context.t("page.statistics.total")
    if name in OUTCOME_TEXTS:
        return context.t(OUTCOME_TEXTS[name])
    if name in bundle.agreements:
        return bundle.agreements[name].title
    if name in bundle.catalog.roles:
        return word(context, bundle.catalog.roles[name])
    return context.t(f"sector.{name}") if name in ("public", "private") else context.t("sector.unknown")


def _value(context: Context, value: int | None) -> str:
    return context.t("page.statistics.hidden") if value is None else str(value)


def _rows(context: Context, table: Released) -> list[dict[str, Cell]]:
    return [
        {
            "table": context.t(f"page.statistics.by_{table.name}"),
            "row": _label(context, row),
            "column": _label(context, column),
            "exchanges": _value(context, table.shown[row, column]),
        }
        for row in (*table.rows, TOTAL)
        for column in (*table.columns, TOTAL)
    ]


def _shown(context: Context, table: Released) -> dict[str, object]:
    return {
        "caption": context.t(f"page.statistics.by_{table.name}"),
        "row": context.t(f"page.statistics.row.{table.name}"),
        "columns": [_label(context, column) for column in (*table.columns, TOTAL)],
        "rows": [
            (
                _label(context, row),
                [_value(context, table.shown[row, column]) for column in (*table.columns, TOTAL)],
            )
            for row in (*table.rows, TOTAL)
        ],
        "empty": not table.rows,
    }


PAGES = (
    Page(
        path="/rapporten/jaarcijfers",
        name="statistics",
        handler=show,
        roles=AUTHORITY,
        logged=True,
        menu=False,
        listed=True,
        filters={"year": YEAR},
    ),
)
