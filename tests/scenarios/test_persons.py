# SPDX-License-Identifier: EUPL-1.2
"""Persons without a number: one public body leaves them ready, another finds them under another spelling."""

import json
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from adapters.persons import COLUMNS, DESCRIPTION
from demo.cast import CastMember
from sluis.client import Kit
from sluis.persons import Person, person_keys
from sluis.v1 import exchange_pb2
from tests.scenarios.scene import Scene
from tests.scenarios.test_canary import files_in, services
from tests.scenarios.test_cli import FAILED, USAGE, Done, sluis

ABOUT = ("--kind", "WAV-PERSOON", "--purpose", "WAV-TOEZICHT")
FOUND = ("Łukasz", "Kowalczyk", "1990-03-07")
SEEN_AS = ("Lukas", "Kowalczik", "1990-07-03")
OTHER = ("Ioana", "Dumitrescu", "1985-11-00")
MISSPELT = ("Iona", "Dumitresku", "1985-11-00")
STRANGER = ("Piet", "Bakkerman", "1971-05-12")


def run(scene: Scene, member: CastMember, *command: str | Path, **environment: str) -> Done:
    """Run a command under the agreement that is about persons."""
    config = str(scene.stage.write_config(member))
    return sluis(*command, SLUIS_CONFIG=config, SLUIS_AGREEMENT="wav-16", **environment)


def member(scene: Scene, slug: str) -> CastMember:
    return next(one for one in scene.stage.cast.participants if one.slug == slug)


def asked(folder: Path, *persons: tuple[str, str, str]) -> Path:
    """A list to ask about; the first person stands on line 2."""
    path = folder / f"asked-{len(persons)}.csv"
    path.write_text("\n".join([";".join(DESCRIPTION), *(";".join(one) for one in persons)]) + "\n")
    return path


def findings(scene: Scene, folder: Path, by: CastMember, *persons: tuple[str, str, str]) -> Path:
    """A list to leave ready, with what persons at the sender state; its last row is wrong."""
    at = f"{datetime.now(UTC) - timedelta(hours=2):%Y-%m-%dT%H:%M}Z"
    stated = (
        f'"b-1@{by.oin};case-officer;{at};NEEDED_FOR_CASE"',
        f'"fg-1@{by.oin};privacy-officer;{at};NECESSARY_FOR_TASK"',
    )
    day = scene.today.isoformat()
    rows = [";".join((*person, "099900123456", day, "FEIT", *stated)) for person in persons]
    wrong = ";".join((*STRANGER[:2], "12-05-1971", "099900123456", day, "FEIT", *stated))
    path = folder / "findings.csv"
    path.write_text("\n".join([";".join(COLUMNS), *rows, wrong]) + "\n")
    return path


def aliases(scene: Scene) -> int:
    """How many further pseudonyms the broker keeps."""
    with closing(sqlite3.connect(scene.stage.database.removeprefix("sqlite:///"))) as database:
        return int(database.execute("SELECT count(*) FROM deposit_alias").fetchone()[0])


def traces(*folders: Path) -> Iterator[str]:
    """Files in which a name or a date of birth stands, or a key of one: as text, in UTF-16 or in hexadecimal."""
    words = {
        text.encode(coding)
        for person in (FOUND, SEEN_AS, OTHER, STRANGER)
        for text in (*person[:2], person[1].lower(), person[2], person[2].replace("-", ""))
        if text not in ("Piet", "Lukas")
        for coding in ("utf-8", "utf-16-le")
    }
    words |= {key.value.encode() for one in (FOUND, OTHER) for key in person_keys(described(one))}
    for path, data in files_in(folders):
        if any(word in data or word.hex().encode() in data for word in words):
            yield path.name


def described(person: tuple[str, str, str]) -> Person:
    return Person(given=person[0], surname=person[1], born=person[2])


