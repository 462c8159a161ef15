# SPDX-License-Identifier: EUPL-1.2
"""Tijdlijn: how busy each flow is and usually is, and everything that stands out as a sentence."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from broker.console.figures import ColumnChart, Range, Stack
from broker.console.flows import Named, anomaly_link, flow_link
from broker.console.listing import Cell, Column, Kind, Listing
from broker.console.pages import OFFICERS, OIN, PAGE_ROWS, WORD, Context, Page, Redirect, View
from broker.console.people import described
from broker.console.reading_counts import NEWEST, Sample, last_days, window
from broker.oversight.anomalies import WEEKS, Anomaly, Counted, Flow, anomalies, counted, usual
from broker.oversight.reviewing import OpenAnomaly, anomaly_subject
from broker.storage.buckets import columns
from broker.storage.projected import ZONE, Days
from broker.storage.projected import Cell as Counts
from sluis.errors import NotFound

SHOWN = 30

COLUMNS = (
    Column(key="sentence", heading="page.timeline.sentence"),
    Column(key="day", heading="page.timeline.day"),
    Column(key="sort", heading="page.timeline.sort"),
    Column(key="sender", heading="page.timeline.sender", kind=Kind.PARTY),
    Column(key="recipient", heading="page.timeline.recipient", kind=Kind.PARTY),
    Column(key="count", heading="page.timeline.count", kind=Kind.NUMBER),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What the page looks at: the days with their exchanges, and what stands out in them."""

    shown: Days
    days: list[date]
    since: date
    cells: Sequence[Counts]
    sample: Sample
    found: list[Anomaly]


def look(context: Context) -> Look:
    """Count, and find what stands out."""
    counts = context.reader.counts
    today = context.now.astimezone(ZONE).date()
    shown = last_days(today, SHOWN)
    days = [first for first, _ in columns(shown)]
    since = counts.since() or today
    cells, sample = counts.pushes(window(today, SHOWN)), counts.sample(shown)
    found = anomalies(cells, days, since, sample.statements, counts.look_ups(days))
    return Look(shown=shown, days=days, since=since, cells=cells, sample=sample, found=found)


def show(context: Context) -> View:
    """Show what stands out, and a flow or all of them."""
    named, seen = Named(context, context.reader.register.names()), look(context)
    today, shown, days, since = seen.shown.last, seen.shown, seen.days, seen.since
    found = [one for one in seen.found if _is_chosen(context, one.flow)]
    flows = counted(seen.cells)
    listed = found[: context.limit]
    opened = context.reader.oversight.about([anomaly_subject(one.key) for one in listed[:PAGE_ROWS]])
    chosen = {flow: series for flow, series in flows.items() if _is_chosen(context, flow)}
    single = len(chosen) == 1 and {"sender", "recipient", "kind"} <= context.filters.keys()
    return View(
        values={
            "chart": _chart(context, named, days, since, *next(iter(chosen.items()))) if single else None,
            "flows": [_flow(named, flow, series, shown) for flow, series in chosen.items()],
            "single": single,
            "filtered": bool(context.filters),
            "complete": seen.sample.complete,
            "newest": NEWEST,
            "weeks": WEEKS,
            "young": (today - since).days < 7 * WEEKS,
            "since": named.day(since),
            "shown": SHOWN,
        },
        listing=Listing(columns=COLUMNS, rows=[_row(context, named, one, opened) for one in listed]),
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


@dataclass(frozen=True, slots=True)
class Told:
    """An anomaly as a finding keeps it."""

    code: str
    text: str
    links: Sequence[str]


async def open_finding(context: Context) -> Redirect:
    """Make a finding of an anomaly that stands on the page. Raises NotFound, Conflict `wrong-state`."""
    seen = await asyncio.to_thread(look, context)
    one = next((one for one in seen.found if one.key == context.form.get("key")), None)
    if one is None:
        raise NotFound("not-found")
    named = Named(context, context.reader.register.names())
    work = OpenAnomaly(
        by=context.officer,
        described=described(context.officer),
        anomaly=Told(one.kind, named.sentence(one), [anomaly_link(one), flow_link(one.flow)]),
        key=one.key,
        log_index=one.log_index if one.log_index is not None else max(context.reader.log_size() - 1, 0),
    )
    return Redirect(to=f"/beoordelen/{await context.submit(work)}")


def _row(context: Context, named: Named, one: Anomaly, opened: Mapping[str, str]) -> dict[str, Cell]:
    return {
        "key": one.key,
        "finding": opened.get(anomaly_subject(one.key), ""),
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
    Page(
        path="/tijdlijn/bevinding",
        name="open_finding",
        handler=open_finding,
        roles=OFFICERS,
        logged=False,  # the finding itself is logged
        method="POST",
        menu=False,
    ),
)
