# SPDX-License-Identifier: EUPL-1.2
"""Checkpoints: format, the log's signatures, cosignatures, quorum, and policies that prove too little."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from log_samples import LOG_KEYS, ORIGIN, OTHER_LOG_KEYS, TIME, VECTORS, W1, W2, SampleLog, vkeys

from sluis.checkpoint import (
    LOG_TYPES,
    WITNESS_TYPES,
    Checkpoint,
    cosigned_message,
    parse_vkeys,
    timestamp_of,
    verify_checkpoint,
    verify_signature,
)
from sluis.checkpoint_signers import (
    Ed25519CheckpointSigner,
    cosign,
    log_signers,
    new_secret,
    sign_checkpoint,
    witness_signers,
)
from sluis.errors import Defect, InvalidInput, NotAuthentic
from sluis.merkle import EMPTY_ROOT, Hash
from sluis.note import Note, NoteSignature, SignatureType, VKey
from sluis.signing import SigningKey

LOG = SampleLog(7)
LOG_VKEYS = vkeys(LOG_KEYS)
WITNESS_VKEYS = [*vkeys(W1), *vkeys(W2)]
ROOT = "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I="


def refused(text: str, quorum: int = 1) -> NotAuthentic:
    with pytest.raises(NotAuthentic) as error:
        verify_checkpoint(text, LOG_VKEYS, WITNESS_VKEYS, quorum)
    return error.value


def test_a_witnessed_checkpoint_holds_and_says_who_cosigned_when() -> None:
    verified = verify_checkpoint(LOG.witnessed(), LOG_VKEYS, WITNESS_VKEYS, 2)
    assert verified.checkpoint == LOG.checkpoint()
    assert verified.cosigners == ("witness.example/w1", "witness.example/w2")
    assert verified.timestamps == {"witness.example/w1": TIME + 1, "witness.example/w2": TIME + 1}


def test_the_example_of_the_specification_is_read_with_its_time() -> None:
    text = (VECTORS / "c2sp-cosigned-checkpoint.txt").read_text()
    note = Note.parse(text)
    checkpoint = Checkpoint.parse(note.text)
    assert (checkpoint.origin, checkpoint.size) == ("example.com/behind-the-sofa", 20852163)
    assert checkpoint.body() == note.text
    assert note.format() == text
    assert timestamp_of(note.signatures[1]) == 1679315147
    witness = VKey(name="w", type=SignatureType.COSIGNATURE_ED25519, public=W1[0].vkey.public)
    assert cosigned_message(witness, checkpoint, 1679315147).decode() == (
        f"cosignature/v1\ntime 1679315147\nexample.com/behind-the-sofa\n20852163\n{ROOT}\n"
    )


def test_an_ml_dsa_checkpoint_of_another_implementation_verifies() -> None:
    vector = json.loads((VECTORS / "torchwood-mldsa44-checkpoint.json").read_text())
    vkey = VKey.parse(vector["vkey"])
    assert str(vkey) == vector["vkey"]
    verified = verify_checkpoint(vector["checkpoint"], [vkey], [], 0)
    assert (verified.checkpoint.origin, verified.checkpoint.size) == ("example.com/mldsa-log", 1)
    with pytest.raises(NotAuthentic):
        verify_checkpoint(vector["checkpoint"].replace("\n1\n", "\n2\n"), [vkey], [], 0)


def test_the_ml_dsa_message_is_the_structure_of_the_specification() -> None:
    checkpoint = Checkpoint(origin="log", size=258, root=Hash(b"r" * 32))
    vkey = VKey(name="wit", type=SignatureType.COSIGNATURE_MLDSA44, public=W1[1].vkey.public)
    assert cosigned_message(vkey, checkpoint, 5).hex() == (
        b"subtree/v1\n\0".hex()
        + "03" + b"wit".hex()
        + "0000000000000005"
        + "03" + b"log".hex()
        + "0000000000000000" + "0000000000000102"
        + (b"r" * 32).hex()
    )  # fmt: skip


def test_either_key_of_the_log_suffices_and_one_can_be_insisted_on() -> None:
    for signer in LOG_KEYS:
        alone = LOG.signed(keys=(signer,))
        verify_checkpoint(alone, LOG_VKEYS, [], 0)
        verify_checkpoint(alone, [signer.vkey], [], 0)
        others = [vkey for vkey in LOG_VKEYS if vkey != signer.vkey]
        with pytest.raises(NotAuthentic) as error:
            verify_checkpoint(alone, others, [], 0)
        assert error.value.code == "checkpoint-wrong"


def test_a_checkpoint_of_another_log_or_key_is_refused() -> None:
    elsewhere = SampleLog(7, origin="other.example/log")
    text = sign_checkpoint(elsewhere.checkpoint(), log_signers("other.example/log", bytes(range(64))), TIME)
    assert "another log" in refused(text).message
    assert refused(LOG.signed(keys=OTHER_LOG_KEYS)).code == "checkpoint-wrong"
    # The right key under the log's name over another origin: the name alone decides which log it is.
    note = Note(text=elsewhere.checkpoint().body(), signatures=Note.parse(LOG.signed()).signatures)
    assert refused(note.format()).code == "checkpoint-wrong"


def test_too_few_witnesses_are_told_from_a_wrong_checkpoint() -> None:
    one = LOG.witnessed(None, W1)
    assert verify_checkpoint(one, LOG_VKEYS, WITNESS_VKEYS, 1).cosigners == ("witness.example/w1",)
    assert refused(one, 2).code == "not-witnessed"
    assert refused(LOG.signed(), 1).code == "not-witnessed"
    stranger = witness_signers("witness.example/w3", new_secret())
    assert refused(LOG.witnessed(None, stranger), 1).code == "not-witnessed"


def test_both_keys_and_repeated_lines_of_one_witness_count_once() -> None:
    note = Note.parse(LOG.witnessed(None, W1))
    again = note.with_signatures(cosign(LOG.checkpoint(), W1, TIME + 9))
    assert refused(again.format(), 2).code == "not-witnessed"
    assert verify_checkpoint(again.format(), LOG_VKEYS, WITNESS_VKEYS, 1).timestamps == {
        "witness.example/w1": TIME + 9
    }


def test_every_changed_signature_byte_and_every_changed_line_is_refused() -> None:
    note = Note.parse(LOG.witnessed())
    for at, line in enumerate(note.signatures):
        for position in range(0, len(line.signature), max(1, len(line.signature) // 40)):
            raw = bytearray(line.signature)
            raw[position] ^= 1
            changed = NoteSignature(name=line.name, key_id=line.key_id, signature=bytes(raw))
            lines = (*note.signatures[:at], changed, *note.signatures[at + 1 :])
            assert refused(Note(text=note.text, signatures=lines).format()).code == "checkpoint-wrong"
        for cut in (line.signature[:-1], line.signature + b"\0", line.signature[:8], line.signature[:3]):
            short = NoteSignature(name=line.name, key_id=line.key_id, signature=cut)
            lines = (*note.signatures[:at], short, *note.signatures[at + 1 :])
            assert refused(Note(text=note.text, signatures=lines).format()).code == "checkpoint-wrong"
    other = SampleLog(7, fork_at=3).checkpoint()
    for text in (other.body(), LOG.checkpoint(6).body()):
        assert refused(Note(text=text, signatures=note.signatures).format()).code == "checkpoint-wrong"


def test_a_signature_of_one_role_is_none_of_another() -> None:
    # The same Ed25519 key as log key and as witness key: neither's line verifies as the other's.
    key = SigningKey.from_bytes(bytes(range(32)))
    checkpoint = LOG.checkpoint()
    kinds = [SignatureType.ED25519, SignatureType.COSIGNATURE_ED25519]
    signers = [Ed25519CheckpointSigner(ORIGIN, kind, key) for kind in kinds]
    for signer in signers:
        line = signer.sign(checkpoint, TIME)
        for other in signers:
            if other is signer:
                verify_signature(other.vkey, checkpoint, line)
            else:
                with pytest.raises(NotAuthentic):
                    verify_signature(other.vkey, checkpoint, line)


def test_a_time_beyond_63_bits_is_refused_and_never_signed() -> None:
    line = W1[0].sign(LOG.checkpoint(), TIME)
    late = NoteSignature(name=line.name, key_id=line.key_id, signature=b"\xff" * 8 + line.signature[8:])
    with pytest.raises(NotAuthentic, match="beyond"):
        verify_signature(W1[0].vkey, LOG.checkpoint(), late)
    for signer in W1:
        with pytest.raises(Defect):
            signer.sign(LOG.checkpoint(), 1 << 63)


def test_a_policy_that_proves_less_than_it_says_is_refused() -> None:
    log, (w1, w1_pq) = LOG_VKEYS, vkeys(W1)
    twin = VKey(name="twin", type=w1.type, public=w1.public)
    own = VKey(name="w", type=SignatureType.COSIGNATURE_ED25519, public=log[0].public)
    for logs, witnesses, quorum in [
        (log, [w1, twin], 2),  # one key, two names
        (log, [own], 1),  # the log as its own witness
        (log, [w1, w1_pq], 2),  # one witness, two keys
        (log, [w1], -1),
        (log, [log[0]], 1),  # no cosignature type
        ([w1], [], 0),  # no log type
    ]:
        with pytest.raises(InvalidInput) as error:
            verify_checkpoint(LOG.witnessed(), logs, witnesses, quorum)
        assert error.value.code == "malformed-config"


def test_keys_of_a_configuration_are_checked_for_their_role() -> None:
    assert parse_vkeys([str(v) for v in LOG_VKEYS], LOG_TYPES) == tuple(LOG_VKEYS)
    assert parse_vkeys([str(v) for v in WITNESS_VKEYS], WITNESS_TYPES) == tuple(WITNESS_VKEYS)
    with pytest.raises(InvalidInput, match="role"):
        parse_vkeys([str(W1[0].vkey)], LOG_TYPES)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "log\n",
        f"log\n7\n{ROOT}",
        f"\n7\n{ROOT}\n",
        f"log\n07\n{ROOT}\n",
        f"log\n-7\n{ROOT}\n",
        f"log\n 7\n{ROOT}\n",
        f"log\n9223372036854775808\n{ROOT}\n",
        f"log\n7\n{ROOT[:-1]}\n",
        f"log\n7\n{ROOT} \n",
        "log\n7\nAAAA\n",
        f"log\n7\n{ROOT}\n\n",
        f"log\n7\n{ROOT}\next\n\n",
        f"log\n0\n{ROOT}\n",  # no entries, but a root
        f"{'l' * 256}\n7\n{ROOT}\n",
        f"lo\tg\n7\n{ROOT}\n",
    ],
)
def test_what_is_no_checkpoint_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput) as error:
        Checkpoint.parse(text)
    assert error.value.code == "malformed-encoding"
    assert refused(f"{text}\n— n AAAAAAAA\n").code == "checkpoint-wrong"


lines = st.text(st.characters(blacklist_categories=["Cs", "Cc"]), min_size=1, max_size=30)


@given(lines, st.integers(1, 2**63 - 1), st.binary(min_size=32, max_size=32), st.lists(lines, max_size=2))
@settings(max_examples=60)
def test_checkpoints_are_read_back(origin: str, size: int, root: bytes, extensions: list[str]) -> None:
    checkpoint = Checkpoint(origin=origin, size=size, root=Hash(root), extensions=tuple(extensions))
    assert Checkpoint.parse(checkpoint.body()) == checkpoint


@given(st.text(max_size=60), st.integers(0, 70))
@settings(max_examples=80)
def test_checkpoints_parse_to_their_only_spelling_or_not_at_all(noise: str, at: int) -> None:
    body = LOG.checkpoint().body()
    for text in (noise, body[:at] + noise + body[at:]):
        try:
            checkpoint = Checkpoint.parse(text)
        except InvalidInput:
            continue
        assert checkpoint.body() == text


@given(st.text(max_size=80), st.integers(0, 400))
@settings(max_examples=80, deadline=None)
def test_noise_in_a_signed_checkpoint_is_refused_with_our_errors(noise: str, at: int) -> None:
    text = LOG.signed(keys=LOG_KEYS[:1])
    changed = text[:at] + noise + text[at + len(noise) :]
    if changed != text:
        with pytest.raises(NotAuthentic):
            verify_checkpoint(changed, LOG_VKEYS[:1], [], 0)


def test_the_empty_log_has_a_checkpoint() -> None:
    empty = SampleLog(0)
    assert verify_checkpoint(empty.witnessed(), LOG_VKEYS, WITNESS_VKEYS, 2).checkpoint.root == EMPTY_ROOT


def test_a_log_never_signs_under_another_name_and_secrets_have_one_size() -> None:
    with pytest.raises(Defect):
        sign_checkpoint(LOG.checkpoint(), W1, TIME)
    with pytest.raises(Defect):
        sign_checkpoint(LOG.checkpoint(), (), TIME)
    with pytest.raises(InvalidInput):
        log_signers(ORIGIN, bytes(63))
    assert len(new_secret()) == 64
