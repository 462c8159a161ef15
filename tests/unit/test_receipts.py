# SPDX-License-Identifier: EUPL-1.2
"""Receipts become proofs; a promise that is not kept, and a kit's file that was changed, are told apart."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from sluis.checkpoint import verify_log_signature
from sluis.client import receipts as module
from sluis.errors import NotAuthentic
from sluis.merkle import Hash
from sluis.note import Note
from sluis.receipt import Receipt
from tests.unit.liar_samples import (
    FORK,
    KEY,
    LOG,
    ORIGIN,
    OTHER_KEY,
    PROMISE,
    Broker,
    Participant,
    code_of,
    join,
    kinds,
    promise,
)
from tests.unit.log_samples import LOG_KEYS, vkeys


@pytest.fixture
async def kit(tmp_path: Path) -> AsyncIterator[Participant]:
    async with join(tmp_path / "kit", Broker()) as joined:
        yield joined


# promises


async def test_receipts_become_proofs_once(kit: Participant) -> None:
    kit.take(3, 7, 19, 25)
    report = await kit.settle()
    assert (report.proven, report.waiting, report.alarms, report.trouble) == (3, 1, [], "")
    assert kit.book.counts() == {"open": 1, "proven": 3}
    kit.broker.size = 40
    assert (await kit.settle()).proven == 1
    assert kit.broker.asked == [3, 7, 19, 25]
    assert (await kit.settle()).proven == 0
    kit.take(3)  # the same receipt again is the same promise
    assert kit.book.counts() == {"proven": 4}


async def test_receipts_outlive_a_crash_and_another_run(tmp_path: Path) -> None:
    async with join(tmp_path / "kit", Broker()) as one:
        one.take(5)
    async with join(tmp_path / "kit", Broker()) as two:
        assert (await two.settle()).proven == 1


@pytest.mark.parametrize("refuses", [True, False])
async def test_a_promise_that_is_not_kept_is_an_alarm_with_evidence(kit: Participant, refuses: bool) -> None:
    """The broker gave a receipt for an entry that it never logged: another stands at that index."""
    kit.broker.refuses = refuses
    kit.take(14, log=FORK)
    kit.take(*([] if refuses else [2]))
    report = await kit.settle()
    assert kinds(report) == [("promise-broken", 14)]
    assert report.proven == (0 if refuses else 1)
    [evidence] = kit.evidence()
    assert evidence["kind"] == "broken-promise"
    assert (evidence["answer"] == "refused") == refuses
    shown = verify_log_signature(Note.parse(evidence["checkpoint"]), vkeys(LOG_KEYS))
    assert shown.size > evidence["receipt"]["index"] == 14
    accused = Receipt(
        log_origin=evidence["receipt"]["origin"],
        log_index=14,
        leaf_hash=bytes.fromhex(evidence["receipt"]["leaf_hash"]),
        signature=bytes.fromhex(evidence["receipt"]["signature"]),
    )
    accused.verify(KEY.public, log_origin=ORIGIN, entry=FORK.entries[14])
    assert report.alarms[0].evidence
    assert report.alarms[0].evidence.stat().st_mode & 0o777 == 0o600
    # It is told once by itself, and always when asked.
    assert kinds(await kit.settle()) == []
    assert [alarm.log_index for alarm in kit.keeper.told()] == [14]


async def test_two_promises_for_one_index_cannot_both_be_kept(kit: Participant) -> None:
    kit.take(14)
    kit.take(14, log=FORK)
    report = await kit.settle()
    assert report.proven == 1
    assert kinds(report) == [("promise-broken", 14)]


async def test_a_promise_that_takes_too_long_is_an_alarm(kit: Participant) -> None:
    kit.take(30)
    assert kinds(await kit.settle()) == []
    kit.sql("receipts.sqlite", "UPDATE receipt SET kept_at = kept_at - ?", PROMISE + 1)
    assert kinds(await kit.settle()) == [("promise-overdue", None)]
    kit.broker.away = True  # being away for so long is no excuse
    report = await kit.settle()
    assert kinds(report) == [("promise-overdue", None)]
    assert report.trouble == "peer-unavailable"
    kit.broker.away, kit.broker.size = False, 31
    assert (await kit.settle()).proven == 1


async def test_a_broker_that_is_away_is_no_liar(kit: Participant) -> None:
    kit.take(3)
    kit.broker.away = True
    report = await kit.settle()
    assert (kinds(report), report.trouble, report.waiting) == ([], "peer-unavailable", 1)


async def test_a_checkpoint_without_witnesses_proves_nothing(kit: Participant) -> None:
    kit.take(3)
    kit.broker.witnessed = False
    report = await kit.settle()
    assert (kinds(report), report.trouble, report.proven) == ([], "not-witnessed", 0)


async def test_time_is_bounded_and_what_was_proven_counts(
    kit: Participant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PORTION", 2)
    kit.take(*range(10))
    inclusion = kit.trust.inclusion

    async def slow(index: int, size: int) -> list[Hash]:
        if index >= 4:
            await asyncio.sleep(60)
        return await inclusion(index, size)

    kit.trust.inclusion = slow  # type: ignore[method-assign]  # slow from the third portion on
    report = await kit.keeper.settle(0.2)
    assert (report.proven, report.waiting, report.trouble) == (4, 6, "overloaded")
    assert kit.book.counts() == {"open": 6, "proven": 4}


# other logs, and a kit whose files were changed


async def test_a_receipt_of_another_log_is_not_taken_and_not_proven(kit: Participant, tmp_path: Path) -> None:
    with pytest.raises(NotAuthentic, match="another log"):
        kit.take(3, origin="other.example/log")
    with pytest.raises(NotAuthentic, match="signature-wrong"):
        kit.take(3, key=OTHER_KEY)
    with pytest.raises(NotAuthentic, match="another log entry"):
        kit.trust.check_receipt(promise(3), LOG.entries[4])
    assert kit.book.counts() == {}
    kit.take(3)
    kit.sql("receipts.sqlite", "UPDATE receipt SET origin = 'other.example/log'")
    report = await kit.settle()
    assert kinds(report) == [("receipt-foreign", None)]
    assert report.proven == 0


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE receipt SET log_index = 4",
        "UPDATE receipt SET leaf_hash = zeroblob(32)",
        "UPDATE receipt SET signature = zeroblob(64)",
        "UPDATE receipt SET signature = zeroblob(3)",
        "UPDATE receipt SET leaf_hash = 'text'",
        "UPDATE receipt SET log_index = -7",
    ],
)
async def test_a_changed_receipt_accuses_nobody(kit: Participant, change: str) -> None:
    kit.take(3)
    kit.sql("receipts.sqlite", change)
    report = await kit.settle()
    assert [kind for kind, _ in kinds(report)] == ["receipt-damaged"]
    assert kit.evidence() == []
    assert kit.broker.asked == []
    assert kit.book.counts() == {"damaged": 1}


async def test_a_changed_memory_is_named_as_such(kit: Participant) -> None:
    await kit.trust.signed_checkpoint()
    kit.sql("kit.sqlite", "UPDATE checkpoint SET root = zeroblob(32)")
    assert await code_of(kit.trust.signed_checkpoint()) == "state-damaged"
    kit.sql("kit.sqlite", "UPDATE checkpoint SET root = ?, size = 39", bytes(LOG.checkpoint(39).root))
    assert await code_of(kit.trust.signed_checkpoint()) == "state-damaged"
    kit.sql("kit.sqlite", "UPDATE checkpoint SET size = 20, root = ?", bytes(LOG.checkpoint(20).root))
    await kit.trust.signed_checkpoint()
    note = kit.book.note(ORIGIN)
    kit.take(3)
    kit.sql("receipts.sqlite", "UPDATE note SET note = ?", note.replace("\n20\n", "\n21\n"))
    assert await code_of(kit.trust.signed_checkpoint()) == "state-damaged"
    report = await kit.settle()
    assert kinds(report) == [("state-damaged", None)]
    kit.sql("receipts.sqlite", "UPDATE note SET note = 'x'")
    assert await code_of(kit.trust.signed_checkpoint()) == "state-damaged"
    assert kit.evidence() == []


async def test_after_a_crash_between_its_two_files_the_kit_goes_on(kit: Participant) -> None:
    await kit.trust.signed_checkpoint()
    kit.sql("kit.sqlite", "UPDATE checkpoint SET size = 9, root = ?", bytes(LOG.checkpoint(9).root))
    remembered = kit.trust.remembered()
    assert remembered == LOG.checkpoint(20)
    kit.sql("receipts.sqlite", "DELETE FROM note")
    assert kit.trust.remembered() == LOG.checkpoint(9)
    kit.broker.size = 25
    await kit.trust.signed_checkpoint()
    assert kit.trust.remembered() == LOG.checkpoint(25)
