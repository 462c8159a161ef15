# SPDX-License-Identifier: EUPL-1.2
"""The audit of a whole log: every change fails, and the message says where."""

import json
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from log_samples import SampleLog, sample_entry

from sluis.canonical import canonical_json
from sluis.checkpoint import Checkpoint
from sluis.errors import Defect, NotAuthentic
from sluis.log_verifier import LogVerifier, VerifiedLog, check_consistency
from sluis.merkle import EMPTY_ROOT, Hash, leaf_hash

SIZE = 23
LOG = SampleLog(SIZE)
Row = tuple[int, bytes, bytes]
ROWS: list[Row] = [(i, LOG.entries[i], LOG.leaves[i]) for i in range(SIZE)]


def audit(rows: list[Row], newest: Checkpoint | None = None, *earlier: Checkpoint) -> VerifiedLog:
    verifier = LogVerifier(newest or LOG.checkpoint())
    for checkpoint in earlier:
        verifier.check_consistency_with(checkpoint)
    for row in rows:
        verifier.add(*row)
    return verifier.finish()


def failure(rows: list[Row], newest: Checkpoint | None = None, *earlier: Checkpoint) -> NotAuthentic:
    with pytest.raises(NotAuthentic) as error:
        audit(rows, newest, *earlier)
    assert error.value.code == "log-inconsistent"
    return error.value


def with_row(index: int, entry: bytes, leaf: bytes | None = None) -> list[Row]:
    changed = (index, entry, leaf_hash(entry) if leaf is None else leaf)
    return [*ROWS[:index], changed, *ROWS[index + 1 :]]


def with_field(index: int, **fields: object) -> list[Row]:
    return with_row(index, canonical_json({**json.loads(LOG.entries[index]), **fields}))


def test_a_log_as_it_was_written_verifies() -> None:
    earlier = [LOG.checkpoint(size) for size in (0, 1, 8, 22, SIZE)]
    assert audit(ROWS, None, *earlier) == VerifiedLog(
        size=SIZE, root=LOG.checkpoint().root, covered=SIZE, compared=(0, 1, 8, 22, SIZE)
    )


def test_an_empty_log_verifies() -> None:
    empty = Checkpoint(origin=LOG.origin, size=0, root=EMPTY_ROOT)
    assert audit([], empty).size == 0


def test_entries_beyond_the_checkpoint_are_checked_but_not_called_covered() -> None:
    verified = audit(ROWS, LOG.checkpoint(20))
    assert (verified.size, verified.covered, verified.compared) == (SIZE, 20, (20,))
    assert "entry 21" in failure(with_field(21, time="2026-11-23T09:00:00.000Z"), LOG.checkpoint(20)).message


def test_one_flipped_bit_in_any_byte_of_any_entry_fails_and_names_the_entry() -> None:
    for index, entry in enumerate(LOG.entries):
        for at in range(len(entry)):
            changed = bytearray(entry)
            changed[at] ^= 1
            error = failure(with_row(index, bytes(changed), LOG.leaves[index]))
            assert f"entry {index} " in error.message
            assert error.where == f"entry {index}"


def test_one_flipped_bit_in_any_byte_of_any_leaf_hash_fails_and_names_the_entry() -> None:
    for index, leaf in enumerate(LOG.leaves):
        for at in range(32):
            changed = bytearray(leaf)
            changed[at] ^= 1
            assert f"entry {index} " in failure(with_row(index, LOG.entries[index], bytes(changed))).message


def test_any_removed_entry_is_named() -> None:
    for index in range(SIZE):
        error = failure(ROWS[:index] + ROWS[index + 1 :])
        assert error.message.startswith(f"entry {index} is missing")
        assert error.where == f"entry {index}"
    assert "entries 4 to 8 are missing" in failure(ROWS[:4] + ROWS[9:]).message
    assert "entries 20 to 22 are missing" in failure(ROWS[:20]).message
    assert "entries 0 to 22 are missing" in failure([]).message


