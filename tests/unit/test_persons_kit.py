# SPDX-License-Identifier: EUPL-1.2
"""Persons without a number in the kit: files of them, what becomes a signal, and whose row a hit is about."""

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from match_samples import Body, pseudonym_of
from person_samples import AGREEMENT, IND, KIND, PURPOSE, Persons

from adapters.persons import (
    COLUMNS,
    DESCRIPTION,
    Described,
    ask_persons,
    check_kind,
    finding_draft,
    push_findings,
    read_findings,
    read_persons,
)
from sluis.client.registrar import Registrar
from sluis.client.sender import check_fields
from sluis.errors import InvalidInput, NotAuthentic, NotPermitted
from sluis.header import Delivery
from sluis.identifiers import Identifier, Oin
from sluis.persons import Person, person_keys
from tests.world import World, bundle

TODAY = date(2026, 11, 26)
RECIPIENT = Oin("00000099000000001000")
STATED = "b-1@00000099000000031000;case-officer;2026-11-25T09:30Z;NEEDED_FOR_CASE"
WEIGHED = "fg-1@00000099000000031000;privacy-officer;2026-11-25T09:30Z;NECESSARY_FOR_TASK"
GOOD = {
    "voornamen": "Łukasz",
    "achternaam": "Kowalczyk",
    "geboortedatum": "1990-03-07",
    "vestigingsnr": "099900123456",
    "datum_waarneming": "2026-11-20",
    "zekerheid": "FEIT",
    "noodzaak": f'"{STATED}"',
    "afweging": f'"{WEIGHED}"',
}
LUKASZ = Person(given="Łukasz", surname="Kowalczyk", born="1990-03-07")
LUKAS = Person(given="Lukas", surname="Kowalczik", born="1990-07-03")
IOANA = Person(given="Ioana", surname="Dumitrescu", born="1985-11-20")


def table(*rows: dict[str, str], columns: Sequence[str] = COLUMNS) -> bytes:
    lines = [";".join(columns), *(";".join(row[name] for name in columns) for row in rows)]
    return ("\n".join(lines) + "\n").encode()


# files


def test_a_finding_is_read_and_becomes_a_signal_that_waits_to_be_asked_for() -> None:
    [finding] = read_findings(table(GOOD), today=TODAY).accepted
    assert (finding.line, finding.person, finding.confidence) == (2, LUKASZ, "FEIT")
    draft = finding_draft(finding, RECIPIENT, kind=KIND, purpose=PURPOSE)
    assert (draft.subject, *draft.aliases) == person_keys(LUKASZ)
    assert draft.delivery is Delivery.ON_MATCH
    assert draft.claims == {"necessity": STATED, "deposit_gate": WEIGHED}
    assert draft.fields == {
        "worker_name": "Łukasz Kowalczyk",
        "birth_date": "1990-03-07",
        "establishment_number": "099900123456",
        "observed_on": "2026-11-20",
        "confidence": "FEIT",
    }
    check_fields(bundle(), draft.fields, draft.claims)
    days = (draft.expires_at_ms / 1000 - datetime.now(UTC).timestamp()) / 86_400
    assert 364.9 < days <= 365


def test_an_unknown_day_of_birth_is_no_field() -> None:
    for born in ("1990-03-00", "1990-00-00"):
        [finding] = read_findings(table({**GOOD, "geboortedatum": born}), today=TODAY).accepted
        draft = finding_draft(finding, RECIPIENT, kind=KIND, purpose=PURPOSE)
        assert "birth_date" not in draft.fields
        check_fields(bundle(), draft.fields, draft.claims)


