# SPDX-License-Identifier: EUPL-1.2
"""Uitwisseling: the life of one signal, the decision in sentences, the proof, and the evidence to take away."""

import asyncio
import re
from dataclasses import dataclass
from datetime import datetime

from broker.console.keeping import keeping_of
from broker.console.labels import Labels
from broker.console.pages import OFFICERS, Context, Download, Page, Redirect, View, moment_of
from broker.console.reading import ReadPage, check_reason
from broker.console.reading_exchanges import Exchange, Recorded
from broker.console.story import Story, codes_of, headline, story_of
from broker.storage.projected import DENIED, FOLLOW_UP
from sluis.errors import NotFound
from sluis.evidence import write_evidence
from sluis.followup import Act
from sluis.policy.bundle import Bundle

PATH = "/uitwisseling"
_SIGNAL = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_INDEX = re.compile(r"0|[1-9][0-9]{0,17}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Chapter:
    """An entry as the page tells it; `story` is there when it decided something."""

    record: Recorded
    headline: str
    story: Story | None
    rules_kept: bool
    since: datetime | None  # when the rules came in force


@dataclass(frozen=True, slots=True, kw_only=True)
class Owed:
    """Something that a party has yet to do about the signal."""

    text: str
    due: datetime
    late: bool


def show(context: Context) -> View | Redirect:
    """Show the exchange of an entry; a signal's id leads to its first entry."""
    key = context.parts["index"]
    if _SIGNAL.fullmatch(key):
        return Redirect(to=f"{PATH}/{context.reader.exchanges.of_signal(key)}")
    exchange = context.reader.exchanges.exchange(_index(key))
    first = next((entry for entry in exchange.entries if not entry.confirms), None)
    if first is None:
        raise NotFound("not-found")
    chapters = [_chapter(context, entry) for entry in exchange.entries]
    labels = Labels(context)
    return View(
        values={
            "exchange": exchange,
            "chapters": chapters,
            "first": first.content,
            "labels": labels,
            "server_keys": [str(key) for key in (*context.keys.log, *context.keys.witnesses)],
            "command": _command(context),
            "address": f"{PATH}/{first.log_index}",
            "provable": is_provable(exchange),
            "owed": _owed(context, labels, exchange.exchange),
            "keeping": keeping_of(context, exchange.exchange) if exchange.exchange else None,
            "passed": any(chapter.story.result != DENIED for chapter in chapters if chapter.story),
        }
    )


def _owed(context: Context, labels: Labels, exchange: str) -> list[Owed]:
    """What is still to be done about the signal, soonest first."""
    duties = context.reader.follow_ups.owed_about(exchange) if exchange else []
    return [
        Owed(
            text=context.t(f"page.exchange.owed.{duty.act}", party=labels.party(duty.debtor)),
            due=moment_of(duty.due_at_ms),
            late=moment_of(duty.due_at_ms) < context.now,
        )
        for duty in duties
    ]


async def evidence(context: Context) -> Download:
    """Give the evidence bundle, for a reason that goes into the log before anything is read."""
    index = _index(context.parts["index"])
    work = ReadPage(
        officer=context.officer,
        page=context.page.path,
        filters=context.parts,
        export="zip",
        reason=check_reason(context.form.get("reason", "")),
    )
    await context.submit(work)
    return await asyncio.to_thread(_evidence, context, index)


def _evidence(context: Context, index: int) -> Download:
    keys = context.keys
    exchange, found = context.reader.exchanges.evidence(index, keys.log, keys.witnesses)
    content = write_evidence(found)
    return Download(name=f"sluis-{exchange}.zip", media_type="application/zip", content=content)


def _index(text: str) -> int:
    if not _INDEX.fullmatch(text):
        raise NotFound("not-found")
    return int(text)


def _chapter(context: Context, record: Recorded) -> Chapter:
    entry = record.content
    told = headline(entry, context.language)
    if codes := codes_of(entry, context.bundle, context.language):
        end = "?" if entry["operation"] == f"{FOLLOW_UP}{Act.ASK}" else "."
        told += f" {codes[:1].upper()}{codes[1:]}{end}"
    if record.confirms:
        return Chapter(record=record, headline=told, story=None, rules_kept=True, since=None)
    rules = _rules(context, entry["policy"])
    since = [row.at_ms for row in context.reader.activations() if row.digest == entry["policy"]]
    return Chapter(
        record=record,
        headline=told,
        story=story_of(entry, rules or context.bundle, context.language),
        rules_kept=rules is not None,
        since=moment_of(since[0]) if since else None,
    )


def _rules(context: Context, digest: str) -> Bundle | None:
    """The rules of then: mostly those of now."""
    return context.bundle if context.bundle.digest == digest else context.reader.exchanges.rules_of(digest)


def _command(context: Context) -> str:
    """How the bundle is checked without a browser; whoever checks fills in keys of her own."""
    witnesses = len({key.name for key in context.keys.witnesses})
    return (
        'sluis audit verify bundle.zip --log-vkey "…" '
        + '--witness-vkey "…" ' * witnesses
        + f"--quorum {witnesses}"
    )


def is_provable(exchange: Exchange) -> bool:
    """Whether an evidence bundle can be made: of a signal, under a checkpoint."""
    return bool(exchange.exchange and exchange.checkpoint)


PAGES = (
    Page(
        path=PATH + "/{index}",
        name="exchange",
        handler=show,
        roles=OFFICERS,
        logged=True,
        menu=False,
    ),
    Page(
        path=PATH + "/{index}/bewijs",
        name="exchange_evidence",
        handler=evidence,
        roles=OFFICERS,
        logged=False,  # the handler logs it, with the reason
        method="POST",
        menu=False,
    ),
)