def test_a_removed_entry_whose_successors_were_renumbered_fails_within_the_signed_span() -> None:
    for index in range(SIZE):
        rest = [row for row in ROWS if row[0] != index]
        error = failure([(i, entry, leaf) for i, (_, entry, leaf) in enumerate(rest)])
        assert re.search(r"entr(y|ies) \d+", error.message)


def test_repeated_and_swapped_entries_are_named() -> None:
    assert "entry 5 comes where entry 6 is due" in failure([*ROWS[:6], ROWS[5], *ROWS[6:]]).message
    swapped = [*ROWS[:5], ROWS[6], ROWS[5], *ROWS[7:]]
    assert "entry 5 is missing: entry 6 follows" in failure(swapped).message


def test_entries_swapped_under_each_others_index_fail() -> None:
    for index in range(SIZE - 1):
        (a, entry1, leaf1), (b, entry2, leaf2) = ROWS[index], ROWS[index + 1]
        rows = [*ROWS[:index], (a, entry2, leaf2), (b, entry1, leaf1), *ROWS[index + 2 :]]
        message = failure(rows).message
        assert f"entry {b} is dated before entry {a}" in message or "previous entry" in message


def test_an_entry_rewritten_with_its_leaf_is_found_between_two_checkpoints() -> None:
    for index in range(SIZE):
        error = failure(with_field(index, outcome="other"), None, LOG.checkpoint(8), LOG.checkpoint(16))
        start, end = (0, 7) if index < 8 else (8, 15) if index < 16 else (16, 22)
        assert f"one of the entries {start} to {end} was changed" in error.message
        assert error.where == f"entry {start}"
    alone = failure(with_field(8, outcome="other"), None, LOG.checkpoint(8), LOG.checkpoint(9))
    assert "entry 8 was changed" in alone.message


def test_a_fork_is_found_against_a_remembered_checkpoint() -> None:
    forked = SampleLog(SIZE + 5, fork_at=11)
    rows = [(i, forked.entries[i], forked.leaves[i]) for i in range(SIZE + 5)]
    audit(rows, forked.checkpoint(), LOG.checkpoint(11))  # the common history
    for size in range(12, SIZE + 1):
        error = failure(rows, forked.checkpoint(), LOG.checkpoint(11), LOG.checkpoint(size))
        span = "entry 11 was" if size == 12 else f"one of the entries 11 to {size - 1} was"
        assert span in error.message
    assert "fork" in failure(rows, forked.checkpoint(SIZE), LOG.checkpoint()).message


def test_a_log_that_was_cut_or_is_another_is_found_without_its_entries() -> None:
    verifier = LogVerifier(LOG.checkpoint(10))
    with pytest.raises(NotAuthentic, match="cut: a checkpoint of 23 entries was seen, now it has 10"):
        verifier.check_consistency_with(LOG.checkpoint())
    with pytest.raises(NotAuthentic, match="another log"):
        verifier.check_consistency_with(SampleLog(3, origin="other.example/log").checkpoint())


