# SPDX-License-Identifier: EUPL-1.2
"""What a change of the rules does: exactly, over the whole finite domain, and in legal words.

The verdict and the flows come from running the engine of both bundles over every state of every place where
they hold different rules. The lines come from the texts: one for each difference, grouped by agreement and
flow. The mark of a line says what that difference does alone: the engine decides with only it made, or, when
that changes nothing, with only it left out. Where changes do something only together, a line says so.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from broker.policy.change.catalog_changes import CatalogChange, Weight, catalog_changes, extended, with_word
from broker.policy.change.domain import MOST_STATES, Domain, Filter, Sort, every
from broker.policy.change.edits import Edit, edits
from broker.policy.change.outcomes import WHOLE, Comparison, Difference, FlowChange, compare
from broker.policy.change.verdict import Verdict, together
from broker.policy.change.words import (
    ARROW,
    DUTIES,
    OPERATIONS,
    STATUSES,
    Text,
    Words,
    duty_value,
    joined,
    same,
)
from sluis.policy.bundle import Bundle
from sluis.policy.rules import Agreement, Rule, Status

_NEVER_DECIDE = ("wording", "basis", "name")
_NOWHERE = Text("catalogus", "catalogue")


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One difference in legal words. Without `agreement` it is about the catalogue."""

    agreement: str
    rule: str
    flow: Text
    kind: str
    mark: Verdict  # SAME: neutral
    text: Text


@dataclass(frozen=True, slots=True, kw_only=True)
class Approval:
    """Whose approval a change needs: an officer other than the proposer, of this function (empty: any)."""

    function: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyDiff:
    """A change of the rules. `inexact`: sorts with too many states to run all of them."""

    before: str
    after: str
    verdict: Verdict
    lines: tuple[Line, ...]
    flows: tuple[FlowChange, ...]
    inexact: tuple[Sort, ...]

    @property
    def exact(self) -> bool:
        """Whether every state was run."""
        return not self.inexact

    @property
    def required_approvals(self) -> tuple[Approval, ...]:
        """Who must approve; what is not known exactly counts as wider."""
        if self.verdict in (Verdict.WIDER, Verdict.BOTH) or not self.exact:
            return Approval(function="legal"), Approval(function="privacy")
        return (Approval(function=""),)

    @property
    def summary(self) -> Text:
        """The verdict in a sentence."""
        text = _SUMMARIES[self.verdict]
        if self.verdict is Verdict.SAME and not self.lines and self.before == self.after:
            text = Text("Er is niets gewijzigd.", "Nothing has changed.")
        if not self.exact:
            names = {
                f"{sort.agreement}: {sort.sender}, {sort.recipient}, {sort.kind}" for sort in self.inexact
            }
            text += Text(" Niet elke toestand is doorgerekend voor: ", " Not every state was run for: ")
            text += same("; ".join(sorted(names)))
        return text


_SUMMARIES = {
    Verdict.SAME: Text(
        "De tekst van de regels verschilt, de beslissingen niet.",
        "The text of the rules differs, the decisions do not.",
    ),
    Verdict.WIDER: Text(
        "Ruimer: er mag meer, langer of onder minder plichten dan voorheen.",
        "Wider: more may pass than before, for longer or under fewer duties.",
    ),
    Verdict.NARROWER: Text(
        "Enger: er mag minder, korter of onder meer plichten dan voorheen.",
        "Narrower: less may pass than before, for shorter or under more duties.",
    ),
    Verdict.BOTH: Text(
        "Ruimer en enger: sommige uitwisselingen mogen meer dan voorheen, andere minder.",
        "Wider and narrower: some exchanges may do more than before, others less.",
    ),
}


def diff(before: Bundle, after: Bundle, *, most_states: int = MOST_STATES) -> PolicyDiff:
    """Compare two bundles. A sort of request with more states than `most_states` is named as inexact."""
    words = Words(after, before)
    found = compare(Domain(before, after, most_states=most_states))
    trial = _Trial(before, after, most_states)
    lines: list[Line] = []
    unweighed = Verdict.SAME
    for change in catalog_changes(before, after, words):
        mark = trial.mark_word(change)
        unweighed = Verdict.BOTH if change.weight is Weight.UNWEIGHED else unweighed
        lines.append(
            Line(agreement="", rule="", flow=_NOWHERE, kind="catalogue", mark=mark, text=change.text)
        )
    for name in sorted(before.agreements.keys() | after.agreements.keys()):
        lines += _agreement_lines(name, before.agreements.get(name), after.agreements.get(name), trial, words)
    agreements = (*before.agreements.values(), *after.agreements.values())
    general = {item.id for item in agreements if item.is_general}
    lines += _only_together(found, lines, general, words)
    inexact = dict.fromkeys((*found.inexact, *trial.inexact))
    return PolicyDiff(
        before=before.digest,
        after=after.digest,
        verdict=together([found.verdict, unweighed]),
        lines=tuple(lines),
        flows=found.changes,
        inexact=tuple(inexact),
    )


