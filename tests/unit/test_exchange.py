# SPDX-License-Identifier: EUPL-1.2
"""The life of a signal: what is delivered, logged, promised, repeated, and what is no exchange at all."""

import asyncio
import hashlib
import sqlite3
from collections.abc import Awaitable
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from broker.exchange import MAX_AGE_MS, MAX_AHEAD_MS, MAX_LIFE_MS
from demo.canary import encodings
from sluis.encoding import lp
from sluis.envelope import KeptField, WithheldLeaf, open_envelope, withhold
from sluis.errors import SluisError
from sluis.header import Delivery
from sluis.merkle import leaf_hash
from sluis.v1 import envelope_pb2, exchange_pb2
from sluis.wire import envelope_from_wire, envelope_to_wire, receipt_from_wire, redaction_from_wire
from tests.actors import make_actor
from tests.world import DAY_MS, FIRM, OTHER_FIRM, VALUES, World, pseudonym

PERMIT, DENY = envelope_pb2.EFFECT_PERMIT, envelope_pb2.EFFECT_DENY
EXTRA = {**VALUES, "fine_amount": "271828182"}


def reason(answer: exchange_pb2.PushResponse) -> str:
    return answer.decision.reasons[0].code if answer.decision.reasons else ""


async def refused(call: Awaitable[object]) -> str:
    with pytest.raises(SluisError) as caught:
        await call
    return caught.value.code


# a permitted signal


async def test_a_permitted_signal_lies_in_the_mailbox_and_opens_for_its_recipient(world: World) -> None:
    await world.certify(FIRM)
    envelope = world.envelope(FIRM)
    answer = await world.push(envelope)
    assert answer.decision.effect == PERMIT
    assert answer.decision.rule_ids == ["fine-to-foundation-until-2026-06-30"]
    assert sorted(answer.decision.released) == sorted(VALUES)
    (view,) = world.waiting(world.cast.sna)
    assert view.log_index == answer.receipt.log_index
    delivered = envelope_from_wire(envelope_pb2.Envelope.FromString(view.envelope))
    assert delivered == envelope
    assert view.redaction == b""
    opened = open_envelope(delivered, world.cast.sna.sealing, world.cast.nla.signing.public)
    assert {item.name: item.value.decode() for item in opened.fields} == VALUES


async def test_what_the_wire_format_does_not_know_is_not_kept(world: World) -> None:
    await world.certify(FIRM)
    message = envelope_to_wire(world.envelope(FIRM))
    strange = b"\xfa\x01\x06canary"  # field 31, six bytes
    for part in (message, message.fields[0], message.fields[0].kept):
        part.MergeFromString(strange)
    assert message.SerializeToString().count(b"canary") == 3
    request = exchange_pb2.PushRequest(idempotency_key=world.key(), envelope=message)
    await world.broker.exchange.push(world.cast.nla.caller, request)
    (view,) = world.waiting(world.cast.sna)
    assert b"canary" not in view.envelope
    assert not any(b"canary" in path.read_bytes() for path in world.folder.glob("broker.db*"))


async def test_the_receipt_holds_and_is_for_the_entry_that_came_with_it(world: World) -> None:
    await world.certify(FIRM)
    for strict in (False, True):
        answer = await world.push(world.envelope(FIRM, fields=EXTRA), strict=strict)
        receipt = receipt_from_wire(answer.receipt)
        receipt.verify(world.receipt_key.public, log_origin="broker.example/log", entry=answer.entry)
        row = world.store.log_row(answer.receipt.log_index)
        assert row is not None
        assert (row.entry, row.leaf_hash) == (answer.entry, leaf_hash(answer.entry))


async def test_a_deposit_waits_for_a_question_and_is_in_nobodys_mailbox(world: World) -> None:
    await world.certify(FIRM, recipient=world.cast.body)
    answer = await world.push(world.deposit(FIRM))
    assert answer.decision.effect == PERMIT
    assert world.entries()[-1]["outcome"] == "on_match"
    assert world.waiting(world.cast.body) == []


