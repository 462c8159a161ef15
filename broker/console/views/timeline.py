# SPDX-License-Identifier: EUPL-1.2
"""Tijdlijn: how busy each flow is and usually is, and everything that stands out as a sentence."""

from collections.abc import Mapping
from datetime import date
from typing import Any

from broker.console.figures import ColumnChart, Range, Stack
from broker.console.flows import Named, anomaly_link, flow_link
from broker.console.listing import Cell, Column, Kind, Listing
from broker.console.pages import OFFICERS, OIN, WORD, Context, Page, View
from broker.console.reading_counts import NEWEST, last_days, window
from broker.oversight.anomalies import WEEKS, Anomaly, Counted, Flow, anomalies, counted, usual
from broker.storage.buckets import columns
from broker.storage.projected import ZONE, Days

SHOWN = 30

COLUMNS = (
    Column(key="sentence", heading="page.timeline.sentence"),
    Column(key="day", heading="page.timeline.day"),
    Column(key="sort", heading="page.timeline.sort"),
    Column(key="sender", heading="page.timeline.sender", kind=Kind.PARTY),
    Column(key="recipient", heading="page.timeline.recipient", kind=Kind.PARTY),
    Column(key="count", heading="page.timeline.count", kind=Kind.NUMBER),
)


def show(context: Context) -> View:
    """Show what stands out, and a flow or all of them."""
    counts, named = context.reader.counts, Named(context, context.reader.register.names())
    today = context.now.astimezone(ZONE).date()
    shown = last_days(today, SHOWN)
    days = [first for first, _ in columns(shown)]
    since = counts.since() or today
    cells, sample = counts.pushes(window(today, SHOWN)), counts.sample(shown)
    found = [
        one
        for one in anomalies(cells, days, since, sample.statements, counts.look_ups(days))
        if _is_chosen(context, one.flow)
    ]
    flows = counted(cells)
    chosen = {flow: series for flow, series in flows.items() if _is_chosen(context, flow)}
    single = len(chosen) == 1 and {"sender", "recipient", "kind"} <= context.filters.keys()
    return View(
        values={
            "chart": _chart(context, named, days, since, *next(iter(chosen.items()))) if single else None,
            "flows": [_flow(named, flow, series, shown) for flow, series in chosen.items()],
            "single": single,
            "filtered": bool(context.filters),
            "complete": sample.complete,
            "newest": NEWEST,
            "weeks": WEEKS,
            "young": (today - since).days < 7 * WEEKS,
            "since": named.day(since),
            "shown": SHOWN,
        },
        listing=Listing(columns=COLUMNS, rows=[_row(context, named, one) for one in found[: context.limit]]),
    )


def _is_chosen(context: Context, flow: Flow) -> bool:
    wanted = context.filters
    return all(
        getattr(flow, name) == wanted[name] for name in ("sender", "recipient", "kind") if name in wanted
    )


def _chart(
    context: Context, named: Named, days: list[date], since: date, flow: Flow, series: Counted
) -> ColumnChart:
    bands = [usual(series.total, day, since) for day in days]
    stacks = []
    for day, band in zip(days, bands, strict=True):
        denied = series.denied.get(day, 0)
        total = series.total.get(day, 0)
        marked = band is not None and band.is_exceeded(total)
        stacks.append(Stack(label=named.day(day), values=(total - denied, denied), marked=marked))
    return ColumnChart(
        name="flow",
        caption=context.t(
            "page.timeline.chart",
            sender=named.party(flow.sender),
            recipient=named.party(flow.recipient),
            kind=named.kind(flow.kind),
        ),
        what=context.t("page.timeline.day"),
        series=[context.t("page.timeline.passed"), context.t("outcome.denied")],
        stacks=stacks,
        kinds=(1, 3),
        ranges=[Range(low=band.low, median=band.median, high=band.high) if band else None for band in bands],
    )


def _flow(named: Named, flow: Flow, series: Counted, shown: Days) -> Mapping[str, Any]:
    inside = {day: count for day, count in series.total.items() if shown.first <= day <= shown.last}
    denied = sum(count for day, count in series.denied.items() if shown.first <= day <= shown.last)
    return {
        "href": flow_link(flow),
        "flow": flow,
        "sender": named.party(flow.sender),
        "recipient": named.party(flow.recipient),
        "kind": named.kind(flow.kind),
        "total": sum(inside.values()),
        "denied": denied,
    }


def _row(context: Context, named: Named, one: Anomaly) -> dict[str, Cell]:
    return {
        "sentence": named.sentence(one),
        "href": anomaly_link(one),
        "day": one.day.isoformat(),
        "sort": context.t(f"anomaly.sort.{one.kind}"),
        "sender": one.flow.sender,
        "sender_name": named.party(one.flow.sender),
        "recipient": one.flow.recipient,
        "recipient_name": named.party(one.flow.recipient),
        "count": one.count,
    }


PAGES = (
    Page(
        path="/tijdlijn",
        name="timeline",
        handler=show,
        roles=OFFICERS,
        logged=True,
        filters={"sender": OIN, "recipient": OIN, "kind": WORD},
        listed=True,
    ),
)
