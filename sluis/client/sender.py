# SPDX-License-Identifier: EUPL-1.2
"""Sending: pseudonymise, seal, sign, push, and hold the broker to its answer.

    drafts ──▶ pseudonyms ──▶ sealed parcels in the outbox ──▶ stream ──▶ answers, receipts checked

A stream that breaks is opened again; what was not answered is sent again, byte for byte.
"""

import asyncio
import json
import time
from collections import deque
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from itertools import islice
from uuid import UUID

import grpc

from sluis.client.connection import Connections, Patience
from sluis.client.keyring import KeyRing
from sluis.client.outbox import Outbox, Parcel
from sluis.client.pseudonymiser import Pseudonymiser
from sluis.client.trust import Trust
from sluis.encoding import lp
from sluis.envelope import Field, seal
from sluis.errors import Conflict, InvalidInput, NotAuthentic
from sluis.header import Delivery, Header, new_uuid7
from sluis.identifiers import Identifier, Oin, find_hidden_identifiers
from sluis.policy.bundle import Bundle
from sluis.policy.catalog import ClaimSpec
from sluis.pseudonyms import Pseudonym
from sluis.rpc.status import from_rpc_error
from sluis.sealing_keys import SealingPublicKey, Suite
from sluis.signing import SigningKey
from sluis.v1 import envelope_pb2, exchange_pb2
from sluis.wire import envelope_to_wire