async def test_a_permit_logs_everything_that_decided_and_nothing_that_identifies(world: World) -> None:
    await world.certify(FIRM)
    envelope = world.envelope(FIRM, fields=EXTRA)
    answer = await world.push(envelope)
    entry = world.entries()[-1]
    assert entry == world.entries(answer.receipt.log_index)[0]
    assert entry.keys() == {
        *("v", "time", "operation", "sender", "recipient", "agreement", "kind", "purpose", "decision"),
        *("rules", "reasons", "released", "withheld", "facts", "obligations", "policy"),
        *("exchange", "delivery", "outcome", "binding", "inputs"),
    }
    assert entry["time"] == "2026-06-22T10:00:00.000Z"
    assert (entry["operation"], entry["decision"], entry["outcome"]) == ("signal.push", "permit", "mailbox")
    assert entry["exchange"] == str(envelope.header.signal_id)
    assert entry["facts"] == [
        {"name": "certificate_valid", "state": "proven", "source": "register:certificates"}
    ]
    assert "Waadi 14b(1)" in entry["rules"][0]["basis"]
    assert entry["withheld"] == [{"name": "fine_amount", "reason": "FIELD_NOT_LISTED", "rule": ""}]
    assert entry["obligations"] == {
        "retention": "P5Y",
        "retention_after_loss": "P6M",
        "handling": "H3",
        "notice": "may-inform",
        "feedback_within": "P1Y",
    }
    assert_says_nothing_of(answer.entry, envelope.header.pseudonym, EXTRA)


def assert_says_nothing_of(entry: bytes, subject: bytes, values: dict[str, str]) -> None:
    """Neither a pseudonym nor a value, in whatever writing; short values could stand there by chance."""
    assert subject not in entry
    assert subject.hex().encode() not in entry.lower()
    for value in [item for item in values.values() if len(item) >= 8] + [subject.decode("latin-1")]:
        for kind, needle in encodings(value):
            assert needle not in entry, kind


async def test_the_binding_in_the_log_opens_with_the_salt_beside_it(world: World) -> None:
    await world.certify(FIRM)
    envelope = world.envelope(FIRM)
    answer = await world.push(envelope)
    index = answer.receipt.log_index
    with closing(sqlite3.connect(world.folder / "broker.db")) as database:
        ((salt,),) = database.execute("SELECT salt FROM entry_salt WHERE log_index = ?", (index,)).fetchall()
    expected = hashlib.sha256(lp("sluis/v1/binding", salt, FIRM, envelope.root())).hexdigest()
    assert world.entries(index)[0]["binding"] == expected
    again = await world.push(world.envelope(FIRM))
    assert world.entries(again.receipt.log_index)[0]["binding"] != expected


async def test_two_equal_entries_have_different_leaves(world: World) -> None:
    """Every participant may have the leaf hashes; without a nonce it could guess an entry of few unknowns."""
    before = world.size
    for _ in range(2):
        world.operator.stop("rule", "no-bsn-to-private", "test")
    one, other = world.raw_entries(before)
    assert world.entries(before)[0] == world.entries(before)[1]
    assert leaf_hash(one) != leaf_hash(other)


# fields


async def test_a_field_that_no_rule_lists_is_withheld_and_the_rest_goes_on(world: World) -> None:
    await world.certify(FIRM)
    envelope = world.envelope(FIRM, fields=EXTRA)
    answer = await world.push(envelope)
    assert answer.decision.effect == PERMIT
    assert "fine_amount" not in answer.decision.released
    (view,) = world.waiting(world.cast.sna)
    delivered = envelope_from_wire(envelope_pb2.Envelope.FromString(view.envelope))
    at = list(EXTRA).index("fine_amount")
    assert [isinstance(item, WithheldLeaf) for item in delivered.fields] == [
        i == at for i in range(len(EXTRA))
    ]
    sealed = envelope.fields[at]
    assert isinstance(sealed, KeptField)
    assert sealed.ciphertext not in view.envelope
    assert b"fine_amount" not in view.envelope
    opened = open_envelope(delivered, world.cast.sna.sealing, world.cast.nla.signing.public)
    assert {item.name: item.value.decode() for item in opened.fields} == VALUES
    redaction = redaction_from_wire(envelope_pb2.RedactionReceipt.FromString(view.redaction))
    redaction.verify(world.receipt_key.public, delivered)
    assert [(item.index, item.reason, item.rule_id) for item in redaction.withheld] == [
        (at, "FIELD_NOT_LISTED", "")
    ]


async def test_a_citizen_service_number_is_withheld_by_its_own_rule(world: World) -> None:
    await world.certify(FIRM)
    await world.push(world.envelope(FIRM, fields={"bsn": "999990019", **VALUES}))
    (view,) = world.waiting(world.cast.sna)
    redaction = redaction_from_wire(envelope_pb2.RedactionReceipt.FromString(view.redaction))
    assert [(item.index, item.reason, item.rule_id) for item in redaction.withheld] == [
        (0, "BSN_PRIVATE", "no-bsn-to-private")
    ]


