# SPDX-License-Identifier: EUPL-1.2
"""The differences between two versions of a rule, one by one, each in words and each to be tried alone.

`changed` is the old rule with only this edit, `without` the new rule with everything but this edit.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from broker.policy.change.words import (
    ARROW,
    CATEGORIES,
    DUTIES,
    OPERATIONS,
    SECTORS,
    STATUSES,
    Text,
    Words,
    duty_value,
    joined,
    same,
)
from sluis.policy.conditions import (
    ClaimListed,
    Condition,
    CountedAtMost,
    DeliveryIs,
    InPartnership,
    NotOlder,
    SubjectsAtMost,
    WorkingDaysPassed,
)
from sluis.policy.rules import LegalBasis, Obligations, Rule, RuleEffect


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """One difference."""

    kind: str
    text: Text
    changed: Rule
    without: Rule


WORDING = Text("alleen de tekst is gewijzigd", "only the wording has changed")
_SETS = (
    "operations",
    "sender_roles",
    "sender_sectors",
    "recipient_roles",
    "recipient_sectors",
    "kinds",
    "purposes",
    "fields",
    "categories",
)
_SET_NAMES = {
    "operations": Text("handeling", "operation"),
    "sender_roles": Text("afzender", "sender"),
    "sender_sectors": Text("sector van de afzender", "sector of the sender"),
    "recipient_roles": Text("ontvanger", "recipient"),
    "recipient_sectors": Text("sector van de ontvanger", "sector of the recipient"),
    "kinds": Text("soort signaal", "kind of signal"),
    "purposes": Text("doel", "purpose"),
    "fields": Text("veld", "field"),
    "categories": Text("categorie", "category"),
}


def edits(before: Rule, after: Rule, words: Words) -> Iterator[Edit]:
    """Every difference between two versions of a rule, in the order of the file."""
    found = [
        *_status(before, after),
        *_dates(before, after),
        *(edit for name in _SETS for edit in _words(name, before, after, words)),
        *_conditions(before, after, words),
        *_duties(before, after),
        *_code(before, after),
        *_bases(before, after),
    ]
    yield from found
    wording = {name: getattr(after, name) for name in ("title", "explanation", "exchanges")}
    if any(getattr(before, name) != value for name, value in wording.items()):
        text = Text("ook de tekst is gewijzigd", "the wording has changed too") if found else WORDING
        yield _edit("wording", text, before, after, wording)
    if before.id != after.id:
        text = Text(
            f"de regel heet nu {after.id} (was {before.id})",
            f"the rule is now called {after.id} (was {before.id})",
        )
        yield _edit("name", text, before, after, {})


def _edit(kind: str, text: Text, before: Rule, after: Rule, values: Mapping[str, object]) -> Edit:
    """An edit that gives the rule these values, and the others as they were."""
    return Edit(
        kind=kind,
        text=text,
        changed=before.model_copy(update=dict(values)),
        without=after.model_copy(update={name: getattr(before, name) for name in values}),
    )


def _status(before: Rule, after: Rule) -> Iterator[Edit]:
    if before.status is not after.status:
        text = STATUSES[before.status] + ARROW + STATUSES[after.status]
        yield _edit("status", text, before, after, {"status": after.status})


def _dates(before: Rule, after: Rule) -> Iterator[Edit]:
    if before.valid_from != after.valid_from:
        text = Text("geldt vanaf ", "applies from ") + same(f"{before.valid_from} -> {after.valid_from}")
        yield _edit("dates", text, before, after, {"valid_from": after.valid_from})
    if before.valid_until != after.valid_until:
        text = _end(before.valid_until, after.valid_until)
        yield _edit("dates", text, before, after, {"valid_until": after.valid_until})


def _end(before: date | None, after: date | None) -> Text:
    if after is None:
        return Text("regel vervalt niet meer per ", "rule no longer ends on ") + same(_first_without(before))
    if before is None:
        return Text("regel vervalt per ", "rule ends on ") + same(_first_without(after))
    moved = same(f"{_first_without(before)} -> {_first_without(after)}")
    return Text("regel vervalt per ", "rule ends on ") + moved


def _first_without(last: date | None) -> str:
    return "" if last is None else str(last + timedelta(days=1)) if last < date.max else str(last)


def _words(name: str, before: Rule, after: Rule, words: Words) -> Iterator[Edit]:
    old, new = getattr(before, name), getattr(after, name)
    if old == new:
        return
    prohibits = after.effect is RuleEffect.PROHIBIT
    label = _SET_NAMES[name]
    if prohibits and name in ("fields", "categories") and before.withholds_fields and after.withholds_fields:
        label = Text("verboden ", "prohibited ") + label
    elif prohibits and not (old and new):
        # For a prohibition nothing listed means everything: the whole list is one edit.
        text = label + same(": ") + _listed(name, old, words) + ARROW + _listed(name, new, words)
        yield _edit("scope", text, before, after, {name: new})
        return
    kind = {"fields": "field", "categories": "field"}.get(name, "scope")
    for sign, some in (("+", new - old), ("-", old - new)):
        for word in sorted(some):
            text = same(f"{sign} ") + label + same(" ") + _word(name, word, words)
            if kind == "field" and not prohibits:
                text += Text(" voor ", " for ") + words.parties(after.recipient_roles, ())
            step = {word}
            changed, without = (old | step, new - step) if sign == "+" else (old - step, new | step)
            yield Edit(
                kind=kind,
                text=text,
                changed=_with_words(before, after, name, changed),
                without=_with_words(after, before, name, without),
            )


def _with_words(rule: Rule, other: Rule, name: str, value: frozenset[str]) -> Rule:
    changed = rule.model_copy(update={name: frozenset(value)})
    if rule.withholds_fields and other.withholds_fields and not changed.withholds_fields:
        # Without its last field it would become a prohibition of the whole, which neither version is.
        return rule.model_copy(update={"fields": other.fields, "categories": other.categories})
    return changed


def _word(name: str, word: str, words: Words) -> Text:
    match name:
        case "operations":
            return OPERATIONS[word]
        case "sender_sectors" | "recipient_sectors":
            return SECTORS[word]
        case "categories":
            return CATEGORIES[word]
    sort = "roles" if name.endswith("_roles") else name
    return words.word(sort, word)


def _listed(name: str, listed: frozenset[str], words: Words) -> Text:
    if not listed:
        return Text("alle", "all")
    return joined(_word(name, word, words) for word in sorted(listed))


def _conditions(before: Rule, after: Rule, words: Words) -> Iterator[Edit]:
    old, new = list(before.conditions), list(after.conditions)
    if sorted(map(repr, old)) == sorted(map(repr, new)) and old != new:
        text = Text("de volgorde van de voorwaarden is gewijzigd", "the order of the conditions has changed")
        yield _edit("wording", text, before, after, {"conditions": after.conditions})
        return
    gone = [item for item in old if item not in new]
    come = [item for item in new if item not in old]
    for item in list(gone):
        if (twin := next((other for other in come if _about(other) == _about(item)), None)) is not None:
            gone.remove(item)
            come.remove(twin)
            yield from _condition_edits(before, after, item, twin, words)
    for item in gone:
        text = Text("voorwaarde vervallen: ", "condition dropped: ") + words.condition(item)
        yield Edit(
            kind="condition",
            text=text,
            changed=_swap(before, [item], []),
            without=_swap(after, [], [item]),
        )
    for item in come:
        text = Text("voorwaarde toegevoegd: ", "condition added: ") + words.condition(item)
        yield Edit(
            kind="condition",
            text=text,
            changed=_swap(before, [], [item]),
            without=_swap(after, [item], []),
        )


def _swap(rule: Rule, out: Sequence[Condition], into: Sequence[Condition]) -> Rule:
    kept = [item for item in rule.conditions if item not in out]
    return rule.model_copy(update={"conditions": (*kept, *into)})


def _about(condition: Condition) -> tuple[object, ...]:
    names = ("claim", "fact", "without_fact", "counter")
    return type(condition), *(getattr(condition, name, None) for name in names)


def _condition_edits(
    before: Rule, after: Rule, old: Condition, new: Condition, words: Words
) -> Iterator[Edit]:
    def edit(kind: str, text: Text, changed: Condition, without: Condition) -> Edit:
        return Edit(
            kind=kind,
            text=text,
            changed=_swap(before, [old], [changed]),
            without=_swap(after, [new], [without]),
        )

    list_name = _LISTS.get(type(old))
    if list_name is not None:
        had, has = getattr(old, list_name), getattr(new, list_name)
        for sign, some in (("+", has - had), ("-", had - has)):
            for word in sorted(some):
                step = {word}
                one, other = (had | step, has - step) if sign == "+" else (had - step, has | step)
                yield edit(
                    "condition",
                    _list_text(sign, old, word, words),
                    old.model_copy(update={list_name: frozenset(one)}),
                    new.model_copy(update={list_name: frozenset(other)}),
                )
    number = _NUMBERS.get(type(old))
    if number is not None and getattr(old, number) != getattr(new, number):
        text = Text("voorwaarde gewijzigd: ", "condition changed: ") + words.condition(old)
        text += ARROW + words.condition(new) + same(f" ({getattr(old, number)} -> {getattr(new, number)})")
        yield edit(
            "condition",
            text,
            old.model_copy(update={number: getattr(new, number)}),
            new.model_copy(update={number: getattr(old, number)}),
        )
    said = {name: getattr(new, name) for name in ("dutch", "otherwise")}
    was = {name: getattr(old, name) for name in said}
    if said != was:
        yield edit("wording", _said(old, new), old.model_copy(update=said), new.model_copy(update=was))


_LISTS: Mapping[type[Condition], str] = {ClaimListed: "one_of", InPartnership: "partnership"}
_NUMBERS: Mapping[type[Condition], str] = {
    NotOlder: "not_older_than_years",
    WorkingDaysPassed: "working_days_passed",
    CountedAtMost: "at_most",
    SubjectsAtMost: "subjects_at_most",
    DeliveryIs: "delivery",
}


def _list_text(sign: str, condition: Condition, word: str, words: Words) -> Text:
    if isinstance(condition, InPartnership):
        what, value = Text("samenwerkingsverband", "partnership"), words.partnership(word)
    elif isinstance(condition, ClaimListed) and condition.claim == "provision":
        what, value = Text("bepaling", "provision"), same(word)
    else:
        what, value = Text("waarde", "value"), same(word)
    if sign == "+":
        new = Text("nieuw " if isinstance(condition, InPartnership) else "nieuwe ", "new ")
        return new + what + Text(" op de lijst: ", " on the list: ") + value
    return what + Text(" van de lijst gehaald: ", " taken off the list: ") + value


def _said(old: Condition, new: Condition) -> Text:
    if old.otherwise != new.otherwise:
        reasons = same(f"{old.otherwise} -> {new.otherwise}")
        return Text("reden bij een voorwaarde: ", "reason of a condition: ") + reasons
    return Text(
        "de tekst van een voorwaarde is gewijzigd: ", "the wording of a condition has changed: "
    ) + same(new.dutch.rstrip("."))


def _duties(before: Rule, after: Rule) -> Iterator[Edit]:
    old, new = before.obligations, after.obligations
    if old is None or new is None:
        return
    # A term for the notice and grounds to put it off come and go with the duty itself.
    told = ("notice", "notice_within", "delay_grounds") if old.notice is not new.notice else ("notice",)
    groups = [("retention",), ("retention_after_loss",), ("handling",), ("feedback_within",), told]
    groups += [(name,) for name in ("notice_within", "delay_grounds") if name not in told]
    for names in groups:
        if any(getattr(old, name) != getattr(new, name) for name in names):
            name = names[0]
            text = DUTIES[name] + same(" ") + _duty(old, name) + ARROW + _duty(new, name)
            yield Edit(
                kind="duty",
                text=text,
                changed=_with_duties(before, old, new, names),
                without=_with_duties(after, new, old, names),
            )


def _with_duties(rule: Rule, own: Obligations, other: Obligations, names: Sequence[str]) -> Rule:
    values = {name: getattr(other, name) for name in names}
    return rule.model_copy(update={"obligations": own.model_copy(update=values)})


def _duty(duties: Obligations, name: str) -> Text:
    value = getattr(duties, name)
    text = duty_value(name, ", ".join(sorted(value)) if isinstance(value, frozenset) else str(value or ""))
    if name == "notice" and duties.notice_within:
        text += Text(" binnen ", " within ") + duty_value("", duties.notice_within)
    return text


def _code(before: Rule, after: Rule) -> Iterator[Edit]:
    if before.code != after.code:
        text = Text("reden van het verbod: ", "reason of the prohibition: ")
        text += same(f"{before.code} -> {after.code}")
        yield _edit("wording", text, before, after, {"code": after.code})


def _bases(before: Rule, after: Rule) -> Iterator[Edit]:
    def cited(basis: LegalBasis) -> tuple[str, str]:
        return basis.gdpr, basis.citation

    old, new = ({cited(item): item for item in rule.legal_basis} for rule in (before, after))
    whole = {"legal_basis": after.legal_basis}
    for name in sorted(old.keys() - new.keys()):
        text = Text("grondslag vervallen: ", "legal basis dropped: ") + same(f"AVG {name[0]}, {name[1]}")
        yield _edit("basis", text, before, after, whole)
    for name in sorted(new.keys() - old.keys()):
        text = Text("nieuwe grondslag: ", "new legal basis: ") + same(f"AVG {name[0]}, {name[1]}")
        yield _edit("basis", text, before, after, whole)
    for name in sorted(old.keys() & new.keys()):
        if old[name].reference != new[name].reference:
            text = Text("verwijzing gewijzigd: ", "reference changed: ")
            text += same(f"{old[name].reference} -> {new[name].reference}")
            yield _edit("basis", text, before, after, whole)
        elif old[name].explanation != new[name].explanation:
            text = Text("toelichting op de grondslag gewijzigd: ", "explanation of the legal basis changed: ")
            yield _edit("wording", text + same(name[1]), before, after, whole)
