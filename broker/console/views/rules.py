# SPDX-License-Identifier: EUPL-1.2
"""Afspraken: the rules in force, or of an earlier version, with what each decided lately; and each as one reads it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from broker.console.listing import Cell, Column, Kind, Listing
from broker.console.pages import EVERYONE, INDEX, WORD, Context, Page, View
from broker.console.people import Role
from broker.console.reading_policy import Version
from broker.console.rules_html import rule_html
from broker.console.texts import Language
from broker.policy.overview import FACETS, RuleLine, chosen_lines, facet_counts, rule_lines
from sluis.errors import NotFound
from sluis.policy import dutch
from sluis.policy.bundle import ZONE, Bundle
from sluis.policy.reading_rules import RuleText
from sluis.policy.rules import Agreement, Rule
from sluis.policy.schema import Labelled

COUNTED_DAYS = 30
EXCHANGES = "/uitwisselingen"

COLUMNS = (
    Column(key="rule", heading="page.rules.what"),
    Column(key="agreement", heading="page.rules.agreement"),
    Column(key="effect", heading="page.rules.effect"),
    Column(key="sender", heading="page.rules.sender"),
    Column(key="recipient", heading="page.rules.recipient"),
    Column(key="basis", heading="page.rules.basis"),
    Column(key="valid", heading="page.rules.valid"),
    Column(key="status", heading="page.rules.status"),
    Column(key="decided", heading="page.rules.decided", kind=Kind.NUMBER),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Edition:
    """The rules that a page is about: those in force, or those of the version that its address names."""

    bundle: Bundle
    version: Version | None
    is_current: bool
    query: str

    def address(self, path: str) -> str:
        """A page about the same version."""
        return f"{path}{self.query}"


def edition_of(context: Context) -> Edition:
    """The version that the filter `version` names, else the one in force. Raises NotFound."""
    versions = context.reader.policy.versions()
    chosen = context.filters.get("version", "")
    if not chosen:
        current = context.library.activated(versions[-1].activation.digest) if versions else context.bundle
        return Edition(bundle=current, version=versions[-1] if versions else None, is_current=True, query="")
    for version in versions:
        if version.activation.log_index == int(chosen):
            return Edition(
                bundle=context.library.activated(version.activation.digest),
                version=version,
                is_current=version is versions[-1],
                query="?" + urlencode({"version": chosen}),
            )
    raise NotFound("not-found")


def show_all(context: Context) -> View:
    """Show every rule, with facets."""
    edition = edition_of(context)
    lines = rule_lines(edition.bundle, _today(context))
    chosen = {facet: context.filters.get(facet, "") for facet in FACETS}
    counts = _counts(context)
    found = chosen_lines(lines, chosen)
    rows = [_row(context, edition, line, counts) for line in found]
    values: dict[str, Any] = {
        "edition": edition,
        "facets": _facets(context, edition.bundle, lines, chosen),
        "days": COUNTED_DAYS,
        "counts_shown": context.officer.role is not Role.OPERATOR,
        "agreements": sorted(edition.bundle.agreements.values(), key=lambda item: item.title.casefold()),
        "decided_address": _decided_address,
    }
    return View(values=values, listing=Listing(columns=COLUMNS, rows=rows))


def show_agreement(context: Context) -> View:
    """Show one agreement as one reads it. Raises NotFound."""
    edition = edition_of(context)
    agreement = edition.bundle.agreements.get(context.parts["id"])
    if agreement is None:
        raise NotFound("not-found")
    counts = _counts(context)
    rules = [_reading(context, edition, agreement, rule, counts, level=3) for rule in agreement.rules]
    return View(values={"edition": edition, "agreement": agreement, "rules": rules, "days": COUNTED_DAYS})


def show_rule(context: Context) -> View:
    """Show one rule. Raises NotFound."""
    edition = edition_of(context)
    rule = edition.bundle.rules.get(context.parts["id"])
    if rule is None:
        raise NotFound("not-found")
    agreement = next(item for item in edition.bundle.agreements.values() if rule in item.rules)
    reading = _reading(context, edition, agreement, rule, _counts(context), level=2)
    return View(values={"edition": edition, "agreement": agreement, "reading": reading, "days": COUNTED_DAYS})


def _reading(
    context: Context,
    edition: Edition,
    agreement: Agreement,
    rule: Rule,
    counts: Mapping[str, int],
    *,
    level: int,
) -> dict[str, Any]:
    return {
        "rule": rule,
        "title": dutch.capital(rule.title),
        "href": edition.address(f"/regels/{rule.id}"),
        "body": rule_html(rule, agreement, edition.bundle, level=level, address=edition.address),
        "decided": counts.get(rule.id, 0) if context.officer.role is not Role.OPERATOR else None,
        "decided_href": _decided_address(rule.id),
    }


def _counts(context: Context) -> Mapping[str, int]:
    today = _today(context)
    return context.reader.policy.counts(today - timedelta(days=COUNTED_DAYS - 1), today)


def _today(context: Context) -> Any:
    return context.now.astimezone(ZoneInfo(ZONE)).date()


def _decided_address(rule_id: str) -> str:
    return f"{EXCHANGES}?{urlencode({'rule': rule_id})}"


def _row(context: Context, edition: Edition, line: RuleLine, counts: Mapping[str, int]) -> dict[str, Cell]:
    rule, words = line.rule, RuleText(edition.bundle)
    return {
        "rule": rule.id,
        "title": dutch.capital(rule.title),
        "href": edition.address(f"/regels/{rule.id}"),
        "agreement": line.agreement.id,
        "agreement_title": line.agreement.title,
        "agreement_href": edition.address(f"/afspraken/{line.agreement.id}"),
        "effect": context.t(f"page.rules.effect.{rule.effect.value}"),
        "sender": "; ".join(words.senders(rule)),
        "recipient": "; ".join(words.recipients(rule)),
        "basis": "; ".join(
            f"{basis.law} {dutch.article(basis.article, basis.paragraph, basis.part)}"
            for basis in rule.legal_basis
        ),
        "valid": dutch.days(rule.valid_from, rule.valid_until),
        "status": context.t(f"page.rules.status.{rule.status.value}"),
        "decided": counts.get(rule.id, 0) if context.officer.role is not Role.OPERATOR else None,
    }


def _facets(
    context: Context, bundle: Bundle, lines: list[RuleLine], chosen: Mapping[str, str]
) -> list[dict[str, Any]]:
    groups = []
    for facet, counted in facet_counts(lines, chosen).items():
        names = sorted(
            counted.keys() | ({chosen[facet]} - {""}),
            key=lambda name: (-counted[name], _label(context, bundle, facet, name).casefold()),
        )
        items = [
            {
                "label": _label(context, bundle, facet, name),
                "href": context.link(**{facet: "" if chosen[facet] == name else name}),
                "count": counted[name],
                "active": chosen[facet] == name,
            }
            for name in names
        ]
        groups.append({"title": context.t(f"page.rules.facet.{facet}"), "items": items})
    return groups


def _label(context: Context, bundle: Bundle, facet: str, name: str) -> str:
    if facet in ("status", "time"):
        key = f"page.rules.{facet}.{name}"
        return context.t(key) if name in _KNOWN else name
    found = (bundle.catalog.roles if facet == "party" else bundle.catalog.kinds).get(name)
    return label_of(context, found, name)


_KNOWN = {"in-force", "assumed", "draft", "now", "later", "past"}


def label_of(context: Context, entry: Labelled | None, otherwise: str) -> str:
    """A word of the catalogue in her language."""
    if entry is None:
        return otherwise
    return entry.dutch if context.language is Language.DUTCH else entry.english


PAGES = (
    Page(
        path="/afspraken",
        name="rules",
        handler=show_all,
        roles=EVERYONE,
        logged=False,
        filters={**dict.fromkeys(FACETS, WORD), "version": INDEX},
        listed=True,
    ),
    Page(
        path="/afspraken/{id}",
        name="agreement",
        handler=show_agreement,
        roles=EVERYONE,
        logged=False,
        filters={"version": INDEX},
        menu=False,
    ),
    Page(
        path="/regels/{id}",
        name="rule",
        handler=show_rule,
        roles=EVERYONE,
        logged=False,
        filters={"version": INDEX},
        menu=False,
    ),
)
