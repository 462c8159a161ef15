# SPDX-License-Identifier: EUPL-1.2
"""Watches: kept choices of which Vandaag tells how many exchanges are new since the officer last looked.

Looking is a form and not a link, for it changes from where on exchanges are new to her.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from itertools import takewhile
from urllib.parse import parse_qs

from broker.console.pages import OFFICERS, Context, Page, Redirect
from broker.console.render import grouped
from broker.console.views.exchanges import CHOICES, PATH
from broker.storage.console_port import ConsoleView
from broker.storage.projected import Days, Filter
from sluis.errors import InvalidInput

WATCH = "/volgen"
FIRST, LAST = "2000-01-01", "2099-12-31"
AT_MOST = 100  # more than so many new exchanges are not counted


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """A kept choice; `news` says in a sentence what is new in it, and is empty when nothing is."""

    name: str
    href: str
    watched: bool
    news: str


def watches(context: Context) -> list[Watch]:
    """Her kept choices, with what is new in those that she watches."""
    return [
        Watch(
            name=row.name,
            href=f"{PATH}?{row.query}" if row.query else PATH,
            watched=row.watched_from is not None,
            news=_news(context, row),
        )
        for row in context.reader.saved_views.all()
    ]


def _news(context: Context, row: ConsoleView) -> str:
    number = sum(1 for _ in _new(context, row))
    if not number:
        return ""
    key = "watch.many" if number > AT_MOST else "watch.one" if number == 1 else "watch.news"
    return context.t(key, name=row.name, n=grouped(min(number, AT_MOST), context.language))


def _new(context: Context, row: ConsoleView) -> Iterator[object]:
    if row.watched_from is None:
        return iter(())
    first = row.watched_from
    words = {name: values[0] for name, values in parse_qs(row.query).items()}
    chosen = Filter({name: (words[name],) for name in CHOICES if name in words})
    try:
        days = _days(words)
    except (ValueError, InvalidInput):  # days that do not exist hold no exchange
        return iter(())
    found = context.reader.exchanges.rows(chosen, days, None, AT_MOST + 1)
    return takewhile(lambda one: one.log_index >= first, found)


def _days(words: dict[str, str]) -> Days:
    """The days of the choice; one that has none goes along with the calendar."""
    first, last = words.get("from", FIRST), words.get("until", LAST)
    return Days(date.fromisoformat(first), date.fromisoformat(last))


def change(context: Context) -> Redirect:
    """Begin or end a watch, or look at what is new in it."""
    views, name, act = context.reader.saved_views, context.form.get("name", ""), context.form.get("act", "")
    if act not in ("begin", "end", "look"):
        raise InvalidInput("malformed-request", where="act")
    row = views.watch(name, None if act == "end" else context.reader.counts.position())
    if act == "look":
        return Redirect(to=f"{PATH}?{row.query}" if row.query else PATH)
    return Redirect(to="/#watches")


PAGES = (
    Page(
        path=WATCH,
        name="watches",
        handler=change,
        roles=OFFICERS,
        logged=False,  # it tells of no exchange
        method="POST",
        menu=False,
    ),
)
