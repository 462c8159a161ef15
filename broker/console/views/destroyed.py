# SPDX-License-Identifier: EUPL-1.2
"""Wat is vernietigd, and what must be kept: the destruction records and the legal holds in force."""

from datetime import datetime
from typing import Any

from broker.console.keeping import reason_words
from broker.console.labels import Labels
from broker.console.listing import Cell, Column, Kind, Listing
from broker.console.pages import INDEX, OFFICERS, Context, Page, View
from broker.console.reading_retention import Destroyed
from broker.console.story import period_words
from broker.storage.retention_port import LegalHold
from sluis.hold import HoldScope

NEWEST = 1 << 62

COLUMNS = (
    Column(key="at", heading="page.destroyed.at", kind=Kind.MOMENT),
    Column(key="ended", heading="page.destroyed.ended", kind=Kind.MOMENT),
    Column(key="exchange", heading="page.destroyed.exchange"),
    Column(key="sender", heading="page.destroyed.sender", kind=Kind.PARTY),
    Column(key="recipient", heading="page.destroyed.recipient", kind=Kind.PARTY),
    Column(key="agreement", heading="page.destroyed.agreement"),
    Column(key="kind", heading="page.destroyed.kind"),
    Column(key="term", heading="page.destroyed.term"),
    Column(key="rule", heading="page.destroyed.rule"),
    Column(key="copy", heading="page.destroyed.copy"),
    Column(key="log_index", heading="page.destroyed.log_index", kind=Kind.NUMBER),
)
HOLD_COLUMNS = (
    Column(key="at", heading="page.holds.at", kind=Kind.MOMENT),
    Column(key="scope", heading="page.holds.scope"),
    Column(key="target", heading="page.holds.target"),
    Column(key="reason", heading="page.holds.reason"),
    Column(key="organisation", heading="page.holds.organisation", kind=Kind.PARTY),
    Column(key="officers", heading="page.holds.officers"),
    Column(key="log_index", heading="page.holds.log_index", kind=Kind.NUMBER),
)


def show(context: Context) -> View:
    """Show what was destroyed, newest first."""
    before = int(context.filters.get("before", NEWEST))
    found = context.reader.retention.destroyed(before, context.limit)
    older = context.link(before=str(found[-1].log_index)) if len(found) == context.limit else ""
    labels = Labels(context)
    rows = [_row(context, labels, item) for item in found]
    return View(listing=Listing(columns=COLUMNS, rows=rows, older=older))


def _row(context: Context, labels: Labels, item: Destroyed) -> dict[str, Cell]:
    record = item.record
    because = context.t(
        f"keeping.because.{record['counted_from']}", period=period_words(context.language, record["term"])
    )
    return {
        "at": datetime.fromisoformat(record["time"]),
        "ended": datetime.fromisoformat(record["ended"]),
        "exchange": item.exchange,
        "sender": record["sender"],
        "sender_name": labels.party(record["sender"]),
        "recipient": record["recipient"],
        "recipient_name": labels.party(record["recipient"]),
        "agreement": labels.of("agreement", record["agreement"]),
        "kind": labels.of("kind", record["kind"]),
        "term": because,
        "rule": labels.of("rule", record["rule"]) if record["rule"] else "",
        "copy": _copy(context, item),
        "log_index": item.log_index,
        "href": f"/uitwisseling/{item.signal.pushed_index}",
    }


def _copy(context: Context, item: Destroyed) -> str:
    """What who received the signal did with its copy; empty when nobody did."""
    if not item.asked:
        return ""
    return context.t(f"page.destroyed.copy.{item.answer}" if item.answer else "page.destroyed.copy.due")


def show_holds(context: Context) -> View:
    """Show the holds in force."""
    labels = Labels(context)
    rows = [_hold(context, labels, hold) for hold in context.reader.retention.holds()]
    return View(listing=Listing(columns=HOLD_COLUMNS, rows=rows))


def _hold(context: Context, labels: Labels, hold: LegalHold) -> dict[str, Cell]:
    entry: dict[str, Any] = context.reader.retention.entry(hold)
    signed = [
        f"{item['officer']} ({context.t('signer.' + item['function'])})"
        for item in entry.get("statements", [])
    ]
    about = {"href": f"/uitwisseling/{hold.target}"} if hold.scope == HoldScope.EXCHANGE else {}
    return {
        **about,
        "at": datetime.fromisoformat(entry["time"]) if entry else None,
        "scope": context.t(f"page.holds.scope.{hold.scope}"),
        "target": hold.target,
        "reason": reason_words(context, hold.reason),
        "organisation": hold.organisation,
        "organisation_name": labels.party(hold.organisation),
        "officers": ", ".join(signed),
        "log_index": hold.set_index,
    }


PAGES = (
    Page(
        path="/rapporten/vernietigd",
        name="destroyed",
        handler=show,
        roles=OFFICERS,
        logged=True,
        filters={"before": INDEX},
        listed=True,
        menu=False,
    ),
    Page(
        path="/rapporten/bewaring",
        name="holds",
        handler=show_holds,
        roles=OFFICERS,
        logged=True,
        listed=True,
        menu=False,
    ),
)