def test_a_fork_is_found_by_proof_alone() -> None:
    forked = SampleLog(SIZE, fork_at=9)
    for size in range(1, SIZE + 1):
        check_consistency(LOG.checkpoint(size), LOG.checkpoint(), LOG.consistency(size, SIZE))
        if size > 9:
            for proof in (LOG.consistency(size, SIZE), forked.consistency(size, SIZE)):
                with pytest.raises(NotAuthentic) as error:
                    check_consistency(LOG.checkpoint(size), forked.checkpoint(), proof)
                assert error.value.code == "log-inconsistent"
    check_consistency(LOG.checkpoint(0), LOG.checkpoint(), [])
    with pytest.raises(NotAuthentic):
        check_consistency(LOG.checkpoint(0), LOG.checkpoint(), [Hash(bytes(32))])
    with pytest.raises(NotAuthentic):
        check_consistency(LOG.checkpoint(), LOG.checkpoint(7), [])


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        (b"", "not canonical JSON"),
        (b"[]", "not canonical JSON"),
        (b"\xff", "not canonical JSON"),
        (b"{" * 5000, "not canonical JSON"),
        (sample_entry(7) + b" ", "not canonical JSON"),
        (b'{"time":"2026-11-23T10:00:07.000Z","a":1}', "not canonical JSON"),
        (b'{"a":1,"a":1,"time":"2026-11-23T10:00:07.000Z"}', "not canonical JSON"),
        (b"{}", "time"),
        (canonical_json({"time": 5}), "time"),
        (canonical_json({"time": "2026-11-23T10:00:07Z"}), "time"),
        (canonical_json({"time": "2026-11-23T10:00:07.000+00:00"}), "time"),
        (canonical_json({"time": "2026-13-23T10:00:07.000Z"}), "time"),
        (canonical_json({"time": "2026-11-23T10:00:05.999Z"}), "dated before entry 6"),
        *(
            (canonical_json({"time": "2026-11-23T10:00:07.000Z", "previous": previous}), "previous entry")
            for previous in (7, 8, -1, True, "3", [3])
        ),
    ],
)
def test_an_entry_that_does_not_fit_the_story_is_named(entry: bytes, message: str) -> None:
    error = failure(with_row(7, entry))
    assert message in error.message
    assert error.where == "entry 7"


def test_the_same_time_and_an_earlier_entry_fit_the_story() -> None:
    same = canonical_json({"previous": 6, "time": "2026-11-23T10:00:06.000Z"})
    verifier = LogVerifier(LOG.checkpoint(3))
    for row in with_row(7, same)[:8]:
        verifier.add(*row)
    assert verifier.finish().size == 8


@given(st.integers(0, SIZE - 1), st.binary(max_size=60))
@settings(max_examples=60)
def test_any_bytes_as_an_entry_fail_with_our_error(index: int, entry: bytes) -> None:
    failure(with_row(index, entry))


def test_a_checkpoint_must_be_given_before_its_size_is_passed() -> None:
    verifier = LogVerifier(LOG.checkpoint())
    for row in ROWS[:8]:
        verifier.add(*row)
    verifier.check_consistency_with(LOG.checkpoint(8))
    with pytest.raises(Defect):
        verifier.check_consistency_with(LOG.checkpoint(7))
    with pytest.raises(NotAuthentic):
        verifier.check_consistency_with(SampleLog(8, fork_at=2).checkpoint())


def test_a_verifier_goes_on_from_a_position_as_if_it_had_read_everything() -> None:
    for at in range(len(ROWS) + 1):
        first = LogVerifier(LOG.checkpoint())
        for row in ROWS[:at]:
            first.add(*row)
        second = LogVerifier(LOG.checkpoint(), first.position)
        second.check_consistency_with(LOG.checkpoint(3))
        for row in ROWS[at:]:
            second.add(*row)
        assert second.finish().root == LOG.checkpoint().root
        if 0 < at < len(ROWS):
            with pytest.raises(NotAuthentic, match="repeated or out of order"):
                LogVerifier(LOG.checkpoint(), first.position).add(*ROWS[at - 1])
            with pytest.raises(NotAuthentic, match=f"the log was cut: {at} entries were read"):
                LogVerifier(LOG.checkpoint(at - 1), first.position)


def test_what_was_read_before_counts_in_the_root() -> None:
    fork = SampleLog(SIZE, fork_at=5)
    other = LogVerifier(fork.checkpoint())
    for index in range(8):
        other.add(index, fork.entries[index], fork.leaves[index])
    verifier = LogVerifier(LOG.checkpoint(), other.position)
    for row in ROWS[8:-1]:
        verifier.add(*row)
    with pytest.raises(NotAuthentic, match="is not the signed one"):
        verifier.add(*ROWS[-1])
