# SPDX-License-Identifier: EUPL-1.2
"""The reading version: the rules in plain Dutch, generated, one page for each agreement and an index.

    policies/leesversie/index.md          from, to, what, what for, article, status: one row for each permit
    policies/leesversie/waadi-14b.md      everything about one agreement

The pages hold nothing that is not in the rules, the catalogue or the cases, know no clock, and end with the digest
of the rules they were made from. They are for reading: only the rules themselves decide.
"""

from collections.abc import Iterator, Mapping, Sequence
from importlib.resources.abc import Traversable
from pathlib import Path

from sluis.errors import InvalidInput
from sluis.policy import dutch
from sluis.policy.bundle import Bundle
from sluis.policy.cases import Case
from sluis.policy.markdown import Markdown, bullets, joined, link, page, small, strong, table, text
from sluis.policy.reading_rules import RuleText, lines
from sluis.policy.rules import Agreement, LegalBasis, Rule, RuleEffect, Status

FOLDER = "leesversie"
INDEX = "index.md"

_STATUSES = bullets(
    (
        Markdown("**Van kracht**: de tekst van de wet is gelezen en de regel wordt toegepast."),
        Markdown("**Aangenomen**: de regel wordt toegepast, maar een jurist moet hem nog bevestigen."),
        Markdown("**Ontwerp, geldt niet**: een voorstel. Wat er staat mag nu niet."),
    )
)
_INDEX_HEADING = tuple(map(Markdown, ("van", "naar", "wat", "waarvoor", "artikel", "geldt", "status")))


def pages(bundle: Bundle, cases: Sequence[Case]) -> Mapping[str, str]:
    """All pages by the name of their file. Raises InvalidInput for an agreement called `index`."""
    if Path(INDEX).stem in bundle.agreements:
        raise InvalidInput(
            "malformed-rule", "an agreement cannot be called `index`", where="agreements/index.yaml:1"
        )
    words = RuleText(bundle, cases)
    found = {f"{name}.md": _agreement(agreement, words) for name, agreement in bundle.agreements.items()}
    return {INDEX: _index(words), **dict(sorted(found.items()))}


def stale(fresh: Mapping[str, str], folder: Traversable | Path) -> list[str]:
    """The pages in a folder that are missing, differ from what they should be, or should not be there."""
    there = {entry.name: entry for entry in folder.iterdir()} if folder.is_dir() else {}
    wrong = {
        name
        for name, content in fresh.items()
        if name not in there or there[name].read_bytes() != content.encode()
    }
    return sorted(wrong | {name for name in there.keys() - fresh.keys() if name.endswith(".md")})


