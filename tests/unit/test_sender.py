# SPDX-License-Identifier: EUPL-1.2
"""Sending: checked before it is sealed, stored before it is sent, sent again byte for byte, and once in effect."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import grpc
import pytest

from broker.wire.exchange_service import ExchangeService
from sluis.client import sender as sender_module
from sluis.client.keyring import KeyRing
from sluis.client.outbox import Outbox
from sluis.client.sender import Draft, PushOutcome, Sender, check_fields
from sluis.errors import InvalidInput, NotAuthentic, SluisError, Unavailable
from sluis.header import Header, new_uuid7
from sluis.identifiers import Identifier, IdentifierType
from sluis.sealing_keys import Suite
from sluis.v1 import envelope_pb2, exchange_pb2
from sluis.wire import receipt_from_wire
from tests.actors import Actor
from tests.world import AGREEMENT, KIND, ORIGIN, PURPOSE, VALUES, FakeContext, World, bundle, pseudonym

DECIDED = (datetime.now(UTC) - timedelta(days=60)).date().isoformat()
FIELDS = {**VALUES, "decided_on": DECIDED}
GOOD = {"provision": "WML 7", "decided_on": DECIDED}


# what is checked before anything is sealed


def test_fields_and_claims_of_the_catalogue_pass() -> None:
    check_fields(bundle(), FIELDS, GOOD)
    check_fields(bundle(), FIELDS, {})
    check_fields(bundle(), {"firm_name": "Uitzendbureau De Gele Waterlelie B.V."}, {})


@pytest.mark.parametrize(
    ("fields", "claims", "where", "code"),
    [
        ({"no_such_field": "x"}, {}, "no_such_field", "unknown-value"),
        ({"law": "Arbowet"}, {}, "law", "unknown-value"),
        ({"count": "0"}, {}, "count", "number-format"),
        ({"count": "1.5"}, {}, "count", "number-format"),
        ({"found_on": "09-12-2025"}, {}, "found_on", "date-format"),
        ({"establishment_number": "1234"}, {}, "establishment_number", "identifier-format"),
        ({"firm_name": "firma 999990019"}, {}, "firm_name", "hidden-identifier"),
        ({"report_text": "BSN 9999.90.019 werkte er"}, {}, "report_text", "hidden-identifier"),
        ({}, {"remark": "999990019"}, "remark", "unknown-value"),
        ({}, {"provision": "artikel 999990019"}, "provision", "unknown-value"),
        ({}, {"decided_on": "2026-02-30"}, "decided_on", "unknown-value"),
        ({"article": "13"}, {}, "provision", "unknown-value"),
        ({"decided_on": "2026-03-03"}, {}, "decided_on", "unknown-value"),
    ],
)
def test_what_does_not_fit_the_catalogue_is_refused_by_name_and_never_quoted(
    fields: dict[str, str], claims: dict[str, str], where: str, code: str
) -> None:
    with pytest.raises(InvalidInput) as caught:
        check_fields(bundle(), {**FIELDS, **fields}, {**GOOD, **claims})
    assert (caught.value.where, caught.value.code) == (where, code)
    for value in (*fields.values(), *claims.values()):
        assert len(value) < 5 or value not in str(caught.value)


def test_a_claim_about_a_field_that_is_not_sealed_is_refused() -> None:
    for missing in ("law", "decided_on"):
        fields = {name: value for name, value in FIELDS.items() if name != missing}
        with pytest.raises(InvalidInput) as caught:
            check_fields(bundle(), fields, GOOD)
        assert (caught.value.code, caught.value.where) == ("column-missing", missing)


def test_a_signal_id_is_a_uuid_of_version_7_with_the_time_in_front() -> None:
    now = 1_782_122_400_123
    ids = [new_uuid7(now + number) for number in range(200)]
    assert {one.version for one in ids} == {7}
    assert {one.variant for one in ids} == {"specified in RFC 4122"}
    assert [int.from_bytes(one.bytes[:6], "big") for one in ids] == [now + number for number in range(200)]
    assert sorted(ids) == ids
    assert len({new_uuid7(now) for _ in range(1000)}) == 1000


# the stream, against a broker in this process


@dataclass(slots=True)
class FakeCall:
    """A stream to the service itself; breaks after some answers when told to."""

    line: "Line"
    queue: "asyncio.Queue[Any]" = field(default_factory=asyncio.Queue)

    async def write(self, message: exchange_pb2.PushStreamRequest) -> None:
        self.line.written.append([push.SerializeToString() for push in message.pushes])
        await self.queue.put(message)

    async def done_writing(self) -> None:
        await self.queue.put(None)

    def cancel(self) -> bool:
        return True

    async def _frames(self) -> AsyncIterator[exchange_pb2.PushStreamRequest]:
        while (frame := await self.queue.get()) is not None:
            yield frame

    async def __aiter__(self) -> AsyncIterator[exchange_pb2.PushStreamResponse]:
        self.line.streams += 1
        breaks = self.line.breaks.pop(0) if self.line.breaks else None
        if breaks == 0:
            raise broken()
        answered = 0
        async for answer in self.line.service.PushStream(self._frames(), FakeContext(self.line.actor)):
            if breaks is not None and answered == breaks:
                raise broken()  # the broker did the work, but its answer is lost
            answered += 1
            yield self.line.spoil(answer)


def broken() -> grpc.aio.AioRpcError:
    metadata = grpc.aio.Metadata()
    return grpc.aio.AioRpcError(grpc.StatusCode.UNAVAILABLE, metadata, metadata, details="connection reset")


@dataclass(slots=True)
class Line:
    """The connection to the broker; `breaks`: after how many answers each next stream ends."""

    service: ExchangeService
    actor: Actor
    breaks: list[int] = field(default_factory=list)
    written: list[list[bytes]] = field(default_factory=list)
    streams: int = 0
    spoil: Callable[[exchange_pb2.PushStreamResponse], exchange_pb2.PushStreamResponse] = lambda answer: (
        answer
    )

    def PushStream(self) -> FakeCall:
        return FakeCall(self)


@dataclass(slots=True)
class Office:
    world: World
    line: Line
    sender: Sender
    outbox: Outbox
    pseudonyms: list[Identifier] = field(default_factory=list)

    def draft(self, number: int, **changes: Any) -> Draft:
        return Draft(
            **{
                "identity": f"fine {number}".encode(),
                "recipient": self.world.cast.sna.oin,
                "subject": firm(number),
                "kind": KIND,
                "purpose": PURPOSE,
                "fields": FIELDS,
                "claims": GOOD,
                "expires_at_ms": self.world.clock.ms() + 86_400_000,
                **changes,
            }
        )

    async def push(self, *numbers: int) -> list[PushOutcome]:
        return await self.sender.push([self.draft(number) for number in numbers])


def firm(number: int) -> Identifier:
    return Identifier.parse(IdentifierType.VESTIGING, f"{number:012}")


@pytest.fixture
async def office(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Office]:
    monkeypatch.setattr(sender_module, "FRAME", 3)
    world.clock.now = datetime.now(UTC)
    subjects = [pseudonym(firm(number).value) for number in range(50)]
    await world.certify(*subjects, valid_from="2020-01-01", valid_until="")
    broker = world.broker
    service = ExchangeService(
        broker.exchange, broker.matching, broker.mailbox, world.store, broker.desk.signer, world.clock
    )
    line = Line(service, world.cast.nla)
    outbox = Outbox(tmp_path / "outbox.sqlite", bytes(range(32)))
    made = Office(world, line, None, outbox)  # type: ignore[arg-type]  # set below

    async def card(oin: str) -> Any:
        return next(actor.card for actor in world.cast.registered if actor.oin == oin)

    def check_receipt(message: envelope_pb2.Receipt, entry: bytes) -> None:
        receipt_from_wire(message).verify(world.receipt_key.public, log_origin=ORIGIN, entry=entry)

    async def current_epoch(*_: object) -> str:
        return str(world.clock.now.year)

    async def pseudonyms(subjects: Sequence[Identifier], *_: object) -> list[bytes]:
        made.pseudonyms.extend(subjects)
        return [pseudonym(subject.value) for subject in subjects]

    made.sender = Sender(
        oin=world.cast.nla.oin,
        agreement=AGREEMENT,
        keys=KeyRing(SimpleNamespace(signing=world.cast.nla.signing)),  # type: ignore[arg-type]  # as much as it uses
        connections=SimpleNamespace(exchange=line, patience=0.5),  # type: ignore[arg-type]  # as above
        trust=SimpleNamespace(card=card, check_receipt=check_receipt, keep_receipts=lambda: None),  # type: ignore[arg-type]  # as above
        pseudonymiser=SimpleNamespace(current_epoch=current_epoch, pseudonyms=pseudonyms),  # type: ignore[arg-type]
        outbox=outbox,
        bundle=bundle(),
        suite=Suite.X25519,
    )
    yield made
    outbox.close()


async def test_outcomes_come_in_the_order_of_the_drafts(office: Office) -> None:
    outcomes = await office.push(3, 1, 999, 2, 7, 4, 5, 6)
    assert [outcome.draft.identity for outcome in outcomes][2] == b"fine 999"
    assert [outcome.permitted for outcome in outcomes] == [True, True, False, True, True, True, True, True]
    assert [outcome.reason for outcome in outcomes][2] == "NO_CERTIFICATE"
    assert [len(frame) for frame in office.line.written] == [3, 3, 2]
    assert len(office.world.waiting(office.world.cast.sna)) == 7
    for outcome in outcomes:
        entry = office.world.entries(outcome.log_index or 0)[0]
        assert entry["decision"] == ("permit" if outcome.permitted else "deny")


async def test_each_draft_gets_its_own_pseudonyms_and_its_aliases_in_canonical_form(office: Office) -> None:
    one, two, three = (office.draft(number) for number in (1, 2, 3))
    drafts = [one, replace(two, aliases=(firm(9), firm(8), firm(9), two.subject)), three]
    outcomes = await office.sender.push(drafts)
    assert [outcome.error for outcome in outcomes] == ["", "aliases-not-due", ""]  # a fine has none
    [frame] = office.line.written
    headers = [_header(request) for request in frame]
    assert [header.pseudonym for header in headers] == [pseudonym(firm(number).value) for number in (1, 2, 3)]
    aliases = tuple(sorted(pseudonym(firm(number).value) for number in (8, 9)))
    assert [header.aliases for header in headers] == [(), aliases, ()]


def _header(request: bytes) -> Header:
    return Header.decode(exchange_pb2.PushRequest.FromString(request).envelope.header)


async def test_a_second_run_sends_nothing_and_tells_the_same(office: Office) -> None:
    first = await office.push(1, 2)
    size, written = office.world.size, len(office.line.written)
    second = await office.push(1, 2)
    assert second == [replace(outcome, sent_before=True) for outcome in first]
    assert (office.world.size, len(office.line.written)) == (size, written)


async def test_the_same_fact_twice_in_one_run_is_one_signal(office: Office) -> None:
    outcomes = await office.push(1, 2, 1)
    assert outcomes[0] == outcomes[2]
    assert len(office.world.waiting(office.world.cast.sna)) == 2


async def test_what_was_denied_is_offered_anew_in_the_next_run(office: Office) -> None:
    (denied,) = await office.push(60)
    assert not denied.permitted
    await office.world.certify(pseudonym(firm(60).value), valid_from="2020-01-01", valid_until="")
    (permitted,) = await office.push(60)
    assert (permitted.permitted, permitted.sent_before) == (True, False)


@pytest.mark.parametrize("breaks", [[0], [1], [0, 0, 1, 1], [2], [1, 1]])
async def test_a_stream_that_breaks_is_opened_again_and_every_signal_has_one_effect(
    office: Office, breaks: list[int]
) -> None:
    office.line.breaks = list(breaks)
    before = office.world.size
    outcomes = await office.push(*range(1, 9))
    assert all(outcome.permitted for outcome in outcomes)
    assert office.line.streams == len(breaks) + 1
    assert office.world.operations(before) == ["signal.push"] * 8
    assert len(office.world.waiting(office.world.cast.sna)) == 8
    sent = [push for frame in office.line.written for push in frame]
    assert len(set(sent)) == 8  # again means byte for byte


async def test_a_crash_before_the_answer_is_made_good_by_the_next_run(office: Office) -> None:
    office.line.breaks = [0] * 10_000
    with pytest.raises(Unavailable):
        await office.push(1, 2, 3)
    asked = len(office.pseudonyms)
    office.line.breaks = []
    outcomes = await office.push(1, 2, 3)
    assert all(outcome.permitted for outcome in outcomes)
    assert len(office.pseudonyms) == asked  # sealed already: no pseudonym is asked twice
    assert len(office.world.waiting(office.world.cast.sna)) == 3


async def test_a_push_that_is_no_exchange_is_an_outcome_and_is_sealed_anew_next_time(office: Office) -> None:
    late = office.draft(1, expires_at_ms=office.world.clock.ms() + 5_000)
    office.world.clock.move(seconds=10)
    wrong, right = await office.sender.push([late, office.draft(2)])
    assert (wrong.permitted, wrong.error, wrong.log_index) == (False, "signal-expired", None)
    assert right.permitted
    (again,) = await office.push(1)
    assert again.permitted


async def test_a_draft_that_does_not_fit_stops_the_run_before_anything_is_asked_or_sent(
    office: Office,
) -> None:
    bad = office.draft(2, fields={**FIELDS, "count": "none"})
    with pytest.raises(InvalidInput):
        await office.sender.push([office.draft(1), bad])
    assert (office.pseudonyms, office.line.streams) == ([], 0)


@pytest.mark.parametrize("spoiled", ["receipt", "entry", "order"])
async def test_an_answer_that_does_not_hold_is_refused_and_not_taken_for_sent(
    office: Office, spoiled: str
) -> None:
    def spoil(answer: exchange_pb2.PushStreamResponse) -> exchange_pb2.PushStreamResponse:
        first, second = answer.results[0], answer.results[1]
        if spoiled == "receipt":
            first.answer.receipt.log_index += 1
        elif spoiled == "entry":
            first.answer.entry = second.answer.entry
        else:
            answer.results.reverse()
        return answer

    office.line.spoil = spoil
    with pytest.raises(NotAuthentic) as caught:
        await office.push(1, 2)
    error: SluisError = caught.value
    assert error.code in ("signature-wrong", "log-inconsistent")
    office.line.spoil = lambda answer: answer
    outcomes = await office.push(1, 2)
    assert [(outcome.permitted, outcome.sent_before) for outcome in outcomes] == [(True, False)] * 2
    assert len(office.world.waiting(office.world.cast.sna)) == 2
