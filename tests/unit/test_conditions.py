# SPDX-License-Identifier: EUPL-1.2
"""Each sort of condition: when it is proven, disproven, unknown, and what it says when it is not proven."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from broker.decide.conditions import compile_condition, unmet
from broker.decide.model import Fact, FactState, Party, Reason, Request
from sluis.errors import Defect
from sluis.header import MAX_CLAIM_VALUE
from sluis.policy.conditions import Condition
from sluis.policy.facts import StatedFact
from sluis.policy.rules import Operation
from tests.differential.made_bundles import catalogue
from tests.unit.decide_samples import FINE

CATALOG = catalogue()
SENDER = Party(oin="00000001000000000001", role="inspectorate", sector="public")
OTHER = Party(oin="00000003000000000003", role="certifier", sector="private")
TOWN = Party(oin="00000001000000000002", role="municipality", sector="public")
AT = datetime(2026, 11, 25, 10, 0, tzinfo=UTC)
TODAY = date(2026, 11, 25)
ASKED = replace(FINE, sender=SENDER, recipient=TOWN, claims={}, facts={}, at=AT)
PROVEN, DISPROVEN, UNKNOWN = FactState.PROVEN, FactState.DISPROVEN, FactState.UNKNOWN


def condition(**values: object) -> Condition:
    given: Condition = TypeAdapter(Condition).validate_python(
        {"dutch": "Een voorwaarde.", "otherwise": "LOOKBACK", **values}
    )
    return given


def state(asked: Condition, request: Request, today: date = TODAY) -> FactState:
    return compile_condition(asked, CATALOG)(request, today)


def claiming(**claims: str) -> Request:
    return replace(ASKED, claims={name.rstrip("_"): value for name, value in claims.items()})


@pytest.mark.parametrize(
    ("claims", "expected"),
    [({}, UNKNOWN), ({"provision": "WML 7"}, PROVEN), ({"provision": "WML 8"}, DISPROVEN)],
)
def test_a_claim_is_listed(claims: dict[str, str], expected: FactState) -> None:
    assert state(condition(claim="provision", one_of=["WML 7", "Wav 2"]), claiming(**claims)) is expected


@pytest.mark.parametrize(
    ("claimed", "today", "expected"),
    [
        ("2024-11-25", "2026-11-25", PROVEN),
        ("2024-11-24", "2026-11-25", DISPROVEN),
        ("2026-11-25", "2026-11-25", PROVEN),
        ("2026-11-26", "2026-11-25", UNKNOWN),
        ("2024-02-29", "2026-02-28", PROVEN),
        ("2024-02-29", "2026-03-01", DISPROVEN),
        ("2024-01-30", "2026-01-30", PROVEN),
        ("2024-01-30", "2026-01-31", DISPROVEN),
        ("9997-12-31", "9999-12-31", PROVEN),
        ("9998-01-01", "9999-12-31", UNKNOWN),
        ("2026-02-30", "2026-11-25", UNKNOWN),
        ("", "2026-11-25", UNKNOWN),
    ],
)
def test_a_claimed_day_is_not_older(claimed: str, today: str, expected: FactState) -> None:
    asked = condition(claim="decided_on", not_older_than_years="2")
    assert state(asked, claiming(decided_on=claimed), date.fromisoformat(today)) is expected
    assert state(asked, ASKED) is UNKNOWN


@pytest.mark.parametrize(
    ("claimed", "expected"),
    [("2026-11-24", DISPROVEN), ("2026-11-25", PROVEN), ("2026-11-26", PROVEN), ("soon", UNKNOWN)],
)
def test_a_claimed_day_has_not_passed(claimed: str, expected: FactState) -> None:
    asked = condition(claim="keep_until", not_passed="true")
    assert state(asked, claiming(keep_until=claimed)) is expected
    assert state(asked, ASKED) is UNKNOWN


@pytest.mark.parametrize(
    ("claimed", "expected"),
    [
        ("2026-11-10", PROVEN),  # Tuesday; ten working days lie before the 25th
        ("2026-11-11", DISPROVEN),
        ("2026-11-09", PROVEN),
        ("2026-11-25", DISPROVEN),
        ("2026-11-26", UNKNOWN),
        ("0001-01-01", PROVEN),
        ("x", UNKNOWN),
    ],
)
def test_working_days_have_passed(claimed: str, expected: FactState) -> None:
    asked = condition(claim="decided_on", working_days_passed="10")
    assert state(asked, claiming(decided_on=claimed)) is expected
    assert state(asked, ASKED) is UNKNOWN


FOUNDATION = Party(oin="00000003000000000002", role="foundation", sector="private")
CERTIFIED = Fact(state=PROVEN, source="register:certificates", asserter=FOUNDATION)


@pytest.mark.parametrize(
    ("fact", "expected"),
    [
        (None, UNKNOWN),
        (CERTIFIED, PROVEN),
        (replace(CERTIFIED, state=DISPROVEN), DISPROVEN),
        (replace(CERTIFIED, state=UNKNOWN), UNKNOWN),
        (replace(CERTIFIED, source="register:employers"), UNKNOWN),
        (replace(CERTIFIED, asserter=None), UNKNOWN),
        (replace(CERTIFIED, asserter=TOWN), UNKNOWN),
        (replace(CERTIFIED, state=DISPROVEN, asserter=TOWN), UNKNOWN),
    ],
)
def test_a_register_proves_a_fact_and_its_contrary(fact: Fact | None, expected: FactState) -> None:
    request = replace(ASKED, facts={"certified": fact} if fact else {})
    contrary = {PROVEN: DISPROVEN, DISPROVEN: PROVEN, UNKNOWN: UNKNOWN}
    assert state(condition(fact="certified"), request) is expected
    assert state(condition(without_fact="certified"), request) is contrary[expected]


GATE = f"fg-1@{SENDER.oin};officer;2026-11-25T09:30Z;NEEDED"


@pytest.mark.parametrize(
    ("statements", "expected"),
    [
        (GATE, PROVEN),
        (GATE.replace("officer", "lawyer"), PROVEN),
        (GATE.replace("NEEDED", "URGENT"), PROVEN),
        (GATE.replace("officer", "director"), UNKNOWN),
        (GATE.replace("NEEDED", "WANTED"), UNKNOWN),
        (GATE.replace(SENDER.oin, TOWN.oin), UNKNOWN),
        (GATE.replace("09:30", "10:00"), PROVEN),
        (GATE.replace("09:30", "10:01"), UNKNOWN),
        (GATE.replace("25T09:30", "18T10:00"), PROVEN),  # seven days ago to the minute
        (GATE.replace("25T09:30", "18T09:59"), UNKNOWN),
        (GATE.replace("2026", "2025"), UNKNOWN),
        (GATE.replace("2026-11-25", "2026-11-31"), UNKNOWN),
        (f"{GATE.replace('officer', 'director')},{GATE.replace('fg-1', 'fg-2')}", PROVEN),
        (f"{GATE},{GATE},{GATE}", UNKNOWN),
        ("", UNKNOWN),
    ],
)
def test_a_statement_of_the_right_person_in_time_proves_a_fact(statements: str, expected: FactState) -> None:
    assert state(condition(fact="gate"), claiming(gate=statements)) is expected
    contrary = DISPROVEN if expected is PROVEN else UNKNOWN
    assert state(condition(without_fact="gate"), claiming(gate=statements)) is contrary


def test_a_fact_of_a_register_cannot_be_stated_nor_the_reverse() -> None:
    assert state(condition(fact="certified"), claiming(certified=GATE)) is UNKNOWN
    assert state(condition(fact="gate"), replace(ASKED, facts={"gate": CERTIFIED})) is UNKNOWN


@pytest.mark.parametrize(
    ("second", "expected"),
    [
        (GATE.replace("fg-1", "fg-2"), PROVEN),
        (GATE.replace("fg-1", "fg-2").replace("officer", "lawyer"), PROVEN),
        (GATE, UNKNOWN),
        (GATE.replace("officer", "lawyer"), UNKNOWN),
        (GATE.replace("NEEDED", "URGENT"), UNKNOWN),
        (GATE.replace("09:30", "09:00"), UNKNOWN),
        (GATE.replace("fg-1", "fg-2").replace(SENDER.oin, TOWN.oin), UNKNOWN),
        (GATE.replace("fg-1", "fg-2").replace("09:30", "11:00"), UNKNOWN),
        (GATE.replace("fg-1", "fg-2").replace("25T09:30", "24T09:59"), UNKNOWN),
        (GATE.replace("fg-1", "fg-2").replace("25T09:30", "24T10:00"), PROVEN),
        (None, UNKNOWN),
    ],
)
def test_four_eyes_are_two_persons_of_the_sender(second: str | None, expected: FactState) -> None:
    asked = condition(fact="four_eyes")
    pair = [GATE, second] if second else [GATE]
    assert state(asked, claiming(four_eyes=",".join(pair))) is expected
    assert state(asked, claiming(four_eyes=",".join(reversed(pair)))) is expected


persons = st.sampled_from(["a-1", "b-2"])
moments = st.integers(-3000, 3000).map(lambda minutes: AT - timedelta(minutes=minutes))
statements = st.tuples(
    persons,
    st.sampled_from([SENDER.oin, TOWN.oin]),
    st.sampled_from(["officer", "lawyer", "director"]),
    moments,
    st.sampled_from(["NEEDED", "URGENT", "WANTED"]),
)


@given(st.lists(statements, min_size=1, max_size=2))
def test_four_eyes_by_whatever_statements(made: list[tuple[str, str, str, datetime, str]]) -> None:
    text = ",".join(
        f"{who}@{oin};{function};{at:%Y-%m-%dT%H:%M}Z;{why}" for who, oin, function, at, why in made
    )
    counted = {
        who
        for who, oin, function, at, why in made
        if oin == SENDER.oin
        and function != "director"
        and why != "WANTED"
        and AT - timedelta(days=1) <= at <= AT
    }
    expected = PROVEN if len(counted) == 2 else UNKNOWN
    assert state(condition(fact="four_eyes"), claiming(four_eyes=text)) is expected


@pytest.mark.parametrize(("recipient", "expected"), [(SENDER, PROVEN), (TOWN, DISPROVEN)])
def test_sender_and_recipient_are_one(recipient: Party, expected: FactState) -> None:
    assert state(condition(same_party="true"), replace(ASKED, recipient=recipient)) is expected


def test_one_party_in_two_roles_is_one_party() -> None:
    other_role = replace(SENDER, role="municipality")
    assert state(condition(same_party="true"), replace(ASKED, recipient=other_role)) is PROVEN


@pytest.mark.parametrize(
    ("operation", "delivery", "expected"),
    [
        (Operation.PUSH, "on_match", PROVEN),
        (Operation.PUSH, "mailbox", DISPROVEN),
        (Operation.PUSH, "", DISPROVEN),
        (Operation.RELEASE, "mailbox", PROVEN),
        (Operation.QUESTION, "", PROVEN),
        (Operation.REGISTER, "", PROVEN),
    ],
)
def test_only_a_push_has_a_delivery(operation: Operation, delivery: str, expected: FactState) -> None:
    request = replace(ASKED, operation=operation, delivery=delivery)
    assert state(condition(delivery="on_match"), request) is expected


FEW = ["few"]  # any role, two organisations, from 1 June 2025 until 31 May 2027


@pytest.mark.parametrize(
    ("claims", "asked", "changes", "today", "expected"),
    [
        ({}, FEW, {}, TODAY, UNKNOWN),
        ({"partnership": "few"}, FEW, {}, TODAY, PROVEN),
        ({"partnership": "few"}, ["few", "team"], {}, TODAY, PROVEN),
        ({"partnership": "few"}, ["team"], {}, TODAY, DISPROVEN),
        ({"partnership": "team"}, FEW, {}, TODAY, DISPROVEN),
        ({"partnership": "nobody"}, FEW, {}, TODAY, DISPROVEN),
        ({"partnership": "few"}, FEW, {"recipient": OTHER}, TODAY, DISPROVEN),
        ({"partnership": "few"}, FEW, {"sender": OTHER}, TODAY, DISPROVEN),
        ({"partnership": "few"}, FEW, {}, date(2025, 5, 31), DISPROVEN),
        ({"partnership": "few"}, FEW, {}, date(2025, 6, 1), PROVEN),
        ({"partnership": "few"}, FEW, {}, date(2027, 5, 31), PROVEN),
        ({"partnership": "few"}, FEW, {}, date(2027, 6, 1), DISPROVEN),
        ({"partnership": "team"}, ["team"], {}, date(2099, 1, 1), PROVEN),
        (
            {"partnership": "team"},
            ["team"],
            {"recipient": replace(TOWN, role="foundation")},
            TODAY,
            DISPROVEN,
        ),
        ({"partnership": "none"}, ["none"], {}, TODAY, DISPROVEN),  # its list of organisations is empty
    ],
)
def test_both_belong_to_the_partnership_today(
    claims: dict[str, str], asked: list[str], changes: dict[str, Any], today: date, expected: FactState
) -> None:
    request = replace(ASKED, claims=claims, **changes)
    assert state(condition(partnership=asked), request, today) is expected


@pytest.mark.parametrize(
    ("counters", "subjects", "expected"),
    [
        ({}, 1, UNKNOWN),
        ({"today_pair": 0}, 1, UNKNOWN),
        ({"today_all": 0}, 1, PROVEN),
        ({"today_all": 4}, 1, PROVEN),
        ({"today_all": 5}, 1, DISPROVEN),
        ({"today_all": 0}, 5, PROVEN),
        ({"today_all": 0}, 6, DISPROVEN),
        ({"today_all": 5}, 0, PROVEN),
    ],
)
def test_a_counter_includes_this_request(
    counters: dict[str, int], subjects: int, expected: FactState
) -> None:
    request = replace(ASKED, counters=counters, subjects=subjects)
    assert state(condition(counter="today_all", at_most="5"), request) is expected


@pytest.mark.parametrize(("subjects", "expected"), [(0, PROVEN), (3, PROVEN), (4, DISPROVEN)])
def test_a_request_is_about_so_many_subjects(subjects: int, expected: FactState) -> None:
    assert state(condition(subjects_at_most="3"), replace(ASKED, subjects=subjects)) is expected


@pytest.mark.parametrize(
    ("asked", "params"),
    [
        ({"claim": "provision", "one_of": ["WML 7"]}, {"claim": "provision"}),
        ({"claim": "decided_on", "not_older_than_years": "2"}, {"claim": "decided_on", "years": "2"}),
        ({"claim": "keep_until", "not_passed": "true"}, {"claim": "keep_until"}),
        ({"claim": "decided_on", "working_days_passed": "10"}, {"claim": "decided_on", "days": "10"}),
        ({"fact": "certified"}, {"fact": "certified"}),
        ({"same_party": "true"}, {}),
        ({"delivery": "on_match"}, {}),
        ({"partnership": ["team", "few"]}, {"partnerships": "few,team"}),
        ({"counter": "today_all", "at_most": "5"}, {"counter": "today_all", "most": "5"}),
        ({"subjects_at_most": "3"}, {"most": "3"}),
    ],
)
def test_an_unmet_condition_says_what_it_asks(asked: dict[str, Any], params: dict[str, str]) -> None:
    for found in (DISPROVEN, UNKNOWN):
        expected = Reason("LOOKBACK", {"state": found.value, **params})
        assert unmet(condition(**asked), found) == expected


def test_a_condition_that_the_engine_does_not_know_is_a_defect() -> None:
    for strange, message in (
        ("what", "a condition of a sort that the engine does not know"),
        (condition(fact="today_all"), "a counter is no fact"),
    ):
        with pytest.raises(Defect) as found:
            compile_condition(strange, CATALOG)  # type: ignore[arg-type]
        assert (found.value.code, found.value.message) == ("defect", message)


def test_a_function_or_reason_that_no_statement_can_say_is_refused() -> None:
    word = {"dutch": "woord", "english": "word"}

    def stated(function: str, reason: str) -> StatedFact:
        return StatedFact.model_validate(
            {
                "source": "officer",
                "valid_days": "1",
                "functions": [function],
                "reasons": {reason: word},
                **word,
            }
        )

    longest, why = "f" * 22, "R" * 24
    assert stated(longest, why).functions == {longest}
    statement = f"{'p' * 12}@{SENDER.oin};{longest};2026-11-25T09:30Z;{why}"
    assert len(f"{statement},{statement}") <= MAX_CLAIM_VALUE
    for function, reason in ((longest + "f", why), (longest, why + "R"), ("Officer", why), (longest, "R2D2")):
        with pytest.raises(ValidationError, match="a statement cannot say"):
            stated(function, reason)
