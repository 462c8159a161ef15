# SPDX-License-Identifier: EUPL-1.2
"""Saying something of a signal that was exchanged, and doing what others say (docs/follow-up.md).

    sent out   kept in the book ──▶ sent until answered ──▶ answer and receipt checked
    come in    checked ──▶ kept in the book ──▶ copy marked or destroyed ──▶ noted ──▶ `fulfil` sent ──▶ acknowledged

After a crash anywhere the next run goes on: what was kept is not said twice, a copy is done away with once, and
the broker delivers what was not acknowledged.
"""

import asyncio
import hmac
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol
from uuid import UUID

import grpc

from sluis.client.connection import Connections, Patience
from sluis.client.correction import Corrector
from sluis.client.follow_up_book import FollowUpBook, Heard
from sluis.client.follow_up_checks import FollowUpChecks
from sluis.client.inbox import Inbox, Origin
from sluis.client.keyring import KeyRing
from sluis.client.receiver import PAUSE_SECONDS, RefusedDelivery
from sluis.client.trust import Trust
from sluis.encoding import lp
from sluis.envelope import Envelope
from sluis.errors import Conflict, NotAuthentic, NotFound, SluisError, Unavailable
from sluis.followup import BINDING, Act, FollowUp, SignedFollowUp
from sluis.header import new_uuid7
from sluis.identifiers import Oin
from sluis.policy.bundle import Bundle
from sluis.rpc.status import from_rpc_error
from sluis.v1 import followup_pb2
from sluis.wire import envelope_to_wire, follow_up_to_wire

DESTROYING = frozenset({Act.RECALL, Act.DESTROY})
MARKED, DESTROYED, NOT_FOUND = "MARKED", "DESTROYED", "NOT_FOUND"


class Copies(Protocol):
    """Where a participant keeps signals. Both may be done twice, and say whether there is, or was, a copy."""

    def mark(self, signal_id: UUID, statement: FollowUp) -> bool:
        """Write beside the copy what was said of it."""
        ...

    def destroy(self, signal_id: UUID, statement: FollowUp) -> bool:
        """Do away with the copy, and leave a line that says so."""
        ...


@dataclass(slots=True)
class InboxReport:
    """What a run of reading the inbox brought."""

    heard: list[Heard] = field(default_factory=list)
    fulfilled: int = 0
    acknowledged: int = 0
    refused: list[RefusedDelivery] = field(default_factory=list)


