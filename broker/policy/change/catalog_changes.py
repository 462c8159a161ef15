# SPDX-License-Identifier: EUPL-1.2
"""The differences between two catalogues, word by word, each in words.

Labels are wording. A new or dropped word decides nothing by itself: the rules that use it do. What bears on
decisions (`decides`) is tried by the engine. What the engine does not weigh, but the parties act on, such as
the form of a field's value, is both wider and narrower while a rule uses the word: two officers must look.
"""

from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from broker.policy.change.contents import claim_content, fact_content, partnership_content
from broker.policy.change.words import Text, Words, joined, same
from sluis.policy.bundle import Bundle
from sluis.policy.catalog import Catalog, ClaimSpec, FieldSpec, Kind, Partnership, Role
from sluis.policy.conditions import CountedAtMost, FactMissing, FactProven, InPartnership
from sluis.policy.facts import CounterFact, RegisterFact, StatedFact
from sluis.policy.laws import Law
from sluis.policy.rules import Rule, Status


class Weight(StrEnum):
    """Who can say what a change of a word does."""

    DECIDES = "decides"  # the engine
    UNWEIGHED = "unweighed"  # officers
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogChange:
    """A word that differs; without `word`, words that are new or gone."""

    sort: str
    word: str
    text: Text
    weight: Weight


WORDS = ("roles", "functions", "partnerships", "fields", "kinds", "purposes", "facts", "claims", "reasons")
_SORTS = {
    "roles": Text("rol", "role"),
    "functions": Text("functie", "function"),
    "partnerships": Text("samenwerkingsverband", "partnership"),
    "fields": Text("veld", "field"),
    "kinds": Text("soort signaal", "kind of signal"),
    "purposes": Text("doel", "purpose"),
    "facts": Text("feit", "fact"),
    "claims": Text("bewering", "claim"),
    "reasons": Text("reden", "reason"),
}


def catalog_changes(before: Bundle, after: Bundle, words: Words) -> Iterator[CatalogChange]:
    """New and dropped words of each sort together, then every word that differs."""
    for sort in WORDS:
        old: Mapping[str, object] = getattr(before.catalog, sort)
        new: Mapping[str, object] = getattr(after.catalog, sort)
        for known, text in (
            (new.keys() - old.keys(), Text("nieuw in de catalogus: ", "new in the catalogue: ")),
            (old.keys() - new.keys(), Text("uit de catalogus: ", "out of the catalogue: ")),
        ):
            if known:
                text += _SORTS[sort] + same(" ") + joined(words.word(sort, word) for word in sorted(known))
                yield CatalogChange(sort=sort, word="", text=text, weight=Weight.NOTHING)
        for word in sorted(old.keys() & new.keys()):
            if old[word] != new[word]:
                change, weight = _change(sort, word, old[word], new[word], words)
                if weight is Weight.UNWEIGHED and word not in used_words(before, sort) | used_words(
                    after, sort
                ):
                    weight = Weight.NOTHING
                yield CatalogChange(sort=sort, word=word, text=change, weight=weight)
    yield from _laws(before.catalog, after.catalog)


def used_words(bundle: Bundle, sort: str) -> frozenset[str]:
    """The words of a sort that some rule, not a draft, uses; words that they rest on included."""
    found: set[str] = set()
    for rule in bundle.rules.values():
        if rule.status is not Status.DRAFT:
            found |= words_of(rule, sort)
    if sort == "functions":
        facts = (bundle.catalog.facts[name] for name in used_words(bundle, "facts"))
        found |= {word for fact in facts if isinstance(fact, StatedFact) for word in fact.functions}
    return frozenset(found)


def words_of(rule: Rule, sort: str) -> AbstractSet[str]:
    """The words of a sort that a rule uses."""
    match sort:
        case "roles":
            return rule.sender_roles | rule.recipient_roles
        case "fields" | "kinds" | "purposes":
            named: frozenset[str] = getattr(rule, sort)
            return named
        case "reasons":
            return {rule.code or "", *(item.otherwise for item in rule.conditions)}
        case "partnerships":
            return {
                name
                for item in rule.conditions
                if isinstance(item, InPartnership)
                for name in item.partnership
            }
        case "facts":
            facts = {item.fact for item in rule.conditions if isinstance(item, FactProven)}
            facts |= {item.without_fact for item in rule.conditions if isinstance(item, FactMissing)}
            return facts | {item.counter for item in rule.conditions if isinstance(item, CountedAtMost)}
        case "claims":
            claims = {name for item in rule.conditions if (name := getattr(item, "claim", None))}
            return claims | {"partnership" for item in rule.conditions if isinstance(item, InPartnership)}
    return frozenset()