@pytest.mark.parametrize(
    ("column", "text", "code"),
    [
        ("voornamen", "", "column-missing"),
        ("voornamen", "123", "person-name"),
        ("voornamen", "A" * 101, "person-name"),
        ("voornamen", "Jan 999990019", "hidden-identifier"),
        ("achternaam", "", "column-missing"),
        ("achternaam", "--", "person-name"),
        ("achternaam", "de Vries\u00ad", "person-name"),  # not printable, so no field would take it
        ("geboortedatum", "", "person-birth-date"),
        ("geboortedatum", "07-03-1990", "person-birth-date"),
        ("geboortedatum", "1990-02-30", "person-birth-date"),
        ("vestigingsnr", "123", "identifier-format"),
        ("datum_waarneming", "2026-11-27", "date-future"),
        ("datum_waarneming", "gisteren", "date-format"),
        ("zekerheid", "ZEKER", "unknown-value"),
        ("noodzaak", "", "statement-format"),
        ("noodzaak", '"Jansen vindt het nodig"', "statement-format"),
        ("afweging", f'"{WEIGHED},{WEIGHED},{WEIGHED}"', "statement-format"),
    ],
)
def test_a_wrong_row_is_told_by_line_column_and_code_and_the_others_go_on(
    column: str, text: str, code: str
) -> None:
    parsed = read_findings(table({**GOOD, column: text}, GOOD), today=TODAY)
    [problem] = parsed.rejected
    assert (problem.line, problem.column, problem.code) == (2, column, code)
    assert len(text) < 4 or text.strip('"') not in problem.message
    assert [finding.line for finding in parsed.accepted] == [3]


def test_a_name_that_fits_no_field_as_a_whole_is_a_wrong_row() -> None:
    long = {**GOOD, "voornamen": "A" * 100, "achternaam": "B" * 100}
    [problem] = read_findings(table(long), today=TODAY).rejected
    assert (problem.column, problem.code) == ("achternaam", "person-name")


def test_the_same_finding_twice_is_one_and_on_another_day_is_two() -> None:
    parsed = read_findings(table(GOOD, GOOD, {**GOOD, "datum_waarneming": "2026-11-21"}), today=TODAY)
    assert (len(parsed.accepted), parsed.duplicates) == (2, 1)
    drafts = [finding_draft(one, RECIPIENT, kind=KIND, purpose=PURPOSE) for one in parsed.accepted]
    assert drafts[0].identity != drafts[1].identity


def test_who_is_asked_about_needs_no_more_than_a_name_and_a_date_of_birth() -> None:
    parsed = read_persons(table(GOOD, {**GOOD, "geboortedatum": "1990"}, GOOD))
    assert parsed.accepted == (Described(line=2, person=LUKASZ),)
    assert (parsed.duplicates, [item.line for item in parsed.rejected]) == (1, [3])
    assert read_persons(table(GOOD, columns=DESCRIPTION)).accepted == parsed.accepted


CELLS = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)


@settings(max_examples=150)
@given(st.lists(st.tuples(CELLS, CELLS, CELLS), max_size=5) | st.binary(max_size=200))
def test_whatever_stands_in_a_file_it_is_read_or_refused(rows: list[tuple[str, ...]] | bytes) -> None:
    data = rows if isinstance(rows, bytes) else _written(rows)
    try:
        parsed = read_persons(data)
    except InvalidInput:
        return
    for described in parsed.accepted:
        assert 8 <= len(person_keys(described.person)) <= 12


def _written(rows: list[tuple[str, ...]]) -> bytes:
    return "\n".join([";".join(DESCRIPTION), *(";".join(row) for row in rows)]).encode()


@pytest.mark.parametrize("kind", ["FINE_IMPOSED", "WAV-ILLEGAAL", "SOCIAL_SECURITY_DATA", "NOBODY-KNOWS"])
async def test_another_kind_is_refused_before_anything_is_computed(kind: str) -> None:
    with pytest.raises(InvalidInput, match="unknown-value"):
        check_kind(kind, bundle())
    kit: Any = SimpleNamespace(bundle=bundle())
    with pytest.raises(InvalidInput, match="unknown-value"):
        await ask_persons(kit, [], nobody, kind=kind, purpose=PURPOSE)
    with pytest.raises(InvalidInput, match="unknown-value"):
        await push_findings(
            kit, read_findings(table(GOOD), today=TODAY), RECIPIENT, kind=kind, purpose=PURPOSE
        )


async def nobody(_: object) -> None:
    raise AssertionError("there is nothing to keep")


# asking, against a broker in this process


@pytest.fixture
def asker(world: World, tmp_path: Path) -> Iterator[Body]:
    made = Body(world, tmp_path, asker=world.cast.nla, agreement=AGREEMENT, senders=(IND,))
    yield made
    made.close()


def pseudonyms(person: Person) -> list[bytes]:
    return [pseudonym_of(key) for key in person_keys(person)]


def rows(*persons: Person) -> list[Described]:
    return [Described(line=line, person=person) for line, person in enumerate(persons, start=2)]


