# SPDX-License-Identifier: EUPL-1.2
"""Signed notes and verifier keys: the published example, canonical form only, and what must be refused."""

import base64
import json

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from log_samples import LOG_KEYS, VECTORS

from sluis.errors import InvalidInput, NotAuthentic
from sluis.note import (
    MAX_NOTE,
    MAX_SIGNATURES,
    Note,
    NoteSignature,
    SignatureType,
    VKey,
    decode_base64,
    parse_decimal,
    sign_note,
    verify_note,
)
from sluis.signing import SigningKey

EXAMPLE = json.loads((VECTORS / "c2sp-signed-note.json").read_text())["vectors"][0]
KEY = SigningKey.from_bytes(bytes(range(32)))
NOTE = sign_note("first line\n\nlast line\n", "example.com/n", KEY)
VKEY = VKey(name="example.com/n", type=SignatureType.ED25519, public=KEY.public.raw)
LINE = NOTE.signatures[0].line()


def test_the_example_of_the_specification_verifies_and_is_written_back_alike() -> None:
    vkey = VKey.parse(EXAMPLE["vkey"])
    assert str(vkey) == EXAMPLE["vkey"]
    assert verify_note(EXAMPLE["note"], [vkey]).format() == EXAMPLE["note"]


def test_every_changed_byte_of_the_example_is_rejected() -> None:
    vkey, data = VKey.parse(EXAMPLE["vkey"]), EXAMPLE["note"].encode()
    for at in range(len(data)):
        for flip in (0x01, 0x20):
            changed = bytearray(data)
            changed[at] ^= flip
            try:
                text = changed.decode()
            except UnicodeDecodeError:
                continue
            with pytest.raises((InvalidInput, NotAuthentic)):
                verify_note(text, [vkey])


def test_the_text_ends_at_the_last_empty_line() -> None:
    parsed = Note.parse(NOTE.format())
    assert parsed.text == "first line\n\nlast line\n"
    assert verify_note(NOTE.format(), [VKEY]) == NOTE


def test_lines_of_unknown_keys_are_ignored_but_prove_nothing() -> None:
    other = sign_note(NOTE.text, "example.com/n", SigningKey.from_bytes(bytes(32)))
    both = NOTE.with_signatures(other.signatures)
    assert len(verify_note(both.format(), [VKEY]).signatures) == 2
    with pytest.raises(NotAuthentic, match="no known key"):
        verify_note(other.format(), [VKEY])


def test_a_false_line_of_a_known_key_condemns_the_note() -> None:
    true = NOTE.signatures[0]
    false = NoteSignature(name=true.name, key_id=true.key_id, signature=true.signature[:-1] + b"?")
    with pytest.raises(NotAuthentic) as error:
        verify_note(NOTE.with_signatures([false]).format(), [VKEY])
    assert error.value.code == "signature-wrong"


def test_adding_a_line_twice_adds_it_once() -> None:
    assert NOTE.with_signatures([*NOTE.signatures, *NOTE.signatures]) == NOTE


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n",
        "text\n",
        "text\n\n",
        "text\n" + LINE,  # no empty line
        "text\n\n" + LINE[:-1],  # no newline at the end
        "text\n\n" + LINE + "\n",  # an empty line behind the signatures
        "text\n\n" + LINE + "more\n",
        "te\tt\n\n" + LINE,
        "te\x00t\n\n" + LINE,
        "text\r\n\n" + LINE,
        "te\ud800t\n\n" + LINE,
        "text\n\n" + LINE.replace("—", "-"),
        "text\n\n" + LINE.replace("— ", "—"),
        "text\n\n" + LINE.replace("— ", "—  "),
        "text\n\n" + LINE.replace("\n", " \n"),
        "text\n\n" + LINE.replace("example.com/n", ""),
        "text\n\n" + LINE.replace("example.com/n", "a+b"),
        "text\n\n" + LINE.replace("example.com/n", "a\u00a0b"),
        "text\n\n" + LINE.replace("example.com/n", "a\u2028b"),
        "text\n\n" + LINE.replace("example.com/n", "n" * 256),
        "text\n\n— n AAAA\n",  # shorter than a key ID
        "text\n\n— n AAAAAA==\n",  # a key ID without signature
        "text\n\n— n AAAAAAB\n",  # no padding
        "text\n\n— n AAAAAAF=\n",  # unused bits set
        "text\n\n— n AAAAAAA=AAAA\n",
        "text\n\n— n AAAA-_AA\n",  # the URL alphabet
        "text\n\n" + LINE * (MAX_SIGNATURES + 1),
        "x" * MAX_NOTE + "\n\n" + LINE,
    ],
)
def test_what_is_no_note_in_canonical_form_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput) as error:
        Note.parse(text)
    assert error.value.code in {"malformed-encoding", "message-too-large"}


