# SPDX-License-Identifier: EUPL-1.2
"""The kit's side of follow-ups: what does not hold is refused and stays, what holds is done once, whatever crashes."""

import json
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest

from adapters.json_lines import JsonLines, keep_in
from broker.wire.followup_service import FollowUpService
from sluis.client.follow_up_book import FollowUpBook
from sluis.client.followups import FollowUps, InboxReport
from sluis.client.inbox import Inbox
from sluis.client.keyring import KeyRing
from sluis.client.receiver import ReceivedSignal, origin_of
from sluis.client.sender import new_uuid7
from sluis.envelope import Envelope
from sluis.errors import NotPermitted, SluisError, Unavailable
from sluis.followup import Act, FollowUp, SignedFollowUp
from sluis.merkle import Hash
from sluis.signing import SigningKey
from sluis.v1 import envelope_pb2, followup_pb2
from sluis.wire import follow_up_from_wire, follow_up_to_wire, receipt_from_wire
from tests.actors import Actor, authority
from tests.unit.test_administration import renewed
from tests.unit.test_follow_ups import corrected, passed_on, pushed
from tests.world import ORIGIN, VALUES, FakeContext, World, bundle


@dataclass(slots=True)
class Desk:
    """A participant's kit, connected to the service in this process; `lost` answers never arrive."""

    world: World
    actor: Actor
    kit: FollowUps
    inbox: Inbox
    file: Path
    calls: list[str] = field(default_factory=list)
    lost: int = 0

    async def read(self) -> InboxReport:
        return await self.kit.read(JsonLines((self.file,)))

    async def have(self, envelope: Envelope) -> None:
        """Let the kit have taken in a signal."""
        header = envelope.header
        signal = ReceivedSignal(log_index=0, header=header, fields=VALUES, withheld=0, root=envelope.root())
        await keep_in(self.file)([signal])
        row = (header.signal_id.bytes, signal.root, 0, header.expires_at_ms, origin_of(signal))
        self.inbox.add([row])

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.file.read_text("utf-8").splitlines()]


def trust_of(world: World) -> Any:
    """As much of a kit's trust as follow-ups use."""

    async def card_at(oin: str, log_index: int, at: datetime, *, even_stopped: bool = False) -> Any:
        assert even_stopped
        assert log_index < world.size
        assert at <= world.clock()
        return next(one.card for one in world.cast.registered if one.oin == oin)

    def check_receipt(message: envelope_pb2.Receipt, entry: bytes) -> Any:
        receipt = receipt_from_wire(message)
        receipt.verify(world.receipt_key.public, log_origin=ORIGIN, entry=entry)
        return receipt

    return SimpleNamespace(
        card_at=card_at,
        check_receipt=check_receipt,
        forget_card=lambda _: None,
        keep_receipts=lambda: None,
        receipt_keys=world.receipt_key.public,
    )


def connect(world: World, folder: Path, actor: Actor) -> Desk:
    """Open a kit on the files of a folder."""
    folder.mkdir(exist_ok=True)
    service = FollowUpService(world.broker.follow_ups, world.broker.follow_up_mailbox, world.clock)
    book, inbox = FollowUpBook(folder / "followups.sqlite"), Inbox(folder / "inbox.sqlite")

    def call(name: str) -> Callable[..., Awaitable[Any]]:
        async def made(request: Any, **_: float) -> Any:
            desk.calls.append(name)
            try:
                answer = await getattr(service, name)(request, FakeContext(actor))
            except Exception as error:
                raise getattr(error, "error", error) from None
            if desk.lost:
                desk.lost -= 1
                raise Unavailable("peer-unavailable")
            return answer

        return made

    def receive(request: Any) -> AsyncIterator[Any]:
        return service.ReceiveFollowUps(request, FakeContext(actor))

    async def patiently(made: Callable[[], Any]) -> Any:
        return await made()

    stub = SimpleNamespace(
        SendFollowUp=call("SendFollowUp"),
        AcknowledgeFollowUps=call("AcknowledgeFollowUps"),
        ListDuties=call("ListDuties"),
        ReceiveFollowUps=receive,
    )
    kit = FollowUps(
        oin=actor.oin,
        keys=KeyRing(SimpleNamespace(signing=actor.signing, cache=bytes(32))),  # type: ignore[arg-type]  # as much as it uses
        connections=SimpleNamespace(follow_ups=stub, patience=0.0, patiently=patiently),  # type: ignore[arg-type]
        trust=trust_of(world),
        inbox=inbox,
        book=book,
        corrector=SimpleNamespace(),  # type: ignore[arg-type]  # the scenario corrects
        bundle=bundle(),
        now_ms=world.clock.ms,
    )
    desk = Desk(world, actor, kit, inbox, folder / "signals.jsonl")
    return desk


