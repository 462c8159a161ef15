# SPDX-License-Identifier: EUPL-1.2
"""The broker's own promises: receipts, what it withheld, digests of deposits, and that a copy is to be destroyed."""

from collections.abc import Sequence

from sluis.deposit_digest import DigestHeader
from sluis.envelope import Envelope
from sluis.followup import FollowUp, SignedFollowUp
from sluis.merkle import Hash
from sluis.receipt import Receipt, RedactionReceipt, WithheldField
from sluis.signing import SigningKey
from sluis.v1 import envelope_pb2
from sluis.wire import receipt_to_wire, redaction_to_wire


class ReceiptSigner:
    """Signs with the broker's receipt key, for one log."""

    def __init__(self, key: SigningKey, log_origin: str) -> None:
        self._key = key
        self.log_origin = log_origin

    def receipt(self, index: int, leaf: Hash) -> envelope_pb2.Receipt:
        """Promise that the entry with this leaf hash stands at this index."""
        return receipt_to_wire(
            Receipt.sign(self._key, log_origin=self.log_origin, log_index=index, leaf_hash=leaf)
        )

    def redaction(
        self, envelope: Envelope, withheld: Sequence[WithheldField]
    ) -> envelope_pb2.RedactionReceipt:
        """State which fields were withheld; empty when none were."""
        if not withheld:
            return envelope_pb2.RedactionReceipt()
        return redaction_to_wire(RedactionReceipt.sign(self._key, envelope, withheld))

    def follow_up(self, statement: FollowUp) -> SignedFollowUp:
        """Sign the broker's own follow-up, `destroy`."""
        return SignedFollowUp.sign(self._key, statement)

    def sign_digest(self, header: DigestHeader) -> bytes:
        """State that a digest is of what lies deposited."""
        return self._key.sign(header.encode())