def extended(bundle: Bundle, other: Bundle) -> Bundle:
    """A bundle that knows the words of another too, so that rules of both can be tried in it."""
    more: dict[str, Any] = {
        sort: {**getattr(other.catalog, sort), **getattr(bundle.catalog, sort)} for sort in WORDS
    }
    assertions = {**other.catalog.assertions, **bundle.catalog.assertions}
    catalog = replace(bundle.catalog, **more, assertions=assertions)
    return replace(bundle, catalog=catalog).with_agreements(bundle.agreements)


def with_word(bundle: Bundle, other: Bundle, change: CatalogChange) -> Bundle:
    """A bundle in which one word is as another bundle has it."""
    entry = getattr(other.catalog, change.sort)[change.word]
    entries = {**getattr(bundle.catalog, change.sort), change.word: entry}
    assertions = dict(bundle.catalog.assertions)
    if change.word in other.catalog.assertions:
        assertions[change.word] = other.catalog.assertions[change.word]
    changed: dict[str, Any] = {change.sort: entries}
    catalog: Catalog = replace(bundle.catalog, **changed, assertions=assertions)
    return replace(bundle, catalog=catalog).with_agreements(bundle.agreements)


def _change(sort: str, word: str, old: object, new: object, words: Words) -> tuple[Text, Weight]:
    name = _SORTS[sort] + same(f" {word} (") + words.word(sort, word) + same(")")
    decided = _decides(old) != _decides(new) or type(old) is not type(new)
    acted_on = _acted_on(old) != _acted_on(new)
    text = name + same(": ") + _detail(old, new) if decided else name
    if acted_on:
        return text + Text(
            ": de vorm of betekenis is gewijzigd", ": its form or meaning has changed"
        ), Weight.UNWEIGHED
    if decided:
        return text, Weight.DECIDES
    return name + Text(": alleen de tekst is gewijzigd", ": only the wording has changed"), Weight.NOTHING


def _decides(entry: object) -> object:
    """What of an entry bears on decisions."""
    match entry:
        case Role():
            return entry.sector, entry.oins
        case FieldSpec():
            return entry.category
        case Partnership():
            return partnership_content(entry)
        case RegisterFact() | StatedFact():
            return fact_content(entry)
        case ClaimSpec():
            return claim_content(entry)
    return None


def _acted_on(entry: object) -> object:
    """What of an entry the parties act on, beyond what the engine weighs."""
    match entry:
        case FieldSpec():
            return entry.value
        case Kind():
            return entry.subject
        case ClaimSpec():
            return entry.equals
        case CounterFact():
            return entry.per, entry.window
        case StatedFact():
            return entry.proof
    return None


def _detail(old: object, new: object) -> Text:
    if isinstance(old, FieldSpec) and isinstance(new, FieldSpec):
        return Text("categorie ", "category ") + same(f"{old.category} -> {new.category}")
    if isinstance(old, Role) and isinstance(new, Role) and old.sector is not new.sector:
        return Text("sector ", "sector ") + same(f"{old.sector} -> {new.sector}")
    if isinstance(old, Partnership) and isinstance(new, Partnership):
        return Text("deelnemers of looptijd gewijzigd", "members or term changed")
    if isinstance(old, Role):
        return Text("organisaties gewijzigd", "organisations changed")
    if isinstance(old, RegisterFact | StatedFact | CounterFact):
        return Text("wie of wat het feit bewijst is gewijzigd", "who or what proves the fact has changed")
    return Text("de voorgeschreven vorm is gewijzigd", "the prescribed form has changed")


def _laws(before: Catalog, after: Catalog) -> Iterator[CatalogChange]:
    """The texts of a law together: which are new, gone, or described otherwise."""
    for name in sorted(before.laws.keys() | after.laws.keys()):
        old, new = _versions(before.laws.get(name)), _versions(after.laws.get(name))
        other = {key for key in old.keys() & new.keys() if old[key] != new[key]}
        if (
            len({(law.title, law.bwb, law.celex) for side in (before, after) if (law := side.laws.get(name))})
            > 1
        ):
            text = Text("naam of nummer van de wet gewijzigd", "name or number of the law changed")
            yield CatalogChange(sort="laws", word=name, text=same(f"{name}: ") + text, weight=Weight.NOTHING)
        for keys, what in (
            (new.keys() - old.keys(), Text("nieuwe tekst van artikel ", "new text of article ")),
            (old.keys() - new.keys(), Text("tekst vervallen van artikel ", "text dropped of article ")),
            (
                other,
                Text("gegevens gewijzigd over de tekst van artikel ", "changed data on the text of article "),
            ),
        ):
            if keys:
                text = (
                    same(f"{name}: ") + what + same(", ".join(f"{art} ({day})" for art, day in sorted(keys)))
                )
                yield CatalogChange(sort="laws", word=name, text=text, weight=Weight.NOTHING)


def _versions(law: Law | None) -> Mapping[tuple[str, str], object]:
    return {(item.article, str(item.valid_from)): item for item in (law.articles if law else ())}
