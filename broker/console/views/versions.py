# SPDX-License-Identifier: EUPL-1.2
"""Versies: every activation of rules, with who signed; and Verschil: what changed between two of them."""

from datetime import date, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from broker.console.listing import Cell, Column, Kind, Listing
from broker.console.pages import DAY, EVERYONE, INDEX, OFFICERS, Context, Download, Page, View
from broker.console.reading_policy import Version
from broker.console.texts import Language
from broker.policy.change.diff import PolicyDiff
from broker.policy.change.words import DUTIES, Text, duty_value
from broker.policy.recent import replay_recent
from broker.policy.replay import Replay
from sluis.errors import InvalidInput, NotFound
from sluis.policy.archive import unpack
from sluis.policy.bundle import ZONE, Bundle
from sluis.stored_zip import pack_zip

REPLAY_DAYS = (7, 30, 90)

COLUMNS = (
    Column(key="at", heading="page.versions.at", kind=Kind.MOMENT),
    Column(key="proposed", heading="page.versions.proposed"),
    Column(key="approved", heading="page.versions.approved"),
    Column(key="verdict", heading="page.versions.verdict"),
    Column(key="policy", heading="page.versions.policy"),
    Column(key="log_index", heading="page.versions.log_index", kind=Kind.NUMBER),
)


def show_versions(context: Context) -> View:
    """Show every activation, newest first, and the rules of a day when one is asked for."""
    versions = context.reader.policy.versions()
    rows: list[dict[str, Cell]] = []
    for place, version in enumerate(versions):
        rows.insert(0, _row(context, versions[place - 1] if place else None, version))
    day = context.filters.get("on", "")
    values = {"on": day, "of_day": _at_end_of(versions, day) if day else None}
    return View(values=values, listing=Listing(columns=COLUMNS, rows=rows))


def _row(context: Context, before: Version | None, version: Version) -> dict[str, Cell]:
    index = version.activation.log_index
    compare = f"/verschil?before={before.activation.log_index}&after={index}" if before else ""
    first = context.t("page.versions.first") if version.entry.get("operation") == "policy.install" else ""
    return {
        "at": version.at,
        "proposed": _signers(context, version, "propose") or first,
        "approved": _signers(context, version, "approve"),
        "verdict": context.t(f"verdict.{version.verdict}") if version.verdict else "",
        "policy": version.activation.digest,
        "log_index": index,
        "read": f"/afspraken?version={index}",
        "compare": compare,
    }


def _signers(context: Context, version: Version, act: str) -> str:
    signers = version.signers(act)
    return ", ".join(f"{officer} ({context.t(f'signer.{function}')})" for officer, function in signers)


def _at_end_of(versions: list[Version], day: str) -> Version | None:
    """The rules that decided at the end of a day."""
    try:
        end = date.fromisoformat(day) + timedelta(days=1)
    except (ValueError, OverflowError):
        raise InvalidInput("date-format", where="on") from None
    zone = ZoneInfo(ZONE)
    earlier = [item for item in versions if item.at.astimezone(zone).date() < end]
    return earlier[-1] if earlier else None


def download(context: Context) -> Download:
    """Give the rule files of a version as a zip. Raises NotFound."""
    version = _version(context.reader.policy.versions(), context.parts["id"])
    files = unpack(context.reader.policy.archive(version.activation.digest))
    return Download(
        name=f"sluis-rules-{version.activation.log_index}.zip",
        media_type="application/zip",
        content=pack_zip(files),
    )


def _version(versions: list[Version], index: str) -> Version:
    for version in versions:
        if str(version.activation.log_index) == index:
            return version
    raise NotFound("not-found")


def show_change(context: Context) -> View:
    """Show what changed between two versions, and on request a replay of her exchanges. Raises NotFound."""
    versions = context.reader.policy.versions()
    if len(versions) < 2:
        return View(values={"versions": versions, "before": None, "difference": None, "replay": None})
    before = _version(versions, context.filters.get("before", str(versions[-2].activation.log_index)))
    after = _version(versions, context.filters.get("after", str(versions[-1].activation.log_index)))
    old, new = (context.library.activated(item.activation.digest) for item in (before, after))
    values: dict[str, Any] = {
        "versions": [(item, item.at) for item in versions],
        "before": before,
        "after": after,
        "difference": difference_of(context, context.library.difference(old, new), old, new),
        "replay": replay_of(context, new),
        "replay_days": REPLAY_DAYS,
    }
    return View(values=values)


