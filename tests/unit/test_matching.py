# SPDX-License-Identifier: EUPL-1.2
"""A question: hits are decided anew at this moment, a refused release looks like a miss, and the log holds counts."""

from collections.abc import Awaitable
from typing import Any

import pytest

from broker.match.question import MAX_PSEUDONYMS
from broker.storage.port import PartyStatus
from sluis.envelope import open_envelope
from sluis.errors import SluisError
from sluis.v1 import envelope_pb2, exchange_pb2
from sluis.wire import envelope_from_wire, receipt_from_wire
from tests.world import CLAIMS, FIRM, ORIGIN, OTHER_FIRM, VALUES, World, pseudonym

PERMIT, DENY = envelope_pb2.EFFECT_PERMIT, envelope_pb2.EFFECT_DENY


async def refused(call: Awaitable[object]) -> str:
    with pytest.raises(SluisError) as caught:
        await call
    return caught.value.code


async def deposit(world: World, *subjects: bytes, **changes: object) -> None:
    """Deposit a signal about each firm, which the foundation's register in the body's domain holds."""
    await world.certify(*subjects, recipient=world.cast.body, epoch=str(changes.get("epoch", "2026")))
    for subject in subjects:
        answer = await world.push(world.deposit(subject, **changes))
        assert answer.decision.effect == PERMIT, answer.decision.reasons


def positions(answer: exchange_pb2.MatchAnswer) -> list[int]:
    return [hit.position for hit in answer.hits]


async def test_a_hit_is_released_to_the_mailbox_and_opens(world: World) -> None:
    await deposit(world, FIRM)
    before = world.size
    answer = await world.ask(OTHER_FIRM, FIRM)
    assert (answer.decision.effect, answer.asked, answer.last) == (PERMIT, 2, True)
    assert positions(answer) == [1]
    (view,) = world.waiting(world.cast.body)
    assert view.log_index == answer.hits[0].delivery.log_index
    envelope = envelope_from_wire(envelope_pb2.Envelope.FromString(view.envelope))
    opened = open_envelope(envelope, world.cast.body.sealing, world.cast.sna.signing.public)
    assert {item.name: item.value.decode() for item in opened.fields} == VALUES
    question, release = world.entries(before)
    assert (question["operation"], question["asked"], question["hits"]) == ("match.question", 2, 1)
    assert (question["outcome"], question["sender"], question["recipient"]) == (
        "answered",
        world.cast.body.oin,
        world.cast.body.oin,
    )
    assert (release["operation"], release["decision"], release["outcome"]) == (
        "signal.release",
        "permit",
        "released",
    )
    assert release["exchange"] == str(envelope.header.signal_id)
    assert world.entries(release["previous"])[0]["operation"] == "signal.push"
    assert world.entries(release["previous"])[0]["exchange"] == release["exchange"]


async def test_the_receipt_is_for_the_question(world: World) -> None:
    answer = await world.ask(FIRM)
    receipt = receipt_from_wire(answer.receipt)
    receipt.verify(world.receipt_key.public, log_origin=ORIGIN, entry=answer.entry)
    assert world.raw_entries(receipt.log_index) == [answer.entry]


async def test_a_subject_without_a_deposit_is_a_miss_and_leaves_only_a_count(world: World) -> None:
    await deposit(world, FIRM)
    before = world.size
    answer = await world.ask(OTHER_FIRM, pseudonym("third"))
    assert positions(answer) == []
    assert world.operations(before) == ["match.question"]
    assert (world.entries(before)[0]["asked"], world.entries(before)[0]["hits"]) == (2, 0)


async def test_the_log_never_holds_what_was_asked(world: World) -> None:
    await deposit(world, FIRM)
    before = world.size
    await world.ask(FIRM, OTHER_FIRM)
    for entry in world.raw_entries(before):
        for subject in (FIRM, OTHER_FIRM):
            assert subject not in entry
            assert subject.hex().encode() not in entry