async def test_a_strict_sender_gets_all_or_nothing(world: World) -> None:
    await world.certify(FIRM)
    answer = await world.push(world.envelope(FIRM, fields=EXTRA), strict=True)
    assert answer.decision.effect == DENY
    assert [item.code for item in answer.decision.reasons] == ["FIELD_NOT_LISTED", "STRICT"]
    assert list(answer.decision.released) == []
    assert world.waiting(world.cast.sna) == []
    assert (await world.push(world.envelope(FIRM), strict=True)).decision.effect == PERMIT


# the same again


async def test_a_repeated_key_gets_the_first_answer_byte_for_byte(world: World) -> None:
    await world.certify(FIRM)
    envelope, key = world.envelope(FIRM), world.key()
    first = await world.push(envelope, key=key)
    size = world.size
    world.clock.move(days=2)
    second = await world.push(envelope, key=key)
    assert (first.repeated_request, second.repeated_request) == (False, True)
    second.repeated_request = False
    assert second.SerializeToString() == first.SerializeToString()
    assert world.size == size
    assert len(world.waiting(world.cast.sna)) == 1


async def test_a_denial_is_repeated_as_a_denial_even_when_it_would_now_be_permitted(world: World) -> None:
    envelope, key = world.envelope(FIRM), world.key()
    assert reason(await world.push(envelope, key=key)) == "NO_CERTIFICATE"
    await world.certify(FIRM)
    again = await world.push(envelope, key=key)
    assert (again.decision.effect, again.repeated_request) == (DENY, True)
    assert (await world.push(envelope)).decision.effect == PERMIT


async def test_the_first_answer_survives_the_process(world: World) -> None:
    await world.certify(FIRM)
    envelope, key = world.envelope(FIRM), world.key()
    first = await world.push(envelope, key=key)
    replica = world.second_replica()
    replica.desk.committer.start()
    request = exchange_pb2.PushRequest(idempotency_key=key, envelope=envelope_to_wire(envelope))
    second = await replica.exchange.push(world.cast.nla.caller, request)
    await replica.desk.committer.close()
    assert second.repeated_request
    assert second.entry == first.entry
    assert second.receipt == first.receipt


async def test_a_key_that_was_used_with_other_content_is_a_conflict(world: World) -> None:
    await world.certify(FIRM)
    envelope, key = world.envelope(FIRM), world.key()
    await world.push(envelope, key=key)
    size = world.size
    assert await refused(world.push(world.envelope(FIRM), key=key)) == "idempotency-conflict"
    assert await refused(world.push(envelope, key=key, strict=True)) == "idempotency-conflict"
    assert world.size == size


async def test_two_parties_may_use_the_same_key(world: World) -> None:
    await world.certify(FIRM)
    await world.certify(FIRM, recipient=world.cast.body)
    key = world.key()
    one = await world.push(world.envelope(FIRM), key=key)
    other = await world.push(world.deposit(FIRM), key=key)
    assert (one.decision.effect, other.decision.effect) == (PERMIT, PERMIT)
    assert not other.repeated_request


async def test_a_signal_id_serves_one_signal(world: World) -> None:
    await world.certify(FIRM, OTHER_FIRM)
    envelope = world.envelope(FIRM)
    await world.push(envelope)
    other = world.envelope(OTHER_FIRM, signal_id=envelope.header.signal_id)
    size = world.size
    assert await refused(world.push(envelope)) == "signal-exists"
    assert await refused(world.push(other)) == "signal-exists"
    denied = world.envelope(pseudonym("uncertified"), signal_id=envelope.header.signal_id)
    assert await refused(world.push(denied)) == "signal-exists"
    assert world.size == size


# what is no exchange


async def test_a_wrong_signature_is_refused_and_leaves_no_trace(world: World) -> None:
    await world.certify(FIRM)
    envelope, size = world.envelope(FIRM), world.size
    forged = replace(envelope, signature=bytes([envelope.signature[0] ^ 1]) + envelope.signature[1:])
    assert await refused(world.push(forged)) == "signature-wrong"
    assert (
        await refused(world.push(world.envelope(FIRM, signing=world.cast.sna.signing))) == "signature-wrong"
    )
    assert world.size == size


async def test_a_swapped_ciphertext_and_a_field_taken_out_are_refused(world: World) -> None:
    envelope = world.envelope(FIRM)
    one, two, *others = envelope.fields
    assert isinstance(one, KeptField)
    assert isinstance(two, KeptField)
    swapped = (replace(one, ciphertext=two.ciphertext), replace(two, ciphertext=one.ciphertext), *others)
    assert await refused(world.push(replace(envelope, fields=swapped))) == "signature-wrong"
    assert await refused(world.push(replace(envelope, fields=envelope.fields[1:]))) == "signature-wrong"


async def test_only_the_broker_withholds(world: World) -> None:
    assert await refused(world.push(withhold(world.envelope(FIRM), [2]))) == "malformed-request"


