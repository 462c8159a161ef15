# SPDX-License-Identifier: EUPL-1.2
"""Tijdvakken: which epochs of pseudonyms live, since when, and when the keys of those that ended were destroyed."""

from collections.abc import Mapping
from typing import Any

from broker.console.flows import Named
from broker.console.labels import Labels
from broker.console.listing import Cell, Column, Kind, Listing
from broker.console.pages import EVERYONE, Context, Page, View, moment_of
from broker.console.reading_epochs import EpochLife
from broker.storage.projected import ZONE
from sluis.epochs import EpochState

PATH = "/tijdvakken"
TOLD_DAYS, DAY_MS = 30, 86_400_000  # so long Vandaag tells that an epoch was closed
COLUMNS = (
    Column(key="epoch", heading="page.epochs.epoch"),
    Column(key="state", heading="page.epochs.state"),
    Column(key="begins", heading="page.epochs.begins", kind=Kind.MOMENT),
    Column(key="ends", heading="page.epochs.ends", kind=Kind.MOMENT),
    Column(key="closed", heading="page.epochs.closed", kind=Kind.MOMENT),
    Column(key="retired", heading="page.epochs.retired", kind=Kind.MOMENT),
    Column(key="destroyed", heading="page.epochs.destroyed", kind=Kind.MOMENT),
)


def show(context: Context) -> View:
    """Show the epochs, the last to begin first."""
    lives = context.reader.epochs.all(int(context.now.timestamp() * 1000))[: context.limit]
    labels = Labels(context)
    labels.expect({oin for life in lives for oin in (*life.keeping, *(one.by for one in life.destroyed))})
    return View(
        values={"lives": [_card(context, labels, life) for life in lives]},
        listing=Listing(columns=COLUMNS, rows=[_row(context, life) for life in lives]),
    )


def in_short(context: Context) -> Mapping[str, Any]:
    """What Vandaag says: where new signals go, where is asked as well, and what is to come."""
    now_ms = int(context.now.timestamp() * 1000)
    calendar = context.reader.epochs.calendar()
    current = calendar.current(now_ms)
    return {
        "current": current,
        "since": moment_of(current.begins_at_ms) if current else None,
        "asked": [epoch.name for epoch in calendar.to_ask(now_ms) if epoch != current],
        "next": [
            (epoch.name, moment_of(epoch.begins_at_ms))
            for epoch in calendar.epochs
            if calendar.state(epoch, now_ms) is EpochState.ANNOUNCED
        ],
    }


def waiting(context: Context, named: Named) -> list[str]:
    """What waits for attention, each in a sentence."""
    now_ms = int(context.now.timestamp() * 1000)
    calendar = context.reader.epochs.calendar()
    found = []
    if calendar.epochs and calendar.current(now_ms) is None:
        found.append(context.t("page.today.no_epoch"))
    for epoch in calendar.epochs:
        if epoch.compromised_at_ms is not None and now_ms - epoch.compromised_at_ms < TOLD_DAYS * DAY_MS:
            day = named.day(moment_of(epoch.compromised_at_ms).astimezone(ZONE).date())
            found.append(context.t("page.today.epoch_closed", epoch=epoch.name, day=day))
    for life in context.reader.epochs.unfinished(now_ms):
        day = named.day(life.retired.at.astimezone(ZONE).date()) if life.retired and life.retired.at else ""
        found += [
            context.t("page.today.epoch_undestroyed", epoch=life.epoch.name, day=day, party=named.party(oin))
            for oin in life.keeping
        ]
    return found


def _card(context: Context, labels: Labels, life: EpochLife) -> Mapping[str, Any]:
    return {
        "name": life.epoch.name,
        "state": life.state.value,
        "heading": _heading(context, life),
        "says": context.t(f"epoch.says.{says_of(life)}"),
        "begins": moment_of(life.epoch.begins_at_ms),
        "ends": moment_of(life.ends_at_ms) if life.ends_at_ms is not None else None,
        "announced": life.announced,
        "closed": life.closed,
        "retired": life.retired,
        "destroyed": [(labels.party(one.by), one) for one in life.destroyed],
        "keeping": [labels.party(oin) for oin in life.keeping] if life.retired else [],
    }


def _heading(context: Context, life: EpochLife) -> str:
    state = context.t(f"epoch.state.{life.state}")
    return context.t("page.epochs.heading", epoch=life.epoch.name, state=state)


def says_of(life: EpochLife) -> str:
    """Which sentence says how it stands with an epoch."""
    if life.state is EpochState.RETIRED:
        return "retired" if life.keeping else "destroyed"
    if life.epoch.never_begins:
        return "never"
    if life.epoch.questions_stopped:
        return "stopped"
    return life.state.value


def _row(context: Context, life: EpochLife) -> dict[str, Cell]:
    complete = bool(life.destroyed) and not life.keeping
    return {
        "epoch": life.epoch.name,
        "state": context.t(f"epoch.state.{life.state}"),
        "begins": moment_of(life.epoch.begins_at_ms),
        "ends": moment_of(life.ends_at_ms) if life.ends_at_ms is not None else None,
        "closed": life.closed.at if life.closed else None,
        "retired": life.retired.at if life.retired else None,
        "destroyed": life.destroyed[-1].at if complete else None,
    }


PAGES = (Page(path=PATH, name="epochs", handler=show, roles=EVERYONE, logged=False, listed=True, menu=False),)