async def test_a_certificate_that_lapsed_since_is_a_logged_refusal_and_looks_like_a_miss(
    world: World,
) -> None:
    await world.certify(FIRM, recipient=world.cast.body, valid_until="2026-06-25")
    assert (await world.push(world.deposit(FIRM))).decision.effect == PERMIT
    world.clock.move(days=3)
    assert positions(await world.ask(FIRM)) == [0]  # 25 June, the last day
    world.clock.move(days=1)
    before, waiting = world.size, len(world.waiting(world.cast.body))
    refusal, miss = await world.ask(FIRM), await world.ask(OTHER_FIRM)
    question, release, _ = world.entries(before)
    assert (question["hits"], question["outcome"]) == (0, "answered")
    assert (release["operation"], release["decision"], release["outcome"]) == (
        "signal.release",
        "deny",
        "refused",
    )
    assert release["reasons"][0]["code"] == "NO_CERTIFICATE"
    assert len(world.waiting(world.cast.body)) == waiting
    assert positions(refusal) == []
    for answer in (refusal, miss):
        answer.ClearField("receipt")
        answer.ClearField("entry")
    assert refusal == miss


async def test_a_release_is_decided_under_the_rules_of_the_day_of_the_question(world: World) -> None:
    await deposit(world, FIRM, claims={**CLAIMS, "provision": "Wav 2(1)"})
    assert positions(await world.ask(FIRM)) == [0]
    world.clock.move(days=9)  # 1 July: the Wav is no longer on the list
    before = world.size
    assert positions(await world.ask(FIRM)) == []
    assert world.entries(before)[1]["reasons"][0]["code"] == "PROVISION_NOT_LISTED"


async def test_a_deposit_whose_sender_was_stopped_is_not_released(world: World) -> None:
    await deposit(world, FIRM)
    world.operator.set_status(world.cast.sna.oin, PartyStatus.STOPPED, "test")
    before = world.size
    assert positions(await world.ask(FIRM)) == []
    assert world.entries(before)[1]["reasons"][0]["code"] == "UNKNOWN_PARTY"


@pytest.mark.parametrize("rule", ["match-question-until-2026-06-30", "fine-to-certifier-until-2026-06-30"])
async def test_a_stopped_rule_stops_the_question_or_the_release(world: World, rule: str) -> None:
    await deposit(world, FIRM)
    world.operator.stop("rule", rule, "test")
    before = world.size
    answer = await world.ask(FIRM)
    assert positions(answer) == []
    stopped = "match.question" if rule.startswith("match") else "signal.release"
    entry = next(item for item in world.entries(before) if item["operation"] == stopped)
    assert (entry["decision"], entry["reasons"][0]["code"]) == ("deny", "RULE_STOPPED")
    assert world.waiting(world.cast.body) == []


async def test_a_deposit_for_another_body_never_hits(world: World) -> None:
    await deposit(world, FIRM)
    await world.certify(FIRM, recipient=world.cast.other_body)
    before = world.size
    assert positions(await world.ask(FIRM, by=world.cast.other_body)) == []
    assert world.operations(before) == ["match.question"]


async def test_a_signal_in_a_mailbox_is_no_deposit(world: World) -> None:
    await world.certify(FIRM)
    await world.push(world.envelope(FIRM))
    before = world.size
    answer = await world.ask(FIRM, by=world.cast.sna)
    assert answer.decision.effect == DENY
    assert world.operations(before) == ["match.question"]


@pytest.mark.parametrize("who", ["nla", "sna", "officer"])
async def test_a_question_by_another_role_is_denied_and_logged(world: World, who: str) -> None:
    await deposit(world, FIRM)
    before = world.size
    answer = await world.ask(FIRM, by=getattr(world.cast, who))
    assert (answer.decision.effect, answer.decision.reasons[0].code, positions(answer)) == (
        DENY,
        "NO_RULE",
        [],
    )
    (entry,) = world.entries(before)
    assert (entry["decision"], entry["outcome"], entry["asked"], entry["hits"]) == ("deny", "refused", 1, 0)


