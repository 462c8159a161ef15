# SPDX-License-Identifier: EUPL-1.2
"""Rapporten: the register (AVG art. 30), evidence for a DPIA, a breach, and the yearly report of Besluit 2:5(3)."""

import re
from collections import Counter
from datetime import datetime
from typing import Any

from broker.console.listing import Cell, Column, Kind, Listing
from broker.console.pages import DAY, OFFICERS, OIN, WORD, Context, Page, View, moment_of
from broker.console.people import Role
from broker.console.reading_findings import days_of
from broker.console.words import party_name, word
from broker.oversight.reports import REFUSALS, Affected, Processing, affected, case_results, register
from broker.storage.projected import EVERY, ZONE, Days, ExchangeRow, Filter
from sluis.errors import InvalidInput
from sluis.followup import Act
from sluis.policy import dutch
from sluis.policy.rules import Notice

YEAR = re.compile(r"20[0-9]{2}")
YES = re.compile("yes")
BREACH_ROWS = 20_000  # entries looked at for a breach; the page says when there are more
YEARLY_AGREEMENT = "waadi-14b"
RISKS = 8  # texts page.dpia.risk.1 and so on


def index(context: Context) -> View:
    """List the reports."""
    return View(values={"statistics": context.officer.role is Role.AUTHORITY})


# the register of processing

REGISTER_COLUMNS = (
    Column(key="title", heading="page.register.rule_title"),
    Column(key="agreement", heading="page.register.agreement"),
    Column(key="basis", heading="page.register.basis"),
    Column(key="purposes", heading="page.register.purposes"),
    Column(key="subjects", heading="page.register.subjects"),
    Column(key="categories", heading="page.register.categories"),
    Column(key="senders", heading="page.register.senders"),
    Column(key="recipients", heading="page.register.recipients"),
    Column(key="retention", heading="page.register.retention"),
    Column(key="security", heading="page.register.security"),
    Column(key="rule", heading="page.register.rule"),
)


def show_register(context: Context) -> View:
    """Show the register of processing, by rule."""
    wanted = context.filters.get("agreement", "")
    found = [item for item in register(context.bundle) if wanted in ("", item.agreement.id)]
    rows = [_processing(context, item) for item in found]
    whole = bool(wanted) or "all" in context.filters
    return View(
        values={
            "agreements": _by_agreement(context, found),
            "chosen": wanted,
            "whole": whole,
            "digest": context.bundle.digest,
        },
        listing=Listing(columns=REGISTER_COLUMNS, rows=rows),
    )


def _by_agreement(context: Context, found: list[Processing]) -> list[dict[str, Any]]:
    """The register in short: a line for each agreement."""
    lines: dict[str, dict[str, Any]] = {}
    for item in found:
        line = lines.setdefault(
            item.agreement.id,
            {
                "id": item.agreement.id,
                "title": item.agreement.title,
                "rules": 0,
                "basis": {},
                "categories": set(),
            },
        )
        line["rules"] += 1
        line["basis"] |= dict.fromkeys(basis.citation for basis in item.rule.legal_basis)
        line["categories"] |= {context.t(f"category.{name}") for name in item.categories}
    return sorted(lines.values(), key=lambda line: str(line["title"]).casefold())


def _processing(context: Context, item: Processing) -> dict[str, Cell]:
    rule, catalog = item.rule, context.bundle.catalog
    duties = rule.obligations
    kinds = [catalog.kinds[name] for name in sorted(rule.kinds)]
    return {
        "title": rule.title,
        "agreement": item.agreement.title,
        "basis": "; ".join(basis.citation for basis in rule.legal_basis),
        "purposes": "; ".join(word(context, catalog.purposes[name]) for name in sorted(rule.purposes)),
        "subjects": "; ".join(
            sorted({context.t(f"subject.{'person' if kind.is_personal else 'firm'}") for kind in kinds})
        ),
        "categories": "; ".join(context.t(f"category.{name}") for name in item.categories),
        "senders": "; ".join(word(context, catalog.roles[name]) for name in sorted(rule.sender_roles)),
        "recipients": "; ".join(word(context, catalog.roles[name]) for name in sorted(rule.recipient_roles)),
        "retention": dutch.period(duties.retention) if duties else "",
        "security": context.t("page.register.measures")
        + (f" {context.t(f'handling.{duties.handling}')}" if duties else ""),
        "rule": rule.id,
    }


