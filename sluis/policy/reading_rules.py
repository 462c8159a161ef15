# SPDX-License-Identifier: EUPL-1.2
"""One rule in plain Dutch, as a part of a page of the reading version.

Every sentence comes from the rules, the catalogue and the cases, or is the fixed wording of `sluis.policy.dutch`.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from sluis.policy import dutch
from sluis.policy.bundle import Bundle
from sluis.policy.cases import Case
from sluis.policy.catalog import Category, Sector
from sluis.policy.conditions import Condition
from sluis.policy.laws import ArticleVersion
from sluis.policy.markdown import (
    Markdown,
    box,
    bullets,
    code,
    joined,
    link,
    numbered,
    small,
    strong,
    table,
    text,
)
from sluis.policy.reading_conditions import condition_details
from sluis.policy.rules import Agreement, LegalBasis, Notice, Obligations, Operation, Rule, RuleEffect, Status

EXAMPLES = 3


@dataclass(frozen=True, slots=True)
class RuleText:
    """Puts rules of one bundle into words."""

    bundle: Bundle
    cases: Sequence[Case] = field(default=())

    def section(self, rule: Rule, agreement: Agreement) -> list[Markdown]:
        """Everything about a rule, from its heading to its mark."""
        permits = rule.effect is RuleEffect.PERMIT
        middle = self._permit(rule, agreement) if permits else self._prohibition(rule)
        return [
            Markdown(f'<a id="{rule.id}"></a>'),
            Markdown(f"## {text(dutch.capital(rule.title))}"),
            certainty(rule),
            self.facts_table(rule),
            text(rule.explanation),
            Markdown("### Waarom"),
            bullets(self._basis(rule, basis) for basis in rule.legal_basis),
            *middle,
            *self._examples(rule, agreement),
            small(joined(_mark(rule), " · ")),
        ]

    def _permit(self, rule: Rule, agreement: Agreement) -> list[Markdown]:
        if rule.conditions:
            lead = "Al deze voorwaarden moeten vaststaan. De eerste die niet vaststaat is de reden van een weigering."
            conditions = [Markdown(lead), numbered(self._condition(item, rule) for item in rule.conditions)]
        else:
            conditions = [Markdown("Er zijn geen verdere voorwaarden.")]
        return [
            Markdown("### Voorwaarden"),
            *conditions,
            Markdown("### Welke gegevens"),
            *self._fields(rule),
            Markdown("### Wat nooit mag"),
            self._never(rule, agreement),
            Markdown("### Daarna"),
            bullets(_duties(rule.obligations)),
        ]

    def _prohibition(self, rule: Rule) -> list[Markdown]:
        parts = [Markdown("### Wat niet mag")]
        if rule.withholds_fields:
            parts.append(
                Markdown("Deze gegevens worden achtergehouden. De rest van het signaal kan doorgaan.")
            )
            parts += self._fields(rule)
        else:
            parts.append(Markdown("Het hele signaal wordt geweigerd."))
        if rule.code:
            parts.append(text(f"De reden die de afzender hoort: {self.reason(rule.code)}."))
        if rule.conditions:
            lead = "Het verbod geldt, tenzij vaststaat dat een van deze punten niet klopt."
            parts += [
                Markdown("### Wanneer het verbod geldt"),
                Markdown(lead),
                numbered(self._condition(item, rule) for item in rule.conditions),
            ]
        return parts

    def facts_table(self, rule: Rule) -> Markdown:
        """Who, to whom, what, what for, how, when."""
        catalog = self.bundle.catalog
        rows: list[tuple[str, list[str]]] = [
            ("Van", self.senders(rule)),
            ("Naar", self.recipients(rule)),
            ("Wat", _named(catalog.kinds[name].dutch for name in rule.kinds) or ["elke soort signaal"]),
            ("Over", sorted({dutch.SUBJECT[catalog.kinds[name].subject] for name in rule.kinds})),
            (
                "Waarvoor",
                _named(catalog.purposes[name].dutch for name in rule.purposes) or ["elk doel"],
            ),
            ("Hoe", _ways(rule)),
            ("Geldt", [dutch.days(rule.valid_from, rule.valid_until)]),
            ("Status", [dutch.STATUS[rule.status]]),
        ]
        return table(
            (Markdown(" "), Markdown(" ")),
            [(strong(Markdown(name)), lines(map(dutch.capital, words))) for name, words in rows if words],
        )

    def senders(self, rule: Rule) -> list[str]:
        """The labels of who may (or may not) send; `elke partij` when a prohibition names nobody."""
        return self._parties(rule.sender_roles, rule.sender_sectors)

    def recipients(self, rule: Rule) -> list[str]:
        """The labels of who may (or may not) receive."""
        return self._parties(rule.recipient_roles, rule.recipient_sectors)

    def _parties(self, roles: Iterable[str], sectors: Iterable[Sector]) -> list[str]:
        words = _named(self.bundle.catalog.roles[name].dutch for name in roles)
        sorts = {Sector.PUBLIC: "elke publieke partij", Sector.PRIVATE: "elke private partij"}
        return words or sorted(sorts[sector] for sector in sectors) or ["elke partij"]

    def reason(self, name: str) -> str:
        """What a code means."""
        return self.bundle.catalog.reasons[name].dutch

    def version(self, rule: Rule, basis: LegalBasis) -> ArticleVersion | None:
        """The text of the article in which the rule begins."""
        for version in self.bundle.catalog.laws[basis.law].articles:
            ended = version.valid_until is not None and version.valid_until < rule.valid_from
            if version.article == basis.article and version.valid_from <= rule.valid_from and not ended:
                return version
        return None

    def _basis(self, rule: Rule, basis: LegalBasis) -> Markdown:
        name = text(dutch.cited(basis, self.bundle.catalog.laws[basis.law].title))
        version = self.version(rule, basis)
        parts = [
            f"{strong(link(name, address(basis)))}.",
            text(dutch.sentence(basis.explanation)),
            text(f"In de AVG rust dit op {dutch.gdpr(basis.gdpr)}."),
        ]
        if version is not None:
            parts.append(text(dutch.MARK[version.mark]))
            if version.note:
                parts.append(text(f"Let op: {dutch.sentence(version.note)}"))
        return joined(parts, " ")

    def _condition(self, item: Condition, rule: Rule) -> list[Markdown]:
        more = [text(line) for line in condition_details(item, self.bundle.catalog)]
        if rule.effect is RuleEffect.PERMIT:
            more.append(text(f"Zo niet: {self.reason(item.otherwise)}."))
        return [text(dutch.sentence(item.dutch)), *more]

    def _fields(self, rule: Rule) -> list[Markdown]:
        catalog = self.bundle.catalog.fields
        names = self._names(rule)
        if not names:
            if rule.withholds_fields:
                return [Markdown("De catalogus kent zulke gegevens nu niet.")]
            return [Markdown("Er gaan geen gegevens mee, alleen pseudoniemen.")]
        rows = [
            (text(dutch.capital(dutch.CATEGORY[category])), lines(labels))
            for category in Category
            if (labels := [catalog[name].dutch for name in names if catalog[name].category is category])
        ]
        found = table((Markdown("soort"), Markdown("gegevens")), rows)
        if rule.effect is RuleEffect.PROHIBIT:
            return [found]
        return [Markdown("Alleen deze gegevens mogen mee. Wat hier niet staat, wordt achtergehouden."), found]

    def _names(self, rule: Rule) -> list[str]:
        """The fields that a rule lets pass or withholds, in the order of the catalogue."""
        fields = self.bundle.fields.items()
        return [name for name, spec in fields if name in rule.fields or spec.category in rule.categories]

    def _never(self, rule: Rule, agreement: Agreement) -> Markdown:
        """The prohibitions that can meet this permit: the general ones and those of its own agreement."""
        found = []
        for _, other in sorted(self.bundle.agreements.items()):
            if other.is_general or other.id == agreement.id:
                page = "" if other.id == agreement.id else f"{other.id}.md"
                for against in other.rules:
                    if meets(against, rule, self.bundle):
                        title = link(text(against.title), f"{page}#{against.id}")
                        effect = (
                            "Die gegevens blijven achter."
                            if against.withholds_fields
                            else "Dan gaat er niets door."
                        )
                        when = " Dat hangt van voorwaarden af, die daar staan." if against.conditions else ""
                        found.append(Markdown(f"{title}. {effect}{when}"))
        return (
            bullets(found)
            if found
            else Markdown("Geen bijzonder verbod. Alles wat niet genoemd is, mag niet.")
        )

    def _examples(self, rule: Rule, agreement: Agreement) -> list[Markdown]:
        shown = [case for case in self.cases if self._shows(case, rule, agreement)]
        found = sorted(shown, key=lambda case: case.rule != rule.id)
        if rule.effect is RuleEffect.PROHIBIT and found and found[0].rule == rule.id:
            found = [case for case in found if case.rule == rule.id]  # a reason alone may be another rule's
        granted = [case for case in found if case.verdict == "toegestaan" and not case.reason]
        others = [case for case in found if case not in granted]
        chosen = [*granted[:EXAMPLES], *_different(others)]
        if not chosen:
            return []
        return [Markdown("### Voorbeelden"), bullets(self.example(case) for case in chosen)]

    def _shows(self, case: Case, rule: Rule, agreement: Agreement) -> bool:
        """Whether a case is about this rule: by the id that it expects, else by what it describes."""
        expected = self.bundle.rules.get(case.rule or "")
        if expected is not None and (expected.id == rule.id or expected.effect is rule.effect):
            return expected.id == rule.id
        own = agreement.is_general or case.agreement == agreement.id
        return own and rule.holds_on(case.day) and self._fits(case, rule) and self._stops(case, rule)

    def _fits(self, case: Case, rule: Rule) -> bool:
        pairs: list[tuple[str, Iterable[str]]] = [
            (case.sender, rule.sender_roles),
            (case.recipient, rule.recipient_roles),
            (self.bundle.sector_of(case.sender), rule.sender_sectors),
            (self.bundle.sector_of(case.recipient), rule.recipient_sectors),
            (case.kind, rule.kinds),
            (case.purpose, rule.purposes),
        ]
        return case.operation in rule.operations and all(not known or word in known for word, known in pairs)

    def _stops(self, case: Case, rule: Rule) -> bool:
        """For a prohibition: whether the case has its reason, and a field that it withholds."""
        if rule.effect is RuleEffect.PERMIT:
            return True
        return case.reason == rule.code and (
            not rule.withholds_fields or any(name in case.fields for name in self._names(rule))
        )

    def example(self, case: Case) -> Markdown:
        """A case in a sentence, with what follows from the rules."""
        head, _, rest = case.name.partition(" ")
        name = rest if len(head) == 3 and head[0] in "EX" and head[1:].isdigit() else case.name
        parts = [text(f"{dutch.day(case.day)}: {dutch.sentence(name)}"), strong(text(self._verdict(case)))]
        if case.reason:
            parts.append(text(f"Reden: {self.reason(case.reason)}."))
        return joined(parts, " ")

    def _verdict(self, case: Case) -> str:
        if case.verdict == "geweigerd" or not case.reason:
            return dutch.sentence(case.verdict)
        fields = dutch.series(self.bundle.fields[name].dutch for name in case.withheld or ())
        return f"Toegestaan, maar zonder: {fields}." if fields else "Toegestaan, maar niet alle gegevens."


def certainty(rule: Rule) -> Markdown:
    """How firmly the rule stands, in a box where that matters."""
    when = dutch.days(rule.valid_from, rule.valid_until)
    if rule.status is Status.IN_FORCE:
        return text(f"Deze regel is van kracht {when}.")
    if rule.status is Status.ASSUMED:
        return box(
            Markdown("Aangenomen."),
            text(
                f"Deze regel wordt toegepast {when}, maar rust op een aanname of op een tekst die niet in de geldende "
                "versie is gelezen. Een jurist moet hem nog bevestigen."
            ),
        )
    return box(
        Markdown("Ontwerp. Deze regel geldt niet."),
        Markdown(
            "Wat hieronder staat mag nu niet. Het is een voorstel, en wacht op de wet en op een jurist."
        ),
    )


def address(basis: LegalBasis) -> str:
    """Where the article can be read: wetten.overheid.nl, or EUR-Lex for a regulation of the Union."""
    if basis.juriconnect is not None:
        return f"https://wetten.overheid.nl/{basis.juriconnect}"
    year, number = (basis.eli or "").split("/")[5:7]
    return f"https://eur-lex.europa.eu/eli/reg/{year}/{number}/oj/nld"


def lines(words: Iterable[str]) -> Markdown:
    """Texts below each other in a cell."""
    return joined(map(text, words), "<br>")


def meets(against: Rule, permit: Rule, bundle: Bundle) -> bool:
    """Whether a prohibition can bear on what a permit allows: same days, parties, kinds, purposes, operations."""
    if against.effect is not RuleEffect.PROHIBIT or against.status is Status.DRAFT:
        return False
    if not (against.holds_on(permit.valid_from) or permit.holds_on(against.valid_from)):
        return False
    overlaps = [
        (against.operations, permit.operations),
        (against.sender_roles, permit.sender_roles),
        (against.recipient_roles, permit.recipient_roles),
        (against.kinds, permit.kinds),
        (against.purposes, permit.purposes),
        (against.sender_sectors, {bundle.sector_of(role) for role in permit.sender_roles}),
        (against.recipient_sectors, {bundle.sector_of(role) for role in permit.recipient_roles}),
    ]
    return all(not words or words & set(others) for words, others in overlaps)


def _ways(rule: Rule) -> list[str]:
    if rule.operations == frozenset(Operation):
        return ["elke manier van uitwisselen"]
    return [dutch.OPERATION[item] for item in Operation if item in rule.operations]


def _different(cases: Iterable[Case]) -> list[Case]:
    """The first case of each reason."""
    found: dict[str | None, Case] = {}
    for case in cases:
        found.setdefault(case.reason, case)
    return list(found.values())


def _named(labels: Iterable[str]) -> list[str]:
    return sorted(labels, key=str.casefold)


def _duties(duties: Obligations | None) -> Iterator[Markdown]:
    if duties is None:
        return
    keep = f"Bewaren: ten hoogste {dutch.period(duties.retention)}"
    if duties.retention_after_loss:
        keep += (
            f", en ten hoogste {dutch.period(duties.retention_after_loss)} nadat het certificaat is vervallen"
        )
    yield text(f"{keep}. Daarna vernietigt de ontvanger de gegevens.")
    yield text(dutch.HANDLING[duties.handling])
    if duties.feedback_within:
        yield text(
            "De ontvanger meldt de afzender wat er van het signaal kwam, binnen "
            f"{dutch.period(duties.feedback_within)}."
        )
    if duties.notice is Notice.MUST:
        yield text(f"De ontvanger licht de betrokkene in, binnen {dutch.period(duties.notice_within or '')}.")
    elif duties.notice is Notice.MUST_NOT:
        yield text("De ontvanger licht de betrokkene niet in.")
    else:
        yield text("De ontvanger mag de betrokkene inlichten. Deze regel verplicht daar niet toe.")
    if duties.delay_grounds:
        grounds = dutch.series((dutch.DELAY_GROUND[item[-2]] for item in sorted(duties.delay_grounds)), "of")
        lead = "Inlichten mag wachten" if duties.notice is Notice.MUST else "Niet inlichten mag alleen"
        yield text(
            f"{lead} zolang dat nodig en evenredig is voor: {grounds} (UAVG artikel 41, eerste lid). "
            "Een medewerker beslist dat, nooit de computer."
        )


def _mark(rule: Rule) -> Iterator[Markdown]:
    yield Markdown(f"Kenmerk: {code(rule.id)}")
    if rule.exchanges:
        yield text(f"uitwisseling {', '.join(rule.exchanges)}")
    for basis in rule.legal_basis:
        yield Markdown(f"{text(basis.citation)}: {code(basis.reference)}")
    if rule.code:
        yield code(rule.code)
    if rule.obligations:
        yield text(rule.obligations.handling)
