# SPDX-License-Identifier: EUPL-1.2
"""Rules change by the signatures of two officers, and by nothing less."""

import json
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from broker.policy.activation import Activated, Activator
from broker.policy.active import install
from broker.policy.officers import OfficerFunction, Officers
from broker.storage.port import PartyStatus
from sluis.errors import SluisError
from sluis.policy.approval import Act, PolicyStatement
from sluis.policy.bundle import read_bundle
from sluis.signing import SigningKey, VerifyKey
from tests.unit.decide_samples import BUNDLE, FILES
from tests.unit.policy_files import ONE_YEAR, edited
from tests.world import World

NARROWER = ONE_YEAR
WIDER = edited("retention: P5Y", "retention: P9Y")
PRIVACY, LEGAL = OfficerFunction.PRIVACY, OfficerFunction.LEGAL


def digest_of(files: dict[str, bytes]) -> str:
    """The digest of rules; the same few are asked for over and over."""
    return _digest(tuple(files.items()))


@cache
def _digest(files: tuple[tuple[str, bytes], ...]) -> str:
    return read_bundle(dict(files)).digest


@dataclass
class Office:
    """A broker with rules in force and three officers: fg-1 and fg-2 (privacy), jur-1 (legal)."""

    world: World
    keys: dict[str, SigningKey]

    @property
    def officers(self) -> Officers:
        return Officers(self.world.store, self.world.clock)

    def statement(self, act: Act, officer: str, files: dict[str, bytes], **changes: Any) -> PolicyStatement:
        values: dict[str, Any] = {
            "from_digest": BUNDLE.digest,
            "to_digest": digest_of(files),
            "reason": "de look-back is korter geworden",
            "at": self.world.clock().replace(microsecond=0).astimezone(UTC),
        }
        key = changes.pop("key", self.keys.get(officer))
        made = PolicyStatement(act=act, officer=officer, **{**values, **changes})
        return made.signed(key) if key else made

    def activate(self, files: dict[str, bytes], *statements: PolicyStatement) -> Activated:
        return Activator(self.world.store, self.world.clock).activate(files, statements)

    def refused(self, files: dict[str, bytes], *statements: PolicyStatement) -> str:
        """The code with which an activation is refused; nothing changed."""
        size = self.world.size
        with pytest.raises(SluisError) as caught:
            self.activate(files, *statements)
        assert self.world.size == size
        assert self.world.store.activations()[-1].digest == BUNDLE.digest
        return caught.value.code


@pytest.fixture
def office(world: World) -> Office:
    install(world.store, FILES, world.clock())
    made = Office(world, {name: SigningKey.generate() for name in ("fg-1", "fg-2", "jur-1")})
    for name, key in made.keys.items():
        function = LEGAL if name == "jur-1" else PRIVACY
        made.officers.enrol(name, world.cast.nla.oin, function, key.public)
    return made


def test_two_officers_put_narrower_rules_in_force(office: Office) -> None:
    statements = [
        office.statement(Act.PROPOSE, "fg-1", NARROWER),
        office.statement(Act.APPROVE, "fg-2", NARROWER),
    ]
    done = office.activate(NARROWER, *statements)
    entry = office.world.entries(done.log_index)[0]
    assert (entry["operation"], entry["verdict"]) == ("policy.activate", "narrower")
    assert (entry["replaces"], entry["policy"]) == (BUNDLE.digest, digest_of(NARROWER))
    assert [(item["officer"], item["act"], item["function"]) for item in entry["statements"]] == [
        ("fg-1", "propose", "privacy"),
        ("fg-2", "approve", "privacy"),
    ]
    assert office.world.store.activations()[-1].digest == entry["policy"]


def test_what_widens_needs_a_legal_and_a_privacy_officer(office: Office) -> None:
    propose = office.statement(Act.PROPOSE, "fg-1", WIDER)
    assert office.refused(WIDER, propose, office.statement(Act.APPROVE, "fg-2", WIDER)) == "approvals-missing"
    done = office.activate(WIDER, propose, office.statement(Act.APPROVE, "jur-1", WIDER))
    assert done.change.verdict == "wider"


