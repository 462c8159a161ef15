# SPDX-License-Identifier: EUPL-1.2
"""The evidence bundle: one spelling, checked offline, and nothing of it can be changed, left out or added."""

import hashlib
import io
import random
import zipfile
import zlib
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sluis.canonical import canonical_json, parse_canonical
from sluis.checkpoint_signers import cosign
from sluis.errors import CODES, InvalidInput, NotAuthentic, SluisError
from sluis.evidence import (
    Evidence,
    ProvenEntry,
    VerifiedEvidence,
    make_evidence,
    verify_evidence,
    write_evidence,
)
from sluis.merkle import CompactRange, Hash, leaf_hash
from sluis.note import Note
from sluis.policy.archive import pack
from sluis.policy.bundle import default_directory, read_bundle, read_files
from sluis.stored_zip import MAX_BYTES, pack_zip, unpack_zip
from sluis.tlog_policy import TlogPolicy
from tests.unit.log_samples import LOG_KEYS, OTHER_LOG_KEYS, TIME, W1, W2, SampleLog, vkeys

EXCHANGE = "0193a000-0000-7000-8000-000000000001"
KEYS = (vkeys(LOG_KEYS), [*vkeys(W1), *vkeys(W2)])


@cache
def archive() -> tuple[str, bytes]:
    """The installed rules: digest and archive."""
    files = read_files(default_directory())
    return read_bundle(files).digest, pack(files)


def entries(exchange: str = EXCHANGE) -> dict[int, bytes]:
    """A push, its release and the confirmation, as a broker logs them."""
    shared = {"v": 1, "exchange": exchange, "nonce": "00" * 16, "time": "2026-11-25T10:00:00.000Z"}
    decided = {"agreement": "waadi-14b", "policy": archive()[0], "decision": "permit"}
    return {
        3: canonical_json({**shared, **decided, "operation": "signal.push"}),
        6: canonical_json({**shared, **decided, "operation": "signal.release", "previous": 3}),
        7: canonical_json({**shared, "operation": "signal.acknowledge", "previous": 6}),
    }


def log_with(rows: Mapping[int, bytes], size: int = 11) -> SampleLog:
    """A log in which these entries stand."""
    log = SampleLog(size)
    made = SampleLog(0)
    made.entries = [rows.get(index, entry) for index, entry in enumerate(log.entries)]
    made.leaves = [leaf_hash(entry) for entry in made.entries]
    made._nodes = {(0, index): leaf for index, leaf in enumerate(made.leaves)}
    made._nodes |= {(node.level, node.index): node.hash for node in CompactRange().extend(made.leaves)[1]}
    return made


def sample(rows: Mapping[int, bytes] | None = None, *, only: tuple[int, ...] = (3, 6, 7)) -> Evidence:
    rows = entries() if rows is None else rows
    log = log_with(rows)
    proven = [
        ProvenEntry(index=index, entry=rows[index], proof=tuple(log.inclusion(index, 11))) for index in only
    ]
    digest, content = archive()
    return make_evidence(proven, witnessed(tuple(rows.items())), *KEYS, {digest: content})


@cache
def witnessed(rows: tuple[tuple[int, bytes], ...]) -> str:
    """The checkpoint, signed once: signatures of ML-DSA differ at every signing."""
    return log_with(dict(rows)).witnessed()


@cache
def bundle() -> bytes:
    return write_evidence(sample())


def check(data: bytes) -> VerifiedEvidence:
    return verify_evidence(data, TlogPolicy.of(*KEYS, 2))


def refused(data: bytes) -> str:
    with pytest.raises(SluisError) as caught:
        check(data)
    assert caught.value.code in CODES
    return caught.value.code


def test_a_bundle_holds_and_is_the_same_every_time() -> None:
    found = check(bundle())
    assert found.exchange == EXCHANGE
    assert list(found.entries) == [3, 6, 7]
    assert found.checkpoint.cosigners == ("witness.example/w1", "witness.example/w2")
    assert found.rules == (archive()[0],)
    assert found.prose_checked
    assert write_evidence(sample()) == bundle()


def test_any_unzip_reads_it() -> None:
    with zipfile.ZipFile(io.BytesIO(bundle())) as opened:
        assert opened.testzip() is None
        names = opened.namelist()
        assert names == sorted(names)
        reading = next(name for name in names if name.startswith("reading/"))
        assert opened.read(reading).decode().startswith("#")
        text = opened.read("HOW-TO-VERIFY.md").decode()
    assert "sluis audit verify bundle.zip --log-vkey" in text
    assert "Zo controleert u dit bewijs" in text


