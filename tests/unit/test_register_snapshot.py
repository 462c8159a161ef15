# SPDX-License-Identifier: EUPL-1.2
"""Register snapshots: canonical header, order-free digest, signature."""

import hashlib
from dataclasses import replace
from datetime import date, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sealed_samples import BROKER, NOW_MS, RECIPIENT_OIN, SENDER

from sluis.encoding import lp
from sluis.errors import InvalidInput, NotAuthentic
from sluis.register_snapshot import (
    SnapshotEntry,
    SnapshotHeader,
    entries_digest,
    sign_snapshot,
    verify_snapshot,
)

HEADER = SnapshotHeader(
    agreement="waadi-14b",
    register_name="certified-firms",
    owner=RECIPIENT_OIN,
    recipient=RECIPIENT_OIN,
    epoch="2026",
    created_at_ms=NOW_MS,
    entry_count=2,
)


@st.composite
def entries(draw: st.DrawFn) -> SnapshotEntry:
    start = draw(st.dates())
    length = draw(st.none() | st.integers(0, 4000))
    end = "" if length is None or date.max - start < timedelta(length) else str(start + timedelta(length))
    return SnapshotEntry(
        pseudonym=draw(st.binary(min_size=16, max_size=16)), valid_from=str(start), valid_until=end
    )


@settings(max_examples=60)
@given(items=st.lists(entries(), max_size=8), data=st.data())
def test_the_digest_is_of_the_sorted_entries_whatever_their_order(
    items: list[SnapshotEntry], data: st.DataObject
) -> None:
    parts = sorted((item.pseudonym, item.valid_from.encode(), item.valid_until.encode()) for item in items)
    expected = hashlib.sha256(b"".join(lp(*part) for part in parts)).digest()
    assert entries_digest(data.draw(st.permutations(items))) == expected


@settings(max_examples=50)
@given(items=st.lists(entries(), min_size=1, max_size=4), extra=entries())
def test_an_added_or_removed_entry_changes_the_digest(
    items: list[SnapshotEntry], extra: SnapshotEntry
) -> None:
    assert entries_digest([*items, extra]) != entries_digest(items)
    assert entries_digest(items[1:]) != entries_digest(items)


@settings(max_examples=50)
@given(count=st.integers(0, 10_000_000), created=st.integers(0, 4_000_000_000_000), name=st.text(max_size=5))
def test_a_header_reads_back_or_cannot_be_made(count: int, created: int, name: str) -> None:
    try:
        header = replace(HEADER, entry_count=count, created_at_ms=created, register_name=name)
    except InvalidInput:
        return
    assert SnapshotHeader.decode(header.encode()) == header


@settings(max_examples=100)
@given(data=st.data())
def test_changed_header_bytes_are_refused_or_another_header(data: st.DataObject) -> None:
    encoded = bytearray(HEADER.encode())
    encoded[data.draw(st.integers(0, len(encoded) - 1))] ^= data.draw(st.integers(1, 255))
    try:
        header = SnapshotHeader.decode(bytes(encoded))
    except InvalidInput:
        return
    assert header != HEADER
    assert header.encode() == encoded


@pytest.mark.parametrize("data", [b"", HEADER.encode()[:-1], HEADER.encode() + b"\0", lp("sluis/v1/header")])
def test_other_bytes_are_no_header(data: bytes) -> None:
    with pytest.raises(InvalidInput):
        SnapshotHeader.decode(data)


def test_the_signature_binds_header_entries_and_owner() -> None:
    digest = entries_digest([SnapshotEntry(pseudonym=bytes(16), valid_from="2026-01-01")])
    signature = sign_snapshot(HEADER, digest, SENDER)
    verify_snapshot(HEADER, digest, signature, SENDER.public)
    for header, other, key in (
        (replace(HEADER, entry_count=3), digest, SENDER),
        (HEADER, bytes(32), SENDER),
        (HEADER, digest, BROKER),
    ):
        with pytest.raises(NotAuthentic, match="signature-wrong"):
            verify_snapshot(header, other, signature, key.public)


@pytest.mark.parametrize(
    ("valid_from", "valid_until", "code"),
    [
        ("", "", "date-format"),
        ("20260101", "", "date-format"),
        ("2026-W01-1", "", "date-format"),
        ("2026-02-30", "", "date-format"),
        ("٢٠٢٦-01-01", "", "date-format"),
        ("2026-01-01", "2026-1-2", "date-format"),
        ("2026-01-02", "2026-01-01", "date-order"),
    ],
)
def test_wrong_dates_are_refused(valid_from: str, valid_until: str, code: str) -> None:
    with pytest.raises(InvalidInput, match=code):
        SnapshotEntry(pseudonym=bytes(16), valid_from=valid_from, valid_until=valid_until)


def test_both_dates_are_inclusive_and_an_open_end_never_ends() -> None:
    entry = SnapshotEntry(pseudonym=bytes(16), valid_from="2026-01-01", valid_until="2026-12-31")
    days = [date(2025, 12, 31), date(2026, 1, 1), date(2026, 12, 31), date(2027, 1, 1)]
    assert [entry.covers(day) for day in days] == [False, True, True, False]
    assert replace(entry, valid_until="").covers(date(9999, 12, 31))


def test_a_pseudonym_of_another_length_is_refused() -> None:
    with pytest.raises(InvalidInput):
        SnapshotEntry(pseudonym=bytes(15), valid_from="2026-01-01")