@pytest.mark.parametrize(
    ("acts", "code"),
    [
        ([], "approvals-missing"),
        ([(Act.PROPOSE, "fg-1")], "approvals-missing"),
        ([(Act.APPROVE, "fg-1"), (Act.APPROVE, "fg-2")], "approvals-missing"),
        ([(Act.PROPOSE, "fg-1"), (Act.APPROVE, "fg-1")], "approvals-missing"),
        ([(Act.PROPOSE, "fg-1"), (Act.PROPOSE, "fg-2")], "approvals-missing"),
        ([(Act.PROPOSE, "fg-1"), (Act.APPROVE, "nobody")], "officer-unknown"),
    ],
)
def test_less_than_two_officers_change_nothing(
    office: Office, acts: list[tuple[Act, str]], code: str
) -> None:
    office.keys["nobody"] = SigningKey.generate()
    statements = [office.statement(act, officer, NARROWER) for act, officer in acts]
    assert office.refused(NARROWER, *statements) == code


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"from_digest": digest_of(WIDER)}, "wrong-state"),
        ({"to_digest": digest_of(WIDER)}, "wrong-state"),
        ({"key": SigningKey.generate()}, "signature-wrong"),
        ({"key": None}, "signature-wrong"),
    ],
)
def test_a_statement_holds_for_one_change_and_under_its_own_key(
    office: Office, changes: dict[str, Any], code: str
) -> None:
    propose = office.statement(Act.PROPOSE, "fg-1", NARROWER)
    assert (
        office.refused(NARROWER, propose, office.statement(Act.APPROVE, "fg-2", NARROWER, **changes)) == code
    )


@pytest.mark.parametrize("days", [-91, 1])
def test_a_statement_ages_and_is_never_of_tomorrow(office: Office, days: int) -> None:
    at = (office.world.clock() + timedelta(days=days)).replace(microsecond=0).astimezone(UTC)
    propose = office.statement(Act.PROPOSE, "fg-1", NARROWER)
    approve = office.statement(Act.APPROVE, "fg-2", NARROWER, at=at)
    assert office.refused(NARROWER, propose, approve) == "clock-skew"


def test_a_statement_cannot_be_altered_after_signing(office: Office) -> None:
    propose = office.statement(Act.PROPOSE, "fg-1", NARROWER)
    approve = office.statement(Act.APPROVE, "fg-2", NARROWER)
    for altered in (replace(approve, reason="iets anders"), replace(approve, officer="jur-1")):
        assert office.refused(NARROWER, propose, altered) == "signature-wrong"


def test_a_retired_officer_and_one_of_a_stopped_party_sign_no_more(office: Office) -> None:
    world = office.world
    statements = [
        office.statement(Act.PROPOSE, "fg-1", NARROWER),
        office.statement(Act.APPROVE, "fg-2", NARROWER),
    ]
    office.officers.retire("fg-2", "uit dienst")
    assert office.refused(NARROWER, *statements) == "officer-unknown"
    approve = office.statement(Act.APPROVE, "jur-1", NARROWER)
    world.operator.set_status(world.cast.nla.oin, PartyStatus.STOPPED, "test")
    assert office.refused(NARROWER, statements[0], approve) == "party-stopped"


def test_an_approval_is_void_once_other_rules_came_in_between(office: Office) -> None:
    late = [
        office.statement(Act.PROPOSE, "fg-1", WIDER),
        office.statement(Act.APPROVE, "jur-1", WIDER),
    ]
    office.activate(
        NARROWER,
        office.statement(Act.PROPOSE, "fg-1", NARROWER),
        office.statement(Act.APPROVE, "fg-2", NARROWER),
    )
    with pytest.raises(SluisError, match="rules changed since"):
        office.activate(WIDER, *late)


