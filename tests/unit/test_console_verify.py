# SPDX-License-Identifier: EUPL-1.2
"""What an officer's own browser recomputes: verify.js in Node, on a log and on one tampered with at each step."""

import json
import os
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from broker.console.site import STATIC
from broker.console.texts import has_text
from sluis.canonical import canonical_json
from sluis.checkpoint import Checkpoint
from sluis.checkpoint_signers import CheckpointSigner, cosign, sign_checkpoint
from sluis.merkle import CompactRange, leaf_hash
from sluis.note import Note, VKey, encode_base64
from tests.unit.log_samples import LOG_KEYS, OTHER_LOG_KEYS, TIME, W1, W2, SampleLog, vkeys

RUNNER = Path(__file__).parent.parent / "browser" / "verify.mjs"
ED25519 = (LOG_KEYS[:1], W1[:1], W2[:1])  # the browser checks these; ML-DSA-44 is for `sluis audit verify`
LOG = SampleLog(11)
STEPS = ["entry", "leaf", "root", "note", "log", "witnesses"]
Case = dict[str, Any]


def run(cases: Sequence[Case]) -> list[dict[str, Any]]:
    """What the browser says to each case; skip where Node is missing, unless it is required."""
    node = shutil.which("node")
    if node is None:
        if "node" in os.environ.get("SLUIS_REQUIRE", ""):
            pytest.fail("Node is missing")
        pytest.skip("Node is missing")
    command = [node, str(RUNNER), str(STATIC / "verify.js")]
    done = subprocess.run(
        command, input=json.dumps(cases), capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


def lines(*keys: VKey) -> str:
    return "".join(f"{key}\n" for key in keys)


KEYS = lines(*(vkey for signers in ED25519 for vkey in vkeys(signers)))


def case(index: int = 4, log: SampleLog = LOG, size: int = 11, **changes: Any) -> Case:
    """A proof of an entry as the page holds it, with changes."""
    made = {
        "entry": log.entries[index].decode(),
        "exchange": "",
        "index": str(index),
        "path": [item.hex() for item in log.inclusion(index, size)],
        "checkpoint": log.witnessed(size),
        "keys": KEYS,
    }
    return {**made, **changes}


def failed(result: dict[str, Any]) -> list[tuple[str, str]]:
    """The steps that do not hold, with what they say."""
    return [(step["step"], step["code"]) for step in result["steps"] if step["ok"] is False]


def each(*cases: Case) -> list[list[tuple[str, str]]]:
    """What fails in each case; Node is started once."""
    results = run(cases)
    assert [result["ok"] for result in results] == [not failed(result) for result in results]
    return [failed(result) for result in results]


def one(changed: Case) -> list[tuple[str, str]]:
    return each(changed)[0]


def test_every_entry_of_every_small_log_is_proven() -> None:
    cases = []
    for size in range(1, 12):
        note = LOG.witnessed(size)
        for index in range(size):
            path = [item.hex() for item in LOG.inclusion(index, size)]
            cases.append(case(index, path=path, checkpoint=note))
    results = run(cases)
    assert all(result["ok"] for result in results)
    assert {tuple(step["step"] for step in result["steps"]) for result in results} == {tuple(STEPS)}
    assert all(step["ok"] for result in results for step in result["steps"])


def test_each_step_says_what_it_found() -> None:
    [result] = run([case(4)])
    values = {step["step"]: step["values"] for step in result["steps"]}
    assert values["leaf"]["leaf"] == LOG.leaves[4].hex()
    assert values["root"] == {"root": LOG.checkpoint().root.hex(), "levels": 4}
    assert values["note"] == {"origin": LOG.origin, "size": "11"}
    assert values["witnesses"] == {
        "count": 2,
        "known": 2,
        "names": "witness.example/w1, witness.example/w2",
        "time": str(TIME + 1),
    }


def test_keys_of_every_type_may_stand_together() -> None:
    every = lines(*vkeys(LOG_KEYS), *vkeys(W1), *vkeys(W2))
    assert one(case(keys=f"# from the operator\n\n{every}")) == []


def test_the_text_of_every_step_is_there() -> None:
    source = (STATIC / "verify.js").read_text("utf-8")
    codes = {part.split('"')[1] for part in source.split("new Wrong(")[1:]}
    assert len(codes) > 15
    for code in codes | {f"{step}-ok" for step in STEPS} | {"not-taken"}:
        assert has_text(f"proof.{code}"), code


# the entry


NOT_CANONICAL = (
    '{"operation":"sample", "v":1}',
    '{"v":1,"operation":"sample"}',  # not sorted
    '{"operation":"sample","operation":"sample"}',
    '{"a":1.0}',
    '{"a":12345678901234567890}',
    '"sample"',
    "null",
    "",
    '{"v":1',
)


def test_an_entry_that_is_not_canonical_is_refused() -> None:
    for found, entry in zip(each(*(case(entry=text) for text in NOT_CANONICAL)), NOT_CANONICAL, strict=True):
        assert found[0] == ("entry", "entry-form"), entry


def test_an_entry_of_another_exchange_is_refused() -> None:
    entry = canonical_json({"exchange": "a", "operation": "sample", "v": 1})
    log = with_entry(entry)
    note = signed(log)
    asked = [case(4, log, checkpoint=note, exchange=exchange) for exchange in "ab"]
    assert each(*asked) == [[], [("entry", "entry-other")]]


def test_letters_beyond_ascii_are_canonical_as_python_writes_them() -> None:
    text = "Ærø \u2028 \U0001f512 é"
    entry = canonical_json({"naam": text, "z": [1, -2, True, None, {"b": "", "a": text}]})
    log = with_entry(entry)
    assert one(case(4, log, checkpoint=signed(log))) == []


# leaf and path


def test_a_changed_entry_leads_to_another_root() -> None:
    entry = LOG.entries[4].decode().replace("mailbox", "refused")
    stamp = LOG.entries[4].decode().replace(":04.000Z", ":05.000Z")
    assert each(case(entry=entry), case(entry=stamp)) == [[("root", "root-other")]] * 2


def test_a_changed_path_leads_to_another_root() -> None:
    path: list[str] = case()["path"]
    changed = [path[::-1]]
    for level in range(len(path)):
        flipped = f"{int(path[level][0], 16) ^ 1:x}{path[level][1:]}"
        changed.append([*path[:level], flipped, *path[level + 1 :]])
    assert each(*(case(path=other) for other in changed)) == [[("root", "root-other")]] * 5


def test_a_path_of_another_place_is_refused() -> None:
    table: list[tuple[Case, str]] = [
        ({"path": case()["path"][:-1]}, "path-short"),
        ({"path": []}, "path-short"),
        ({"path": [*case()["path"], "00" * 32]}, "path-long"),
        ({"path": ["00" * 31, *case()["path"][1:]]}, "path-hash"),
        ({"path": ["zz", *case()["path"][1:]]}, "hex"),
        ({"index": "5"}, "root-other"),
        ({"index": "11"}, "index"),
        ({"index": "-1"}, "index"),
        ({"index": "4.0"}, "index"),
        ({"index": "04"}, "index"),
        ({"index": ""}, "index"),
    ]
    found = each(*({**case(), **changes} for changes, _ in table))
    assert found == [[("root", code)] for _, code in table]


# the checkpoint


def with_entry(entry: bytes, at: int = 4) -> SampleLog:
    """A log with another entry somewhere."""
    log = SampleLog(11)
    log.entries[at] = entry
    log.leaves = [leaf_hash(item) for item in log.entries]
    log._nodes = {(0, index): leaf for index, leaf in enumerate(log.leaves)}
    log._nodes |= {(node.level, node.index): node.hash for node in CompactRange().extend(log.leaves)[1]}
    return log


def signed(
    log: SampleLog,
    keys: tuple[CheckpointSigner, ...] = LOG_KEYS,
    witnesses: Sequence[tuple[CheckpointSigner, ...]] = (W1, W2),
    checkpoint: Checkpoint | None = None,
) -> str:
    checkpoint = checkpoint or log.checkpoint()
    note = Note.parse(sign_checkpoint(checkpoint, keys, TIME))
    for signers in witnesses:
        note = note.with_signatures(cosign(checkpoint, signers, TIME + 1))
    return note.format()


NOTE = LOG.witnessed()


def test_what_is_no_signed_note_is_refused() -> None:
    notes = [
        "",
        NOTE.strip(),
        NOTE.replace("\n\n", "\n"),
        NOTE.replace("\n11\n", "\n011\n"),
        NOTE.replace("\n11\n", "\n-11\n"),
        NOTE.replace("\n11\n", "\n99999999999999999999\n"),
        NOTE.replace("\n11\n", "\n9999999999999999999\n"),
        NOTE.replace("\n11\n", "\n11\r\n"),
        NOTE.replace(encode_base64(LOG.checkpoint().root), encode_base64(LOG.checkpoint().root[:31])),
        NOTE.replace("— broker", "- broker"),
        NOTE.replace("— broker.example/log", "— broker.example/log "),
        NOTE.replace("=\n\n", "\n\n"),
        NOTE + "\n",
        NOTE + "— x.example AAAA\n",
        NOTE + "".join(f"— x{number}.example AAAAAAAA\n" for number in range(40)),
    ]
    for note, found in zip(notes, each(*(case(checkpoint=note) for note in notes)), strict=True):
        assert found in ([("note", "note-form")], [("note", "base64")]), note


def test_a_checkpoint_of_another_history_is_told_apart_from_a_forged_one() -> None:
    fork = SampleLog(11, fork_at=3)
    assert one(case(checkpoint=fork.witnessed())) == [("root", "root-other")]
    root = encode_base64(fork.checkpoint().root)
    forged = NOTE.replace(encode_base64(LOG.checkpoint().root), root)
    assert one(case(4, fork, checkpoint=forged)) == [
        ("log", "log-signature"),
        ("witnesses", "witness-signature"),
    ]


# the log's signature


def test_a_checkpoint_that_another_key_signed_is_refused() -> None:
    swapped = case(checkpoint=signed(LOG, OTHER_LOG_KEYS))
    other = case(keys=lines(*vkeys(OTHER_LOG_KEYS), *vkeys(W1)))
    assert each(swapped, other) == [[("log", "log-unsigned")]] * 2


def test_a_log_that_is_not_known_is_refused() -> None:
    none = lines(*vkeys(W1))
    renamed = lines(replace(LOG_KEYS[0].vkey, name="other.example/log"), *vkeys(W1))
    # Only its ML-DSA-44 key is known, which no browser checks: that is no proof.
    post_quantum = lines(LOG_KEYS[1].vkey, *vkeys(W1))
    found = each(*(case(keys=keys) for keys in (none, renamed, post_quantum)))
    assert found == [[("log", "log-unknown")], [("log", "log-unknown")], [("log", "log-unsigned")]]


def broken(note: str, name: str) -> str:
    """The note with a bit of the Ed25519 signature under a name turned."""
    parsed = Note.parse(note)
    place = next(
        n for n, line in enumerate(parsed.signatures) if line.name == name and len(line.signature) < 80
    )
    line = parsed.signatures[place]
    false = replace(line, signature=line.signature[:-1] + bytes([line.signature[-1] ^ 1]))
    return replace(
        parsed, signatures=(*parsed.signatures[:place], false, *parsed.signatures[place + 1 :])
    ).format()


def test_a_false_signature_condemns_its_step() -> None:
    log, witness = broken(NOTE, LOG.origin), broken(NOTE, "witness.example/w2")
    # One good line of the log does not make up for a false one.
    both = Note.parse(NOTE).with_signatures([Note.parse(log).signatures[0]]).format()
    assert each(*(case(checkpoint=note) for note in (log, witness, both))) == [
        [("log", "log-signature")],
        [("witnesses", "witness-signature")],
        [("log", "log-signature")],
    ]


def test_a_line_counts_only_under_the_name_and_the_id_of_its_key() -> None:
    parsed = Note.parse(NOTE)
    others = [
        replace(parsed.signatures[0], name="other.example/log"),
        replace(parsed.signatures[0], key_id=b"\0" * 4),
    ]
    notes = [replace(parsed, signatures=(other, *parsed.signatures[1:])).format() for other in others]
    assert each(*(case(checkpoint=note) for note in notes)) == [[("log", "log-unsigned")]] * 2


# the witnesses


def test_at_least_one_known_witness_must_have_cosigned() -> None:
    lonely, unknown, enough = run(
        [
            case(checkpoint=LOG.signed()),
            case(keys=lines(*vkeys(LOG_KEYS))),
            case(checkpoint=signed(LOG, witnesses=[W1])),
        ]
    )
    assert failed(lonely) == [("witnesses", "witness-none")]
    assert failed(unknown) == [("witnesses", "witness-no-key")]
    step = enough["steps"][-1]
    assert (step["ok"], step["values"]["count"], step["values"]["known"]) == (True, 1, 2)


def test_a_cosignature_on_another_tree_or_time_is_refused() -> None:
    smaller = cosign(LOG.checkpoint(7), W1[:1], TIME)
    note = Note.parse(LOG.signed()).with_signatures(smaller).format()
    [line] = cosign(LOG.checkpoint(), W1[:1], TIME)
    later = replace(line, signature=(TIME + 1).to_bytes(8, "big") + line.signature[8:])
    moved = Note.parse(LOG.signed()).with_signatures([later]).format()
    short = Note.parse(LOG.signed()).with_signatures([replace(line, signature=b"short")]).format()
    found = each(case(checkpoint=note), case(checkpoint=moved), case(checkpoint=short))
    assert found == [[("witnesses", "witness-signature")]] * 3


def test_one_key_does_not_count_for_two() -> None:
    twin = replace(W1[0].vkey, name="witness.example/twin")
    own = VKey(name="witness.example/w3", type=W1[0].vkey.type, public=LOG_KEYS[0].vkey.public)
    found = each(case(keys=KEYS + lines(twin)), case(keys=KEYS + lines(own)))
    assert found == [[("witnesses", "witness-shared")]] * 2


# the keys


def test_a_key_that_is_none_is_refused() -> None:
    table = [
        ("geen sleutel", "key-form"),
        ("naam+0011223+AAAA", "key-form"),
        ("naam+00112233+A", "key-form"),
        (str(LOG_KEYS[0].vkey)[:-4], "key-type"),
        (str(LOG_KEYS[0].vkey).replace("broker.", "broken."), "key-id"),
    ]
    results = run([case(keys=keys) for keys, _ in table])
    assert [(result["ok"], result["refused"]) for result in results] == [(False, code) for _, code in table]