# the DPIA

CASE_COLUMNS = (
    Column(key="refusal", heading="page.dpia.refusal"),
    Column(key="example", heading="page.dpia.example"),
    Column(key="result", heading="page.dpia.result"),
)


def show_dpia(context: Context) -> View:
    """Show evidence for a DPIA: rules, examples, numbers, what remains."""
    results = case_results(context.bundle)
    found = results.refusals or {}
    rows: list[dict[str, Cell]] = []
    for name in REFUSALS:
        outcome = {True: "refused", False: "differs", None: "absent"}[found.get(name)]
        example = (results.examples or {}).get(name, "")
        rows.append({"refusal": name, "example": example, "result": context.t(f"page.dpia.{outcome}")})
    facets = context.reader.oversight.facets(EVERY, None)
    rules = [rule for agreement in context.bundle.agreements.values() for rule in agreement.rules]
    activations = context.reader.activations()
    values: dict[str, Any] = {
        "results": results,
        "digest": context.bundle.digest,
        "since": moment_of(activations[-1].at_ms) if activations else None,
        "activations": len(activations),
        "rules": len(rules),
        "statuses": sorted(Counter(rule.status.value for rule in rules).items()),
        "must_not": sum(
            rule.obligations is not None and rule.obligations.notice is Notice.MUST_NOT for rule in rules
        ),
        "total": facets.total,
        "outcomes": [
            (name, facets.counts["result"].get(name, 0)) for name in ("released", "partly", "denied")
        ],
        "findings": sorted(context.reader.oversight.counts().items()),
        "risks": [f"page.dpia.risk.{number}" for number in range(1, RISKS + 1)],
    }
    return View(values=values, listing=Listing(columns=CASE_COLUMNS, rows=rows))


# a breach

BREACH_COLUMNS = (
    Column(key="sender", heading="page.breach.sender", kind=Kind.PARTY),
    Column(key="recipient", heading="page.breach.recipient", kind=Kind.PARTY),
    Column(key="kind", heading="page.breach.kind"),
    Column(key="categories", heading="page.breach.categories"),
    Column(key="exchanges", heading="page.breach.exchanges", kind=Kind.NUMBER),
    Column(key="first_index", heading="page.breach.first_index", kind=Kind.NUMBER),
    Column(key="last_index", heading="page.breach.last_index", kind=Kind.NUMBER),
)


def show_breach(context: Context) -> View:
    """Show what a breach in a period at a participant touches. Nothing is counted before a day is chosen."""
    days = days_of(context.filters.get("from", ""), context.filters.get("to", ""))
    party = context.filters.get("party", "")
    found: list[Affected] = []
    complete = True
    if days is not None:
        sides = [Filter({"sender": [party]}), Filter({"recipient": [party]})] if party else [EVERY]
        rows: dict[int, ExchangeRow] = {}
        for chosen in sides:
            page = context.reader.oversight.rows(chosen, days, BREACH_ROWS)
            complete = complete and len(page) < BREACH_ROWS
            rows |= {row.log_index: row for row in page}
        found = affected(rows.values())
    values = {
        "asked": days is not None,
        "complete": complete,
        "at_most": BREACH_ROWS,
        "from": context.filters.get("from", ""),
        "to": context.filters.get("to", ""),
        "party": party,
        "parties": sorted(context.reader.register.names().items(), key=lambda item: item[1].casefold()),
        "party_name": party_name(context, party) if party else "",
        "exchanges": sum(item.exchanges for item in found),
        "recipients": len({item.recipient for item in found}),
        "categories": sorted(
            {context.t(f"category.{name}") for item in found for name in item.categories if name != "?"}
        ),
    }
    return View(
        values=values,
        listing=Listing(columns=BREACH_COLUMNS, rows=[_affected(context, item) for item in found]),
    )


