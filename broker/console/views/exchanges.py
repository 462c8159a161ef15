# SPDX-License-Identifier: EUPL-1.2
"""Uitwisselingen: her exchanges in a range of days, with facets as links, a histogram, and a list newest first."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from urllib.parse import urlencode

from broker.console.histogram import histogram
from broker.console.labels import Labels
from broker.console.listing import Cell, Column, Kind, Listing
from broker.console.pages import (
    DAY,
    INDEX,
    OFFICERS,
    PAGE_ROWS,
    Context,
    Page,
    Redirect,
    View,
    moment_of,
)
from broker.console.views.exchange import PATH as EXCHANGE
from broker.storage.projected import FACETS, ZONE, Days, ExchangeRow, Facets, Filter
from sluis.errors import InvalidInput

PATH = "/uitwisselingen"
DEFAULT_DAYS = 30
SHOWN = 6  # values of a facet before "more"
WORD = re.compile(r"\?|[A-Za-z0-9][A-Za-z0-9._-]{0,79}")
PARTY = re.compile(r"\?|[0-9]{20}")
ARTICLE = re.compile(
    r"[A-Za-z]{1,20} [0-9]{1,3}[a-z]{0,2}([:.][0-9]{1,3}[a-z]{0,2})?(\([0-9]{1,2}[a-z]?\))?(\([a-z]\))?"
)
DIGEST = re.compile(r"sha256:[0-9a-f]{64}")

# In the order of the page.
CHOICES: Mapping[str, re.Pattern[str]] = {
    "result": re.compile("released|partly|denied"),
    "sender": PARTY,
    "recipient": PARTY,
    "purpose": WORD,
    "kind": WORD,
    "agreement": WORD,
    "article": ARTICLE,
    "category": WORD,
    "reason": WORD,
    "delivery": WORD,
    "acknowledged": re.compile("yes|no"),
    "operation": WORD,
    "policy": DIGEST,
}
DAYS: Mapping[str, re.Pattern[str]] = {"from": DAY, "until": DAY}
KEPT = {**CHOICES, **DAYS}
COLUMNS = (
    Column(key="at", heading="page.exchanges.at", kind=Kind.MOMENT),
    Column(key="sender", heading="facet.sender"),
    Column(key="recipient", heading="facet.recipient"),
    Column(key="kind", heading="facet.kind"),
    Column(key="result", heading="facet.result"),
    Column(key="log_index", heading="page.exchanges.log_index", kind=Kind.NUMBER),
)
# A file is read by programs: codes, and all that the index knows.
EXPORTED = (
    Column(key="log_index", heading="page.exchanges.log_index", kind=Kind.NUMBER),
    Column(key="at", heading="page.exchanges.at", kind=Kind.MOMENT),
    Column(key="exchange", heading="page.exchange.signal"),
    *(Column(key=facet, heading=f"facet.{facet}") for facet in FACETS if facet != "outcome"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """A value of a facet as a link; one that is active takes its choice away."""

    label: str
    href: str
    count: int
    active: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """A facet: its first values, and the rest under "more"."""

    name: str
    title: str
    items: Sequence[Choice]
    more: Sequence[Choice]


@dataclass(frozen=True, slots=True, kw_only=True)
class Range:
    """A range of days at one click."""

    label: str
    href: str
    active: bool


def show(context: Context) -> View:
    """Show the exchanges under the choice of the address."""
    days = chosen_days(context)
    picked = {facet: (value,) for facet in CHOICES if (value := context.filters.get(facet))}
    chosen = Filter(picked)
    labels = Labels(context)
    if context.limit > PAGE_ROWS:
        rows = context.reader.exchanges.rows(chosen, days, None, context.limit)
        return View(listing=Listing(columns=EXPORTED, rows=[_exported(row) for row in rows]))
    before = context.filters.get("before")
    found = context.reader.exchanges.survey(chosen, days, int(before) if before else None, context.limit + 1)
    facets, shown = found.facets, found.rows[: context.limit]
    older = context.link(before=str(shown[-1].log_index)) if len(found.rows) > len(shown) else ""
    labels.expect([*facets.counts["sender"], *facets.counts["recipient"]])
    return View(
        values={
            "days": days,
            "total": facets.total,
            "groups": list(_groups(context, facets, labels)),
            "active": list(_active(context, labels)),
            "ranges": list(_ranges(context, days)),
            "histogram": histogram(found.columns),
            "newest": context.link(before="") if before else "",
            "kept": {name: value for name, value in context.filters.items() if name in CHOICES},
            "words": {name: value for name, value in context.filters.items() if name in KEPT},
            "saved": list(_saved(context)),
        },
        listing=Listing(columns=COLUMNS, rows=[_row(row, labels) for row in shown], older=older),
    )


def save(context: Context) -> Redirect:
    """Keep the choice under a name, and go back to it."""
    query = context.reader.saved_views.keep(context.form.get("name", ""), context.form, KEPT)
    return Redirect(to=_address(query))


def forget(context: Context) -> Redirect:
    """Forget a view."""
    context.reader.saved_views.drop(context.form.get("name", ""))
    return Redirect(to=PATH)


def _saved(context: Context) -> Iterator[tuple[str, str, bool]]:
    """Her views: name, address, and whether it is the choice of now."""
    now = urlencode({name: context.filters[name] for name in KEPT if name in context.filters})
    for row in context.reader.saved_views.all():
        yield row.name, _address(row.query), row.query == now


def _address(query: str) -> str:
    return f"{PATH}?{query}" if query else PATH


def chosen_days(context: Context) -> Days:
    """The range of the address, else the last thirty days. Raises InvalidInput for days that do not exist."""
    last = _day(context, "until") or _today(context)
    first = _day(context, "from") or last - timedelta(days=DEFAULT_DAYS - 1)
    return Days(first, last)


def _today(context: Context) -> date:
    return context.now.astimezone(ZONE).date()


def _day(context: Context, name: str) -> date | None:
    text = context.filters.get(name, "")
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        raise InvalidInput("date-format", where=name) from None


def _ranges(context: Context, days: Days) -> Iterator[Range]:
    """Today, a week, thirty days, a quarter, this year."""
    today = _today(context)
    starts = {
        "today": today,
        "week": today - timedelta(days=6),
        "month": today - timedelta(days=DEFAULT_DAYS - 1),
        "quarter": today - timedelta(days=89),
        "year": date(today.year, 1, 1),
    }
    for name, first in starts.items():
        words = {"from": first.isoformat(), "until": today.isoformat()}
        if name == "month":
            words = dict.fromkeys(words, "")
        yield Range(
            label=context.t(f"range.{name}"),
            href=context.link(**words, before=""),
            active=(first, today) == (days.first, days.last),
        )


def _groups(context: Context, facets: Facets, labels: Labels) -> Iterator[Group]:
    for facet in CHOICES:
        chosen = context.filters.get(facet, "")
        items = [
            Choice(
                label=labels.of(facet, word),
                href=context.link(**{facet: "" if word == chosen else word}, before=""),
                count=count,
                active=word == chosen,
            )
            for word, count in facets.counts[facet].items()
        ]
        items.sort(key=lambda item: not item.active)  # the chosen one first, the rest by number
        if items:
            title = context.t(f"facet.{facet}")
            yield Group(name=facet, title=title, items=items[:SHOWN], more=items[SHOWN:])


def _active(context: Context, labels: Labels) -> Iterator[tuple[str, str]]:
    """What was chosen, each with the address without it."""
    for facet in CHOICES:
        if word := context.filters.get(facet):
            yield (
                f"{context.t(f'facet.{facet}')}: {labels.of(facet, word)}",
                context.link(**{facet: ""}, before=""),
            )


def _row(row: ExchangeRow, labels: Labels) -> dict[str, Cell]:
    shape = row.shape
    result = labels.of("result", shape.result)
    reason = labels.of("reason", shape.reason) if shape.reason else ""
    return {
        "at": moment_of(row.time_ms),
        "href": f"{EXCHANGE}/{row.log_index}",
        "sender": labels.party(shape.sender),
        "recipient": labels.party(shape.recipient),
        "kind": labels.of("kind", shape.kind),
        "result": f"{result}: {reason}" if reason else result,
        "log_index": row.log_index,
    }


def _exported(row: ExchangeRow) -> dict[str, Cell]:
    return {
        "log_index": row.log_index,
        "at": moment_of(row.time_ms),
        "exchange": row.exchange,
        **{facet: " ".join(row.shape.values(facet)) for facet in FACETS if facet not in ("article",)},
        "article": "; ".join(row.shape.values("article")),
    }


PAGES = (
    Page(
        path=PATH,
        name="exchanges",
        handler=show,
        roles=OFFICERS,
        logged=True,
        filters={**KEPT, "before": INDEX},
        listed=True,
    ),
    *(
        Page(
            path=f"{PATH}/{path}",
            name=name,
            handler=handler,
            roles=OFFICERS,
            logged=False,  # it tells of no exchange
            method="POST",
            menu=False,
        )
        for path, name, handler in (
            ("bewaren", "exchanges_save", save),
            ("vergeten", "exchanges_forget", forget),
        )
    ),
)
