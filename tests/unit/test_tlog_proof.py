# SPDX-License-Identifier: EUPL-1.2
"""Proof files: read back alike, verified offline, and refused when anything was changed."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from log_samples import LOG_KEYS, W1, W2, SampleLog, vkeys

from sluis.errors import InvalidInput, NotAuthentic
from sluis.merkle import Hash
from sluis.note import encode_base64
from sluis.tlog_proof import TlogProof

LOG = SampleLog(13)
KEYS = (vkeys(LOG_KEYS), [*vkeys(W1), *vkeys(W2)], 2)
WITNESSED = LOG.witnessed()
SIGNED = LOG.signed(keys=LOG_KEYS[:1])


def proof_of(index: int, extra: bytes = b"") -> TlogProof:
    return TlogProof(index=index, hashes=tuple(LOG.inclusion(index, 13)), checkpoint=WITNESSED, extra=extra)


def test_every_entry_is_proven_by_its_file_and_by_no_other() -> None:
    for index, entry in enumerate(LOG.entries):
        proof = TlogProof.parse(proof_of(index).format())
        assert proof.verify(entry, *KEYS).cosigners == ("witness.example/w1", "witness.example/w2")
        with pytest.raises(NotAuthentic) as error:
            proof.verify(LOG.entries[index - 1], *KEYS)
        assert error.value.code == "proof-wrong"


def test_the_file_looks_as_the_specification_shows() -> None:
    proof = proof_of(12, b"context")
    assert proof.format() == (
        "c2sp.org/tlog-proof@v1\nextra Y29udGV4dA==\nindex 12\n"
        + "".join(f"{encode_base64(item)}\n" for item in proof.hashes)
        + "\n"
        + WITNESSED
    )
    assert TlogProof.parse(proof.format()) == proof


def test_a_log_of_one_entry_needs_no_hashes() -> None:
    log = SampleLog(1)
    proof = TlogProof(index=0, hashes=(), checkpoint=log.witnessed())
    assert TlogProof.parse(proof.format()).verify(log.entries[0], *KEYS).checkpoint.size == 1


def test_a_proof_without_witnesses_or_of_another_log_does_not_hold() -> None:
    alone = TlogProof(index=3, hashes=tuple(LOG.inclusion(3, 13)), checkpoint=LOG.signed())
    with pytest.raises(NotAuthentic) as error:
        alone.verify(LOG.entries[3], *KEYS)
    assert error.value.code == "not-witnessed"
    forked = SampleLog(13, fork_at=5)
    other = TlogProof(index=3, hashes=tuple(LOG.inclusion(3, 13)), checkpoint=forked.witnessed())
    with pytest.raises(NotAuthentic) as error:
        other.verify(LOG.entries[3], *KEYS)
    assert error.value.code == "proof-wrong"


def test_every_changed_byte_of_a_file_is_refused() -> None:
    proof = TlogProof(index=5, hashes=tuple(LOG.inclusion(5, 13)), checkpoint=SIGNED)
    data = proof.format().encode()
    proof.verify(LOG.entries[5], vkeys(LOG_KEYS), [], 0)
    for at in range(len(data)):
        changed = bytearray(data)
        changed[at] ^= 1
        try:
            parsed = TlogProof.parse(changed.decode())
        except (InvalidInput, UnicodeDecodeError):
            continue
        with pytest.raises(NotAuthentic):
            parsed.verify(LOG.entries[5], vkeys(LOG_KEYS), [], 0)


HASH = encode_base64(bytes(32))


@pytest.mark.parametrize(
    "head",
    [
        "",
        "c2sp.org/tlog-proof@v2\nindex 0",
        "c2sp.org/tlog-proof@v1",
        "c2sp.org/tlog-proof@v1\nindex",
        "c2sp.org/tlog-proof@v1\nindex 00",
        "c2sp.org/tlog-proof@v1\nindex 0 ",
        "c2sp.org/tlog-proof@v1\nindex -1",
        "c2sp.org/tlog-proof@v1\nextra \nindex 0",
        "c2sp.org/tlog-proof@v1\nextra AAA\nindex 0",
        "c2sp.org/tlog-proof@v1\nindex 0\nextra AAAA",
        "c2sp.org/tlog-proof@v1\nextra AAAA\nextra AAAA\nindex 0",
        "c2sp.org/tlog-proof@v1\nindex 0\nAAAA",
        f"c2sp.org/tlog-proof@v1\nindex 0\n{HASH} ",
        f"c2sp.org/tlog-proof@v1\r\nindex 0\n{HASH}",
        "\n".join(["c2sp.org/tlog-proof@v1", "index 0", *[HASH] * 64]),
    ],
)
def test_what_is_no_proof_file_is_refused(head: str) -> None:
    with pytest.raises(InvalidInput):
        TlogProof.parse(f"{head}\n\n{SIGNED}")


def test_a_file_without_a_checkpoint_is_refused() -> None:
    for tail in ("", "\n", "\n\n", f"\n\n{SIGNED[:-1]}", f"\n{SIGNED}"):
        with pytest.raises(InvalidInput):
            TlogProof.parse(f"c2sp.org/tlog-proof@v1\nindex 0{tail}")


@given(
    st.integers(0, 2**63 - 1),
    st.lists(st.binary(min_size=32, max_size=32), max_size=63),
    st.binary(max_size=20),
)
@settings(max_examples=60)
def test_proof_files_are_read_back(index: int, hashes: list[bytes], extra: bytes) -> None:
    proof = TlogProof(index=index, hashes=tuple(map(Hash, hashes)), checkpoint=SIGNED, extra=extra)
    assert TlogProof.parse(proof.format()) == proof


@given(st.text(max_size=20), st.integers(0, 200))
@settings(max_examples=80)
def test_files_parse_to_their_only_spelling_or_not_at_all(noise: str, at: int) -> None:
    text = proof_of(4, b"x").format()
    changed = text[:at] + noise + text[at:]
    try:
        proof = TlogProof.parse(changed)
    except InvalidInput:
        return
    assert proof.format() == changed
