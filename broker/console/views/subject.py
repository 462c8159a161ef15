# SPDX-License-Identifier: EUPL-1.2
"""Verzoek van betrokkene: how to answer without naming the subject, and whom to tell of a correction (AVG 19).

The file with the answer is read in the browser (static/subject.js) and never sent here.
"""

import re

from broker.console.listing import Cell, Column, Kind, Listing
from broker.console.pages import OFFICERS, Context, Page, View, moment_of
from broker.console.words import party_name, word
from broker.storage.projected import ACKNOWLEDGE, DENIED, FOLLOW_UP
from sluis.errors import NotFound

EXCHANGE = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")

COLUMNS = (
    Column(key="recipient", heading="page.recipients.recipient", kind=Kind.PARTY),
    Column(key="received", heading="page.recipients.received", kind=Kind.MOMENT),
    Column(key="confirmed", heading="page.recipients.confirmed", kind=Kind.MOMENT),
    Column(key="kind", heading="page.recipients.kind"),
    Column(key="log_index", heading="page.recipients.log_index", kind=Kind.NUMBER),
)


def show(_: Context) -> View:
    """Explain the request and how to answer it."""
    return View()


def recipients(context: Context) -> View:
    """Show to whom one exchange was given."""
    exchange = context.parts["exchange"]
    if not EXCHANGE.fullmatch(exchange):
        raise NotFound("not-found")
    found = context.reader.oversight.exchange(exchange)
    confirmed = {row.previous: row.time_ms for row in found if row.shape.operation == ACKNOWLEDGE}
    rows: list[dict[str, Cell]] = []
    for row in found:
        shape = row.shape
        if shape.operation.startswith(FOLLOW_UP) or not shape.decided:
            continue
        if shape.result == DENIED or shape.outcome == "on_match":
            continue
        kind = context.bundle.catalog.kinds.get(shape.kind)
        at = confirmed.get(row.log_index)
        rows.append(
            {
                "recipient": shape.recipient,
                "recipient_name": party_name(context, shape.recipient),
                "received": moment_of(row.time_ms),
                "confirmed": moment_of(at) if at is not None else None,
                "kind": word(context, kind) if kind else shape.kind,
                "log_index": row.log_index,
            }
        )
    return View(values={"exchange": exchange}, listing=Listing(columns=COLUMNS, rows=rows))


PAGES = (
    Page(path="/betrokkene", name="subject", handler=show, roles=OFFICERS, logged=False),
    Page(
        path="/betrokkene/ontvangers/{exchange}",
        name="recipients",
        handler=recipients,
        roles=OFFICERS,
        logged=True,
        menu=False,
        listed=True,
    ),
)
