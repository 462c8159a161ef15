# SPDX-License-Identifier: EUPL-1.2
"""What stands out in a set of rules, found by running the engine over its domain from a day on.

never-applies: nothing ever passes under a permit, for its conditions exclude each other or prohibitions
withhold all. field-always-withheld: a field that a permit lists and a prohibition always withholds.
field-never-released: it passes under no permit. duties-differ, duties-contradict: of permits that apply
together. period-past: kept for replays. rule-ends, text-ends: within the days asked for. text-changed: the
catalogue has a later text than the one referred to. word-unused: by no rule. not-exact: too many states to
run all; nothing is then said to be impossible.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta

from broker.policy.change.catalog_changes import words_of
from broker.policy.change.domain import MOST_STATES, Domain
from broker.policy.change.words import DUTIES, Text, Words, joined, same
from broker.policy.watch import Seen, watch
from sluis.policy.bundle import Bundle
from sluis.policy.laws import ArticleVersion
from sluis.policy.rules import LegalBasis, Notice, Rule
from sluis.policy.schema import read_date


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """Something that somebody should see: where it is written, in which rule, about which word."""

    kind: str
    file: str
    rule: str
    term: str
    text: Text

    @property
    def is_never(self) -> bool:
        """Whether it says that a rule can never apply."""
        return self.kind == "never-applies"


@dataclass(frozen=True, slots=True, kw_only=True)
class _View:
    """A bundle, what was seen of it, and the days that matter."""

    bundle: Bundle
    seen: Seen
    today: date
    until: date
    words: Words

    def standing(self) -> Iterator[Rule]:
        """The permits that stand today or later."""
        for rule in self.bundle.rules.values():
            if rule.id in self.seen.standing:
                yield rule

    def live(self) -> Iterator[Rule]:
        """The rules, drafts too, whose last day has not passed."""
        for rule in self.bundle.rules.values():
            if rule.valid_until is None or rule.valid_until >= self.today:
                yield rule

    def about(self, kind: str, rule: Rule, term: str, text: Text) -> Observation:
        """An observation on a rule."""
        agreement = next(name for name, item in self.bundle.agreements.items() if rule in item.rules)
        file = f"agreements/{agreement}.yaml"
        return Observation(kind=kind, file=file, rule=rule.id, term=term, text=text)


def analyse(
    bundle: Bundle, today: date, within_days: int, *, most_states: int = MOST_STATES
) -> tuple[Observation, ...]:
    """Look through a bundle as it stands from `today` on; terms that end within so many days are named."""
    seen = watch(Domain(bundle, most_states=most_states), today)
    until = today + timedelta(days=within_days)
    view = _View(bundle=bundle, seen=seen, today=today, until=until, words=Words(bundle))
    return tuple(found for look in _LOOKS for found in look(view))


def endings(bundle: Bundle, today: date, within_days: int) -> tuple[Observation, ...]:
    """What ends within so many days: rules, and the texts they rest on. Runs nothing, so it is quick."""
    until = today + timedelta(days=within_days)
    view = _View(bundle=bundle, seen=Seen(), today=today, until=until, words=Words(bundle))
    periods = (found for found in _periods(view) if found.kind == "rule-ends")
    return (*periods, *_texts_end(view))


def _never(view: _View) -> Iterator[Observation]:
    seen = view.seen
    for rule in view.standing():
        if rule.id in seen.applied or rule.id in seen.unsure:
            continue
        if rule.id not in seen.met:
            text = Text(
                "kan nooit gelden: de voorwaarden kunnen niet samen vervuld zijn",
                "can never apply: its conditions cannot hold together",
            )
        else:
            against = {one for (permit, _), ids in seen.against.items() if permit == rule.id for one in ids}
            text = Text(
                "kan nooit gelden: alles wordt altijd tegengehouden door ",
                "can never apply: all is always withheld by ",
            ) + same(", ".join(sorted(against)))
        yield view.about("never-applies", rule, "", text)


def _withheld(view: _View) -> Iterator[Observation]:
    seen = view.seen
    for rule in view.standing():
        if rule.id in seen.applied and rule.id not in seen.unsure:
            for name in sorted(rule.fields - seen.released[rule.id]):
                against = seen.against[rule.id, name] | seen.against[rule.id, ""]
                text = Text("veld ", "field ") + view.words.field(name)
                text += Text(" wordt altijd achtergehouden door ", " is always withheld by ")
                yield view.about("field-always-withheld", rule, name, text + same(", ".join(sorted(against))))


def _never_released(view: _View) -> Iterator[Observation]:
    bundle, seen = view.bundle, view.seen
    released = {name for names in seen.released.values() for name in names}
    released |= {name for rule_id in seen.unsure for name in bundle.rules[rule_id].fields}
    for name in bundle.fields:
        if name not in released:
            text = Text("veld ", "field ") + view.words.field(name)
            text += Text(" gaat onder geen enkele regel door", " passes under no rule")
            yield _on_word("field-never-released", "fields", name, text)


def _duties(view: _View) -> Iterator[Observation]:
    for one, other in sorted(view.seen.together):
        rule, twin = view.bundle.rules[one], view.bundle.rules[other]
        if rule.obligations is None or twin.obligations is None or rule.obligations == twin.obligations:
            continue
        notices = {rule.obligations.notice, twin.obligations.notice}
        if {Notice.MUST, Notice.MUST_NOT} == notices:
            text = Text(
                "geldt samen met een regel die over kennisgeving het omgekeerde eist: ",
                "applies together with a rule that demands the opposite on notice: ",
            )
            yield view.about("duties-contradict", rule, other, text + same(other))
        else:
            differing = [name for name, value in rule.obligations if value != getattr(twin.obligations, name)]
            text = Text("geldt samen met ", "applies together with ") + same(other)
            text += Text("; de strengste plicht bindt: ", "; the strictest duty binds: ")
            yield view.about("duties-differ", rule, other, text + joined(DUTIES[name] for name in differing))


def _periods(view: _View) -> Iterator[Observation]:
    for rule in view.bundle.rules.values():
        end = rule.valid_until
        if end is not None and end < view.today:
            text = Text(f"is vervallen na {end}", f"has ended after {end}")
            yield view.about("period-past", rule, "", text)
        elif end is not None and end <= view.until:
            text = Text(f"vervalt na {end}", f"ends after {end}")
            yield view.about("rule-ends", rule, "", text)


def _texts_end(view: _View) -> Iterator[Observation]:
    for rule in view.live():
        ending = {
            basis.citation: version.valid_until
            for basis in rule.legal_basis
            for version in _versions(view.bundle, basis)
            if version.valid_until is not None
            and version.valid_from <= rule.valid_from <= version.valid_until
            and view.today <= version.valid_until <= view.until
        }
        for citation, end in ending.items():
            text = Text(
                f"rust op {citation}, waarvan de tekst eindigt op {end}",
                f"rests on {citation}, whose text ends on {end}",
            )
            yield view.about("text-ends", rule, citation, text)


def _texts_changed(view: _View) -> Iterator[Observation]:
    """A later text counts when it begins before the rule ends."""
    for rule in view.live():
        for basis in rule.legal_basis:
            referred = _reference_day(basis)
            later = [
                version.valid_from
                for version in _versions(view.bundle, basis)
                if referred is not None
                and version.valid_from > referred
                and (rule.valid_until is None or version.valid_from <= rule.valid_until)
            ]
            if later:
                text = Text(
                    f"verwijst naar {basis.citation} van {referred}; de catalogus heeft een tekst van {max(later)}",
                    f"refers to {basis.citation} of {referred}; the catalogue has a text of {max(later)}",
                )
                yield view.about("text-changed", rule, basis.citation, text)


def _unused(view: _View) -> Iterator[Observation]:
    for sort in ("facts", "claims", "kinds", "purposes", "partnerships"):
        used = {word for rule in view.bundle.rules.values() for word in words_of(rule, sort)}
        for word in getattr(view.bundle.catalog, sort):
            if word not in used:
                text = view.words.word(sort, word)
                text += Text(": geen enkele regel gebruikt dit woord", ": no rule uses this word")
                yield _on_word("word-unused", sort, word, text)


def _inexact(view: _View) -> Iterator[Observation]:
    for sort in view.seen.inexact:
        sides = joined(
            [view.words.role(sort.sender), view.words.role(sort.recipient), view.words.kind(sort.kind)]
        )
        text = Text("niet elke toestand is doorgerekend voor ", "not every state was run for ") + sides
        file = f"agreements/{sort.agreement}.yaml"
        yield Observation(kind="not-exact", file=file, rule="", term=sort.operation, text=text)


_LOOKS: tuple[Callable[[_View], Iterator[Observation]], ...] = (
    _never,
    _withheld,
    _duties,
    _periods,
    _texts_end,
    _texts_changed,
    _never_released,
    _unused,
    _inexact,
)


def _on_word(kind: str, sort: str, word: str, text: Text) -> Observation:
    return Observation(kind=kind, file=f"catalog/{sort}.yaml", rule="", term=word, text=text)


def _versions(bundle: Bundle, basis: LegalBasis) -> Iterator[ArticleVersion]:
    law = bundle.catalog.laws.get(basis.law)
    for version in law.articles if law else ():
        if version.article == basis.article:
            yield version


def _reference_day(basis: LegalBasis) -> date | None:
    """The day of the text that a juriconnect reference names: `g=` (valid on), else `z=` (as seen on)."""
    for key in "gz":
        if found := re.search(rf"&{key}=([0-9-]+)", basis.reference):
            try:
                return read_date(found[1])
            except ValueError:
                return None
    return None