SEVERITY = "severity"
FRAME = 50
FRAMES_AHEAD = 6
SEAL_BATCH = 500
# The broker holds something under this key or id, or refused us before it looked: what was sent may have been taken
# the time before, so sealing the signal anew could repeat it.
KEPT_AFTER_ERROR = frozenset(
    {
        "idempotency-conflict",
        "signal-exists",
        "party-unknown",
        "party-stopped",
        "certificate-revoked",
        "certificate-expired",
    }
)
# The broker looked, has nothing under this key, and wants the signal in another epoch or under another key.
SEALED_ANEW = frozenset(
    {"epoch-closed", "epoch-not-begun", "unknown-epoch", "signing-key-replaced", "clock-skew"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A signal before it is sealed. `identity` says what it is about, so that it is not sent twice.

    A person without a number has several keys: the first is the `subject`, the others are `aliases`.
    """

    identity: bytes
    recipient: Oin
    subject: Identifier
    kind: str
    purpose: str
    fields: Mapping[str, str]
    claims: Mapping[str, str]
    expires_at_ms: int
    delivery: Delivery = Delivery.MAILBOX
    strict: bool = False  # all fields or nothing
    previous: UUID | None = None
    aliases: tuple[Identifier, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PushOutcome:
    """What became of a draft."""

    draft: Draft
    permitted: bool
    reason: str = ""  # the most decisive reason of a denial
    error: str = ""  # an error code: no exchange took place
    log_index: int | None = None
    assumed: bool = False
    sent_before: bool = False
    withheld: tuple[str, ...] = ()
    signal_id: UUID | None = None  # of a permitted signal, to say something of it later


class Sender:
    """Pushes signals."""

    def __init__(
        self,
        *,
        oin: Oin,
        agreement: str,
        keys: KeyRing,
        connections: Connections,
        trust: Trust,
        pseudonymiser: Pseudonymiser,
        outbox: Outbox,
        bundle: Bundle,
        suite: Suite = Suite.XWING,
    ) -> None:
        self._oin = oin
        self._agreement = agreement
        self._keys = keys
        self._connections = connections
        self._trust = trust
        self._pseudonymiser = pseudonymiser
        self._outbox = outbox
        self._bundle = bundle
        self._suite = suite

    async def push(
        self,
        drafts: Sequence[Draft],
        *,
        progress: Callable[[int], None] = lambda done: None,
    ) -> list[PushOutcome]:
        """Push all drafts and return their outcomes, in order. A denial is an outcome.

        Raises InvalidInput for a draft that does not fit the catalogue (before anything is sent), NotAuthentic
        when the broker's answer does not hold, Unavailable when the kit's patience is out.
        """
        for draft in drafts:
            check_fields(self._bundle, draft.fields, draft.claims)
        identities = [self._outbox.identity(lp(draft.recipient, draft.identity)) for draft in drafts]
        known = self._outbox.lookup(identities)
        sent_before = {i for i, (_, answer, permitted) in known.items() if answer is not None and permitted}
        waiting = {i: parcel for i, (parcel, answer, _) in known.items() if answer is None}
        fresh = [
            (identity, draft)
            for identity, draft in zip(identities, drafts, strict=True)
            if identity not in sent_before and identity not in waiting
        ]
        waiting |= await self._seal_all(fresh)
        results = await self._send(deque(waiting.values()), progress)
        results |= await self._send_anew(list(zip(identities, drafts, strict=True)), results)
        return [
            self._outcome(
                draft, results.get(identity), known[identity][1] if identity in sent_before else None
            )
            for identity, draft in zip(identities, drafts, strict=True)
        ]

    async def _send_anew(
        self, drafts: Sequence[tuple[bytes, Draft]], results: Mapping[bytes, exchange_pb2.PushResult]
    ) -> dict[bytes, exchange_pb2.PushResult]:
        """Seal and send once more what was refused because it was sealed for another time.

        Only what the broker refused itself: it answers what it took before with its first answer.
        """
        stale = [
            (identity, draft)
            for identity, draft in drafts
            if identity in results and results[identity].error.code in SEALED_ANEW
        ]
        if not stale:
            return {}
        self._pseudonymiser.forget_epochs()
        self._keys.reload()
        for oin in {self._oin, *(draft.recipient for _, draft in stale)}:
            self._trust.forget_card(oin)
        try:
            waiting = await self._seal_all(stale)
        except (InvalidInput, Conflict):
            return {}  # no epoch takes signals now: the refusals stand, and a later run seals anew
        return await self._send(deque(waiting.values()), lambda done: None)

    async def _seal_all(self, fresh: Sequence[tuple[bytes, Draft]]) -> dict[bytes, Parcel]:
        sealed: dict[bytes, Parcel] = {}
        if not fresh:
            return sealed
        signing = await self._keys.signing_key(self._trust, self._oin)
        for recipient in sorted({draft.recipient for _, draft in fresh}):
            group = [(identity, draft) for identity, draft in fresh if draft.recipient == recipient]
            card = await self._trust.card(recipient)
            epoch = await self._pseudonymiser.current_epoch(self._agreement, recipient)
            keys_of = [(draft.subject, *draft.aliases) for _, draft in group]
            made = iter(
                await self._pseudonymiser.pseudonyms(
                    [key for own in keys_of for key in own], self._agreement, recipient, epoch
                )
            )
            pairs = [(item, tuple(islice(made, len(own)))) for item, own in zip(group, keys_of, strict=True)]
            for start in range(0, len(pairs), SEAL_BATCH):
                chunk = pairs[start : start + SEAL_BATCH]
                keys = (card.sealing_key, signing)
                parcels = await asyncio.to_thread(self._seal_chunk, chunk, epoch, keys)
                self._outbox.put(parcels)
                sealed |= {parcel.identity: parcel for parcel in parcels}
        return sealed

    def _seal_chunk(
        self,
        chunk: Sequence[tuple[tuple[bytes, Draft], tuple[Pseudonym, ...]]],
        epoch: str,
        keys: tuple[SealingPublicKey, SigningKey],
    ) -> list[Parcel]:
        return [self._seal(identity, draft, epoch, own, keys) for (identity, draft), own in chunk]

    def _seal(
        self,
        identity: bytes,
        draft: Draft,
        epoch: str,
        pseudonyms: tuple[Pseudonym, ...],
        keys: tuple[SealingPublicKey, SigningKey],
    ) -> Parcel:
        now_ms = int(time.time() * 1000)
        header = Header(
            signal_id=new_uuid7(now_ms),
            suite=self._suite,
            agreement=self._agreement,
            sender=self._oin,
            recipient=draft.recipient,
            kind=draft.kind,
            purpose=draft.purpose,
            delivery=draft.delivery,
            epoch=epoch,
            pseudonym=pseudonyms[0],
            created_at_ms=now_ms,
            expires_at_ms=draft.expires_at_ms,
            previous=draft.previous,
            claims=with_severity(self._bundle, draft.claims, draft.fields),
            aliases=tuple(sorted({*pseudonyms[1:]} - {pseudonyms[0]})),
        )
        fields = [
            Field(name=name, category=self._bundle.fields[name].category.value, value=value.encode())
            for name, value in draft.fields.items()
        ]
        envelope = seal(header, fields, *keys)
        key = f"push-{header.signal_id}"
        request = exchange_pb2.PushRequest(
            idempotency_key=key, envelope=envelope_to_wire(envelope), strict=draft.strict
        )
        return Parcel(identity=identity, idempotency_key=key, request=request.SerializeToString())

    async def _send(
        self, waiting: deque[Parcel], progress: Callable[[int], None]
    ) -> dict[bytes, exchange_pb2.PushResult]:
        results: dict[bytes, exchange_pb2.PushResult] = {}
        patience = Patience(self._connections.patience)
        while waiting:
            try:
                async with aclosing(self._stream(waiting)) as answers:
                    async for parcels, answer in answers:
                        results |= self._take(parcels, answer)
                        patience.reset()
                        progress(len(parcels))
            except grpc.aio.AioRpcError as error:
                await patience.again(from_rpc_error(error))
        return results

    async def _stream(
        self, waiting: deque[Parcel]
    ) -> AsyncGenerator[tuple[list[Parcel], exchange_pb2.PushStreamResponse], None]:
        """Send what waits over one stream; what was not answered when it ends waits again, in its order."""
        room = asyncio.Semaphore(FRAMES_AHEAD)
        in_flight: deque[list[Parcel]] = deque()
        call = self._connections.exchange.PushStream()

        async def write() -> None:
            while waiting:
                await room.acquire()
                parcels = [waiting.popleft() for _ in range(min(FRAME, len(waiting)))]
                in_flight.append(parcels)
                pushes = [exchange_pb2.PushRequest.FromString(parcel.request) for parcel in parcels]
                await call.write(exchange_pb2.PushStreamRequest(pushes=pushes))
            await call.done_writing()

        writer = asyncio.create_task(write())
        try:
            async for answer in call:
                room.release()
                yield in_flight.popleft(), answer
        finally:
            # A writer that outlived its stream would take parcels from under the next one.
            writer.cancel()
            await asyncio.gather(writer, return_exceptions=True)
            call.cancel()
            waiting.extendleft(parcel for frame in reversed(in_flight) for parcel in reversed(frame))

    def _take(
        self, parcels: Sequence[Parcel], answer: exchange_pb2.PushStreamResponse
    ) -> dict[bytes, exchange_pb2.PushResult]:
        """Check the answers to a frame and note them in the outbox."""
        taken: dict[bytes, exchange_pb2.PushResult] = {}
        rows = []
        if [result.idempotency_key for result in answer.results] != [p.idempotency_key for p in parcels]:
            raise NotAuthentic("log-inconsistent", "the broker answered other pushes than were sent")
        refused = []
        for parcel, result in zip(parcels, answer.results, strict=True):
            if result.WhichOneof("outcome") == "answer":
                self._trust.check_receipt(result.answer.receipt, result.answer.entry)
                permitted = result.answer.decision.effect == envelope_pb2.EFFECT_PERMIT
                rows.append((parcel.identity, result.answer.SerializeToString(), permitted))
            elif result.error.code not in KEPT_AFTER_ERROR:
                refused.append(parcel.identity)
            taken[parcel.identity] = result
        self._trust.keep_receipts()
        self._outbox.answered(rows)
        self._outbox.forget(refused)
        return taken

    def _outcome(
        self, draft: Draft, result: exchange_pb2.PushResult | None, before: bytes | None
    ) -> PushOutcome:
        if before is not None:
            answer = exchange_pb2.PushResponse.FromString(before)
        elif result is not None and result.WhichOneof("outcome") == "answer":
            answer = result.answer
        else:
            return PushOutcome(draft=draft, permitted=False, error=result.error.code if result else "defect")
        decision = answer.decision
        permitted = decision.effect == envelope_pb2.EFFECT_PERMIT
        return PushOutcome(
            draft=draft,
            permitted=permitted,
            reason=decision.reasons[0].code if decision.reasons and not permitted else "",
            log_index=answer.receipt.log_index,
            assumed=decision.assumed,
            sent_before=before is not None,
            withheld=tuple(item.name for item in decision.withheld),
            signal_id=UUID(str(json.loads(answer.entry)["exchange"])) if permitted else None,
        )


def with_severity(bundle: Bundle, claims: Mapping[str, str], fields: Mapping[str, str]) -> Mapping[str, str]:
    """The claims, with the severity of the sealed field: the broker must see that a person has to look."""
    if SEVERITY in fields and SEVERITY in bundle.claims:
        return {**claims, SEVERITY: fields[SEVERITY]}
    return claims


def check_fields(bundle: Bundle, fields: Mapping[str, str], claims: Mapping[str, str]) -> None:
    """Check values against the catalogue, free text for numbers that pass the 11-proof, and claims against fields.

    Raises InvalidInput naming the field, never its value.
    """
    for name, value in fields.items():
        spec = bundle.fields.get(name)
        if spec is None:
            raise InvalidInput("unknown-value", "the catalogue has no such field", where=name)
        spec.value.check(value, where=name)
        if spec.value.type == "text" and find_hidden_identifiers(value):
            raise InvalidInput("hidden-identifier", where=name)
    for name, value in claims.items():
        claim = bundle.catalog.assertions.get(name)
        if claim is None or not claim.fits(value):
            raise InvalidInput("unknown-value", "the claim is unknown or has the wrong form", where=name)
        if isinstance(claim, ClaimSpec) and claim.equals and claim.expected(fields) != value:
            raise InvalidInput("unknown-value", "the claim differs from the sealed fields", where=name)