def write(fresh: Mapping[str, str], folder: Path) -> None:
    """Write all pages, and remove pages of agreements that are gone."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in stale(fresh, folder):
        if name in fresh:
            folder.joinpath(name).write_bytes(fresh[name].encode())
        else:
            folder.joinpath(name).unlink()


def rule_text(rule_id: str, bundle: Bundle, cases: Sequence[Case]) -> str:
    """One rule as it stands on its page. Raises KeyError for an id that is not in the bundle."""
    rule = bundle.rules[rule_id]
    agreement = next(item for item in bundle.agreements.values() if rule in item.rules)
    return page(RuleText(bundle, cases).section(rule, agreement))


def _agreement(agreement: Agreement, words: RuleText) -> str:
    parts = [
        Markdown(f"# {text(dutch.capital(agreement.title))}"),
        text(agreement.explanation),
        link(Markdown("Alle afspraken"), INDEX),
        Markdown("**Op deze pagina**"),
        table(_INDEX_HEADING, _rows(agreement.rules, words, page_name="")),
    ]
    for rule in agreement.rules:
        parts += words.section(rule, agreement)
    return page([*parts, *_end(words.bundle)])


def _index(words: RuleText) -> str:
    bundle = words.bundle
    permits = [
        (agreement, rule)
        for agreement in bundle.agreements.values()
        for rule in agreement.rules
        if rule.effect is RuleEffect.PERMIT
    ]
    drafts = [item for item in permits if item[1].status is Status.DRAFT]
    firm = [item for item in permits if item[1].status is not Status.DRAFT]
    general = [item for _, item in sorted(bundle.agreements.items()) if item.is_general]
    return page(
        [
            Markdown("# Wie mag wat aan wie sturen, en waarom"),
            Markdown(
                "Dit is de leesversie van de regels waarmee Sluis beslist. Elke rij is een toestemming. "
                "Wat hier niet staat, mag niet. Klik op de kolom *wat* voor de voorwaarden en de gegevens."
            ),
            _STATUSES,
            Markdown("## Wat mag"),
            table(_INDEX_HEADING, _sorted_rows(firm, words)),
            *(_draft_part(_sorted_rows(drafts, words)) if drafts else ()),
            Markdown("## Wat nooit mag"),
            Markdown("Deze verboden staan boven elke afspraak."),
            bullets(
                Markdown(f"{link(text(rule.title), f'{item.id}.md#{rule.id}')} ({dutch.STATUS[rule.status]})")
                for item in general
                for rule in item.rules
            )
            if general
            else Markdown("Er zijn geen algemene verboden."),
            Markdown("## De afspraken"),
            bullets(
                Markdown(f"{link(text(item.title), f'{item.id}.md')}: {_count(item)}")
                for item in sorted(bundle.agreements.values(), key=lambda item: item.title.casefold())
            ),
            *_end(bundle),
        ]
    )


def _draft_part(rows: Sequence[Sequence[Markdown]]) -> tuple[Markdown, ...]:
    return (
        Markdown("## Wat nog niet mag"),
        Markdown("Dit zijn ontwerpen. Zij wachten op de wet en op een jurist, en beslissen niets."),
        table(_INDEX_HEADING, rows),
    )


def _sorted_rows(permits: Sequence[tuple[Agreement, Rule]], words: RuleText) -> list[tuple[Markdown, ...]]:
    """A row for each permit: by sender, recipient, kind and first day."""
    ordered = sorted(permits, key=lambda item: _order(item[1], words))
    return [
        row for agreement, rule in ordered for row in _rows([rule], words, page_name=f"{agreement.id}.md")
    ]


def _order(rule: Rule, words: RuleText) -> tuple[str, ...]:
    kinds = words.bundle.catalog.kinds
    return (
        ", ".join(words.senders(rule)).casefold(),
        ", ".join(words.recipients(rule)).casefold(),
        ", ".join(sorted(kinds[name].dutch.casefold() for name in rule.kinds)),
        rule.valid_from.isoformat(),
        rule.id,
    )


def _rows(rules: Sequence[Rule], words: RuleText, page_name: str) -> Iterator[tuple[Markdown, ...]]:
    catalog = words.bundle.catalog
    for rule in rules:
        yield (
            lines(words.senders(rule)),
            lines(words.recipients(rule)),
            link(text(dutch.capital(rule.title)), f"{page_name}#{rule.id}"),
            lines(sorted(catalog.purposes[name].dutch for name in rule.purposes) or ["elk doel"]),
            lines(map(_short, rule.legal_basis)),
            text(dutch.days(rule.valid_from, rule.valid_until)),
            _status(rule),
        )


def _status(rule: Rule) -> Markdown:
    words = Markdown(dutch.STATUS[rule.status])
    forbids = Markdown("verbod, ") if rule.effect is RuleEffect.PROHIBIT else ""
    return joined((forbids, strong(words)), "")


def _short(basis: LegalBasis) -> str:
    return f"{basis.law} {dutch.article(basis.article, basis.paragraph, basis.part)}"


def _count(agreement: Agreement) -> str:
    permits = sum(rule.effect is RuleEffect.PERMIT for rule in agreement.rules)
    parts = [
        (permits, "toestemming", "toestemmingen"),
        (len(agreement.rules) - permits, "verbod", "verboden"),
    ]
    return dutch.series(f"{count} {one if count == 1 else more}" for count, one, more in parts if count)


def _end(bundle: Bundle) -> list[Markdown]:
    return [
        Markdown("---"),
        small(
            Markdown(
                "Deze pagina is gemaakt uit de regels en wordt niet met de hand gewijzigd. Bij verschil gaan de "
                f"regels voor. Kenmerk van de regels: `{bundle.digest}`"
            )
        ),
    ]
