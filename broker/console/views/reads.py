# SPDX-License-Identifier: EUPL-1.2
"""Inzage in deze console: who looked at what, from the log."""

from broker.console.listing import Cell, Column, Kind, Listing
from broker.console.pages import INDEX, OFFICERS, Context, Page, View
from broker.console.reading import Entry
from broker.console.texts import has_text

NEWEST = 1 << 62

COLUMNS = (
    Column(key="at", heading="page.reads.at", kind=Kind.MOMENT),
    Column(key="reader", heading="page.reads.reader"),
    Column(key="organisation", heading="page.reads.organisation", kind=Kind.PARTY),
    Column(key="role", heading="page.reads.role"),
    Column(key="page", heading="page.reads.page"),
    Column(key="filter", heading="page.reads.filter"),
    Column(key="export", heading="page.reads.export"),
    Column(key="log_index", heading="page.reads.log_index", kind=Kind.NUMBER),
)


def show(context: Context) -> View:
    """Show who read what, newest first."""
    before = int(context.filters.get("before", NEWEST))
    entries = context.reader.reads(before, context.limit)
    full = len(entries) == context.limit
    older = context.link(before=str(entries[-1].log_index)) if full else ""
    rows = [_row(context, entry) for entry in entries]
    return View(listing=Listing(columns=COLUMNS, rows=rows, older=older))


def _row(context: Context, entry: Entry) -> dict[str, Cell]:
    content = entry.content
    party = context.reader.party(content["organisation"])
    export = f"{content['export']}: {content['reason']}" if "export" in content else ""
    return {
        "at": entry.at,
        "reader": content["reader"],
        "organisation": content["organisation"],
        "organisation_name": party.name if party else "",
        "role": context.t(f"role.{content['role']}"),
        "page": content["page"],
        "page_title": _title(context, content["page"]),
        "filter": ", ".join(f"{name}={value}" for name, value in content["filter"].items()),
        "export": export,
        "log_index": entry.log_index,
    }


def _title(context: Context, path: str) -> str:
    """The title of the page that was read, in her language; of a page that is no more, its path."""
    from broker.console.views import PAGES as every_page  # they list this page too

    names = [page.title for page in every_page if page.path == path]
    return context.t(names[0]) if names and has_text(names[0]) else path


PAGES = (
    Page(
        path="/inzage",
        name="reads",
        handler=show,
        roles=OFFICERS,
        logged=True,
        filters={"before": INDEX},
        listed=True,
    ),
)