class FollowUps:
    """Sends and receives follow-ups."""

    def __init__(
        self,
        *,
        oin: Oin,
        keys: KeyRing,
        connections: Connections,
        trust: Trust,
        inbox: Inbox,
        book: FollowUpBook,
        corrector: Corrector,
        bundle: Bundle,
        now_ms: Callable[[], int],
    ) -> None:
        self._corrector = corrector
        self._oin = oin
        self._keys = keys
        self._connections = connections
        self._trust = trust
        self._inbox = inbox
        self._bundle = bundle
        self._now_ms = now_ms
        self._checks = FollowUpChecks(trust, inbox, bundle)
        self.book = book

    # what we say

    async def say(
        self,
        act: Act,
        signal_id: UUID,
        codes: Mapping[str, str],
        *,
        refers_to: UUID | None = None,
    ) -> followup_pb2.SendFollowUpResponse:
        """Say something of a signal; the same again gets the first answer.

        Raises InvalidInput `unknown-code` before anything is sent, and what the broker answers.
        """
        reference = refers_to.bytes if refers_to else b""
        identity = self._identity(act, signal_id.bytes, reference, *_sorted(codes))

        async def sign() -> None:
            await self._keep(identity, self._statement(act, signal_id, codes, refers_to=refers_to), None)

        return await self._said(identity, sign)

    async def correct(
        self, signal_id: UUID, fields: Mapping[str, str], codes: Mapping[str, str]
    ) -> followup_pb2.SendFollowUpResponse:
        """Put a right signal in the place of a wrong one; `fields` are all of the new one.

        Raises NotFound for a signal that this kit did not send, InvalidInput, and what the broker answers.
        """
        identity = self._identity(Act.CORRECT, signal_id.bytes, *_sorted(codes), *_sorted(fields))

        async def sign() -> None:
            sealed = await self._corrector.seal(signal_id, fields)
            statement = self._statement(Act.CORRECT, signal_id, codes, replacement=sealed.header.signal_id)
            await self._keep(identity, statement, sealed)

        return await self._said(identity, sign)

    async def _said(
        self, identity: bytes, sign: Callable[[], Awaitable[None]]
    ) -> followup_pb2.SendFollowUpResponse:
        """Send what was signed, signed now unless it was before; and once anew when the key was replaced since."""
        if self.book.said(identity) is None:
            await sign()
        try:
            return await self._send(identity)
        except NotAuthentic as error:
            if error.code != "signing-key-replaced":  # only what the broker did not take before
                raise
        self._trust.forget_card(self._oin)
        self._keys.reload()
        await sign()
        return await self._send(identity)

    def _identity(self, *parts: bytes | str) -> bytes:
        """What we say, hidden behind an HMAC: it may be made of values."""
        return hmac.digest(self._keys.keys.cache, lp("sluis/v1/said", *parts), "sha256")

    def _statement(
        self,
        act: Act,
        signal_id: UUID,
        codes: Mapping[str, str],
        *,
        refers_to: UUID | None = None,
        replacement: UUID | None = None,
    ) -> FollowUp:
        now_ms = self._now_ms()
        statement = FollowUp(
            follow_up_id=new_uuid7(now_ms),
            act=act,
            signal_id=signal_id,
            author=self._oin,
            created_at_ms=now_ms,
            refers_to=refers_to,
            replacement=replacement,
            codes=codes,
        )
        self._bundle.catalog.follow_ups.check(statement, self._bundle.catalog.functions)
        return statement

    async def _keep(self, identity: bytes, statement: FollowUp, sealed: Envelope | None) -> None:
        signing = await self._keys.signing_key(self._trust, self._oin)
        request = followup_pb2.SendFollowUpRequest(
            idempotency_key=f"{statement.act}-{statement.follow_up_id}",
            follow_up=follow_up_to_wire(SignedFollowUp.sign(signing, statement)),
            replacement=envelope_to_wire(sealed) if sealed else None,
        )
        self.book.say(identity, statement, request.SerializeToString())

    async def _send(self, identity: bytes) -> followup_pb2.SendFollowUpResponse:
        data, before = self.book.said(identity) or (b"", None)
        if before is not None:
            response = followup_pb2.SendFollowUpResponse.FromString(before)
            response.repeated_request = True
            return response
        request = followup_pb2.SendFollowUpRequest.FromString(data)
        try:
            answer = await self._connections.patiently(
                lambda: self._connections.follow_ups.SendFollowUp(request, timeout=30)
            )
        except Unavailable:
            raise  # it may have had its effect: the next run sends the same bytes
        except SluisError:
            self.book.forget(identity)
            raise
        self._trust.check_receipt(answer.receipt, answer.entry)
        if answer.replacement_entry:
            self._trust.check_receipt(answer.replacement_receipt, answer.replacement_entry)
        self._trust.keep_receipts()
        self.book.answered(identity, answer.SerializeToString())
        return answer

    # what others say

    async def read(
        self,
        copies: Copies,
        *,
        follow: bool = False,
        gone: bool = False,
        progress: Callable[[int], None] = lambda done: None,
    ) -> InboxReport:
        """Take in what waits, do what it asks of our copies, say so, and acknowledge it.

        A signal that was taken in and that `copies` does not hold is refused (`copy-missing`), so that nobody states
        by mistake that there is none, unless it is known to be `gone`. With `follow` it goes on until cancelled.
        Raises Unavailable when the kit's patience is out, or the copies cannot be reached.
        """
        report = InboxReport()
        patience = Patience(self._connections.patience)
        while True:
            try:
                async for frame in self._frames(follow):
                    await self._take(frame.deliveries, copies, report, gone=gone)
                    patience.reset()
                    progress(len(frame.deliveries))
                if not follow:
                    return report
                await asyncio.sleep(PAUSE_SECONDS)  # the broker ended the stream: it is stopping
            except grpc.aio.AioRpcError as error:
                await patience.again(from_rpc_error(error))

    async def _frames(self, follow: bool) -> AsyncIterator[followup_pb2.ReceiveFollowUpsResponse]:
        request = followup_pb2.ReceiveFollowUpsRequest(follow=follow)
        async for frame in self._connections.follow_ups.ReceiveFollowUps(request):
            yield frame

    async def _take(
        self,
        deliveries: Sequence[followup_pb2.FollowUpDelivery],
        copies: Copies,
        report: InboxReport,
        *,
        gone: bool = False,
    ) -> None:
        done: list[int] = []
        for delivery in deliveries:
            try:
                heard, origin = await self._checks.check(delivery)
                self._trust.keep_receipts()
                self.book.hear(heard)
                if heard.statement.act in BINDING:
                    heard = await self._do(heard, origin, copies, gone=gone)
            except Unavailable:
                raise
            except SluisError as error:
                refused = RefusedDelivery(
                    log_index=delivery.log_index, code=error.code, message=error.message
                )
                report.refused.append(refused)
                continue
            if heard.done:
                await self._fulfil(heard)
                report.fulfilled += 1
            report.heard.append(heard)
            done.append(delivery.log_index)
        if done:
            request = followup_pb2.AcknowledgeFollowUpsRequest(log_indexes=done)
            answer = await self._connections.patiently(
                lambda: self._connections.follow_ups.AcknowledgeFollowUps(request, timeout=30)
            )
            report.acknowledged += answer.acknowledged

    async def _do(self, heard: Heard, origin: Origin, copies: Copies, *, gone: bool) -> Heard:
        """Mark or destroy the copy, once in effect, and note it. Raises NotFound `copy-missing`."""
        statement = heard.statement
        signal_id = UUID(bytes=heard.signal_id)
        async with self._inbox.exclusive():
            if not (word := self.book.done(statement.follow_up_id.bytes, heard.signal_id)):
                if statement.act in DESTROYING:
                    self._inbox.withdraw(heard.signal_id, origin)
                    found = await asyncio.to_thread(copies.destroy, signal_id, statement)
                    word = DESTROYED if found else NOT_FOUND
                else:
                    found = await asyncio.to_thread(copies.mark, signal_id, statement)
                    word = MARKED if found else NOT_FOUND
                if not (found or gone) and self._inbox.root_of(heard.signal_id) is not None:
                    raise NotFound("copy-missing", where=str(signal_id))
                self.book.do(statement.follow_up_id.bytes, heard.signal_id, word)
        return Heard(log_index=heard.log_index, signal_id=heard.signal_id, signed=heard.signed, done=word)

    async def _fulfil(self, heard: Heard) -> None:
        try:
            await self.say(
                Act.FULFIL,
                UUID(bytes=heard.signal_id),
                {"done": heard.done},
                refers_to=heard.statement.follow_up_id,
            )
        except Conflict as error:
            if error.code != "already-done":  # by an earlier run, whose book was lost
                raise

    # what is owed

    async def duties(self, *, overdue_only: bool = True) -> list[followup_pb2.Duty]:
        """What we owe others about signals, and what they owe us, soonest first."""
        found: list[followup_pb2.Duty] = []
        token = ""
        while True:
            page = await self._page(overdue_only, token)
            found += page.duties
            token = page.next_page_token
            if not token:
                return found

    async def _page(self, overdue_only: bool, token: str) -> followup_pb2.ListDutiesResponse:
        request = followup_pb2.ListDutiesRequest(overdue_only=overdue_only, page_size=500, page_token=token)
        return await self._connections.patiently(
            lambda: self._connections.follow_ups.ListDuties(request, timeout=30)
        )


def _sorted(codes: Mapping[str, str]) -> list[str]:
    return [part for pair in sorted(codes.items()) for part in pair]
