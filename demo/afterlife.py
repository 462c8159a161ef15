# SPDX-License-Identifier: EUPL-1.2
"""The rest of a signal's life, played on three fines of the demo's own (docs/follow-up.md).

ended       is to live for seconds only: the broker destroys it, asks for the foundation's copy, and gets a receipt
private     a body finds it through a digest, asks, is answered, and tells what came of it; then the fine is
            withdrawn, and both holders mark their copies
watched     comes by itself to a body that left a watch list; it was about somebody else and is recalled: the
            foundation destroys its copy, and the body's kit stays away
"""

import asyncio
import json
import time
from collections import defaultdict
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from adapters.certification_body import ask, watch_clients
from adapters.certified_register import CertifiedFirm
from adapters.json_lines import JsonLines, keep_in
from adapters.labour_inspectorate import fine_draft
from broker.storage.open import open_store
from demo.afterlife_told import Afterlife, Client, TakenBack
from demo.cast import CastMember
from demo.own_fines import OwnFines, take_in
from demo.stage import Stage
from sluis.client import Kit
from sluis.client.receiver import ReceivedSignal
from sluis.client.sender import PushOutcome
from sluis.followup import Act
from sluis.v1 import followup_pb2

LIFE_SECONDS = 8  # enough to be received on a busy machine
PATIENCE_SECONDS = 45.0
WATCH_DAYS = 90
FULFIL = Act.FULFIL.value


def choose(firms: Sequence[CertifiedFirm], bodies: Sequence[CastMember], today: date) -> list[Client]:
    """For each body that certifies firms alone today: the one whose certificate lasts longest."""
    certifiers: dict[str, set[str]] = defaultdict(set)
    clients: dict[str, dict[str, CertifiedFirm]] = defaultdict(dict)
    for firm in firms:
        if firm.valid_on(today):
            certifiers[firm.establishment.value].add(firm.certified_by)
            clients[firm.certified_by][firm.establishment.value] = firm
    found = []
    for body in bodies:
        held = list(clients[body.name].values())
        alone = [firm for firm in held if len(certifiers[firm.establishment.value]) == 1]
        if alone:
            longest = max(alone, key=lambda firm: (firm.valid_until, firm.establishment.value))
            found.append(Client(body=body, firm=longest, clients=held))
    return found


