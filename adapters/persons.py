# SPDX-License-Identifier: EUPL-1.2
"""Persons of whom no number is known, as a clerk lists them: to ask about, or to leave ready for another body.

    voornamen;achternaam;geboortedatum
    Łukasz;Kowalczyk;1990-03-07

To leave ready: besides, `vestigingsnr;datum_waarneming;zekerheid;noodzaak;afweging`, where the last two are what a
case officer and a privacy officer state, in quotes since they hold semicolons:

    "b-12@00000001003214345000;case-officer;2026-11-25T09:30Z;NEEDED_FOR_CASE"

In a date of birth `00` stands for an unknown day, or day and month. A description never leaves the kit in the clear:
keys are derived from it (`sluis/persons`), each becomes a pseudonym, and the fields are sealed. Never nationality.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Final

from adapters import cells
from adapters.labour_inspectorate import PushReport, push_drafts
from adapters.table import ParsedFile, Row, parse_table
from sluis.client import Kit
from sluis.client.matcher import MatchReport
from sluis.client.receiver import Keep, ReceivedSignal
from sluis.client.sender import Draft
from sluis.encoding import lp
from sluis.errors import InvalidInput
from sluis.header import Delivery
from sluis.identifiers import Identifier, IdentifierType, Oin
from sluis.persons import Person, person_keys
from sluis.policy.bundle import Bundle
from sluis.policy.facts import parse_statements

DESCRIPTION: Final = ("voornamen", "achternaam", "geboortedatum")
COLUMNS: Final = (*DESCRIPTION, "vestigingsnr", "datum_waarneming", "zekerheid", "noodzaak", "afweging")
MAX_FULL_NAME: Final = 200
CONFIDENCE: Final = ("FEIT", "VERMOEDEN", "MELDING")
KEPT: Final = timedelta(days=365)  # as long as the weighing counts, and the rule keeps it
_COLUMN_OF: Final = {"given": "voornamen", "surname": "achternaam", "born": "geboortedatum"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Described:
    """A person to ask about; `line` is where the description stands in the file."""

    line: int
    person: Person


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A person to leave ready for another body, with where and when they were found working."""

    line: int
    person: Person
    establishment: Identifier
    observed_on: date
    confidence: str
    necessity: str
    weighing: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PossibleMatch:
    """Signals that may be about a person. A shared key proves nothing: a human compares."""

    described: Described
    signals: tuple[ReceivedSignal, ...]
    earlier: bool  # there was one in a run that was broken off; it was kept then


def read_persons(source: Path | bytes) -> ParsedFile[Described]:
    """Read persons to ask about. Raises what `adapters.table.parse_table` raises."""

    def parse(row: Row) -> Described:
        return Described(line=row.line, person=_person(row))

    return parse_table(source, DESCRIPTION, parse, lambda described: _identity(described.person))


def read_findings(source: Path | bytes, *, today: date) -> ParsedFile[Finding]:
    """Read persons to leave ready, as of `today`. Raises what `adapters.table.parse_table` raises."""

    def parse(row: Row) -> Finding:
        person = _person(row)
        if not _is_line(full_name(person)):
            raise InvalidInput(
                "person-name", "the whole name is one line of at most 200", where=DESCRIPTION[1]
            )
        return Finding(
            line=row.line,
            person=person,
            establishment=cells.identifier(row, "vestigingsnr", IdentifierType.VESTIGING),
            observed_on=cells.past_date(row, "datum_waarneming", today),
            confidence=cells.one_of(row, "zekerheid", CONFIDENCE),
            necessity=_statements(row, "noodzaak"),
            weighing=_statements(row, "afweging"),
        )

    return parse_table(source, COLUMNS, parse, _finding_identity)


def check_kind(kind: str, bundle: Bundle) -> None:
    """Insist on a kind that is about persons without a number. Raises InvalidInput `unknown-value`."""
    known = bundle.catalog.kinds.get(kind)
    if known is None or known.subject != "persoon":
        raise InvalidInput("unknown-value", "no kind of signal about persons without a number", where="kind")


