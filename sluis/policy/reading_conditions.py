# SPDX-License-Identifier: EUPL-1.2
"""What a condition of a rule demands, in plain Dutch: which values, what term, who may prove it and how."""

from collections.abc import Iterator

from sluis.policy import dutch
from sluis.policy.catalog import Catalog
from sluis.policy.conditions import (
    ClaimListed,
    Condition,
    CountedAtMost,
    DeliveryIs,
    FactMissing,
    FactProven,
    InPartnership,
    NotOlder,
    NotPassed,
    SameParty,
    SubjectsAtMost,
    WorkingDaysPassed,
)
from sluis.policy.facts import CounterFact, RegisterFact, StatedFact

_DELIVERY = {
    "mailbox": "Het signaal komt in de postbus van de ontvanger.",
    "on_match": "Het signaal ligt klaar tot de ontvanger ernaar vraagt en er een treffer is.",
}
_PER = {"sender": "per afzender", "sender-and-recipient": "per afzender en ontvanger samen"}


def condition_details(item: Condition, catalog: Catalog) -> Iterator[str]:
    """What a condition demands beyond its own sentence: values, terms, who proves it and how."""
    match item:
        case ClaimListed():
            values = dutch.series(map(dutch.provision, dutch.in_order(item.one_of)), "of")
            yield f"{_named(item.claim, catalog)} Het gaat om: {values}."
        case NotOlder():
            yield (
                f"{_named(item.claim, catalog)} Die ligt ten hoogste {item.not_older_than_years} jaar terug."
            )
        case NotPassed():
            yield f"{_named(item.claim, catalog)} Die dag is vandaag of later."
        case WorkingDaysPassed():
            yield (
                f"{_named(item.claim, catalog)} "
                f"Daarna zijn ten minste {item.working_days_passed} werkdagen verstreken."
            )
        case FactProven():
            yield from _proof(item.fact, catalog)
        case FactMissing():
            yield f"Het verbod vervalt als vaststaat: {catalog.facts[item.without_fact].dutch}."
            yield from _proof(item.without_fact, catalog)
        case SameParty():
            yield "Afzender en ontvanger zijn dezelfde organisatie."
        case DeliveryIs():
            yield _DELIVERY[item.delivery]
        case InPartnership():
            known = catalog.partnerships
            names = dutch.series(sorted(known[name].dutch for name in item.partnership), "of")
            yield f"Afzender en ontvanger nemen allebei deel aan: {names}."
        case CountedAtMost():
            yield from _counter(item, catalog)
        case SubjectsAtMost():
            most = item.subjects_at_most
            what = (
                "persoon of onderneming" if most == 1 else "personen, ondernemingen of sleutels van personen"
            )
            yield f"Een verzoek gaat over ten hoogste {most} {what}."


def _named(claim: str, catalog: Catalog) -> str:
    spec = catalog.claims[claim]
    checked = " De ontvanger controleert dat met de gegevens zelf." if spec.equals else ""
    return f"De afzender noemt {spec.dutch}.{checked}"


def _proof(name: str, catalog: Catalog) -> Iterator[str]:
    """Who may prove a fact, and how."""
    spec = catalog.facts[name]
    if isinstance(spec, RegisterFact):
        owner = catalog.roles[spec.owner_role].dutch
        yield "Dit moet blijken uit een register. De afzender kan het niet zelf verklaren."
        yield f"Het register is van: {owner}."
    elif isinstance(spec, StatedFact):
        functions = dutch.series(sorted(catalog.functions[item].dutch for item in spec.functions), "of")
        who = "Een medewerker van de afzender verklaart" if spec.persons == 1 else (
            "Twee verschillende medewerkers van de afzender verklaren"
        )  # fmt: skip
        term = "1 dag" if spec.valid_days == 1 else f"{spec.valid_days} dagen"
        yield f"{who}: {spec.dutch}. De verklaring telt {term}."
        yield f"Bevoegd is: {functions}."
        yield f"De reden is een van deze: {dutch.series((item.dutch for item in spec.reasons.values()), 'of')}."


def _counter(item: CountedAtMost, catalog: Catalog) -> Iterator[str]:
    spec = catalog.facts[item.counter]
    if isinstance(spec, CounterFact):
        yield f"De broker telt zelf: {spec.dutch}. Ten hoogste {item.at_most} op een dag, {_PER[spec.per]}."