class Play:
    """Plays it with the kits of the inspectorate, the foundation and one or two bodies."""

    def __init__(self, stage: Stage, today: date, firms: Sequence[CertifiedFirm], own: OwnFines) -> None:
        self._stage = stage
        self._cast = stage.cast
        self._today = today
        self._firms = firms
        self._own = own
        self._kits: dict[str, Kit] = {}

    async def play(self) -> Afterlife | None:
        """Play all of it; nothing when no firm has exactly one certifier today."""
        chosen = choose(self._firms, self._cast.bodies, self._today)
        if not chosen:
            return None
        life = Afterlife(private=chosen[-1], watched=chosen[0])
        members = {one.oin: one for one in (self._cast.inspectorate, self._cast.foundation)}
        members |= {client.body.oin: client.body for client in (life.private, life.watched)}
        async with AsyncExitStack() as stack:
            for oin, member in members.items():
                self._kits[oin] = await stack.enter_async_context(Kit.open(self._stage.settings(member)))
            ending = await self._send_ending(life)
            await self._find_by_digest(life)
            if life.found:
                await self._ask_and_answer(life, life.found)
                await self._close_with_feedback(life, life.found)
                await self._rectify(life, life.found)
            await self._watch(life)
            if life.told:
                await self._recall(life, life.told)
            await self._see_destroyed(life, ending)
        return life

    # the parties' kits and files

    def _kit(self, member: CastMember) -> Kit:
        return self._kits[member.oin]

    def _file(self, member: CastMember) -> Path:
        return member.folder / ("received.jsonl" if member is self._cast.foundation else "hits.jsonl")

    async def _read(self, member: CastMember) -> dict[UUID, tuple[Act, str, int]]:
        """Read an inbox to its end: of every follow-up that came in its act, its word, and its log index."""
        kit = self._kit(member)
        await kit.follow_ups.read(JsonLines((self._file(member),)))
        return {
            heard.statement.follow_up_id: (
                heard.statement.act,
                heard.done or next(iter(heard.statement.codes.values())),
                heard.log_index,
            )
            for heard in kit.follow_ups.book.history()
        }

    def _line(self, member: CastMember, signal_id: UUID) -> dict[str, Any]:
        """What a party's file has of a signal."""
        return next((line for line in self._lines(member) if line["signal_id"] == str(signal_id)), {})

    def _lines(self, member: CastMember) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self._file(member).read_text("utf-8").splitlines()]

    # the fines

    async def _push(self, life: Afterlife, firm: CertifiedFirm, *, seconds: int | None = None) -> PushOutcome:
        """The inspectorate pushes a fine, to be kept for so many seconds."""
        draft = fine_draft(self._own.about(firm), self._cast.foundation.oin)
        if seconds is not None:
            draft = replace(draft, expires_at_ms=int((time.time() + seconds) * 1000))
        (outcome,) = await self._kit(self._cast.inspectorate).sender.push([draft])
        life.pushes.append(outcome)
        return outcome

    async def _take_in(self, life: Afterlife, *, pass_it_on: bool) -> None:
        """The foundation receives what waits, and passes it on."""
        sna = self._cast.foundation
        firms = self._firms if pass_it_on else ()
        _, passed = await take_in(self._kit(sna), self._file(sna), firms, self._today)
        life.pushes += passed

    async def _send_ending(self, life: Afterlife) -> UUID | None:
        outcome = await self._push(life, life.watched.firm, seconds=LIFE_SECONDS)
        await self._take_in(life, pass_it_on=False)
        life.ended_index = outcome.log_index or 0
        return outcome.signal_id

    # the two other ways to a hit

    async def _find_by_digest(self, life: Afterlife) -> None:
        """The broker is shown only the clients that its digest of deposits holds."""
        body = life.private.body
        fine = await self._push(life, life.private.firm)
        life.rectified.pushed_index = fine.log_index or 0
        await self._take_in(life, pass_it_on=True)
        clients = [firm.establishment for firm in life.private.clients]
        report = await ask(self._kit(body), clients, keep_in(self._file(body)), private=True)
        known = {
            line.get("fields", {}).get("establishment_number") for line in self._lines(self._cast.foundation)
        }
        life.fined = len(known & {one.value for one in clients})
        life.asked, life.claimed, life.digest_bytes = report.asked, report.claimed or 0, report.digest_bytes
        hits = report.hits.get(life.private.firm.establishment, [])
        life.found = next((hit for hit in hits if hit.header.previous == fine.signal_id), None)

    async def _watch(self, life: Afterlife) -> None:
        """A body leaves its clients as a watch list, and a fact about one of them comes to its mailbox."""
        body = life.watched.body
        kit = self._kit(body)
        clients = [firm.establishment for firm in life.watched.clients]
        left = await watch_clients(kit, clients, today=self._today, days=WATCH_DAYS)
        life.watch_index = left[-1].log_index
        life.watching = sum(one.entries for one in left if one.permitted) // max(len(left), 1)
        fine = await self._push(life, life.watched.firm)
        life.recalled.pushed_index = fine.log_index or 0
        await self._take_in(life, pass_it_on=True)
        came: list[ReceivedSignal] = []
        keep = keep_in(self._file(body))

        async def keep_and_note(signals: Sequence[ReceivedSignal]) -> None:
            await keep(signals)
            came.extend(signals)

        await kit.receiver.receive(keep_and_note)
        life.told = next((signal for signal in came if signal.header.previous == fine.signal_id), None)

    # what is said of them

    async def _ask_and_answer(self, life: Afterlife, found: ReceivedSignal) -> None:
        """The body asks its foundation whether the fine stands; codes go, no prose."""
        body, sna = life.private.body, self._cast.foundation
        question = await self._kit(body).follow_ups.say(
            Act.ASK, found.header.signal_id, {"question": "APPEAL_STATE"}
        )
        life.question_index = question.receipt.log_index
        asked = [one for one, (act, _, _) in (await self._read(sna)).items() if act is Act.ASK]
        if not asked:
            return
        said = await self._kit(sna).follow_ups.say(
            Act.ANSWER, found.header.signal_id, {"answer": "NOT_OPEN"}, refers_to=asked[-1]
        )
        heard = (await self._read(body)).values()
        answers = [word for act, word, _ in heard if act is Act.ANSWER]
        life.answer, life.answer_index = "".join(answers[-1:]), said.receipt.log_index

    async def _close_with_feedback(self, life: Afterlife, found: ReceivedSignal) -> None:
        """The body tells what it did; an outcome that is final closes what was due."""
        kit = self._kit(life.private.body)
        signal_id = found.header.signal_id
        before = await _owed(kit, Act.FEEDBACK.value, signal_id=signal_id.bytes)
        codes = {"outcome": "CONFIRMED", "usability": "4", "measure": "WARNING"}
        said = await kit.follow_ups.say(Act.FEEDBACK, signal_id, codes)
        after = await _owed(kit, Act.FEEDBACK.value, signal_id=signal_id.bytes)
        life.feedback_index, life.owed = said.receipt.log_index, (len(before), len(after))

    async def _rectify(self, life: Afterlife, found: ReceivedSignal) -> None:
        """The fine is withdrawn: both holders mark their copies."""
        first = found.header.previous
        holders = {self._cast.foundation: first, life.private.body: found.header.signal_id}
        await self._take_back(Act.RECTIFY, "FINE_WITHDRAWN", first, holders, life.rectified)

    async def _recall(self, life: Afterlife, told: ReceivedSignal) -> None:
        """The fine was about somebody else. The body's kit is not started again; the foundation's answers."""
        first = told.header.previous
        holders = {self._cast.foundation: first}
        await self._take_back(Act.RECALL, "WRONG_SUBJECT", first, holders, life.recalled)

    async def _take_back(
        self,
        act: Act,
        reason: str,
        signal_id: UUID | None,
        present: dict[CastMember, UUID | None],
        back: TakenBack,
    ) -> None:
        """The sender takes a signal back; the holders that are present do as asked, and the receipts are counted."""
        if signal_id is None:
            return
        nla = self._kit(self._cast.inspectorate)
        said = await nla.follow_ups.say(act, signal_id, {"reason": reason})
        statement = UUID(json.loads(said.entry)["follow_up"])
        back.log_index, back.holders = said.receipt.log_index, said.holders
        for member, own in present.items():
            await self._read(member)
            line = self._line(member, own) if own else {}
            marks = [line["destroyed"]] if "destroyed" in line else line.get("follow_ups", [])
            gone = "fields" not in line or act is not Act.RECALL
            back.copies.append(gone and [mark["act"] for mark in marks] == [act.value])
        await self._read(self._cast.inspectorate)
        for heard in nla.follow_ups.book.history():
            if heard.statement.act is Act.FULFIL and heard.statement.refers_to == statement:
                back.receipts[str(heard.statement.author)] = heard.statement.codes["done"]
        back.statement = statement
        for duty in await _owed(nla, FULFIL, follow_up_id=statement.bytes):
            back.open[duty.debtor_oin] = datetime.fromtimestamp(duty.due_at_ms / 1000, UTC)

    # what ended

    async def _see_destroyed(self, life: Afterlife, signal_id: UUID | None) -> None:
        """Wait until the broker asks the foundation to destroy its copy, and look at what is left."""
        sna = self._cast.foundation
        until = time.monotonic() + PATIENCE_SECONDS
        asked: list[str] = []
        while signal_id and not asked and time.monotonic() < until:
            heard = (await self._read(sna)).values()
            asked = [done for act, done, _ in heard if act is Act.DESTROY]
            await asyncio.sleep(0 if asked else 0.25)
        if not signal_id or not asked:
            return
        life.copy = asked[-1]
        life.copy_gone = self._line(sna, signal_id).keys() == {"signal_id", "destroyed"}
        await asyncio.to_thread(self._find_record, life, signal_id)

    def _find_record(self, life: Afterlife, signal_id: UUID) -> None:
        store = open_store(self._stage.database)
        try:
            for row in store.entries(life.ended_index, store.head().tree.size):
                entry = json.loads(row.entry)
                if entry["operation"] == "signal.destroy" and entry.get("exchange") == str(signal_id):
                    life.destroyed, life.destroyed_index = entry, row.log_index
            kept = store.retention.signal(signal_id.bytes)
            life.emptied = (
                kept is not None and kept.destroyed_index == life.destroyed_index and kept.pseudonym == b""
            )
        finally:
            store.close()


async def see_late(stage: Stage, back: TakenBack) -> None:
    """Wait until a receipt that is open is overdue, as the sender's list of `sluis overdue` tells."""
    until = time.monotonic() + PATIENCE_SECONDS
    async with Kit.open(stage.settings(stage.cast.inspectorate)) as kit:
        while back.statement and back.open and not back.late and time.monotonic() < until:
            owed = await _owed(kit, FULFIL, follow_up_id=back.statement.bytes)
            back.late = [duty.debtor_oin for duty in owed if duty.overdue]
            await asyncio.sleep(0 if back.late else 0.25)


async def _owed(
    kit: Kit, act: str, *, signal_id: bytes = b"", follow_up_id: bytes = b""
) -> list[followup_pb2.Duty]:
    """What is still owed of a sort, by or to this party, about a signal or in answer to a follow-up."""
    return [
        duty
        for duty in await kit.follow_ups.duties(overdue_only=False)
        if duty.act == act and signal_id in (b"", duty.signal_id) and follow_up_id in (b"", duty.follow_up_id)
    ]
