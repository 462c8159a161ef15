# SPDX-License-Identifier: EUPL-1.2
"""Proefbeslissing: a form that asks what would be decided; its address holds the question, nothing is kept."""

import re
from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from broker.console.pages import DAY, OFFICERS, WORD, Context, Page, View
from broker.console.story import duties_of
from broker.console.texts import Language
from broker.console.views.rules import label_of
from broker.decide.explain import Explanation
from broker.policy.change.words import Text
from broker.policy.trial import Foreseen, Supposed, foresee, offers
from sluis.errors import InvalidInput
from sluis.policy.bundle import ZONE, Bundle
from sluis.policy.conditions import (
    ClaimListed,
    Condition,
    FactMissing,
    FactProven,
    InPartnership,
    NotOlder,
    NotPassed,
    WorkingDaysPassed,
)
from sluis.policy.facts import RegisterFact, StatedFact

TURN = date(2026, 7, 1)  # the day on which much of the law changed (domain: WTTA, Waadi, WagwEU)
CLAIM = "claim."
MOST_SUBJECTS = re.compile(r"[1-9][0-9]{0,4}")
ONE = ("agreement", "operation", "sender", "recipient", "kind", "purpose")
DELIVERIES = ("mailbox", "on_match")


def show(context: Context) -> View:
    """Show the form, and the decision when the question is whole."""
    bundle = context.bundle
    agreement = context.filters.get("agreement", "")
    known = bundle.agreements.get(agreement)
    values: dict[str, Any] = {
        "agreements": _agreements(context, bundle),
        "agreement": known,
        "form": None,
        "answers": [],
        "today": _today(context).isoformat(),
    }
    if known is None or known.is_general:
        values["agreement"] = None
        return View(values=values)
    offered = offers(bundle, agreement)
    values["form"] = _form(context, bundle, agreement, offered)
    if _is_whole(context, offered):
        values |= _answers(context, bundle)
    return View(values=values)


def _is_whole(context: Context, offered: Mapping[str, tuple[str, ...]]) -> bool:
    """Whether there is a question; one about the words of another agreement is none."""
    of_agreement = all(
        context.filters.get(name) in offered[name] for name in ("operation", "kind", "purpose")
    )
    return of_agreement and all(context.filters.get(name) for name in ONE)


def _answers(context: Context, bundle: Bundle) -> dict[str, Any]:
    supposed = _supposed(context)
    day = _day(context, "date") or _today(context)
    other = _day(context, "other")
    days = [day] if other is None or other == day else [day, other]
    found = [foresee(supposed, item, bundle) for item in days]
    return {
        "answers": [_answer(context, bundle, item) for item in found],
        "compared": _compared(found),
        "across": _across(context, day),
    }


def _compared(found: list[Foreseen]) -> str:
    """The key of the sentence that compares two days; empty for one."""
    if len(found) == 1:
        return ""
    if found[0].essence != found[1].essence:
        return "page.trial.other_answer"
    rules = [{rule.id for rule in item.decision.rules} for item in found]
    return "page.trial.same_answer" if rules[0] == rules[1] else "page.trial.same_by_other"


def _across(context: Context, day: date) -> str:
    """The same question on both sides of the day on which the law changed."""
    other = TURN - timedelta(days=1) if day >= TURN else TURN
    return context.link(date=day.isoformat(), other=other.isoformat())


def _supposed(context: Context) -> Supposed:
    chosen, one = context.chosen, context.filters
    claims = {
        name.removeprefix(CLAIM): values[0] for name, values in chosen.items() if name.startswith(CLAIM)
    }
    return Supposed(
        **{name: one[name] for name in ONE},
        delivery=one.get("delivery", ""),
        fields=chosen.get("field", ()),
        claims=claims,
        proven=chosen.get("proven", ()),
        disproven=chosen.get("disproven", ()),
        stated=chosen.get("stated", ()),
        subjects=int(one.get("subjects", "1")),
        same_party="same" in one,
        strict="strict" in one,
    )


def _answer(context: Context, bundle: Bundle, found: Foreseen) -> dict[str, Any]:
    decision = found.decision
    words = bundle.catalog
    return {
        "day": found.day,
        "permitted": decision.effect.value == "permit",
        "words": _without_ids(_say(context, found.words)),
        "rules": [(rule.id, bundle.rules[rule.id].title, rule.basis) for rule in decision.rules],
        "released": [label_of(context, words.fields.get(name), name) for name in decision.released],
        "withheld": [
            (
                label_of(context, words.fields.get(item.name), item.name),
                label_of(context, words.reasons.get(item.code), item.code),
                item.rule_id,
            )
            for item in decision.withheld
        ],
        "duties": duties_of(decision.obligations, bundle, context.language),
        "near": [(miss.rule.id, _without_ids(_say(context, words))) for miss, words in found.near],
    }


