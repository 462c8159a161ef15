# SPDX-License-Identifier: EUPL-1.2
"""Beoordelen: the findings, one finding, and the steps that an officer takes with it."""

import asyncio
import re
from typing import Any

from broker.console.listing import Cell, Column, Kind, Listing
from broker.console.pages import INDEX, OFFICERS, Context, Page, Redirect, View, moment_of
from broker.console.people import described
from broker.console.reading import check_reason
from broker.console.words import word
from broker.oversight.findings import WRONG, Conclusion, Finding, State
from broker.oversight.reviewing import Draw, Take
from broker.oversight.sampling import PER_RULE, REFUSALS_ABOVE, START_MONTHS, Ground
from sluis.errors import InvalidInput
from sluis.policy.approval import check_officer

NEWEST = 1 << 62
STATE = re.compile("|".join(State))
OURS = re.compile(r"/[a-z0-9-]+[A-Za-z0-9/_.?=&%-]*")  # an address of this console

COLUMNS = (
    Column(key="finding", heading="page.review.finding"),
    Column(key="state", heading="page.review.state"),
    Column(key="ground", heading="page.review.ground"),
    Column(key="about", heading="page.review.about"),
    Column(key="reviewer", heading="page.review.reviewer"),
    Column(key="second_reviewer", heading="page.review.second"),
    Column(key="conclusion", heading="page.review.conclusion"),
    Column(key="opened", heading="page.review.opened", kind=Kind.MOMENT),
)


def show(context: Context) -> View:
    """Show the findings, newest first, and what may be drawn."""
    oversight = context.reader.oversight
    before = int(context.filters.get("before", NEWEST))
    findings = oversight.findings(context.filters.get("state", ""), before, context.limit)
    older = context.link(before=str(findings[-1].log_index)) if len(findings) == context.limit else ""
    counts = oversight.counts()
    draws = oversight.draws()
    chosen = context.filters.get("state", "")
    states = [
        {
            "label": context.t(f"finding.state.{state}"),
            "href": context.link(state="" if state == chosen else state.value, before=""),
            "count": counts.get(state, 0),
            "active": state == chosen,
        }
        for state in State
    ]
    return View(
        values={
            "groups": [{"title": context.t("page.review.state"), "items": states}],
            "draws": list(reversed(draws)),
            "drawn_until": draws[-1].end_index if draws else 0,
            "per_rule": PER_RULE,
            "months": START_MONTHS,
            "threshold": REFUSALS_ABOVE,
        },
        listing=Listing(columns=COLUMNS, rows=[_row(context, item) for item in findings], older=older),
    )


def _row(context: Context, finding: Finding) -> dict[str, Cell]:
    return {
        "href": f"/beoordelen/{finding.finding_id}",
        "finding": finding.finding_id,
        "state": context.t(f"finding.state.{finding.state}"),
        "ground": context.t(f"finding.ground.{finding.ground}"),
        "about": about(context, finding),
        "reviewer": finding.reviewer,
        "second_reviewer": finding.second_reviewer,
        "conclusion": context.t(f"finding.conclusion.{finding.conclusion}") if finding.conclusion else "",
        "opened": moment_of(finding.opened_at_ms),
    }


def about(context: Context, finding: Finding) -> str:
    """What a finding is about, in a sentence."""
    words = finding.about
    if finding.ground is Ground.ANOMALY:
        return words["text"]
    if finding.ground is Ground.REFUSALS:
        return context.t(
            "finding.about.refusals",
            count=words["count"],
            sender=_name(context, words["sender"]),
            recipient=_name(context, words["recipient"]),
            reason=_reason(context, words["reason"]),
        )
    rule = context.bundle.rules.get(words["rule"])
    return context.t(
        "finding.about.exchange", index=finding.log_index, rule=rule.title if rule else words["rule"]
    )


def _name(context: Context, oin: str) -> str:
    party = context.reader.party(oin)
    return party.name if party else context.t("frame.unknown_party")


def _reason(context: Context, code: str) -> str:
    reason = context.bundle.catalog.reasons.get(code)
    return word(context, reason) if reason else code


def one(context: Context) -> View:
    """Show a finding, and the steps that this officer may take."""
    finding = context.reader.oversight.finding(context.parts["finding"])
    me = context.officer.reference
    values: dict[str, Any] = {
        "finding": finding,
        "about": about(context, finding),
        "opened": moment_of(finding.opened_at_ms),
        "links": [
            word for key, word in finding.about.items() if key.startswith("link") and OURS.fullmatch(word)
        ],
        "conclusions": [(code.value, code in WRONG) for code in Conclusion],
        "may_assign": finding.state in (State.OPEN, State.ASSIGNED),
        "may_conclude": finding.state is State.ASSIGNED and finding.reviewer == me,
        "may_confirm": finding.state is State.PROPOSED and finding.reviewer != me,
        "waits": finding.state is State.PROPOSED and finding.reviewer == me,
    }
    return View(values=values)


async def take_draw(context: Context) -> Redirect:
    """Draw a sample from what was not drawn from yet."""
    population = await asyncio.to_thread(context.reader.oversight.population, context.bundle)
    if population.end <= population.first:
        return Redirect(to="/beoordelen")
    by = context.officer
    await context.submit(Draw(by=by, described=described(by), population=population))
    return Redirect(to="/beoordelen")


async def assign(context: Context) -> Redirect:
    """Give a finding to an officer."""
    to = context.form.get("to", "").strip()
    check_officer(to)
    return await _take(context, "assign", to=to)


async def conclude(context: Context) -> Redirect:
    """Conclude, or propose to."""
    conclusion = Conclusion.parse(context.form.get("conclusion", ""))
    return await _take(
        context, "conclude", conclusion=conclusion, reason=check_reason(context.form.get("reason", ""))
    )


async def second(context: Context) -> Redirect:
    """Confirm another's conclusion, or send it back with a reason."""
    choice = context.form.get("choice", "")
    if choice == "confirm":
        return await _take(context, "confirm")
    if choice == "send-back":
        return await _take(context, "send-back", reason=check_reason(context.form.get("reason", "")))
    raise InvalidInput("malformed-request", where="choice")


async def _take(context: Context, step: str, **words: Any) -> Redirect:
    by, finding_id = context.officer, context.parts["finding"]
    work = Take(by=by, described=described(by), finding_id=finding_id, step_name=step, **words)
    await context.submit(work)
    return Redirect(to=f"/beoordelen/{finding_id}")


def _step(path: str, name: str, handler: Any) -> Page:
    return Page(
        path=path, name=name, handler=handler, roles=OFFICERS, logged=False, method="POST", menu=False
    )


PAGES = (
    Page(
        path="/beoordelen",
        name="review",
        handler=show,
        roles=OFFICERS,
        logged=True,
        filters={"before": INDEX, "state": STATE},
        listed=True,
    ),
    _step("/beoordelen/trekking", "draw", take_draw),
    Page(
        path="/beoordelen/{finding}",
        name="finding",
        handler=one,
        roles=OFFICERS,
        logged=True,
        menu=False,
    ),
    _step("/beoordelen/{finding}/toewijzen", "assign", assign),
    _step("/beoordelen/{finding}/oordeel", "conclude", conclude),
    _step("/beoordelen/{finding}/tweede", "second", second),
)