class _Trial:
    """Decides with one difference alone. Both bundles know each other's words here."""

    def __init__(self, before: Bundle, after: Bundle, most_states: int) -> None:
        self._plain = before, after
        self._before, self._after = extended(before, after), extended(after, before)
        self._most = most_states
        self.inexact: list[Sort] = []

    def mark(
        self,
        name: str,
        changed: tuple[Agreement | None, Agreement | None],
        without: tuple[Agreement | None, Agreement | None],
        about: Filter,
    ) -> Verdict:
        """Try a difference in the old bundle, and if that does nothing, in the new one; pairs: before, after."""
        first = self._run(self._before, name, changed, about)
        return first if first is not Verdict.SAME else self._run(self._after, name, without, about)

    def mark_word(self, change: CatalogChange) -> Verdict:
        """The same for a word of the catalogue."""
        if change.weight is Weight.UNWEIGHED:
            return Verdict.BOTH
        if change.weight is Weight.NOTHING:
            return Verdict.SAME
        before, after = self._plain
        first = self._compare(self._before, with_word(self._before, after, change), every)
        if first is not Verdict.SAME:
            return first
        return self._compare(with_word(self._after, before, change), self._after, every)

    def _run(
        self, bundle: Bundle, name: str, pair: tuple[Agreement | None, Agreement | None], about: Filter
    ) -> Verdict:
        general = any(item is not None and item.is_general for item in pair)
        others = {
            key: item
            for key, item in bundle.agreements.items()
            if key != name and (general or item.is_general)
        }
        one, other = (
            bundle.with_agreements({**others, name: item} if item is not None else others) for item in pair
        )
        return self._compare(one, other, about)

    def _compare(self, one: Bundle, other: Bundle, about: Filter) -> Verdict:
        found = compare(Domain(one, other, most_states=self._most), about)
        self.inexact += found.inexact
        return found.verdict


def _agreement_lines(
    name: str, before: Agreement | None, after: Agreement | None, trial: _Trial, words: Words
) -> Iterator[Line]:
    if before is not None and after is not None:
        if before.applies_to != after.applies_to:
            text = Text("geldt voor: ", "applies to: ") + same(f"{before.applies_to} -> {after.applies_to}")
            mark = trial.mark(name, (before, after), (before, after), every)
            yield Line(agreement=name, rule="", flow=same(name), kind="scope", mark=mark, text=text)
        if (before.title, before.explanation) != (after.title, after.explanation):
            text = Text(
                "alleen de tekst van de afspraak is gewijzigd",
                "only the wording of the agreement has changed",
            )
            yield Line(agreement=name, rule="", flow=same(name), kind="wording", mark=Verdict.SAME, text=text)
    for old, new in _pairs(before, after):
        if old is not None and new is not None:
            for edit in edits(old, new, words):
                mark = _mark_edit(name, before, after, old, new, edit, trial)
                yield _line(name, new, edit.kind, mark, edit.text, words)
        elif new is not None:
            changed = (before, _plus(before or after, new, alone=before is None))
            mark = trial.mark(name, changed, (_minus(after, new), after), _about(new))
            yield _line(name, new, "rule", mark, Text("nieuw: ", "new: ") + _summary(new, words), words)
        elif old is not None:
            changed = (before, _minus(before, old) if after is not None or _many(before) else None)
            mark = trial.mark(
                name, changed, (_plus(after or before, old, alone=after is None), after), _about(old)
            )
            yield _line(
                name, old, "rule", mark, Text("vervallen: ", "dropped: ") + _summary(old, words), words
            )


def _mark_edit(
    name: str,
    before: Agreement | None,
    after: Agreement | None,
    old: Rule,
    new: Rule,
    edit: Edit,
    trial: _Trial,
) -> Verdict:
    if edit.kind in _NEVER_DECIDE:
        return Verdict.SAME
    changed = (before, _swap(before, old, edit.changed))
    without = (_swap(after, new, edit.without), after)
    return trial.mark(name, changed, without, _about(old, new))


def _line(agreement: str, rule: Rule, kind: str, mark: Verdict, text: Text, words: Words) -> Line:
    if mark is Verdict.SAME and kind not in _NEVER_DECIDE:
        text += Text(" (verandert op zichzelf geen beslissing)", " (changes no decision by itself)")
    return Line(agreement=agreement, rule=rule.id, flow=words.flow(rule), kind=kind, mark=mark, text=text)


def _pairs(before: Agreement | None, after: Agreement | None) -> Iterator[tuple[Rule | None, Rule | None]]:
    """Rules of one id and effect, or, where that is new, of one content; then those that stand alone."""
    old = {rule.id: rule for rule in (before.rules if before else ())}
    new = {rule.id: rule for rule in (after.rules if after else ())}
    for rule in list(old.values()):
        twin = new.get(rule.id) or next((item for item in new.values() if _renamed(rule, item, old)), None)
        if twin is not None and twin.effect is rule.effect:
            del old[rule.id], new[twin.id]
            if twin != rule:
                yield rule, twin
    yield from ((rule, None) for rule in old.values())
    yield from ((None, rule) for rule in new.values())


