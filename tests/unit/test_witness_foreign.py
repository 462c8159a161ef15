# SPDX-License-Identifier: EUPL-1.2
"""Our witness and a log that is not ours: requests as another implementation wrote them, in Go's note format."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from log_samples import TIME, VECTORS, W1, vkeys

from sluis.checkpoint import Checkpoint, verify_checkpoint
from sluis.checkpoint_signers import cosign
from sluis.errors import InvalidInput
from sluis.note import Note, SignatureType, VKey
from sluis.tlog_witness import SIZE_TYPE, AddCheckpoint, format_cosignatures, parse_cosignatures
from witness.app import Witness
from witness.state import NOTHING, WitnessState

FOREIGN: dict[str, Any] = json.loads((VECTORS / "torchwood-growing-log.json").read_text())
ONE, THREE, FIVE = (request.encode() for request in FOREIGN["requests"])
LOG = VKey(name=FOREIGN["origin"], type=SignatureType.ED25519, public=bytes.fromhex(FOREIGN["public_key"]))


@pytest.fixture
def state(tmp_path: Path) -> Iterator[WitnessState]:
    state = WitnessState(tmp_path / "state")
    yield state
    state.close()


@pytest.fixture
def cosigner(state: WitnessState) -> Witness:
    return Witness(state, W1, [LOG], lambda: TIME)


@pytest.mark.parametrize("request_body", [ONE, THREE, FIVE])
def test_a_foreign_request_is_read_and_written_back_to_the_same_bytes(request_body: bytes) -> None:
    assert AddCheckpoint.parse(request_body).format() == request_body


@pytest.mark.parametrize("bigger", [THREE, FIVE])
def test_a_foreign_log_that_grows_is_cosigned(cosigner: Witness, state: WitnessState, bigger: bytes) -> None:
    for content in (ONE, bigger):
        answer = cosigner.add_checkpoint(content)
        assert answer.status == 200
        note = AddCheckpoint.parse(content).note
        cosigned = note.with_signatures(parse_cosignatures(answer.body, note))
        found = verify_checkpoint(cosigned.format(), [LOG], vkeys(W1), 1)
        assert found.timestamps == {"witness.example/w1": TIME}
        assert state.newest(LOG.name).size == found.checkpoint.size


def test_a_foreign_log_that_goes_back_is_told_the_size(cosigner: Witness, state: WitnessState) -> None:
    assert [cosigner.add_checkpoint(content).status for content in (ONE, FIVE)] == [200, 200]
    for late in (THREE, ONE):
        answer = cosigner.add_checkpoint(late)
        assert (answer.status, answer.body, answer.media_type) == (409, b"5\n", SIZE_TYPE)
    assert state.newest(LOG.name).size == 5


def test_a_foreign_proof_under_another_checkpoint_is_refused(cosigner: Witness, state: WitnessState) -> None:
    assert cosigner.add_checkpoint(ONE).status == 200
    three, five = AddCheckpoint.parse(THREE), AddCheckpoint.parse(FIVE)
    for proof, note in ((three.proof, five.note), (five.proof, three.note), ((), five.note)):
        swapped = AddCheckpoint(old_size=1, proof=proof, note=note).format()
        assert cosigner.add_checkpoint(swapped).status == 422
    assert state.newest(LOG.name).size == 1


def test_a_witness_of_other_logs_does_not_know_it(state: WitnessState) -> None:
    other = Witness(state, W1, [VKey(name="example.com/other", type=LOG.type, public=LOG.public)])
    assert other.add_checkpoint(ONE).status == 404
    key = bytes.fromhex("64848ad8abed6e85981b3b3875b252b8767ebb4b02f703aca3b1e71bbd6a8e50")
    wrong = Witness(state, W1, [VKey(name=LOG.name, type=LOG.type, public=key)])
    assert wrong.add_checkpoint(ONE).status == 403


def test_every_changed_byte_of_a_foreign_request_is_refused(cosigner: Witness, state: WitnessState) -> None:
    assert cosigner.add_checkpoint(ONE).status == 200
    for at in range(len(FIVE)):
        for changed in (
            FIVE[:at] + bytes([FIVE[at] ^ 1]) + FIVE[at + 1 :],
            FIVE[:at] + FIVE[at + 1 :],
            FIVE[:at] + b" " + FIVE[at:],
        ):
            if changed != FIVE:
                assert cosigner.add_checkpoint(changed).status in {400, 403, 404, 409, 422}, at
    assert state.newest(LOG.name).size == 1
    assert cosigner.add_checkpoint(FIVE).status == 200


@given(st.integers(0, 700), st.binary(max_size=40), st.integers(0, 40))
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_noise_in_a_foreign_request_is_never_cosigned(
    cosigner: Witness, state: WitnessState, at: int, noise: bytes, gone: int
) -> None:
    changed = ONE[:at] + noise + ONE[at + gone :]
    if changed != ONE:
        assert cosigner.add_checkpoint(changed).status in {400, 403, 404, 409, 422}
        assert state.newest(LOG.name) == NOTHING


def test_the_root_of_the_foreign_log_is_read_as_it_was_written() -> None:
    checkpoint = Checkpoint.parse(Note.parse(FIVE.decode().partition("\n\n")[2]).text)
    assert (checkpoint.size, checkpoint.root.hex()) == (
        5,
        "42bb57ad06420afa4882c4a63ac6a1ec77480b330b2f20dfc53a0caa5f564e36",
    )


@given(st.integers(0, 700), st.binary(max_size=40), st.integers(0, 40), st.sampled_from([ONE, THREE, FIVE]))
@settings(max_examples=200, deadline=None)
def test_a_request_that_parses_is_written_back_to_the_same_bytes(
    at: int, noise: bytes, gone: int, good: bytes
) -> None:
    for content in (noise, good[:at] + noise + good[at + gone :]):
        try:
            request = AddCheckpoint.parse(content)
        except InvalidInput:
            continue
        assert request.format() == content


@given(st.integers(0, 300), st.binary(max_size=40), st.integers(0, 40))
@settings(max_examples=200, deadline=None)
def test_an_answer_that_parses_is_written_back_to_the_same_bytes(at: int, noise: bytes, gone: int) -> None:
    note = AddCheckpoint.parse(ONE).note
    good = format_cosignatures(cosign(Checkpoint.parse(note.text), W1[:1], TIME))
    assert format_cosignatures(parse_cosignatures(good, note)) == good
    for content in (noise, good[:at] + noise + good[at + gone :]):
        try:
            signatures = parse_cosignatures(content, note)
        except InvalidInput:
            continue
        assert format_cosignatures(signatures) == content
