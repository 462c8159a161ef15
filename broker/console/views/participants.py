# SPDX-License-Identifier: EUPL-1.2
"""Deelnemers en sleutels: who takes part, until when their certificates hold, evaluators' keys, officers, stops."""

import hashlib
from datetime import timedelta

from broker.console.flows import Named
from broker.console.listing import Cell, Column, Kind, Listing
from broker.console.pages import EVERYONE, OIN, Context, Page, View
from broker.console.reading_register import Participant
from broker.console.views.entry import PATH as ENTRY
from broker.storage.port import DomainKeyRow, Officer, PartyStatus

SOON = timedelta(days=60)

COLUMNS = (
    Column(key="party", heading="page.parties.party", kind=Kind.PARTY),
    Column(key="role", heading="page.parties.role"),
    Column(key="status", heading="page.parties.status"),
    Column(key="certificate", heading="page.parties.certificate"),
    Column(key="valid_until", heading="page.parties.valid_until", kind=Kind.MOMENT),
    Column(key="card_made", heading="page.parties.card_made", kind=Kind.MOMENT),
    Column(key="card", heading="page.parties.card"),
)
KEYS = (
    Column(key="agreement", heading="page.parties.agreement"),
    Column(key="recipient", heading="page.parties.recipient", kind=Kind.PARTY),
    Column(key="epoch", heading="page.parties.epoch"),
    Column(key="evaluator", heading="page.parties.evaluator", kind=Kind.PARTY),
    Column(key="log_index", heading="page.parties.log_index", kind=Kind.NUMBER),
    Column(key="key", heading="page.parties.key"),
)
OFFICER_COLUMNS = (
    Column(key="officer", heading="page.parties.officer"),
    Column(key="organisation", heading="page.parties.organisation", kind=Kind.PARTY),
    Column(key="function", heading="page.parties.function"),
    Column(key="status", heading="page.parties.status"),
    Column(key="log_index", heading="page.parties.log_index", kind=Kind.NUMBER),
)
STOPS = (
    Column(key="scope", heading="page.parties.scope"),
    Column(key="target", heading="page.parties.target"),
)


def show(context: Context) -> View:
    """Show who takes part."""
    register = context.reader.register
    named = Named(context, register.names())
    found = register.participants(context.filters.get("after", ""), context.limit)
    older = context.link(after=found[-1].row.oin) if len(found) == context.limit else ""
    stops: list[dict[str, Cell]] = [
        {"scope": context.t(f"scope.{stop.scope}"), "target": stop.target} for stop in register.stops()
    ]
    return View(
        values={
            "keys": Listing(columns=KEYS, rows=[_key(named, row) for row in register.published_keys()]),
            "officers": Listing(
                columns=OFFICER_COLUMNS, rows=[_officer(context, named, row) for row in register.officers()]
            ),
            "stops": Listing(columns=STOPS, rows=stops),
        },
        listing=Listing(columns=COLUMNS, rows=[_row(context, named, one) for one in found], older=older),
    )


def _row(context: Context, named: Named, one: Participant) -> dict[str, Cell]:
    status = "active" if one.row.status is PartyStatus.ACTIVE else "stopped"
    return {
        "party": one.row.oin,
        "party_name": one.row.name,
        "role": named.role(one.row.role),
        "status": context.t(f"party.{status}"),
        "certificate": context.t(f"certificate.{_state(context, one)}"),
        "valid_until": one.valid_until,
        "card_made": one.card_made,
        "card": one.card_digest,
    }


def _state(context: Context, one: Participant) -> str:
    """Whether the certificate on the card holds at this moment."""
    if one.valid_from is None or one.valid_until is None:
        return "unreadable"
    if context.now > one.valid_until:
        return "expired"
    if context.now < one.valid_from:
        return "early"
    return "soon" if context.now + SOON >= one.valid_until else "valid"


def _key(named: Named, row: DomainKeyRow) -> dict[str, Cell]:
    return {
        "agreement": named.agreement(row.agreement),
        "recipient": row.recipient,
        "recipient_name": named.party(row.recipient),
        "epoch": row.epoch,
        "evaluator": row.evaluator,
        "evaluator_name": named.party(row.evaluator),
        "key": hashlib.sha256(row.publication).hexdigest(),
        "log_index": row.log_index,
        "log_index_href": f"{ENTRY}/{row.log_index}",
    }


def _officer(context: Context, named: Named, row: Officer) -> dict[str, Cell]:
    return {
        "officer": row.officer,
        "organisation": row.organisation,
        "organisation_name": named.party(row.organisation),
        "function": named.function(row.function),
        "status": context.t("officer.active" if row.active else "officer.retired"),
        "log_index": row.log_index,
        "log_index_href": f"{ENTRY}/{row.log_index}",
    }


PAGES = (
    Page(
        path="/deelnemers",
        name="parties",
        handler=show,
        roles=EVERYONE,
        logged=False,
        filters={"after": OIN},
        listed=True,
    ),
)
