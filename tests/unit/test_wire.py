# SPDX-License-Identifier: EUPL-1.2
"""Messages to types and back: only what is well-formed comes through."""

import contextlib

import pytest
from google.protobuf.message import DecodeError
from hypothesis import given, settings
from hypothesis import strategies as st
from sealed_samples import BROKER, RECIPIENT, SENDER, field_lists, headers, sample
from test_receipt import RECEIPT, WITHHELD

from sluis import wire
from sluis.envelope import Envelope, Field, Header, seal, withhold
from sluis.errors import InvalidInput
from sluis.receipt import RedactionReceipt
from sluis.v1 import envelope_pb2 as pb

FULL = sample()
REDACTION = RedactionReceipt.sign(BROKER, FULL, WITHHELD)


@settings(max_examples=50, deadline=None)
@given(header=headers(), fields=field_lists, data=st.data())
def test_an_envelope_comes_back_from_the_wire_the_same(
    header: Header, fields: list[Field], data: st.DataObject
) -> None:
    envelope = seal(header, fields, RECIPIENT.public, SENDER)
    envelope = withhold(envelope, data.draw(st.sets(st.integers(0, len(fields) - 1))))
    raw = wire.envelope_to_wire(envelope).SerializeToString()
    assert wire.envelope_from_wire(pb.Envelope.FromString(raw)) == envelope


def test_receipts_come_back_from_the_wire_the_same() -> None:
    assert wire.receipt_from_wire(wire.receipt_to_wire(RECEIPT)) == RECEIPT
    assert wire.redaction_from_wire(wire.redaction_to_wire(REDACTION)) == REDACTION


def test_an_empty_message_is_refused() -> None:
    with pytest.raises(InvalidInput):
        wire.envelope_from_wire(pb.Envelope())
    with pytest.raises(InvalidInput):
        wire.receipt_from_wire(pb.Receipt())
    with pytest.raises(InvalidInput):
        wire.redaction_from_wire(pb.RedactionReceipt())


@pytest.mark.parametrize("part", ["header", "fields", "wrapped_key", "signature"])
def test_an_envelope_that_lacks_a_part_is_refused(part: str) -> None:
    message = wire.envelope_to_wire(FULL)
    message.ClearField(part)  # type: ignore[arg-type]  # every name is one
    with pytest.raises(InvalidInput):
        wire.envelope_from_wire(message)


@pytest.mark.parametrize("part", ["name", "category", "commitment", "ciphertext"])
def test_a_kept_field_that_lacks_a_part_is_refused(part: str) -> None:
    message = wire.envelope_to_wire(FULL)
    message.fields[0].kept.ClearField(part)  # type: ignore[arg-type]  # every name is one
    with pytest.raises(InvalidInput, match="malformed-request"):
        wire.envelope_from_wire(message)


def test_a_field_that_is_neither_kept_nor_withheld_is_refused() -> None:
    message = wire.envelope_to_wire(FULL)
    message.fields[1].Clear()
    with pytest.raises(InvalidInput, match="neither kept nor withheld"):
        wire.envelope_from_wire(message)
    message.fields[1].withheld_leaf = b""
    with pytest.raises(InvalidInput, match="a leaf has 32 bytes"):
        wire.envelope_from_wire(message)


def test_messages_over_the_limits_are_refused() -> None:
    fields = [pb.SealedField(withheld_leaf=bytes(32))] * 65
    message = wire.envelope_to_wire(FULL)
    del message.fields[:]
    message.fields.extend(fields)
    with pytest.raises(InvalidInput, match="1 to 64 fields"):
        wire.envelope_from_wire(message)
    message = wire.envelope_to_wire(FULL)
    message.header = bytes(8 * 1024 + 1)
    with pytest.raises(InvalidInput, match="8192"):
        wire.envelope_from_wire(message)
    message = wire.envelope_to_wire(FULL)
    message.fields[0].kept.ciphertext = bytes(64 * 1024 + 1)
    with pytest.raises(InvalidInput, match="65536"):
        wire.envelope_from_wire(message)
    redaction = pb.RedactionReceipt(withheld=[pb.WithheldField()] * 65, signature=bytes(64))
    with pytest.raises(InvalidInput, match="1 to 64 fields"):
        wire.redaction_from_wire(redaction)


@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_changed_bytes_give_an_error_of_ours_or_another_envelope(data: st.DataObject) -> None:
    raw = bytearray(wire.envelope_to_wire(FULL).SerializeToString())
    for _ in range(data.draw(st.integers(1, 3))):
        raw[data.draw(st.integers(0, len(raw) - 1))] ^= data.draw(st.integers(1, 255))
    cut = data.draw(st.integers(0, len(raw)) | st.just(len(raw)))
    try:
        message = pb.Envelope.FromString(bytes(raw[:cut]))
    except DecodeError:
        return
    with contextlib.suppress(InvalidInput):
        assert isinstance(wire.envelope_from_wire(message), Envelope)


@settings(max_examples=200)
@given(data=st.binary(max_size=200))
def test_random_receipts_give_an_error_of_ours_or_a_receipt(data: bytes) -> None:
    for message, read in (
        (pb.Receipt(), wire.receipt_from_wire),
        (pb.RedactionReceipt(), wire.redaction_from_wire),
    ):
        try:
            message.ParseFromString(data)
        except DecodeError:
            continue
        with contextlib.suppress(InvalidInput):
            read(message)  # type: ignore[operator]  # each with its own message