def test_rules_in_force_and_files_that_are_no_rules_are_refused(office: Office) -> None:
    assert office.refused(FILES) == "wrong-state"
    assert office.refused({**NARROWER, "agreements/waadi-14b.yaml": b""}) == "malformed-rule"


def test_going_back_is_a_change_like_any_other(office: Office) -> None:
    office.activate(
        NARROWER,
        office.statement(Act.PROPOSE, "fg-1", NARROWER),
        office.statement(Act.APPROVE, "fg-2", NARROWER),
    )
    back = {"from_digest": read_bundle(NARROWER).digest}
    done = office.activate(
        FILES,
        office.statement(Act.PROPOSE, "fg-1", FILES, **back),
        office.statement(Act.APPROVE, "jur-1", FILES, **back),
    )
    assert (done.change.verdict, done.after) == ("wider", BUNDLE.digest)


@pytest.mark.parametrize(
    ("name", "organisation", "key", "code"),
    [
        ("fg-1", "nla", "new", "key-exists"),
        ("fg-3", "nla", "fg-1", "key-exists"),
        ("fg-3", "nobody", "new", "party-unknown"),
        ("Jan Jansen", "nla", "new", "malformed-request"),
    ],
)
def test_an_officer_has_a_name_and_key_of_its_own_and_a_known_organisation(
    office: Office, name: str, organisation: str, key: str, code: str
) -> None:
    oin = office.world.cast.nla.oin if organisation == "nla" else "00000099000000999000"
    public = office.keys[key].public if key in office.keys else SigningKey.generate().public
    with pytest.raises(SluisError) as caught:
        office.officers.enrol(name, oin, PRIVACY, public)
    assert caught.value.code == code


def test_officers_come_and_go_in_the_log(office: Office) -> None:
    office.officers.retire("fg-2", "uit dienst")
    entries = office.world.entries()
    assert [entry["officer"] for entry in entries if entry["operation"] == "officer.enrol"] == [
        "fg-1", "fg-2", "jur-1"
    ]  # fmt: skip
    assert entries[-1]["operation"] == "officer.retire"
    assert [row.officer for row in office.officers.all() if row.active] == ["fg-1", "jur-1"]
    with pytest.raises(SluisError):
        office.officers.retire("fg-2", "nogmaals")
    with pytest.raises(SluisError) as caught:
        OfficerFunction.parse("koffie")
    assert caught.value.code == "unknown-value"


def test_a_statement_comes_back_from_its_file(office: Office) -> None:
    made = office.statement(Act.PROPOSE, "fg-1", NARROWER)
    again = PolicyStatement.parse(made.encode() + b"\n")
    assert again == made
    again.verify(VerifyKey(office.keys["fg-1"].public.raw))


SAMPLE = PolicyStatement(
    act=Act.APPROVE,
    from_digest=BUNDLE.digest,
    to_digest=read_bundle(NARROWER).digest,
    officer="fg-1",
    reason="goed",
    at=datetime(2026, 11, 25, tzinfo=UTC),
).signed(SigningKey.from_bytes(bytes(range(32))))


@settings(max_examples=200, deadline=None)
@given(
    st.sampled_from(sorted(json.loads(SAMPLE.encode()))),
    st.none() | st.integers() | st.text(max_size=30) | st.lists(st.text(max_size=2), max_size=2),
)
def test_no_other_content_is_taken_for_a_signed_statement(name: str, value: object) -> None:
    members = {**json.loads(SAMPLE.encode()), name: value}
    data = json.dumps(members, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    try:
        found = PolicyStatement.parse(data.encode("utf-8", "surrogatepass"))
        found.verify(VerifyKey(SigningKey.from_bytes(bytes(range(32))).public.raw))
    except SluisError:
        return
    assert found == SAMPLE


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=200))
def test_any_other_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(SluisError):
        PolicyStatement.parse(data)