@pytest.fixture
def sna(world: World, tmp_path: Path) -> Desk:
    return connect(world, tmp_path / "sna", world.cast.sna)


async def test_a_recall_destroys_the_copy_and_its_receipt_reaches_the_sender(
    world: World, sna: Desk, tmp_path: Path
) -> None:
    first = await pushed(world)
    await sna.have(first)
    nla = connect(world, tmp_path / "nla", world.cast.nla)
    await nla.kit.say(Act.RECALL, first.header.signal_id, {"reason": "WRONG_SUBJECT"})
    report = await sna.read()
    assert (report.fulfilled, report.acknowledged, report.refused) == (1, 1, [])
    (line,) = sna.lines()
    assert line["destroyed"]["codes"] == {"reason": "WRONG_SUBJECT"}
    assert line.keys() == {"signal_id", "destroyed"}
    assert os.stat(sna.file).st_mode & 0o777 == 0o600
    assert (await sna.read()).heard == []
    (receipt,) = (await nla.read()).heard
    assert (receipt.statement.act, receipt.statement.codes["done"]) == (Act.FULFIL, "DESTROYED")
    assert await nla.kit.duties(overdue_only=False) == []


async def test_a_correction_marks_the_copy_once(world: World, sna: Desk) -> None:
    first = await pushed(world)
    await sna.have(first)
    new = corrected(world, first)
    about = first.header.signal_id
    await world.follow_up("correct", about, world.cast.nla, signal=new, replacement=new.header.signal_id)
    report = await sna.read()
    assert [heard.done for heard in report.heard] == ["MARKED"]
    (line,) = sna.lines()
    (said,) = line["follow_ups"]
    assert (said["act"], said["replacement"]) == ("correct", str(new.header.signal_id))
    assert line["fields"] == VALUES
    JsonLines((sna.file,)).mark(about, report.heard[0].statement)
    assert sna.lines() == [line]


async def test_a_copy_that_comes_in_after_its_recall_is_not_kept(world: World, sna: Desk) -> None:
    first = await pushed(world)
    await world.follow_up("recall", first.header.signal_id, world.cast.nla)
    (heard,) = (await sna.read()).heard
    assert heard.done == "NOT_FOUND"
    signal = ReceivedSignal(log_index=0, header=first.header, fields=VALUES, withheld=0, root=first.root())
    assert sna.inbox.is_withdrawn(first.header.signal_id.bytes, origin_of(signal))


async def test_nobody_states_by_mistake_that_there_is_no_copy(world: World, sna: Desk) -> None:
    first = await pushed(world)
    await sna.have(first)
    await world.follow_up("recall", first.header.signal_id, world.cast.nla)
    elsewhere = JsonLines((sna.file.with_name("other.jsonl"),))
    report = await sna.kit.read(elsewhere)
    assert [(refused.code, report.acknowledged) for refused in report.refused] == [("copy-missing", 0)]
    assert "followup.fulfil" not in world.operations()
    assert [heard.done for heard in (await sna.kit.read(elsewhere, gone=True)).heard] == ["NOT_FOUND"]
    assert world.operations().count("followup.fulfil") == 1


async def test_what_was_passed_on_is_recalled_along_the_log(world: World, tmp_path: Path) -> None:
    first = await pushed(world)
    onward = await passed_on(world, first)
    body = connect(world, tmp_path / "body", world.cast.body)
    await body.have(onward)
    await world.follow_up("recall", first.header.signal_id, world.cast.nla)
    report = await body.read()
    assert ([heard.done for heard in report.heard], report.refused) == (["DESTROYED"], [])


@pytest.mark.parametrize(
    "forgery", ["author", "links", "copy", "entry", "another", "signature", "code", "receipt", "push"]
)
async def test_a_recall_that_does_not_hold_is_refused_and_stays_with_the_broker(
    world: World, tmp_path: Path, forgery: str
) -> None:
    first = await pushed(world)
    onward = await passed_on(world, first)
    body = connect(world, tmp_path / "body", world.cast.body)
    await body.have(onward)
    await world.follow_up("recall", first.header.signal_id, world.cast.nla)
    (delivery,) = await world.told(world.cast.body)
    statement = follow_up_from_wire(delivery.follow_up).statement
    match forgery:
        case "author":  # another participant says it, with its own good signature
            resigned(
                delivery, changed(statement, author=world.cast.other_body.oin), world.cast.other_body.signing
            )
        case "links":
            del delivery.links[:]
        case "copy":  # the broker points it at another signal that the kit holds
            other = await pushed(world)
            await body.have(other)
            delivery.signal_id = other.header.signal_id.bytes
        case "entry":
            other_entry = world.store.log_row(0)
            assert other_entry
            delivery.entry = other_entry.entry
        case "another":  # a true entry with its true receipt, but of something else
            row = world.store.log_row(0)
            assert row
            receipt = world.broker.desk.signer.receipt(0, Hash(row.leaf_hash))
            delivery.log_index, delivery.entry = 0, row.entry
            delivery.receipt.CopyFrom(receipt)
        case "signature":
            resigned(delivery, statement, SigningKey.generate())
        case "code":
            resigned(delivery, changed(statement, codes={"reason": "BECAUSE"}), world.cast.nla.signing)
        case "receipt":
            delivery.receipt.log_index += 1
        case "push":  # the chain ends at a push of somebody else
            resigned(delivery, changed(statement, signal_id=onward.header.signal_id), world.cast.nla.signing)
    before = body.lines()
    report = InboxReport()
    await body.kit._take([delivery], JsonLines((body.file,)), report)
    assert len(report.refused) == 1, forgery
    assert (report.fulfilled, report.acknowledged) == (0, 0)
    assert body.lines() == before
    assert len(await world.told(world.cast.body)) == 1