def _affected(context: Context, item: Affected) -> dict[str, Cell]:
    kind = context.bundle.catalog.kinds.get(item.kind)
    return {
        "sender": item.sender,
        "sender_name": party_name(context, item.sender),
        "recipient": item.recipient,
        "recipient_name": party_name(context, item.recipient),
        "kind": word(context, kind) if kind else item.kind,
        "categories": "; ".join(context.t(f"category.{name}") for name in item.categories if name != "?"),
        "exchanges": item.exchanges,
        "first_index": item.first_index,
        "last_index": item.last_index,
    }


# the yearly report

YEARLY_COLUMNS = (
    Column(key="sender", heading="page.breach.sender", kind=Kind.PARTY),
    Column(key="recipient", heading="page.breach.recipient", kind=Kind.PARTY),
    Column(key="released", heading="outcome.released", kind=Kind.NUMBER),
    Column(key="partly", heading="outcome.in_part", kind=Kind.NUMBER),
    Column(key="denied", heading="outcome.denied", kind=Kind.NUMBER),
)


def show_yearly(context: Context) -> View:
    """Show what the log tells of a year under Waadi 14b."""
    this_year = context.now.astimezone(ZONE).year
    year = int(context.filters.get("year", this_year))
    chosen = Filter({"agreement": [YEARLY_AGREEMENT]})
    days = year_days(year)
    oversight = context.reader.oversight
    rows: list[dict[str, Cell]] = [
        {
            "sender": sender,
            "sender_name": party_name(context, sender),
            "recipient": recipient,
            "recipient_name": party_name(context, recipient),
            "released": results.released,
            "partly": results.partly,
            "denied": results.denied,
        }
        for (sender, recipient), results in oversight.matrix(days, chosen).items()
    ]
    facets = oversight.facets(chosen, days)
    reasons = context.bundle.catalog.reasons
    values = {
        "year": year,
        "years": range(this_year, this_year - 6, -1),
        "over": year < this_year,
        "total": facets.total,
        "reasons": [
            (word(context, reasons[code]) if code in reasons else code, count)
            for code, count in facets.counts["reason"].items()
        ],
        "acknowledged": facets.counts["acknowledged"].get("yes", 0),
        "waiting": facets.counts["acknowledged"].get("no", 0),
        "feedback": _feedback(context, year),
    }
    return View(values=values, listing=Listing(columns=YEARLY_COLUMNS, rows=rows))


def _feedback(context: Context, year: int) -> list[tuple[str, list[tuple[str, int]]]]:
    """What recipients told back, by sort of code, each word with its number."""
    counted = context.reader.follow_ups.feedback(YEARLY_AGREEMENT, year)
    found = []
    for sort in ("outcome", "measure", "usability", "reason"):
        words = context.bundle.catalog.follow_ups.words(Act.FEEDBACK, sort)
        lines = [
            (word(context, words[name]) if name in words else name, number)
            for name, number in sorted(counted.get(sort, {}).items(), key=lambda item: (-item[1], item[0]))
        ]
        if lines:
            found.append((context.t(f"page.yearly.feedback.{sort}"), lines))
    return found


def year_days(year: int) -> Days:
    """All days of a year. Raises InvalidInput for a year that cannot be."""
    try:
        return Days(datetime(year, 1, 1, tzinfo=ZONE).date(), datetime(year, 12, 31, tzinfo=ZONE).date())
    except ValueError:
        raise InvalidInput("malformed-request", where="year") from None


def _page(path: str, name: str, handler: Any, **more: Any) -> Page:
    return Page(path=path, name=name, handler=handler, roles=OFFICERS, menu=False, listed=True, **more)


PAGES = (
    Page(path="/rapporten", name="reports", handler=index, roles=OFFICERS, logged=False),
    _page(
        "/rapporten/verwerkingen",
        "register",
        show_register,
        logged=False,
        filters={"agreement": WORD, "all": YES},
    ),
    _page("/rapporten/dpia", "dpia", show_dpia, logged=True),
    _page(
        "/rapporten/inbreuk",
        "breach",
        show_breach,
        logged=True,
        filters={"from": DAY, "to": DAY, "party": OIN},
    ),
    _page("/rapporten/jaarverslag", "yearly", show_yearly, logged=True, filters={"year": YEAR}),
)
