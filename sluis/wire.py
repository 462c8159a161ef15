# SPDX-License-Identifier: EUPL-1.2
"""Between the messages of `proto/sluis/v1/envelope.proto` and `followup.proto` and the types of this package.

Reading goes through the constructors, so a wrong length, pattern or count raises InvalidInput
`malformed-request` or `malformed-encoding`, and what was read is well-formed. Authenticity is checked
elsewhere (`sluis.envelope.verify`, `Receipt.verify`).
"""

from sluis.envelope import MAX_FIELDS, Envelope, KeptField, WithheldLeaf
from sluis.errors import InvalidInput
from sluis.followup import FollowUp, SignedFollowUp
from sluis.receipt import Receipt, RedactionReceipt, WithheldField
from sluis.v1 import envelope_pb2 as pb
from sluis.v1 import followup_pb2


def envelope_to_wire(envelope: Envelope) -> pb.Envelope:
    """Write an envelope as a message."""
    return pb.Envelope(
        header=envelope.header_bytes,
        fields=[_field_to_wire(item) for item in envelope.fields],
        wrapped_key=envelope.wrapped_key,
        signature=envelope.signature,
    )


def envelope_from_wire(message: pb.Envelope) -> Envelope:
    """Read an envelope; raises InvalidInput."""
    if len(message.fields) > MAX_FIELDS:
        raise InvalidInput("malformed-request", f"a signal has 1 to {MAX_FIELDS} fields")
    return Envelope(
        header_bytes=message.header,
        fields=tuple(_field_from_wire(item) for item in message.fields),
        wrapped_key=message.wrapped_key,
        signature=message.signature,
    )


def receipt_to_wire(receipt: Receipt) -> pb.Receipt:
    """Write a receipt as a message."""
    return pb.Receipt(
        log_origin=receipt.log_origin,
        log_index=receipt.log_index,
        leaf_hash=receipt.leaf_hash,
        signature=receipt.signature,
    )


def receipt_from_wire(message: pb.Receipt) -> Receipt:
    """Read a receipt; raises InvalidInput."""
    return Receipt(
        log_origin=message.log_origin,
        log_index=message.log_index,
        leaf_hash=message.leaf_hash,
        signature=message.signature,
    )


def redaction_to_wire(receipt: RedactionReceipt) -> pb.RedactionReceipt:
    """Write a redaction receipt as a message."""
    return pb.RedactionReceipt(
        withheld=[
            pb.WithheldField(index=item.index, reason=item.reason, rule_id=item.rule_id)
            for item in receipt.withheld
        ],
        signature=receipt.signature,
    )


def redaction_from_wire(message: pb.RedactionReceipt) -> RedactionReceipt:
    """Read a redaction receipt; raises InvalidInput."""
    if len(message.withheld) > MAX_FIELDS:
        raise InvalidInput("malformed-request", f"a signal has 1 to {MAX_FIELDS} fields")
    return RedactionReceipt(
        withheld=tuple(
            WithheldField(index=item.index, reason=item.reason, rule_id=item.rule_id)
            for item in message.withheld
        ),
        signature=message.signature,
    )


def follow_up_to_wire(signed: SignedFollowUp) -> followup_pb2.SignedFollowUp:
    """Write a follow-up as a message."""
    return followup_pb2.SignedFollowUp(statement=signed.statement.encode(), signature=signed.signature)


def follow_up_from_wire(message: followup_pb2.SignedFollowUp) -> SignedFollowUp:
    """Read a follow-up; raises InvalidInput."""
    return SignedFollowUp(statement=FollowUp.decode(message.statement), signature=message.signature)


def _field_to_wire(item: KeptField | WithheldLeaf) -> pb.SealedField:
    if isinstance(item, WithheldLeaf):
        return pb.SealedField(withheld_leaf=item.leaf)
    return pb.SealedField(
        kept={
            "name": item.name,
            "category": item.category,
            "commitment": item.commitment,
            "ciphertext": item.ciphertext,
        }
    )


def _field_from_wire(message: pb.SealedField) -> KeptField | WithheldLeaf:
    match message.WhichOneof("content"):
        case "kept":
            kept = message.kept
            return KeptField(
                name=kept.name,
                category=kept.category,
                commitment=kept.commitment,
                ciphertext=kept.ciphertext,
            )
        case "withheld_leaf":
            return WithheldLeaf(leaf=message.withheld_leaf)
        case _:
            raise InvalidInput("malformed-request", "a field is neither kept nor withheld")
