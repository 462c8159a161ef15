# SPDX-License-Identifier: EUPL-1.2
"""Jaarcijfers: fixed tables over a year that is over, with small numbers hidden (broker/oversight/statistics.py).

Decisions by agreement and by role, signals by kind, and the numbers of broker/console/yearly.py.
For the authority alone, and over all exchanges: a table of one organisation beside the whole would give the rest away.
"""

from broker.console.figures import BarChart, bar_chart
from broker.console.listing import Cell, Column, Listing
from broker.console.pages import AUTHORITY, Context, Page, View
from broker.console.views.reports import YEAR, year_days
from broker.console.words import word
from broker.console.yearly import Series, all_series, shown_value
from broker.oversight.indicators import UNSAID
from broker.oversight.statistics import MIN_PERSONS, ROUND_TO, TOTAL, Released
from broker.oversight.yearly import KINDS, NOTICES, OTHER, UNKNOWN, release_year
from broker.storage.projected import DENIED, PARTLY, RELEASED, ZONE
from sluis.errors import InvalidInput

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
    oversight = context.reader.oversight
    counted, roles = oversight.year(year_days(year)), oversight.roles()
    released = release_year(counted, context.bundle, lambda oin: roles.get(oin, UNKNOWN))
    series = all_series(context, counted.came, released)
    tables = (released.agreements, released.roles)
    rows = [row for table in (*tables, released.kinds) for row in _rows(context, table)]
    rows += [row for one in series for row in _lines(context, one)]
    values = {
        "year": year,
        "years": range(this_year - 1, this_year - 6, -1),
        "tables": [_shown(context, table) for table in tables],
        "kinds": _shown(context, released.kinds) | {"charts": _charts(context, released.kinds)},
        "minimum": MIN_PERSONS,
        "round_to": ROUND_TO,
        "series": series,
    }
    return View(values=values, listing=Listing(columns=COLUMNS, rows=rows))


def _charts(context: Context, table: Released) -> list[BarChart]:
    """The two margins as pictures, without what is hidden."""
    unit = context.t("page.statistics.unit.outcome")
    margins = {
        "kind": [(row, TOTAL) for row in table.rows],
        "notice": [(TOTAL, name) for name in table.columns],
    }
    charts = []
    for name, cells in margins.items():
        shown = [
            (_label(context, cell[0] if name == "kind" else cell[1]), table.shown[cell]) for cell in cells
        ]
        values = [(label, value) for label, value in shown if value is not None]
        caption = context.t(f"page.statistics.chart.{name}")
        charts.append(bar_chart(name=name, caption=caption, unit=unit, values=values))
    return charts


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
    if name in (*NOTICES, UNSAID):
        return context.t(f"notice.{name or 'unsaid'}")
    if name in KINDS or name == OTHER:
        kind = bundle.catalog.kinds.get(name)
        return word(context, kind) if kind else context.t("page.statistics.other_kinds")
    if name in bundle.agreements:
        return bundle.agreements[name].title
    if name in bundle.catalog.roles:
        return word(context, bundle.catalog.roles[name])
    return context.t(f"sector.{name}") if name in ("public", "private") else context.t("sector.unknown")


def _rows(context: Context, table: Released) -> list[dict[str, Cell]]:
    return [
        {
            "table": context.t(f"page.statistics.by_{table.name}"),
            "row": _label(context, row),
            "column": _label(context, column),
            "exchanges": shown_value(context, table.shown[row, column]),
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
                [shown_value(context, table.shown[row, column]) for column in (*table.columns, TOTAL)],
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