def test_a_person_is_found_under_another_spelling_until_the_signal_is_called_back(
    shared: Scene, tmp_path: Path
) -> None:
    sender, asker = member(shared, "uwv"), shared.stage.cast.inspectorate
    hits = tmp_path / "hits.jsonl"
    list_ = findings(shared, tmp_path, sender, FOUND, OTHER)
    pushed = run(shared, sender, "push", list_, "--to", asker.oin, *ABOUT, "--json")
    assert pushed.code == 0, pushed.said
    assert (pushed.data["permitted"], pushed.data["denied"]) == (2, {})
    wrong = {"line": 4, "column": "geboortedatum", "code": "person-birth-date"}
    assert pushed.data["rejected"] == [wrong]
    again = run(shared, sender, "push", list_, "--to", asker.oin, *ABOUT, "--json")
    assert again.data["sent_before"] == 2
    before = aliases(shared)

    question = asked(tmp_path, STRANGER, SEEN_AS)
    found = run(shared, asker, "match", question, "--out", hits, *ABOUT, "--json")
    assert found.code == 0, found.said
    assert (found.data["asked"], found.data["misses"]) == (2, 1)
    [match] = found.data["matches"]
    assert (match["line"], match["possible"], match["earlier"]) == (3, True, False)
    [signal] = match["signals"]
    assert signal["fields"]["worker_name"] == "Łukasz Kowalczyk"
    assert signal["fields"]["birth_date"] == "1990-03-07"
    assert "a person must compare" in found.data["compare"]
    assert "line 3: possible match" in found.said
    assert [json.loads(line)["signal_id"] for line in hits.read_text("utf-8").splitlines()] == [
        signal["signal_id"]
    ]
    assert signal["signal_id"] in [one["signal_id"] for one in pushed.data["signals"]]

    [other] = [one["signal_id"] for one in pushed.data["signals"] if one["signal_id"] != signal["signal_id"]]
    right = tmp_path / "right.json"
    right.write_text(json.dumps({"worker_name": "Ioana Dumitrescu", "confidence": "VERMOEDEN"}))
    corrected = run(shared, sender, "correct", other, right, "--reason", "WRONG_CONTENT")
    assert corrected.code == 0, corrected.said
    assert aliases(shared) == before
    found = run(shared, asker, "match", asked(tmp_path, MISSPELT), "--out", hits, *ABOUT, "--json")
    [[replaced]] = [each["signals"] for each in found.data["matches"]]
    assert (replaced["previous"], replaced["fields"]["confidence"]) == (other, "VERMOEDEN")

    answer = tmp_path / "answer.json"
    subject = ("audit", "subject", "Lukasz;Kowalczyk;1990-03-07", "--type", "persoon", "--out", answer)
    told = run(shared, sender, *subject)
    assert told.code == 0, told.said
    exchanges = [each["exchange"] for each in json.loads(answer.read_text("utf-8"))["exchanges"]]
    assert exchanges == [signal["signal_id"]]
    similar = (*subject[:2], "Lukas;Kowalczik;1990-07-03", *subject[3:])  # an answer is about nobody else
    assert run(shared, sender, *similar).code == 0
    assert json.loads(answer.read_text("utf-8"))["exchanges"] == []

    recalled = run(shared, sender, "recall", signal["signal_id"], "--reason", "WRONG_SUBJECT")
    assert recalled.code == 0, recalled.said
    assert aliases(shared) == before - (len(person_keys(described(FOUND))) - 1)
    gone = run(shared, asker, "match", question, "--out", hits, *ABOUT, "--json")
    assert (gone.data["misses"], gone.data["matches"]) == (2, [])
    assert list(traces(*services(shared.stage.root))) == []
    assert {*traces(tmp_path)} >= {"findings.csv", "asked-1.csv", "hits.jsonl"}  # the search can find


def test_persons_are_never_asked_about_in_bulk(shared: Scene, tmp_path: Path) -> None:
    asker, hits = shared.stage.cast.inspectorate, tmp_path / "hits.jsonl"
    many = [
        (f"P{a}et", f"Ba{a}{b}er", f"19{year}-05-12")
        for a, b, year in zip("rstlmnk" * 3, "lnr" * 7, range(50, 71), strict=True)
    ]
    assert len({key for one in many for key in person_keys(described(one))}) > 120
    too_many = run(shared, asker, "match", asked(tmp_path, *many), "--out", hits, *ABOUT, "--json")
    assert (too_many.code, too_many.out) == (FAILED, "")
    assert "TOO_MANY_AT_ONCE" in too_many.said
    one = asked(tmp_path, STRANGER)
    private = run(shared, asker, "match", one, "--out", hits, *ABOUT, "--private", "--json")
    assert (private.code, private.out) == (FAILED, "")
    assert "[persons-not-in-bulk]" in private.said
    other = run(
        shared, asker, "match", one, "--out", hits, "--kind", "WAV-ILLEGAAL", "--purpose", "WAV-TOEZICHT"
    )
    assert (other.code, "[unknown-value]" in other.said) == (FAILED, True)
    assert run(shared, asker, "match", one, "--out", hits, *ABOUT[:2]).code == USAGE
    assert run(shared, asker, "match", one, "--out", hits, *ABOUT, "--body", "x").code == USAGE


@pytest.mark.parametrize("slug", ["sncu", "body-1"])
async def test_a_private_party_neither_computes_keys_nor_is_answered(
    shared: Scene, tmp_path: Path, slug: str
) -> None:
    private = member(shared, slug)
    question = ("match", asked(tmp_path, FOUND), "--out", tmp_path / "hits.jsonl", *ABOUT)
    no_keys = run(shared, private, *question, SLUIS_PATIENCE_SECONDS="0.2")
    assert no_keys.code == FAILED
    assert "[unknown-epoch]" in no_keys.said  # there is no pseudonymisation domain for it
    settings = shared.stage.settings(private).model_copy(update={"agreement": "wav-16"})
    async with Kit.open(settings) as kit:
        request = exchange_pb2.MatchRequest(
            idempotency_key=f"private-{slug}-{os.urandom(4).hex()}",
            agreement="wav-16",
            kind=ABOUT[1],
            purpose=ABOUT[3],
            epoch=str(datetime.now(UTC).year),
            pseudonyms=bytes(16),
        )
        call = kit.connections.exchange.Match(iter([request]), timeout=20)
        [response] = [one async for one in call]
    assert [reason.code for reason in response.answer.decision.reasons] == ["WORKER_IDENTITY"]
    assert list(response.answer.hits) == []
