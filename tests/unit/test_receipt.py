# SPDX-License-Identifier: EUPL-1.2
"""Receipts and redaction receipts: what they bind, and what breaks them."""

import hashlib
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sealed_samples import BROKER, SENDER, sample

from sluis.envelope import withhold
from sluis.errors import InvalidInput, NotAuthentic
from sluis.receipt import Receipt, RedactionReceipt, WithheldField

ORIGIN = "sluis.example/log-2026"
ENTRY = b'{"v":1}'
LEAF = hashlib.sha256(b"\0" + ENTRY).digest()
RECEIPT = Receipt.sign(BROKER, log_origin=ORIGIN, log_index=7, leaf_hash=LEAF)
WITHHELD = (
    WithheldField(index=0, reason="FIELD_NOT_LISTED", rule_id=""),
    WithheldField(index=2, reason="BSN_PRIVATE", rule_id="waadi-14b/no-bsn"),
)


def test_a_receipt_holds_for_its_log_and_entry() -> None:
    RECEIPT.verify(BROKER.public, log_origin=ORIGIN, entry=ENTRY)
    RECEIPT.verify(BROKER.public, log_origin=ORIGIN)


def test_a_receipt_of_another_log_or_for_another_entry_is_refused() -> None:
    with pytest.raises(NotAuthentic, match="log-inconsistent"):
        RECEIPT.verify(BROKER.public, log_origin="other", entry=ENTRY)
    with pytest.raises(NotAuthentic, match="log-inconsistent"):
        RECEIPT.verify(BROKER.public, log_origin=ORIGIN, entry=ENTRY + b" ")


@pytest.mark.parametrize(
    "changes", [{"log_origin": "other"}, {"log_index": 8}, {"leaf_hash": bytes(32)}, {"signature": bytes(64)}]
)
def test_every_part_of_a_receipt_is_signed(changes: dict[str, object]) -> None:
    changed = replace(RECEIPT, **changes)  # type: ignore[arg-type]  # one part of either type
    with pytest.raises(NotAuthentic, match="signature-wrong"):
        changed.verify(BROKER.public, log_origin=changed.log_origin)


def test_a_receipt_of_another_key_is_refused() -> None:
    with pytest.raises(NotAuthentic, match="signature-wrong"):
        RECEIPT.verify(SENDER.public, log_origin=ORIGIN)


@pytest.mark.parametrize(
    "changes",
    [
        {"log_origin": ""},
        {"log_origin": "x" * 257},
        {"log_index": -1},
        {"log_index": 1 << 63},
        {"leaf_hash": bytes(31)},
        {"signature": bytes(63)},
    ],
)
def test_a_receipt_with_a_wrong_part_cannot_be_made(changes: dict[str, object]) -> None:
    with pytest.raises(InvalidInput, match="malformed-request"):
        replace(RECEIPT, **changes)  # type: ignore[arg-type]  # wrong on purpose


def test_a_redaction_receipt_states_exactly_what_is_missing() -> None:
    full = sample()
    receipt = RedactionReceipt.sign(BROKER, full, reversed(WITHHELD))
    assert receipt.withheld == WITHHELD
    assert receipt == RedactionReceipt.sign(BROKER, withhold(full, [0, 2]), WITHHELD)
    receipt.verify(BROKER.public, withhold(full, [0, 2]))
    for indexes in ([], [0], [0, 1, 2], [1, 3]):
        with pytest.raises(NotAuthentic, match="manifest-wrong"):
            receipt.verify(BROKER.public, withhold(full, indexes))


@settings(max_examples=30, deadline=None)
@given(indexes=st.sets(st.integers(0, 3), min_size=1))
def test_any_redaction_verifies_for_its_own_signal_only(indexes: set[int]) -> None:
    withheld = [WithheldField(index=index, reason="R", rule_id="r") for index in indexes]
    smaller = withhold(sample(), indexes)
    receipt = RedactionReceipt.sign(BROKER, smaller, withheld)
    receipt.verify(BROKER.public, smaller)
    with pytest.raises(NotAuthentic, match="signature-wrong"):
        receipt.verify(BROKER.public, withhold(sample(), indexes))


def test_every_part_of_a_redaction_receipt_is_signed() -> None:
    smaller = withhold(sample(), [0, 2])
    receipt = RedactionReceipt.sign(BROKER, smaller, WITHHELD)
    for changed in (
        replace(receipt, withheld=WITHHELD[:1]),
        replace(receipt, withheld=(replace(WITHHELD[0], reason="OTHER"), WITHHELD[1])),
        replace(receipt, withheld=(replace(WITHHELD[0], rule_id="other"), WITHHELD[1])),
        replace(receipt, withheld=(replace(WITHHELD[0], index=1), WITHHELD[1])),
        replace(receipt, signature=bytes(64)),
    ):
        with pytest.raises(NotAuthentic, match="signature-wrong"):
            changed.verify(BROKER.public, smaller)


def test_a_redaction_receipt_out_of_order_twice_or_empty_cannot_be_made() -> None:
    for withheld in (WITHHELD[::-1], (WITHHELD[0], WITHHELD[0]), ()):
        with pytest.raises(InvalidInput):
            RedactionReceipt(withheld=withheld, signature=bytes(64))
    with pytest.raises(InvalidInput):
        RedactionReceipt(withheld=WITHHELD, signature=b"")
    for changes in ({"index": 64}, {"index": -1}, {"reason": ""}, {"reason": "a b"}, {"rule_id": "\n"}):
        with pytest.raises(InvalidInput):
            replace(WITHHELD[0], **changes)  # type: ignore[arg-type]  # wrong on purpose