def _renamed(rule: Rule, other: Rule, old: dict[str, Rule]) -> bool:
    return other.id not in old and other.model_copy(update={"id": rule.id}) == rule


def _many(agreement: Agreement | None) -> bool:
    return agreement is not None and len(agreement.rules) > 1


def _plus(agreement: Agreement | None, rule: Rule, *, alone: bool) -> Agreement | None:
    if agreement is None:
        return None
    return agreement.model_copy(update={"rules": (rule,) if alone else (*agreement.rules, rule)})


def _minus(agreement: Agreement | None, rule: Rule) -> Agreement | None:
    if agreement is None:
        return None
    kept = tuple(item for item in agreement.rules if item is not rule)
    return agreement.model_copy(update={"rules": kept})


def _swap(agreement: Agreement | None, rule: Rule, other: Rule) -> Agreement | None:
    if agreement is None:
        return None
    rules = tuple(other if item is rule else item for item in agreement.rules)
    return agreement.model_copy(update={"rules": rules})


def _about(*rules: Rule) -> Filter:
    """The sorts of request that one of these rules could concern; no word listed means any."""

    def concerns(rule: Rule, sort: Sort) -> bool:
        pairs = (
            (rule.sender_roles, sort.sender),
            (rule.recipient_roles, sort.recipient),
            (rule.kinds, sort.kind),
            (rule.purposes, sort.purpose),
            (rule.operations, sort.operation),
        )
        return all(not listed or word in listed for listed, word in pairs)

    return lambda sort: any(concerns(rule, sort) for rule in rules)


def _summary(rule: Rule, words: Words) -> Text:
    text = words.subject(rule) + same(f" `{rule.title}`")
    if rule.status is Status.DRAFT:
        text += same(" (") + STATUSES["draft"] + same(")")
    if rule.fields:
        text += Text("; velden: ", "; fields: ") + joined(map(words.field, sorted(rule.fields)))
    for condition in rule.conditions:
        text += Text("; voorwaarde: ", "; condition: ") + words.condition(condition)
    if rule.obligations is not None:
        text += same("; ") + DUTIES["retention"] + same(" ") + duty_value("", rule.obligations.retention)
    return text


def _only_together(found: Comparison, lines: list[Line], general: set[str], words: Words) -> Iterator[Line]:
    """What the changes do but none of them does alone, in the agreement itself or above every agreement."""
    marks: dict[str, set[Verdict]] = {}
    for line in lines:
        marks.setdefault("" if line.agreement in general else line.agreement, set()).add(line.mark)
    for change in found.changes:
        mark = change.difference.verdict
        ways = {Verdict.WIDER, Verdict.NARROWER} if mark is Verdict.BOTH else {mark}
        alone = marks.get(change.sort.agreement, set()) | marks.get("", set())
        if Verdict.BOTH not in alone and not ways <= alone:
            text = Text("door de wijzigingen samen: ", "by the changes together: ")
            yield Line(
                agreement=change.sort.agreement,
                rule="",
                flow=flow_heading(change, words),
                kind="together",
                mark=mark,
                text=text + difference_text(change.difference, words),
            )


def flow_heading(change: FlowChange, words: Words) -> Text:
    """Who sends what to whom, what for, and on which days."""
    sort, span = change.sort, change.span
    sides = words.role(sort.sender) + ARROW + words.role(sort.recipient)
    parts = [sides, OPERATIONS[sort.operation], words.kind(sort.kind), words.purpose(sort.purpose)]
    days = Text(f"vanaf {span.first}", f"from {span.first}")
    if span.last is not None:
        days += Text(f" tot en met {span.last}", f" until {span.last}")
    return Text(
        "; ".join(part.dutch for part in [*parts, days]), "; ".join(part.english for part in [*parts, days])
    )


def difference_text(difference: Difference, words: Words) -> Text:
    """What comes out otherwise, in words."""
    parts = [Text("dit mag voortaan", "this may from now on")] * difference.begins
    parts += [Text("dit mag niet meer", "this may no longer")] * difference.ends
    for names, text in (
        (difference.gained, Text("+ veld ", "+ field ")),
        (difference.lost, Text("- veld ", "- field ")),
        (difference.more - difference.fewer, Text("in meer gevallen ", "in more cases ")),
        (difference.fewer - difference.more, Text("in minder gevallen ", "in fewer cases ")),
        (difference.more & difference.fewer, Text("in andere gevallen ", "in other cases ")),
    ):
        if listed := sorted(names - {WHOLE}):
            parts.append(text + joined(map(words.field, listed)))
        elif WHOLE in names and not (difference.begins or difference.ends):
            parts.append(text)
    for duty in sorted(difference.duties):
        values = duty_value(duty.name, duty.before) + ARROW + duty_value(duty.name, duty.after)
        parts.append(DUTIES[duty.name] + same(" ") + values)
    return Text("; ".join(part.dutch for part in parts), "; ".join(part.english for part in parts))
