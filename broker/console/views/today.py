# SPDX-License-Identifier: EUPL-1.2
"""Vandaag: the rules in force, the record, and today's decisions."""

from collections import Counter
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from broker.console.figures import bar_chart
from broker.console.pages import EVERYONE, Context, Page, View, moment_of
from broker.console.people import Role

AT_MOST = 10_000  # entries looked at for today's counts; the page says when the day has more
OUTCOMES = ("released", "in_part", "denied")


def show(context: Context) -> View:
    """Show today."""
    activations = context.reader.activations()
    values: dict[str, Any] = {
        "policy": context.bundle.digest,
        "since": moment_of(activations[-1].at_ms) if activations else None,
        "rules": sum(len(agreement.rules) for agreement in context.bundle.agreements.values()),
        "agreements": len(context.bundle.agreements),
        "log_size": context.reader.log_size(),
        "newest": context.reader.newest_checkpoint(),
        "chart": None,
    }
    if context.officer.role is not Role.OPERATOR:
        counts, complete = _today(context)
        chart = bar_chart(
            name="today",
            caption=context.t("page.today.chart"),
            unit=context.t("page.today.decisions"),
            values=[(context.t(f"outcome.{name}"), counts[name]) for name in OUTCOMES],
        )
        values |= {"chart": chart, "complete": complete, "total": counts.total(), "at_most": AT_MOST}
    return View(values=values)


def _today(context: Context) -> tuple[Counter[str], bool]:
    """How today's exchanges of this officer ended, and whether the count reaches back to midnight."""
    local = context.now.astimezone(ZoneInfo("Europe/Amsterdam"))
    midnight = datetime(local.year, local.month, local.day, tzinfo=local.tzinfo)
    counts: Counter[str] = Counter()
    for entry in context.reader.newest_exchanges(AT_MOST):
        if entry.at < midnight:
            return counts, True
        withheld = "in_part" if entry.content["withheld"] else "released"
        counts["denied" if entry.content["decision"] == "deny" else withheld] += 1
    return counts, context.reader.log_size() <= AT_MOST


PAGES = (Page(path="/", name="today", handler=show, roles=EVERYONE, logged=False),)
