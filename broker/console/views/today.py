# SPDX-License-Identifier: EUPL-1.2
"""Vandaag: whether the record is intact, what waits for attention, who sent to whom, and the rules in force."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any
from uuid import UUID

from broker.console.figures import ColumnChart, Stack
from broker.console.flows import Named, anomaly_link, exchanges_link
from broker.console.pages import EVERYONE, Context, Page, View, moment_of
from broker.console.people import Role
from broker.console.reading_counts import Counts, last_days, window
from broker.console.render import grouped
from broker.console.views.epochs import PATH as EPOCHS
from broker.console.views.epochs import in_short, waiting
from broker.console.views.watches import watches
from broker.oversight.anomalies import anomalies
from broker.policy.analyse import endings
from broker.storage.follow_up_port import Duty
from broker.storage.projected import ZONE, Days, Results
from sluis.checkpoint import verify_log_signature
from sluis.errors import SluisError
from sluis.note import Note

SHOWN = 30
OVERDUE_DAYS, OVERDUE_BACK = 7, 90
ENDS_WITHIN = 90
MOST_OVERDUE = 200  # duties looked at, before they are put together
BEHIND = 1000  # entries; a log that is in use is always a few ahead of the index
OUTCOMES = ("released", "in_part", "denied")


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """Something that waits for attention, in one sentence, and where to look."""

    text: str
    href: str


def show(context: Context) -> View:
    """Show today."""
    activations = context.reader.activations()
    named = Named(context, context.reader.register.names())
    today = context.now.astimezone(ZONE).date()
    values: dict[str, Any] = {
        "policy": context.bundle.digest,
        "since": moment_of(activations[-1].at_ms) if activations else None,
        "rules": sum(len(agreement.rules) for agreement in context.bundle.agreements.values()),
        "agreements": len(context.bundle.agreements),
        "log_size": context.reader.log_size(),
        "record": record_of(context),
        "counted": context.officer.role is not Role.OPERATOR,
        "epochs": in_short(context),
        "tasks": [
            *(Task(text=text, href=EPOCHS) for text in waiting(context, named)),
            *_stopped(context, named),
            *_ending(context, named, today),
        ],
    }
    if values["counted"]:
        counts = context.reader.counts
        days = last_days(today, SHOWN)
        chart = _chart(context, named, counts, days)
        pairs = counts.matrix(days)
        values |= {
            "chart": chart,
            "total": sum(chart.stacks[-1].values),
            "tasks": [
                *_overdue(context, named),
                *_unconfirmed(context, counts, today),
                *_refusals(named, counts, today),
                *_undestroyed(context),
                *_look_ups(named, counts, today),
                *values["tasks"],
            ],
            "behind": counts.behind() if counts.behind() > BEHIND else 0,
            "matrix": _matrix(named, pairs, days),
            "named": named,
            "watches": watches(context),
        }
    return View(values=values)


def record_of(context: Context) -> Mapping[str, Any] | None:
    """The newest checkpoint, what a browser needs to check it, and what the server itself found."""
    kept = context.reader.record.newest()
    if kept is None:
        return None
    note = Note.parse(kept.note)
    try:
        checkpoint = verify_log_signature(note, context.keys.log)
        verdict = "signed" if checkpoint.size <= context.reader.log_size() else "cut"
    except SluisError:
        verdict = "unsigned" if context.keys.log else "no_keys"
    return {
        "note": kept.note,
        "size": kept.size,
        "at": moment_of(kept.signed_at_ms),
        "origin": note.text.split("\n", 1)[0],
        "keys": " ".join(map(str, context.keys.log)),
        "witnesses": " ".join(map(str, context.keys.witnesses)),
        "signers": list(dict.fromkeys(signature.name for signature in note.signatures)),
        "verdict": verdict,
    }


def _chart(context: Context, named: Named, counts: Counts, days: Days) -> ColumnChart:
    stacks = [
        Stack(
            label=named.day(column.first),
            values=(column.results.released, column.results.partly, column.results.denied),
        )
        for column in counts.results(days)
    ]
    return ColumnChart(
        name="month",
        caption=context.t("page.today.chart"),
        what=context.t("page.today.day_heading"),
        series=[context.t(f"outcome.{name}") for name in OUTCOMES],
        stacks=stacks,
    )


def _unconfirmed(context: Context, counts: Counts, today: date) -> list[Task]:
    days = Days(today - timedelta(days=OVERDUE_BACK), today - timedelta(days=OVERDUE_DAYS + 1))
    number = counts.unconfirmed(days).total
    if not number:
        return []
    text = context.t(
        "page.today.unconfirmed", n=grouped(number, context.language), days=OVERDUE_DAYS, back=OVERDUE_BACK
    )
    bounds = {"from": days.first.isoformat(), "until": days.last.isoformat()}
    return [Task(text=text, href=exchanges_link(acknowledged="no", **bounds))]


def _overdue(context: Context, named: Named) -> list[Task]:
    """Who has not done what it owes about signals: a line for each debtor and sort, the oldest first."""
    now_ms = int(context.now.timestamp() * 1000)
    found = context.reader.follow_ups.overdue(now_ms, MOST_OVERDUE)
    owed: dict[tuple[str, str], list[Duty]] = {}
    for duty in found:
        owed.setdefault((duty.debtor, duty.act), []).append(duty)
    tasks = [
        Task(text=_owed(context, named, duties), href=f"/uitwisseling/{UUID(bytes=duties[0].signal_id)}")
        for duties in owed.values()
    ]
    more = context.reader.follow_ups.count_overdue(now_ms) - len(found) if tasks else 0
    if more > 0:
        text = context.t("page.today.overdue.more", n=grouped(more, context.language))
        tasks.append(Task(text=text, href="/uitwisselingen"))
    return tasks


def _owed(context: Context, named: Named, duties: Sequence[Duty]) -> str:
    """Duties of one sort of one party in a sentence; the first has been overdue longest."""
    first = duties[0]
    text = context.t(
        f"page.today.overdue.{first.act}",
        party=named.party(first.debtor),
        day=named.day(moment_of(first.due_at_ms).astimezone(ZONE).date()),
    )
    number = grouped(len(duties), context.language)
    return text if len(duties) == 1 else context.t("page.today.overdue.times", text=text, n=number)


def _refusals(named: Named, counts: Counts, today: date) -> list[Task]:
    since = counts.since()
    if since is None:
        return []
    recent = [today, today - timedelta(days=1)]
    found = anomalies(counts.pushes(window(today, len(recent))), recent, since)
    return [Task(text=named.sentence(one), href=anomaly_link(one)) for one in found if one.kind == "refusals"]


def _undestroyed(context: Context) -> list[Task]:
    """What ended and lacks its destruction record."""
    found = context.reader.retention.overdue(context.now)
    if not found:
        return []
    text = context.t("page.today.undestroyed", n=grouped(len(found), context.language))
    return [Task(text=text, href=f"/uitwisseling/{found[0].pushed_index}")]


def _look_ups(named: Named, counts: Counts, today: date) -> list[Task]:
    found = counts.look_ups([today, today - timedelta(days=1)])
    return [Task(text=named.sentence(one), href=anomaly_link(one)) for one in found]


def _stopped(context: Context, named: Named) -> list[Task]:
    found = []
    for stop in context.reader.register.stops():
        target = stop.target[:16] if stop.scope == "certificate" else stop.target
        found.append(Task(text=context.t(f"stop.{stop.scope}", target=target), href="/deelnemers#stops"))
    return found


def _ending(context: Context, named: Named, today: date) -> list[Task]:
    return [
        Task(
            text=context.t("page.today.ends", rule=found.rule, what=named.text(found.text)),
            href="/deelnemers" if context.officer.role is Role.OPERATOR else "/afspraken",
        )
        for found in endings(context.bundle, today, ENDS_WITHIN)
    ]


def _matrix(named: Named, pairs: Mapping[tuple[str, str], Results], days: Days) -> Mapping[str, Any]:
    bounds = {"from": days.first.isoformat(), "until": days.last.isoformat()}
    senders = sorted({sender for sender, _ in pairs}, key=named.party)
    recipients = sorted({recipient for _, recipient in pairs}, key=named.party)
    rows = []
    for sender in senders:
        cells = []
        for recipient in recipients:
            results = pairs.get((sender, recipient))
            href = exchanges_link(sender=sender, recipient=recipient, operation="signal.push", **bounds)
            cells.append({"recipient": recipient, "results": results, "href": href})
        total = sum(results.total for pair, results in pairs.items() if pair[0] == sender)
        rows.append({"sender": sender, "cells": cells, "total": total})
    return {"recipients": recipients, "rows": rows}


PAGES = (Page(path="/", name="today", handler=show, roles=EVERYONE, logged=False),)
