# SPDX-License-Identifier: EUPL-1.2
"""One entry of an exchange in words: what happened, what was decided and why, which data, which duties.

Pure: an entry, the rules by which it was decided, and a language. It names fields by their label and holds no value,
because the log holds none. A word that the rules of then do not know is shown as it stands.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from broker.console.texts import Language, has_text, text_of
from broker.decide.explain import explain
from broker.decide.recorded import recorded_decision
from broker.storage.projected import DENIED, FOLLOW_UP, PARTLY, RELEASED
from sluis.followup import Act
from sluis.policy import dutch
from sluis.policy.bundle import Bundle
from sluis.policy.reading_rules import address
from sluis.policy.rules import LegalBasis, Rule
from sluis.policy.schema import Labelled

_SENTENCE = re.compile(r"(?<=[.])\s+(?=[A-Z])")
_PERIOD = re.compile(r"P([0-9]+)([YMD])")
NO_WORDS: Mapping[str, str] = MappingProxyType({})
_UNITS = {"Y": ("year", "years"), "M": ("month", "months"), "D": ("day", "days")}


@dataclass(frozen=True, slots=True, kw_only=True)
class Article:
    """An article on which a rule rests, why, and where it can be read (empty: not known)."""

    citation: str
    why: str
    href: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisiveRule:
    """A rule that decided, with its own text; empty title and text when it is not in the rules at hand."""

    id: str
    title: str
    text: str
    status: str
    agreement: str
    articles: Sequence[Article]


@dataclass(frozen=True, slots=True, kw_only=True)
class DataLine:
    """A field by its label: whether it passed, and if not, why and by which rule."""

    label: str
    category: str
    released: bool
    why: str = ""
    rule: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class FactLine:
    """A fact that the broker looked up: what, what was found, and where."""

    label: str
    state: str
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """A decided entry in words."""

    result: str
    sentences: Sequence[str]
    rules: Sequence[DecisiveRule]
    data: Sequence[DataLine]
    facts: Sequence[FactLine]
    duties: Sequence[str]
    policy: str


def headline(entry: Mapping[str, Any], language: Language, words: Mapping[str, str] = NO_WORDS) -> str:
    """What happened, in a sentence or two; `words` are what some sentences name beside counts."""
    key = f"story.{entry['operation']}.{entry.get('outcome', '')}".rstrip(".")
    if not has_text(key):
        return text_of(language, "story.other", operation=entry["operation"])
    if has_text(told := f"{key}.{entry.get('act', '')}"):
        key = told
    counts = {name: entry.get(name, 0) for name in ("asked", "hits", "entries", "holders", "signals")}
    return text_of(language, key, **{**words, **counts})


def codes_of(entry: Mapping[str, Any], bundle: Bundle, language: Language) -> str:
    """What a follow-up says, in the words of the catalogue; empty when it says nothing."""
    said = []
    operation = str(entry["operation"])
    if not operation.startswith(FOLLOW_UP) or operation.removeprefix(FOLLOW_UP) not in list(Act):
        return ""
    act = Act(operation.removeprefix(FOLLOW_UP))
    for sort, name in sorted(entry.get("codes", {}).items(), key=lambda code: (code[0] != "outcome", code)):
        known = bundle.catalog.follow_ups.words(act, sort).get(name) or bundle.catalog.functions.get(name)
        said.append((known.dutch if language is Language.DUTCH else known.english) if known else str(name))
    return "; ".join(said)


def result_of(entry: Mapping[str, Any]) -> str:
    """`released`, `partly` or `denied`, as the index of exchanges counts them."""
    if entry["decision"] != "permit":
        return DENIED
    return PARTLY if entry["released"] and entry["withheld"] else RELEASED


def story_of(entry: Mapping[str, Any], bundle: Bundle, language: Language) -> Story:
    """Put a decided entry into words. Raises InvalidInput for an entry that holds no decision."""
    return _Words(bundle, language).story(entry)


def duties_of(duties: Mapping[str, str], bundle: Bundle, language: Language) -> list[str]:
    """The recipient's duties, each a sentence."""
    return _Words(bundle, language).duties(duties)