def difference_of(context: Context, change: PolicyDiff, before: Bundle, after: Bundle) -> dict[str, Any]:
    """A comparison for a template, in her language."""
    titles = {item.id: item.title for bundle in (before, after) for item in bundle.agreements.values()}
    lines = [
        {
            "agreement": titles.get(line.agreement, line.agreement),
            "flow": said(context, line.flow),
            "mark": line.mark.value,
            "text": said(context, line.text),
        }
        for line in change.lines
    ]
    functions = [item.function for item in change.required_approvals if item.function]
    return {
        "lines": lines,
        "summary": said(context, change.summary),
        "verdict": change.verdict.value,
        "functions": functions,
    }


def replay_of(context: Context, bundle: Bundle) -> dict[str, Any] | None:
    """Her exchanges of the last days under other rules, when the address asks for it.

    Raises InvalidInput for a number of days that the page does not offer.
    """
    chosen = context.filters.get("days", "")
    if not chosen:
        return None
    if chosen not in map(str, REPLAY_DAYS):
        raise InvalidInput("malformed-request", where="days")
    recent = context.reader.policy.recent(context.now, int(chosen))
    result = replay_recent(recent, bundle)
    return {
        "days": int(chosen),
        "result": result,
        "whole": recent.whole,
        "oldest": recent.oldest,
        "changes": _changes(context, bundle, result),
    }


def _changes(context: Context, bundle: Bundle, result: Replay) -> list[dict[str, Any]]:
    return [
        {
            "count": count,
            "before": _outcome(context, bundle, change.before),
            "after": _outcome(context, bundle, change.after),
            "rule_before": _title(bundle, change.rule_before),
            "rule_after": _title(bundle, change.rule_after),
            "what": [_difference(context, bundle, part) for part in change.what.split(", ") if part],
            "examples": result.examples[change],
        }
        for change, count in result.changes.most_common()
    ]


def _title(bundle: Bundle, rule_id: str) -> str:
    """What a rule is called; its id when these rules do not have it."""
    return bundle.rules[rule_id].title if rule_id in bundle.rules else rule_id


def _difference(context: Context, bundle: Bundle, part: str) -> str:
    """`+law`, `-law` or `retention P4Y -> P5Y` in words."""
    name, _, values = part.partition(" ")
    if name[:1] in ("+", "-"):
        field = bundle.fields.get(name[1:])
        label = said(context, Text(field.dutch, field.english)) if field else name[1:]
        return context.t("policy.replay.gained" if name[0] == "+" else "policy.replay.lost", field=label)
    before, _, after = values.partition(" -> ")
    duty = said(context, DUTIES[name]) if name in DUTIES else name
    old, new = (said(context, duty_value(name, "" if value == "-" else value)) for value in (before, after))
    return f"{duty}: {old} → {new}"


def _outcome(context: Context, bundle: Bundle, word: str) -> str:
    """`deny LOOKBACK` in words."""
    effect, _, code = word.partition(" ")
    if effect == "permit":
        return context.t("outcome.permit")
    known = bundle.catalog.reasons.get(code)
    reason = said(context, Text(known.dutch, known.english)) if known else code
    return f"{context.t('outcome.denied')}: {reason}" if reason else context.t("outcome.denied")


def said(context: Context, text: Text) -> str:
    """A text in her language; an arrow of the command line is one that is read as one."""
    words = text.dutch if context.language is Language.DUTCH else text.english
    return words.replace(" -> ", " → ")


PAGES = (
    Page(
        path="/versies",
        name="versions",
        handler=show_versions,
        roles=EVERYONE,
        logged=False,
        filters={"on": DAY},
        listed=True,
        menu=False,
    ),
    Page(
        path="/versies/{id}/bestanden",
        name="versions",
        handler=download,
        roles=EVERYONE,
        logged=False,
        method="POST",
        menu=False,
    ),
    Page(
        path="/verschil",
        name="change",
        handler=show_change,
        roles=OFFICERS,
        logged=True,
        filters={"before": INDEX, "after": INDEX, "days": INDEX},
        menu=False,
    ),
)
