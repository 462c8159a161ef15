# SPDX-License-Identifier: EUPL-1.2
"""The statement of a follow-up: canonical bytes only, every rule of its form, one signature for one purpose."""

from dataclasses import replace
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sluis.encoding import lp
from sluis.errors import InvalidInput, NotAuthentic
from sluis.followup import BINDING, MAX_CODES, REFERRING, Act, FollowUp, SignedFollowUp
from sluis.header import new_uuid7
from sluis.identifiers import Oin
from sluis.signing import SigningKey

AUTHOR = Oin("00000099000000001000")
IDS = [new_uuid7(1_782_122_400_000 + number) for number in range(4)]
KEY = SigningKey.from_bytes(bytes(range(32)))


def made(act: Act, **changes: Any) -> FollowUp:
    """A valid statement of an act."""
    values: dict[str, Any] = {
        "follow_up_id": IDS[0],
        "act": act,
        "signal_id": IDS[1],
        "author": None if act is Act.DESTROY else AUTHOR,
        "created_at_ms": 1_782_122_400_000,
        "refers_to": IDS[2] if act in REFERRING else None,
        "replacement": IDS[3] if act is Act.CORRECT else None,
        "codes": {"reason": "WRONG_CONTENT"},
    }
    return FollowUp(**{**values, **changes})


@st.composite
def statements(draw: st.DrawFn) -> FollowUp:
    """Any valid statement."""
    codes = st.dictionaries(
        st.from_regex(r"[a-z][a-z_]{0,31}", fullmatch=True),
        st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}", fullmatch=True),
        max_size=MAX_CODES,
    )
    return made(
        draw(st.sampled_from(Act)), codes=draw(codes), created_at_ms=draw(st.integers(0, 253_402_300_799_999))
    )


@settings(max_examples=100)
@given(statement=statements())
def test_a_statement_reads_back_from_its_bytes(statement: FollowUp) -> None:
    assert FollowUp.decode(statement.encode()) == statement


@settings(max_examples=200)
@given(data=st.data(), statement=statements())
def test_a_statement_with_one_changed_byte_is_refused_or_is_another(
    data: st.DataObject, statement: FollowUp
) -> None:
    encoded = bytearray(statement.encode())
    at = data.draw(st.integers(0, len(encoded) - 1))
    encoded[at] ^= data.draw(st.integers(1, 255))
    try:
        other = FollowUp.decode(bytes(encoded))
    except InvalidInput:
        return
    assert other != statement
    assert other.encode() == encoded


@settings(max_examples=100)
@given(data=st.binary(max_size=300))
def test_random_bytes_are_no_statement(data: bytes) -> None:
    whole = made(Act.RECALL).encode()
    for candidate in (data, lp("sluis/v1/follow-up") + data, whole + b"\0" + data, whole[: -1 - len(data)]):
        with pytest.raises(InvalidInput):
            FollowUp.decode(candidate)


@pytest.mark.parametrize(
    "codes", [("b", "X", "a", "X"), ("a", "X", "a", "X"), ("a",), ("A", "X"), ("a", "x y")]
)
def test_codes_that_are_not_sorted_unique_and_well_formed_are_refused(codes: tuple[str, ...]) -> None:
    encoded = made(Act.RECALL, codes={}).encode()
    with pytest.raises(InvalidInput):
        FollowUp.decode(encoded[: -len(lp(lp()))] + lp(lp(*codes)))


@pytest.mark.parametrize("act", Act)
def test_each_act_has_its_references_and_no_others(act: Act) -> None:
    assert made(act).act is act
    wrong: list[dict[str, UUID | None]] = [
        {"refers_to": None if act in REFERRING else IDS[2]},
        {"replacement": None if act is Act.CORRECT else IDS[3]},
        {"follow_up_id": IDS[1]},
        {"signal_id": uuid4()},
    ]
    for changes in wrong:
        with pytest.raises(InvalidInput):
            made(act, **changes)
    with pytest.raises(InvalidInput):
        made(act, author=AUTHOR if act is Act.DESTROY else None)


def test_the_acts_that_bind_every_holder_are_those_of_the_page() -> None:
    assert {act.value for act in BINDING} == {"correct", "rectify", "recall", "destroy"}


def test_a_signature_holds_for_its_statement_only() -> None:
    signed = SignedFollowUp.sign(KEY, made(Act.RECALL))
    signed.verify(KEY.public)
    for other in (made(Act.RECTIFY), made(Act.RECALL, signal_id=IDS[3]), made(Act.RECALL, codes={})):
        with pytest.raises(NotAuthentic):
            replace(signed, statement=other).verify(KEY.public)
    with pytest.raises(NotAuthentic):
        signed.verify(SigningKey.generate().public)
    with pytest.raises(NotAuthentic):
        replace(signed, signature=KEY.sign(made(Act.RECALL).encode())).verify(KEY.public)
    with pytest.raises(InvalidInput):
        replace(signed, signature=b"short")