def changed(statement: FollowUp, **changes: Any) -> FollowUp:
    values = {
        name: getattr(statement, name)
        for name in ("follow_up_id", "act", "signal_id", "author", "created_at_ms", "codes")
    }
    return FollowUp(**{**values, **changes})


def resigned(delivery: followup_pb2.FollowUpDelivery, statement: FollowUp, key: SigningKey) -> None:
    delivery.follow_up.CopyFrom(follow_up_to_wire(SignedFollowUp.sign(key, statement)))


@pytest.mark.parametrize("lost", [1, 2])
async def test_a_kit_that_lost_an_answer_says_the_same_again(world: World, sna: Desk, lost: int) -> None:
    first = await pushed(world)
    await sna.have(first)
    await world.follow_up("recall", first.header.signal_id, world.cast.nla)
    sna.lost = lost
    for _ in range(lost):
        with pytest.raises(Unavailable):
            await sna.read()
    report = await sna.read()
    assert report.refused == []
    assert world.operations().count("followup.fulfil") == 1
    assert await world.told(world.cast.sna) == []


async def test_the_same_words_again_get_the_first_answer(world: World, sna: Desk) -> None:
    first = await pushed(world)
    about = first.header.signal_id
    answer = await sna.kit.say(Act.FEEDBACK, about, {"outcome": "CONFIRMED"})
    again = await sna.kit.say(Act.FEEDBACK, about, {"outcome": "CONFIRMED"})
    assert again.repeated_request
    assert again.receipt == answer.receipt
    assert sna.calls == ["SendFollowUp"]
    other = await sna.kit.say(Act.FEEDBACK, about, {"outcome": "NOT_CONFIRMED"})
    assert other.receipt != answer.receipt


async def test_what_was_refused_may_be_said_anew_and_an_unknown_code_is_not_sent(
    world: World, sna: Desk
) -> None:
    first = await pushed(world)
    about = first.header.signal_id
    for _ in range(2):
        with pytest.raises(NotPermitted):
            await sna.kit.say(Act.RECALL, about, {"reason": "WRONG_SUBJECT"})
    assert sna.calls == ["SendFollowUp"] * 2
    with pytest.raises(SluisError) as caught:
        await sna.kit.say(Act.FEEDBACK, about, {"outcome": "MAYBE"})
    assert caught.value.code == "unknown-code"
    assert sna.calls == ["SendFollowUp"] * 2


async def test_what_the_broker_has_not_taken_is_signed_anew_when_keys_were_renewed(
    world: World, sna: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = await pushed(world)
    await sna.have(first)
    new = renewed(world.cast.sna)
    world.operator.admit(new.card.encode(), new.role, [authority().certificate])
    world.broker.desk.directory._known.clear()
    ring: Any = sna.kit._keys
    keys = SimpleNamespace(signing=new.signing, cache=bytes(32))
    monkeypatch.setattr(ring, "reload", lambda: setattr(ring, "_keys", keys))
    await sna.kit.say(Act.FEEDBACK, first.header.signal_id, {"outcome": "CONFIRMED"})
    assert sna.calls == ["SendFollowUp"] * 2
    assert world.operations().count("followup.feedback") == 1


async def test_a_file_with_a_line_cut_short_by_a_crash_loses_no_other_line(world: World, sna: Desk) -> None:
    first = await pushed(world)
    await sna.have(first)
    with sna.file.open("a") as file:
        file.write('{"signal_id": "cut')
    statement = world.statement("recall", first.header.signal_id, world.cast.nla)
    copies = JsonLines((sna.file, sna.file.with_name("other.jsonl")))
    assert copies.destroy(first.header.signal_id, statement)
    assert copies.destroy(first.header.signal_id, statement)
    assert not copies.destroy(new_uuid7(0), statement)
    assert not copies.mark(UUID(int=7 << 76 | 2 << 62), statement)
    assert [line.keys() for line in sna.lines()] == [{"signal_id", "destroyed"}]