def _form(
    context: Context, bundle: Bundle, agreement: str, offered: Mapping[str, tuple[str, ...]]
) -> dict[str, Any]:
    catalog = bundle.catalog
    sorts: Mapping[str, Mapping[str, Any]] = {
        "sender": catalog.roles,
        "recipient": catalog.roles,
        "kind": catalog.kinds,
        "purpose": catalog.purposes,
    }
    selects = [
        _select(context, "operation", [(n, context.t(f"operation.{n}")) for n in offered["operation"]])
    ]
    for name, entries in sorts.items():
        options = [(item, label_of(context, entry, item)) for item, entry in entries.items()]
        options.sort(key=lambda pair: pair[1].casefold())
        named = [pair for pair in options if pair[0] in offered[name]]
        # Who is not in the agreement may be asked about too: what would be refused, and why.
        others = [pair for pair in options if pair not in named] if name in ("sender", "recipient") else []
        selects.append(_select(context, name, named, others))
    selects.append(
        _select(
            context,
            "delivery",
            [("", "–"), *((n, context.t(f"page.trial.delivery.{n}")) for n in DELIVERIES)],
        )
    )
    return {
        "selects": selects,
        "fields": _fields(context, bundle, offered["field"]),
        "claims": _claims(context, bundle, agreement),
        "facts": _facts(context, bundle, agreement),
    }


def _select(
    context: Context,
    name: str,
    options: Iterable[tuple[str, str]],
    others: Iterable[tuple[str, str]] = (),
) -> dict[str, Any]:
    chosen = context.filters.get(name, "")
    return {
        "name": name,
        "label": context.t(f"page.trial.{name}"),
        "options": [(value, label, chosen == value) for value, label in options],
        "others": [(value, label, chosen == value) for value, label in others],
    }


def _fields(context: Context, bundle: Bundle, offered: tuple[str, ...]) -> list[dict[str, Any]]:
    """The fields by category: those that the agreement names first, the others to unfold."""
    chosen = set(context.chosen.get("field", ()))
    groups: dict[str, dict[str, list[tuple[str, str, bool]]]] = {}
    for name, spec in bundle.fields.items():
        group = groups.setdefault(spec.category.value, {"named": [], "other": []})
        within = "named" if name in offered or name in chosen else "other"
        group[within].append((name, label_of(context, spec, name), name in chosen))
    return [
        {"title": context.t(f"category.{category}"), "named": group["named"], "other": group["other"]}
        for category, group in groups.items()
    ]


def _claims(context: Context, bundle: Bundle, agreement: str) -> list[dict[str, Any]]:
    asked = {name for item in _conditions(bundle, agreement) if (name := _claim_of(item))}
    claims = []
    for name, spec in bundle.claims.items():
        if name not in asked:
            continue
        values = context.chosen.get(f"{CLAIM}{name}", ("",))
        choices = list(spec.values or ()) if spec.type == "choice" else []
        if spec.type == "partnership":
            choices = list(bundle.catalog.partnerships)
        label = label_of(context, spec, name)
        claims.append(
            {
                "name": f"{CLAIM}{name}",
                "label": label,
                "type": spec.type,
                "value": values[0],
                "options": choices,
            }
        )
    return claims


def _claim_of(item: Condition) -> str:
    if isinstance(item, ClaimListed | NotOlder | NotPassed | WorkingDaysPassed):
        return item.claim
    return "partnership" if isinstance(item, InPartnership) else ""


def _facts(context: Context, bundle: Bundle, agreement: str) -> list[dict[str, Any]]:
    """The facts for which the rules ask, each with the ways to suppose it."""
    asked = {
        item.fact if isinstance(item, FactProven) else item.without_fact
        for item in _conditions(bundle, agreement)
        if isinstance(item, FactProven | FactMissing)
    }
    facts = []
    for name, spec in bundle.catalog.facts.items():
        if name in asked and isinstance(spec, RegisterFact | StatedFact):
            ways = ("proven", "disproven") if isinstance(spec, RegisterFact) else ("stated",)
            boxes = [
                (way, context.t(f"page.trial.{way}"), name in context.chosen.get(way, ())) for way in ways
            ]
            facts.append({"name": name, "label": label_of(context, spec, name), "boxes": boxes})
    return facts


def _conditions(bundle: Bundle, agreement: str) -> Iterable[Condition]:
    """Those of the agreement's own rules and of the prohibitions that stand above it."""
    for item in bundle.agreements.values():
        if item.id == agreement or item.is_general:
            for rule in item.rules:
                yield from rule.conditions


def _agreements(context: Context, bundle: Bundle) -> list[tuple[str, str, bool]]:
    chosen = context.filters.get("agreement", "")
    return [
        (item.id, item.title, item.id == chosen)
        for item in sorted(bundle.agreements.values(), key=lambda item: item.title.casefold())
        if not item.is_general
    ]


def _day(context: Context, name: str) -> date | None:
    text = context.filters.get(name, "")
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        raise InvalidInput("date-format", where=name) from None


def _today(context: Context) -> date:
    return context.now.astimezone(ZoneInfo(ZONE)).date()


def _without_ids(sentence: str) -> str:
    """A sentence without the ids behind the titles of rules: the page links to them."""
    return re.sub(r" \[[a-z0-9-]+\]", "", sentence)


def _say(context: Context, words: Explanation | Text) -> str:
    return words.dutch if context.language is Language.DUTCH else words.english


PAGES = (
    Page(
        path="/proef",
        name="trial",
        handler=show,
        roles=OFFICERS,
        logged=False,
        filters={
            **dict.fromkeys(
                (*ONE, "delivery", "same", "strict"), re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
            ),
            "subjects": MOST_SUBJECTS,
            "date": DAY,
            "other": DAY,
        },
        repeated={
            **dict.fromkeys(("field", "proven", "disproven", "stated"), WORD),
            f"{CLAIM}*": re.compile(r"[A-Za-z0-9][A-Za-z0-9 .,()/-]{0,59}"),
        },
    ),
)