async def test_a_header_in_the_name_of_another_party_is_refused(world: World) -> None:
    size = world.size
    assert await refused(world.push(world.envelope(FIRM), by=world.cast.body)) == "not-your-identity"
    assert world.size == size


async def test_who_is_not_registered_may_not_push(world: World) -> None:
    stranger = world.cast.stranger
    envelope = world.envelope(FIRM, sender=stranger.oin)
    assert await refused(world.push(envelope, by=stranger)) == "party-unknown"
    ends = make_actor(1, "labour-inspectorate", "Inspectie", valid_until=world.clock() + timedelta(days=1))
    world.clock.move(days=2)
    assert await refused(world.push(world.envelope(FIRM), by=ends)) == "certificate-expired"


@pytest.mark.parametrize(
    ("created", "expires", "code"),
    [
        (MAX_AHEAD_MS, MAX_AHEAD_MS + DAY_MS, ""),
        (MAX_AHEAD_MS + 1, MAX_AHEAD_MS + DAY_MS, "clock-skew"),
        (-MAX_AGE_MS, DAY_MS, ""),
        (-MAX_AGE_MS - 1, DAY_MS, "clock-skew"),
        (-DAY_MS, 1, ""),
        (-DAY_MS, 0, "signal-expired"),
        (-DAY_MS, -1, "signal-expired"),
        (0, MAX_LIFE_MS, ""),
        (0, MAX_LIFE_MS + 1, "clock-skew"),
    ],
)
async def test_a_signal_has_a_present_and_an_end(world: World, created: int, expires: int, code: str) -> None:
    now_ms, size = world.clock.ms(), world.size
    envelope = world.envelope(FIRM, created_at_ms=now_ms + created, expires_at_ms=now_ms + expires)
    if code:
        assert await refused(world.push(envelope)) == code
        assert world.size == size
    else:
        assert reason(await world.push(envelope)) == "NO_CERTIFICATE"


# the moment


async def test_the_rules_change_at_midnight_in_the_netherlands(world: World) -> None:
    """30 June 2026 23:30 and 1 July 00:30 by Dutch clocks are both 30 June in UTC."""
    await world.certify(FIRM)
    claims = {"provision": "Wav 2(1)", "decided_on": "2026-03-02"}
    world.clock.now = datetime(2026, 6, 30, 21, 30, tzinfo=UTC)
    before = await world.push(world.envelope(FIRM, claims=claims))
    assert before.decision.effect == PERMIT
    assert not before.decision.assumed
    world.clock.now = datetime(2026, 6, 30, 22, 30, tzinfo=UTC)
    after = await world.push(world.envelope(FIRM, claims=claims))
    assert (after.decision.effect, reason(after)) == (DENY, "PROVISION_NOT_LISTED")
    assert list(after.decision.rule_ids) == ["fine-to-foundation-from-2026-07-01"]
    wages = await world.push(world.envelope(FIRM))
    assert wages.decision.effect == PERMIT
    assert wages.decision.assumed
    assert len(world.waiting(world.cast.sna)) == 2


async def test_a_certificate_counts_on_its_first_and_last_day_by_dutch_clocks(world: World) -> None:
    await world.certify(FIRM, valid_from="2026-06-23", valid_until="2026-06-24")
    outcomes = []
    for day, hour, minute in [(22, 21, 59), (22, 22, 1), (24, 21, 59), (24, 22, 1)]:
        world.clock.now = datetime(2026, 6, day, hour, minute, tzinfo=UTC)
        outcomes.append(reason(await world.push(world.envelope(FIRM))))
    assert outcomes == ["NO_CERTIFICATE", "", "", "NO_CERTIFICATE"]


async def test_many_senders_at_once_each_get_their_own_answer(world: World) -> None:
    firms = [pseudonym(str(number)) for number in range(40)]
    await world.certify(*firms[:20])
    answers = await asyncio.gather(*(world.push(world.envelope(firm)) for firm in firms))
    assert [answer.decision.effect for answer in answers] == [PERMIT] * 20 + [DENY] * 20
    assert sorted(answer.receipt.log_index for answer in answers) == list(range(world.size - 40, world.size))
    for answer in answers:
        assert world.raw_entries(answer.receipt.log_index)[0] == answer.entry


async def test_delivery_mode_is_part_of_the_signed_header(world: World) -> None:
    await world.certify(FIRM)
    envelope = world.envelope(FIRM)
    header = replace(envelope.header, delivery=Delivery.ON_MATCH)
    assert await refused(world.push(replace(envelope, header_bytes=header.encode()))) == "signature-wrong"
