# SPDX-License-Identifier: EUPL-1.2
"""A broker that shows two parties two logs, one witness that helps it, and one that does not."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from log_samples import LOG_KEYS, TIME, W1, W2, SampleLog, vkeys

from sluis.checkpoint_signers import CheckpointSigner, cosign
from sluis.errors import NotAuthentic
from sluis.note import Note, NoteSignature
from sluis.tlog_policy import TlogPolicy
from sluis.tlog_witness import AddCheckpoint, parse_cosignatures
from witness.app import Witness
from witness.state import WitnessState

SHOWN = SampleLog(20)
HIDDEN = SampleLog(20, fork_at=6)
Signers = tuple[CheckpointSigner, ...]


@pytest.fixture
def honest(tmp_path: Path) -> Iterator[Witness]:
    state = WitnessState(tmp_path / "state")
    yield Witness(state, W1, vkeys(LOG_KEYS), lambda: TIME)
    state.close()


def ask(witness: Witness, log: SampleLog, old: int, size: int) -> tuple[NoteSignature, ...]:
    """What a witness cosigns of a log; nothing when it refuses."""
    note = Note.parse(log.signed(size))
    proof = log.consistency(old, size) if 0 < old < size else []
    answer = witness.add_checkpoint(AddCheckpoint(old_size=old, proof=tuple(proof), note=note).format())
    return parse_cosignatures(answer.body, note) if answer.status == 200 else ()


def lie(log: SampleLog, size: int) -> tuple[NoteSignature, ...]:
    """What a witness cosigns that checks nothing."""
    return cosign(log.checkpoint(size), W2, TIME)


def policy(quorum: int) -> TlogPolicy:
    return TlogPolicy.of(vkeys(LOG_KEYS), [*vkeys(W1), *vkeys(W2)], quorum)


@pytest.mark.parametrize("size", [6, 7, 12, 20])
def test_no_two_histories_both_find_a_quorum_that_an_honest_witness_belongs_to(
    honest: Witness, size: int
) -> None:
    accepted, refused = [], []
    for log in (SHOWN, HIDDEN):
        # The broker tries from nothing, from the size that the witness has, and from every size at all.
        lines = [line for old in range(size + 1) for line in ask(honest, log, old, size)]
        note = Note.parse(log.signed(size)).with_signatures([*lines, *lie(log, size)])
        policy(1).verify_checkpoint(note.format())  # for whom one witness is enough, the liar is enough
        try:
            accepted.append(policy(2).verify_checkpoint(note.format()).checkpoint)
        except NotAuthentic as error:
            refused.append(error.code)
    assert set(refused) <= {"not-witnessed"}
    assert {checkpoint.root for checkpoint in accepted} == {SHOWN.checkpoint(size).root}


def test_a_longer_history_that_does_not_begin_with_what_was_cosigned_finds_no_quorum(honest: Witness) -> None:
    assert ask(honest, SHOWN, 0, 12)
    for size in range(12, 21):
        for old in range(size + 1):
            if size > 12 or old:
                assert ask(honest, HIDDEN, old, size) == ()
    assert ask(honest, SHOWN, 12, 20)