def test_the_verifiers_keys_decide_not_those_in_the_bundle() -> None:
    with pytest.raises(NotAuthentic, match="checkpoint-wrong"):
        verify_evidence(bundle(), TlogPolicy.of(vkeys(OTHER_LOG_KEYS), KEYS[1], 1))
    with pytest.raises(NotAuthentic, match="not-witnessed"):
        verify_evidence(write_evidence(without_witnesses(sample())), TlogPolicy.of(*KEYS, 1))
    # A verifier who knows one key of the log and one witness needs no more.
    assert verify_evidence(bundle(), TlogPolicy.of(KEYS[0][:1], KEYS[1][:1], 1)).exchange == EXCHANGE


def without_witnesses(evidence: Evidence) -> Evidence:
    """The same without cosignatures."""
    note = Note.parse(evidence.checkpoint)
    kept = tuple(line for vkey in evidence.log_vkeys for line in vkey.signatures_in(note))
    return replace(evidence, checkpoint=replace(note, signatures=kept).format(), witness_vkeys=())


def changed(change: Callable[[dict[str, bytes]], None]) -> bytes:
    """The bundle with its files changed, packed well."""
    files = unpack_zip(bundle())
    change(files)
    return pack_zip(files)


@pytest.mark.parametrize("name", sorted(unpack_zip(bundle())))
def test_no_file_can_be_changed_or_left_out(name: str) -> None:
    def leave_out(files: dict[str, bytes]) -> None:
        del files[name]

    def append(files: dict[str, bytes]) -> None:
        files[name] += b"\n"

    def empty(files: dict[str, bytes]) -> None:
        files[name] = b""

    def flip(files: dict[str, bytes]) -> None:
        data = bytearray(files[name])
        data[len(data) // 2] ^= 1
        files[name] = bytes(data)

    def honest_manifest(files: dict[str, bytes]) -> None:
        """With a manifest that fits, so that the manifest is not what gives it away."""
        flip(files)
        if name != "manifest.json":
            manifest = parse_canonical(files["manifest.json"])
            manifest["files"][name] = hashlib.sha256(files[name]).hexdigest()
            files["manifest.json"] = canonical_json(manifest)

    for change in (leave_out, append, empty, flip, honest_manifest):
        refused(changed(change))


@pytest.mark.parametrize(
    "name", ["extra.txt", "entries/9.json", "entries/03.json", "rules/x", "keys/more.txt"]
)
def test_nothing_can_be_added(name: str) -> None:
    assert refused(changed(lambda files: files.update({name: b"x"}))) in (
        "evidence-wrong",
        "malformed-encoding",
    )


def test_an_entry_of_another_exchange_or_without_its_beginning_is_refused() -> None:
    rows = entries()
    rows[7] = entries("0193a000-0000-7000-8000-000000000002")[7]
    assert refused(write_evidence(sample(rows))) == "evidence-wrong"
    assert refused(write_evidence(sample(only=(6, 7)))) == "evidence-wrong"
    assert refused(write_evidence(sample(only=(3, 7)))) == "evidence-wrong"
    assert check(write_evidence(sample(only=(3, 6)))).exchange == EXCHANGE


def test_an_entry_that_is_not_in_the_log_is_refused() -> None:
    evidence = sample()
    other = replace(evidence.entries[0], entry=evidence.entries[0].entry.replace(b"permit", b"denied"))
    assert refused(write_evidence(replace(evidence, entries=(other, *evidence.entries[1:])))) == "proof-wrong"
    moved = replace(evidence.entries[0], index=2)
    assert refused(write_evidence(replace(evidence, entries=(moved, *evidence.entries[1:])))) == "proof-wrong"
    cut = replace(evidence.entries[0], proof=(*evidence.entries[0].proof, Hash(bytes(32))))
    assert refused(write_evidence(replace(evidence, entries=(cut, *evidence.entries[1:])))) == "proof-wrong"


def test_other_rules_than_those_that_decided_are_refused() -> None:
    files = read_files(default_directory())
    name = "agreements/waadi-14b.yaml"
    files[name] = files[name].replace(b"Waadi", b"WAADI", 1) + b"# another comment\n"
    evidence = sample()
    [digest] = evidence.rules
    with pytest.raises(NotAuthentic, match="evidence-wrong"):
        write_evidence(replace(evidence, rules={digest: zlib.compress(b"{}")}))
    other = read_bundle(files)
    assert other.digest != digest
    with pytest.raises(NotAuthentic, match="other rules"):
        write_evidence(replace(evidence, rules={digest: pack(files)}))
    assert refused(write_evidence(replace(evidence, rules={other.digest: pack(files)}))) == "evidence-wrong"
    assert refused(
        write_evidence(replace(evidence, rules={**evidence.rules, other.digest: pack(files)}))
    ) == ("evidence-wrong")


def test_keys_and_signature_lines_of_others_are_refused() -> None:
    evidence = sample()
    assert refused(write_evidence(replace(evidence, witness_vkeys=evidence.witness_vkeys[:1]))) in (
        "evidence-wrong",
        "checkpoint-wrong",
    )
    stranger = cosign(log_with(entries()).checkpoint(), OTHER_LOG_KEYS, TIME)
    note = Note.parse(evidence.checkpoint).with_signatures(stranger)
    assert refused(write_evidence(replace(evidence, checkpoint=note.format()))) == "evidence-wrong"


def test_a_bundle_of_another_version_holds_but_its_prose_is_not_checked() -> None:
    prose = {name: "altered\n" for name in unpack_zip(bundle()) if name.endswith(".md")}
    found = check(write_evidence(replace(sample(), version="9.9.9", prose=prose)))
    assert not found.prose_checked
    assert found.version == "9.9.9"
    del prose["HOW-TO-VERIFY.md"]
    assert refused(write_evidence(replace(sample(), version="9.9.9", prose=prose))) == "evidence-wrong"
    more = {**prose, "HOW-TO-VERIFY.md": "x", "reading/more.md": "x"}
    assert refused(write_evidence(replace(sample(), version="9.9.9", prose=more))) == "evidence-wrong"


def zipped(files: Mapping[str, bytes], method: int = zipfile.ZIP_STORED) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", method) as made:
        for name, data in files.items():
            made.writestr(name, data)
    return stream.getvalue()


@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_zip_bomb_does_not_unfold(method: int) -> None:
    assert refused(zipped({"checkpoint.txt": bytes(1 << 20)}, method)) == "malformed-encoding"
    assert (
        refused(zipped({"checkpoint.txt": bytes(MAX_BYTES + 1)}, zipfile.ZIP_DEFLATED)) == "message-too-large"
    )


@pytest.mark.parametrize(
    "name",
    ["../checkpoint.txt", "/etc/passwd", "a/../b", "..", "a//b", "a\\b", "C:x", "a/b/c/d", ".x", "é", "a\n"],
)
def test_a_path_leads_nowhere(name: str) -> None:
    assert refused(zipped({name: b"x"})) == "malformed-encoding"
    with pytest.raises(InvalidInput):
        pack_zip({name: b"x"})


def test_what_is_no_such_zip_is_refused() -> None:
    data = bundle()
    for other in (b"", b"PK", b"x" + data, data + b"x", data[:-1], data[1:], zipped(unpack_zip(data))):
        assert refused(other) == "malformed-encoding"
    assert refused(bytes(MAX_BYTES + 1)) == "message-too-large"
    assert refused(pack_zip({})) == "evidence-wrong"
    assert refused(zipped({f"n{number}": b"" for number in range(4_001)})) == "message-too-large"


def test_a_file_that_stands_there_twice_is_refused() -> None:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as made:
        made.writestr("checkpoint.txt", "a")
        with pytest.warns(UserWarning, match="Duplicate"):
            made.writestr("checkpoint.txt", "b")
    assert refused(stream.getvalue()) == "malformed-encoding"


@given(st.randoms(use_true_random=False), st.integers(1, 4))
@settings(max_examples=150, deadline=None)
def test_no_byte_of_the_file_is_without_meaning(choice: random.Random, count: int) -> None:
    data = bytearray(bundle())
    for _ in range(count):
        data[choice.randrange(len(data))] ^= 1 << choice.randrange(8)
    if bytes(data) != bundle():
        refused(bytes(data))


@given(st.binary(max_size=300), st.integers(0, 1 << 20))
@settings(max_examples=100, deadline=None)
def test_any_bytes_are_refused_with_a_code(noise: bytes, at: int) -> None:
    data = bundle()
    at %= len(data)
    refused(noise)
    if noise:
        refused(data[:at] + noise + data[at:])


@given(st.dictionaries(st.from_regex(r"[a-z]{1,9}(/[a-z0-9]{1,9})?", fullmatch=True), st.binary(max_size=99)))
@settings(max_examples=50)
def test_files_are_read_back(files: dict[str, bytes]) -> None:
    assert unpack_zip(pack_zip(files)) == files