@pytest.mark.parametrize(
    ("word", "reason"),
    [("agreement", "UNKNOWN_AGREEMENT"), ("kind", "UNKNOWN_KIND"), ("purpose", "UNKNOWN_PURPOSE")],
)
async def test_an_unknown_word_in_a_question_is_denied_and_not_repeated(
    world: World, word: str, reason: str
) -> None:
    before = world.size
    words: dict[str, Any] = {word: "999990019"}
    answer = await world.ask(FIRM, **words)
    assert (answer.decision.effect, answer.decision.reasons[0].code) == (DENY, reason)
    assert world.entries(before)[0][word] == "?"
    assert b"999990019" not in answer.entry


async def test_a_stranger_may_not_ask(world: World) -> None:
    assert await refused(world.ask(FIRM, by=world.cast.stranger)) == "party-unknown"


async def test_a_repeated_question_gets_the_same_answer_and_no_second_delivery(world: World) -> None:
    await deposit(world, FIRM)
    key = world.key()
    first = await world.ask(FIRM, key=key)
    size = world.size
    await deposit(world, OTHER_FIRM)
    world.clock.move(days=30)
    second = await world.ask(FIRM, key=key)
    assert second.SerializeToString() == first.SerializeToString()
    assert world.operations(size) == ["register.load", "signal.push"]
    assert len(world.waiting(world.cast.body)) == 1


@pytest.mark.parametrize("change", [{"epoch": "2025"}, {"purpose": "OTHER"}, {"subjects": (OTHER_FIRM,)}])
async def test_a_key_that_was_used_for_another_question_is_a_conflict(
    world: World, change: dict[str, Any]
) -> None:
    key = world.key()
    await world.ask(FIRM, key=key)
    change = dict(change)
    subjects = change.pop("subjects", (FIRM,))
    assert await refused(world.ask(*subjects, key=key, **change)) == "idempotency-conflict"


async def test_each_epoch_is_asked_on_its_own(world: World) -> None:
    await deposit(world, FIRM, epoch="2026")
    world.clock.move(days=200)
    await deposit(world, OTHER_FIRM, epoch="2027")
    assert positions(await world.ask(FIRM, OTHER_FIRM, epoch="2026")) == [0]
    assert positions(await world.ask(FIRM, OTHER_FIRM, epoch="2027")) == [1]
    assert positions(await world.ask(FIRM, OTHER_FIRM, epoch="2024")) == []
    assert await refused(world.ask(FIRM, epoch="1999")) == "unknown-epoch"


async def test_an_expired_deposit_is_gone(world: World) -> None:
    await deposit(world, FIRM, expires_at_ms=world.clock.ms() + 3_600_000)
    world.clock.move(hours=1)
    before = world.size
    assert positions(await world.ask(FIRM)) == []
    assert world.operations(before) == ["match.question"]


async def test_several_deposits_about_one_firm_all_hit_and_count_once(world: World) -> None:
    await deposit(world, FIRM)
    await world.push(world.deposit(FIRM))
    before = world.size
    answer = await world.ask(OTHER_FIRM, FIRM, FIRM)
    assert positions(answer) == [1, 1]
    assert world.entries(before)[0]["hits"] == 1
    assert world.entries(before)[0]["asked"] == 3
    indexes = [hit.delivery.log_index for hit in answer.hits]
    assert [view.log_index for view in world.waiting(world.cast.body)] == indexes


@pytest.mark.parametrize("length", [1, 15, 17, 31])
async def test_pseudonyms_of_a_wrong_length_are_refused(world: World, length: int) -> None:
    before = world.size
    assert await refused(world.ask(bytes(length))) == "malformed-request"
    assert world.size == before


async def test_a_frame_holds_at_most_4096_pseudonyms(world: World) -> None:
    many = [number.to_bytes(16, "big") for number in range(MAX_PSEUDONYMS)]
    await deposit(world, many[-1])
    before = world.size
    assert await refused(world.ask(*many, bytes(16))) == "batch-too-large"
    assert world.size == before
    answer = await world.ask(*many)
    assert (answer.asked, positions(answer)) == (4096, [4095])


async def test_a_question_about_nobody_is_answered(world: World) -> None:
    answer = await world.ask()
    assert (answer.decision.effect, answer.asked, positions(answer)) == (PERMIT, 0, [])