class _Words:
    """One language and the rules of then."""

    def __init__(self, bundle: Bundle, language: Language) -> None:
        self._bundle = bundle
        self._catalog = bundle.catalog
        self._language = language
        self._is_dutch = language is Language.DUTCH

    def story(self, entry: Mapping[str, Any]) -> Story:
        """All of it."""
        decision = recorded_decision(entry)
        explained = explain(decision, self._bundle)
        text = explained.dutch if self._is_dutch else explained.english
        return Story(
            result=result_of(entry),
            sentences=_SENTENCE.split(text),
            rules=[self._rule(rule["id"], rule["status"], rule["basis"]) for rule in entry["rules"]],
            data=[
                *(self._line(name, released=True) for name in entry["released"]),
                *(
                    self._line(item["name"], released=False, code=item["reason"], rule=item["rule"])
                    for item in entry["withheld"]
                ),
            ],
            facts=[
                *(self._fact(item["name"], item["state"], item["source"]) for item in entry["facts"]),
                *(self._counter(name, most) for name, most in sorted(entry.get("counters", {}).items())),
            ],
            duties=list(self.duties(entry["obligations"])),
            policy=entry["policy"],
        )

    def label(self, word: Labelled | None, otherwise: str) -> str:
        """A word of the catalogue, else as it stands."""
        if word is None:
            return otherwise
        return word.dutch if self._is_dutch else word.english

    def _rule(self, rule_id: str, status: str, basis: Sequence[str]) -> DecisiveRule:
        rule = self._bundle.rules.get(rule_id)
        known = {item.citation: item for item in rule.legal_basis} if rule else {}
        return DecisiveRule(
            id=rule_id,
            title=dutch.capital(rule.title) if rule else "",
            text=rule.explanation if rule else "",
            status=self._t(f"story.status.{status}"),
            agreement=self._agreement(rule),
            articles=[_article(citation, known.get(citation)) for citation in basis],
        )

    def _agreement(self, rule: Rule | None) -> str:
        found = (item.id for item in self._bundle.agreements.values() if rule in item.rules)
        return next(found, "") if rule else ""

    def _line(self, name: str, *, released: bool, code: str = "", rule: str = "") -> DataLine:
        field = self._catalog.fields.get(name)
        known = self._bundle.rules.get(rule)
        return DataLine(
            label=self.label(field, name),
            category=self._t(f"label.category.{field.category.value}") if field else self._t("label.unknown"),
            released=released,
            why=self.label(self._catalog.reasons.get(code), code),
            rule=known.title if known else rule,
        )

    def _fact(self, name: str, state: str, source: str) -> FactLine:
        sort, _, register = source.partition(":")
        where = f"story.source.{sort}"
        return FactLine(
            label=self.label(self._catalog.facts.get(name), name),
            state=self._t(f"story.fact.{state}"),
            source=self._t(where, name=self._register(register)) if has_text(where) else source,
        )

    def _register(self, name: str) -> str:
        """What a register is of, in words; its own name when there are none."""
        key = f"label.register.{name}"
        return self._t(key) if has_text(key) else name

    def _counter(self, name: str, before: int) -> FactLine:
        return FactLine(
            label=self.label(self._catalog.facts.get(name), name),
            state=self._t("story.fact.counted", n=before),
            source=self._t("story.source.counter", name=name),
        )

    def duties(self, duties: Mapping[str, str]) -> list[str]:
        """The recipient's duties, each a sentence."""
        said = []
        for name in ("retention", "retention_after_loss", "feedback_within"):
            if name in duties:
                said.append(self._t(f"story.duty.{name}", period=self._period(duties[name])))
        if "handling" in duties:
            said.append(self._t(f"story.handling.{duties['handling']}"))
        if "notice" in duties:
            within = self._period(duties["notice_within"]) if "notice_within" in duties else ""
            said.append(self._t(f"story.notice.{duties['notice']}", period=within))
        if grounds := duties.get("delay_grounds"):
            letters = ", ".join(item[-2] for item in grounds.split(","))
            said.append(self._t("story.duty.delay_grounds", letters=letters))
        return said

    def _period(self, period: str) -> str:
        return period_words(self._language, period)

    def _t(self, key: str, **names: object) -> str:
        return text_of(self._language, key, **names)


def period_words(language: Language, period: str) -> str:
    """A period such as `P6M` in words."""
    match = _PERIOD.fullmatch(period)
    if match is None:
        return period
    if language is Language.DUTCH:
        return dutch.period(period)
    return f"{match[1]} {_UNITS[match[2]][match[1] != '1']}"


def _article(citation: str, basis: LegalBasis | None) -> Article:
    if basis is None:
        return Article(citation=citation, why="", href="")
    return Article(citation=citation, why=basis.explanation, href=address(basis))