def finding_draft(finding: Finding, recipient: Oin, *, kind: str, purpose: str) -> Draft:
    """Make the signal about one person, to lie ready until its recipient asks about them."""
    person = finding.person
    subject, *aliases = person_keys(person)
    whole = "-00" not in person.born
    return Draft(
        identity=lp("person", kind, *_finding_identity(finding)),
        recipient=recipient,
        subject=subject,
        aliases=tuple(aliases),
        kind=kind,
        purpose=purpose,
        fields={
            "worker_name": full_name(person),
            **({"birth_date": person.born} if whole else {}),
            "establishment_number": finding.establishment.value,
            "observed_on": finding.observed_on.isoformat(),
            "confidence": finding.confidence,
        },
        claims={"necessity": finding.necessity, "deposit_gate": finding.weighing},
        expires_at_ms=int((datetime.now(UTC) + KEPT).timestamp() * 1000),
        delivery=Delivery.ON_MATCH,
    )


async def push_findings(
    kit: Kit,
    file: ParsedFile[Finding],
    recipient: Oin,
    *,
    kind: str,
    purpose: str,
    ask_first: bool = False,
    progress: Callable[[int], None] = lambda done: None,
) -> PushReport:
    """Leave the persons of the good rows ready for a recipient; with `ask_first`, as `push_fines` does.

    Raises InvalidInput `unknown-value` for a kind that is not about persons, and what `Sender.push` raises.
    """
    check_kind(kind, kit.bundle)
    drafts = [finding_draft(finding, recipient, kind=kind, purpose=purpose) for finding in file.accepted]
    return await push_drafts(kit, file, drafts, ask_first=ask_first, progress=progress)


async def ask_persons(
    kit: Kit,
    described: Sequence[Described],
    keep: Keep,
    *,
    kind: str,
    purpose: str,
    anew: bool = False,
    progress: Callable[[int], None] = lambda done: None,
) -> tuple[list[PossibleMatch], MatchReport]:
    """Ask about persons by all their keys; returns those who may have a signal, and the report by key.

    Raises InvalidInput `unknown-value` for a kind that is not about persons, and what `Matcher.match` raises.
    """
    check_kind(kind, kit.bundle)
    keys = {one.line: person_keys(one.person) for one in described}
    report = await kit.matcher.match(
        [key for own in keys.values() for key in own],
        kind=kind,
        purpose=purpose,
        keep=keep,
        anew=anew,
        progress=progress,
    )
    matches = [_match(one, keys[one.line], report) for one in described]
    return [each for each in matches if each.signals or each.earlier], report


def _match(described: Described, keys: Sequence[Identifier], report: MatchReport) -> PossibleMatch:
    """What the keys of one person found, each signal once."""
    signals = {signal.header.signal_id: signal for key in keys for signal in report.hits.get(key, ())}
    return PossibleMatch(
        described=described,
        signals=tuple(sorted(signals.values(), key=lambda signal: signal.log_index)),
        earlier=not report.earlier.isdisjoint(keys),
    )


def full_name(person: Person) -> str:
    """The name as it is sealed."""
    return f"{person.given} {person.surname}"


def _is_line(text: str) -> bool:
    """Whether it fits the field `worker_name`; else the whole file would be refused."""
    return len(text) <= MAX_FULL_NAME and text.isprintable()


def _person(row: Row) -> Person:
    given, surname = (cells.free_text(row, column) for column in DESCRIPTION[:2])
    try:
        return Person(given=given, surname=surname, born=row.cells["geboortedatum"])
    except InvalidInput as error:
        raise InvalidInput(error.code, error.message, where=_COLUMN_OF[error.where]) from None


def _statements(row: Row, column: str) -> str:
    text = row.cells[column]
    try:
        parse_statements(text)
    except InvalidInput:
        raise InvalidInput("statement-format", where=column) from None
    return text


def _identity(person: Person) -> tuple[str, ...]:
    return person.given, person.surname, person.born


def _finding_identity(finding: Finding) -> tuple[str, ...]:
    observed_on = finding.observed_on.isoformat()
    return *_identity(finding.person), finding.establishment.value, observed_on
