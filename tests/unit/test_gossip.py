# SPDX-License-Identifier: EUPL-1.2
"""Two histories: whoever was shown the other one, it is found, and both checkpoints are kept."""

from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from sluis.checkpoint import Checkpoint, verify_log_signature
from sluis.checkpoint_signers import log_signers
from sluis.errors import NotAuthentic
from sluis.merkle import Hash, verify_consistency
from sluis.note import Note
from tests.unit.liar_samples import FORK, LOG, OTHER, Broker, Participant, code_of, join, kinds
from tests.unit.log_samples import LOG_KEYS, OTHER_LOG_KEYS, W1, SampleLog, vkeys


@pytest.fixture
async def kit(tmp_path: Path) -> AsyncIterator[Participant]:
    async with join(tmp_path / "kit", Broker()) as joined:
        yield joined


# two histories


def contradiction(evidence: Sequence[dict[str, Any]]) -> tuple[Checkpoint, Checkpoint]:
    """Both checkpoints of the one file of evidence; the log signed both, and they do not fit."""
    [file] = evidence
    assert file["kind"] == "contradiction"
    first, second = (
        verify_log_signature(Note.parse(file[name]), vkeys(LOG_KEYS)) for name in ("first", "second")
    )
    assert first.size <= second.size
    proof = [] if file["answer"] == "refused" else [Hash(bytes.fromhex(one)) for one in file["answer"]]
    with pytest.raises(NotAuthentic):
        verify_consistency(first.size, second.size, proof, first.root, second.root)
    return first, second


@pytest.mark.parametrize(("ours", "theirs"), [(20, 20), (20, 30), (30, 20)])
async def test_a_fork_that_one_participant_was_shown_is_found_by_gossip(
    tmp_path: Path, ours: int, theirs: int
) -> None:
    async with (
        join(tmp_path / "one", Broker(size=ours)) as one,
        join(tmp_path / "two", Broker(FORK, size=theirs)) as two,
    ):
        one.take(15)
        two.take(15, log=FORK)
        assert (await one.settle()).alarms == (await two.settle()).alarms == []
        text = await two.gossip.newest()
        one.broker.size = max(ours, theirs)  # it has as many entries by now
        assert await code_of(one.gossip.check(text)) == "log-inconsistent"
        first, second = contradiction(one.evidence())
        assert {first.size, second.size} == {ours, theirs}
        # The other finds it too.
        assert await code_of(two.gossip.check(await one.gossip.newest())) == "log-inconsistent"
        contradiction(two.evidence())
        assert await code_of(one.gossip.check(text)) == "log-inconsistent"
        assert len(one.evidence()) == 1


async def test_gossip_between_honest_readers_agrees(tmp_path: Path) -> None:
    async with (
        join(tmp_path / "one", Broker(size=20)) as one,
        join(tmp_path / "two", Broker(size=33)) as two,
    ):
        await one.trust.signed_checkpoint()
        one.broker.size = 33
        found = await one.gossip.check(await two.gossip.newest())
        assert (found.ours, found.theirs, found.cosigners) == (20, 33, ("witness.example/w1",))
        assert one.trust.remembered() == LOG.checkpoint(33)  # witnessed enough to remember
        again = await two.gossip.check(LOG.signed(5))
        assert (again.ours, again.theirs, again.cosigners) == (33, 5, ())
        assert two.trust.remembered() == LOG.checkpoint(33)
        assert one.evidence() == two.evidence() == []


async def test_a_checkpoint_without_witnesses_is_compared_but_not_remembered(kit: Participant) -> None:
    await kit.trust.signed_checkpoint()
    kit.broker.size = 30
    assert (await kit.gossip.check(LOG.signed(30))).theirs == 30
    assert kit.trust.remembered() == LOG.checkpoint(20)
    assert await code_of(kit.gossip.check(FORK.signed(30))) == "log-inconsistent"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        LOG.signed(9, OTHER_LOG_KEYS),
        SampleLog(3, origin=OTHER).signed(keys=log_signers(OTHER, bytes(range(64)))),
        LOG.signed(9) + "x",
    ],
)
async def test_what_the_log_did_not_sign_accuses_nobody(kit: Participant, text: str) -> None:
    assert await code_of(kit.gossip.check(text)) == "checkpoint-wrong"
    assert kit.evidence() == []


async def test_a_log_that_was_cut_or_rewritten_is_found_when_receipts_are_checked(kit: Participant) -> None:
    kit.take(3)
    await kit.settle()
    kit.take(15)
    kit.broker.log, kit.broker.size = FORK, 30
    report = await kit.settle()
    assert kinds(report) == [("log-contradicts", None)]
    assert report.alarms[0].evidence
    contradiction(kit.evidence())
    kit.broker.log, kit.broker.size = LOG, 10
    assert kinds(await kit.settle()) == [("log-contradicts", None)]


async def test_a_broker_that_cannot_be_asked_leaves_gossip_open(kit: Participant) -> None:
    await kit.trust.signed_checkpoint()
    kit.broker.away = True
    assert await code_of(kit.gossip.check(FORK.signed(30))) == "peer-unavailable"
    assert kit.evidence() == []
    # At the same size no proof is needed.
    assert await code_of(kit.gossip.check(FORK.signed(20))) == "log-inconsistent"
    contradiction(kit.evidence())


# a witness


async def test_a_witness_is_asked_and_its_checkpoint_compared(kit: Participant) -> None:
    await kit.trust.signed_checkpoint()
    places: list[str] = []

    def fetch(text: str) -> Callable[[str], bytes]:
        def get(place: str) -> bytes:
            places.append(place)
            return text.encode()

        return get

    found = await kit.gossip.ask_witness("https://w.example/", fetch(LOG.witnessed(20, W1)))
    assert found.cosigners == ("witness.example/w1",)
    assert places == ["https://w.example/checkpoint?origin=broker.example%2Flog"]
    assert await code_of(kit.gossip.ask_witness("https://w", fetch(LOG.signed(20)))) == "not-witnessed"
    assert await code_of(kit.gossip.ask_witness("https://w", lambda place: b"\xff")) == "checkpoint-wrong"
    assert await code_of(kit.gossip.ask_witness("file:///etc/passwd")) == "malformed-config"
    assert await code_of(kit.gossip.ask_witness("http://127.0.0.1:9")) == "peer-unavailable"
    forked = fetch(FORK.witnessed(20, W1))
    assert await code_of(kit.gossip.ask_witness("https://w", forked)) == "log-inconsistent"
    contradiction(kit.evidence())