async def ask(asker: Body, *persons: Person) -> dict[int, list[str]]:
    """By line, the signals that may be about the person."""
    kit: Any = SimpleNamespace(bundle=bundle(), matcher=asker.connect())
    matches, report = await ask_persons(kit, rows(*persons), asker.keep, kind=KIND, purpose=PURPOSE)
    assert report.asked == len({key for person in persons for key in person_keys(person)})
    return {
        each.described.line: [str(signal.header.signal_id) for signal in each.signals] for each in matches
    }


async def test_a_hit_names_the_row_whose_spelling_differs(world: World, asker: Body) -> None:
    envelope = await Persons(world).lay(pseudonyms(LUKASZ))
    assert await ask(asker, IOANA, LUKAS) == {3: [str(envelope.header.signal_id)]}
    assert [signal.header for signal in asker.kept] == [envelope.header]


async def test_two_rows_of_one_person_both_get_the_hit_although_the_broker_names_one(
    world: World, asker: Body
) -> None:
    envelope = await Persons(world).lay(pseudonyms(LUKASZ))
    name = str(envelope.header.signal_id)
    assert await ask(asker, LUKAS, IOANA, LUKASZ) == {2: [name], 4: [name]}
    assert len(asker.kept) == 1


async def test_several_signals_come_in_the_order_of_the_log(world: World, asker: Body) -> None:
    persons = Persons(world)
    laid = [await persons.lay(pseudonyms(who)) for who in (LUKASZ, IOANA, LUKAS)]
    first, other, last = (str(envelope.header.signal_id) for envelope in laid)
    assert await ask(asker, LUKASZ, IOANA) == {2: [first, last], 3: [other]}


async def test_who_asks_again_hears_of_it_again_and_keeps_it_once(world: World, asker: Body) -> None:
    await Persons(world).lay(pseudonyms(LUKASZ))
    assert await ask(asker, LUKAS) == await ask(asker, LUKAS) != {}
    assert len(asker.kept) == 1


async def test_a_run_that_was_broken_off_tells_whose_hit_was_kept_before(world: World, asker: Body) -> None:
    await Persons(world).lay(pseudonyms(LUKASZ))
    asker.epochs = ("2026", "2025")
    asker.spent = {"2025"}
    with pytest.raises(NotPermitted, match="budget-spent"):
        await ask(asker, LUKAS, IOANA)
    asker.spent = ()
    kit: Any = SimpleNamespace(bundle=bundle(), matcher=asker.connect())
    [match], report = await ask_persons(kit, rows(LUKAS, IOANA), asker.keep, kind=KIND, purpose=PURPOSE)
    assert (match.described.line, match.signals, match.earlier, report.resumed) == (2, (), True, True)


async def test_a_hit_whose_signal_has_none_of_the_keys_asked_is_not_believed(
    world: World, asker: Body, monkeypatch: pytest.MonkeyPatch
) -> None:
    await Persons(world).lay(pseudonyms(LUKASZ))
    position = "broker.match.question._Question._found"
    [laid] = await _found(world)
    monkeypatch.setattr(position, lambda self, step: [(0, laid)])
    with pytest.raises(NotAuthentic, match="about another subject"):
        await ask(asker, IOANA)


async def _found(world: World) -> list[Any]:
    with world.store.transaction() as tx:
        own = pseudonyms(LUKASZ)[:1]
        return list(tx.deposits(world.cast.nla.oin, AGREEMENT, KIND, "2026", own, world.clock.ms()))


async def test_the_kit_makes_no_digest_and_no_list_of_persons(world: World, asker: Body) -> None:
    keys: list[Identifier] = list(person_keys(LUKASZ))
    with pytest.raises(NotPermitted, match="persons-not-in-bulk"):
        await asker.connect().match(keys, kind=KIND, purpose=PURPOSE, keep=asker.keep, private=True)
    assert (asker.asked, asker.fetched) == ([], [])
    none: Any = None
    registrar = Registrar(
        oin=RECIPIENT, agreement=AGREEMENT, keys=none, connections=none, trust=none, pseudonymiser=none
    )
    days = {"first_day": TODAY, "last_day": TODAY + timedelta(days=9)}
    with pytest.raises(NotPermitted, match="persons-not-in-bulk"):
        await registrar.watch(keys, kind=KIND, purpose=PURPOSE, **days)