def test_sixteen_large_signatures_are_accepted_as_the_specification_asks() -> None:
    lines = [NoteSignature(name=f"w{i}", key_id=b"abcd", signature=bytes(4900)) for i in range(16)]
    note = Note(text="text\n", signatures=tuple(lines))
    assert Note.parse(note.format()) == note


names = st.text(
    st.characters(blacklist_categories=["Cs", "Zs", "Zl", "Zp", "Cc"]), min_size=1, max_size=20
).filter(lambda name: "+" not in name and not any(char.isspace() for char in name))
signatures = st.builds(
    NoteSignature,
    name=names,
    key_id=st.binary(min_size=4, max_size=4),
    signature=st.binary(min_size=1, max_size=80),
)
texts = st.lists(st.text(st.characters(blacklist_categories=["Cs", "Cc"]), max_size=20), min_size=1).map(
    lambda lines: "\n".join(lines) + "\n"
)


@given(texts, st.lists(signatures, min_size=1, max_size=4))
@settings(max_examples=80, deadline=None)
def test_every_note_is_read_back(text: str, lines: list[NoteSignature]) -> None:
    note = Note(text=text, signatures=tuple(lines))
    assert Note.parse(note.format()) == note


@given(
    st.one_of(
        st.text(),
        st.builds(
            lambda a, b: NOTE.format()[:a] + b + NOTE.format()[a:], st.integers(0, 150), st.text(max_size=3)
        ),
    )
)
@example(NOTE.format())
@settings(max_examples=100, deadline=None)
def test_whatever_parses_is_written_back_to_the_same_bytes(text: str) -> None:
    try:
        note = Note.parse(text)
    except InvalidInput:
        return
    assert note.format() == text


def test_key_ids_are_those_of_the_specification_for_each_type() -> None:
    for signer in LOG_KEYS:
        assert VKey.parse(str(signer.vkey)) == signer.vkey
    assert [signer.vkey.type for signer in LOG_KEYS] == [0x01, 0x06]


def test_one_public_key_has_another_key_id_for_each_type() -> None:
    kinds = (SignatureType.ED25519, SignatureType.COSIGNATURE_ED25519)
    assert len({VKey(name="n", type=kind, public=KEY.public.raw).key_id for kind in kinds}) == 2


GOOD = EXAMPLE["vkey"]
NAME, ID, PUBLIC = GOOD.split("+", 2)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "name",
        f"{NAME}+{ID}",
        f"{NAME}+{ID.upper()}+{PUBLIC}",
        f"{NAME}+{ID[:-1]}0+{PUBLIC}",
        f"{NAME}x+{ID}+{PUBLIC}",
        f"+{ID}+{PUBLIC}",
        f"a b+{ID}+{PUBLIC}",
        f"{NAME}+{ID}+{PUBLIC}\n",
        f"{NAME}+{ID}+{PUBLIC[:-4]}",
        f"{NAME}+{ID}+",
        f"{NAME}+{ID}+Ag{PUBLIC[2:]}",  # type 0x02, which we do not speak
    ],
)
def test_what_is_no_verifier_key_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput):
        VKey.parse(text)


def test_a_key_of_small_order_is_refused() -> None:
    with pytest.raises(InvalidInput, match="small order"):
        VKey(name="n", type=SignatureType.COSIGNATURE_ED25519, public=bytes(32))


@given(
    st.one_of(
        st.text(max_size=40), st.integers(0, len(GOOD) - 1).map(lambda i: GOOD[:i] + "A" + GOOD[i + 1 :])
    )
)
@settings(max_examples=80, deadline=None)
def test_verifier_keys_parse_to_their_only_spelling_or_not_at_all(text: str) -> None:
    try:
        vkey = VKey.parse(text)
    except InvalidInput:
        return
    assert str(vkey) == text


@pytest.mark.parametrize(
    "text", ["", "00", "01", "-1", "+1", " 1", "1 ", "1_0", "٣", "9223372036854775808", "1e3", "9" * 5000]
)
def test_numbers_have_one_spelling(text: str) -> None:
    with pytest.raises(InvalidInput):
        parse_decimal(text)
    assert parse_decimal("0") == 0
    assert parse_decimal("9223372036854775807") == 2**63 - 1


@given(st.binary(max_size=40), st.integers(0, 60), st.sampled_from("A=/+\n _-é"))
@settings(max_examples=80)
def test_base64_has_one_spelling(data: bytes, at: int, char: str) -> None:
    text = base64.b64encode(data).decode()
    assert decode_base64(text) == data
    changed = text[:at] + char + text[at:]
    try:
        decoded = decode_base64(changed)
    except InvalidInput:
        return
    assert base64.b64encode(decoded).decode() == changed
