# SPDX-License-Identifier: EUPL-1.2
"""The life of a signal at the broker. Read this file from top to bottom.

    1 admit      who calls (mTLS, OIN), registered, not stopped, certificate not revoked
    2 verify     the header is canonical, the sender's signature holds over header and fields
    3 answer     a repeated idempotency key gets the first answer; what is new must be of this time and epoch
    4 prove      facts come from registers at this moment, never from the sender
    5 decide     a pure function of request, facts, rules and time; no rule, no exchange
    6 minimise   only the released fields stay in the envelope; of the others a hash remains
    7 log, keep  one transaction: log entry, mailbox or deposit with its end date, first answer; then the receipt
    8 tell       a recipient that watches for the subject of a deposit gets it at once (match/watch.py)

Steps 1 and 2 are repeated where they must hold at the moment of writing. Steps 3 to 8 run in `settle`, inside
the transaction. Nothing here sees an identifier or a value: a pseudonym, names of fields, and ciphertext.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Protocol
from uuid import UUID

from broker.admission import Admitted, Directory, admit
from broker.committer import Committer
from broker.decide.model import Request
from broker.facts import FactProver, subject_of
from broker.followup.duties import owe_after_release, severity_of
from broker.kept_signal import keep_signal
from broker.messages import check_idempotency_key, decision_message
from broker.persons import check_aliases
from broker.policy.active import ActivePolicy
from broker.retention.terms import Term, link_of, signal_term
from broker.ruling import Ruling, rule_on
from broker.signer import ReceiptSigner
from broker.step import Needs, RegisterKey, Step
from broker.storage.port import Delivery, FirstAnswer, StoredSignal
from broker.storage.retention_port import FOLLOWS
from sluis.encoding import lp
from sluis.envelope import Envelope, KeptField, verify, withhold
from sluis.errors import Conflict, InvalidInput, NotAuthentic, NotPermitted, SluisError, Unavailable
from sluis.header import Delivery as DeliveryMode
from sluis.header import Header
from sluis.identifiers import Oin
from sluis.policy.bundle import Bundle
from sluis.policy.rules import Operation
from sluis.receipt import WithheldField
from sluis.rpc.caller import Caller
from sluis.v1 import envelope_pb2, exchange_pb2
from sluis.wire import envelope_from_wire, envelope_to_wire

MAX_AHEAD_MS = 5 * 60_000
MAX_AGE_MS = 30 * 24 * 3600_000
MAX_LIFE_MS = 6 * 366 * 24 * 3600_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """What every kind of exchange needs at the broker."""

    committer: Committer
    directory: Directory
    policy: ActivePolicy
    signer: ReceiptSigner
    clock: Callable[[], datetime]

    @property
    def bundle(self) -> Bundle:
        """The rules that decide now."""
        return self.policy.bundle

    @property
    def prover(self) -> FactProver:
        """Proves the facts for which those rules ask."""
        return self.policy.prover


class Watchers(Protocol):
    """Who waits for signals about a subject."""

    def needs(self, header: Header) -> frozenset[RegisterKey]:
        """What to read before a deposit is told to its recipient."""
        ...

    def tell(self, step: Step, signal: StoredSignal, header: Header) -> None:
        """Release a signal that was deposited just now, if its recipient watches for it and may have it."""
        ...


class Exchange:
    """Takes signals from senders."""

    def __init__(self, desk: Desk, watchers: Watchers) -> None:
        self._desk = desk
        self._watchers = watchers

    async def push(self, caller: Caller, request: exchange_pb2.PushRequest) -> exchange_pb2.PushResponse:
        """Carry one signal through the steps above; a denial is an answer.

        Raises InvalidInput, NotAuthentic or NotPermitted for what is no exchange, Conflict for a reused key or
        signal id, Unavailable when nothing was done.
        """
        sender = await self._desk.directory.admit(caller)
        return await self._desk.committer.submit(await self._verified(sender, request))

    async def push_all(
        self, caller: Caller, requests: Sequence[exchange_pb2.PushRequest]
    ) -> list[exchange_pb2.PushResponse | SluisError]:
        """Carry the signals of a frame, each as `push` does; for each its answer or what it raised, in order.

        Raises Unavailable when nothing was done with some of them.
        """
        outcomes: dict[int, exchange_pb2.PushResponse | SluisError] = {}
        works: dict[int, _Push] = {}
        try:
            sender = await self._desk.directory.admit(caller)
        except Unavailable:
            raise
        except SluisError as error:
            return [error] * len(requests)
        for position, request in enumerate(requests):
            try:
                works[position] = await self._verified(sender, request)
            except SluisError as error:
                outcomes[position] = error
        if works:
            settled = await self._desk.committer.submit_all(list(works.values()))
            outcomes.update(zip(works, settled, strict=True))
        if failed := [error for error in outcomes.values() if isinstance(error, Unavailable)]:
            raise failed[0]
        return [outcomes[position] for position in range(len(requests))]

    async def _verified(self, sender: Admitted, request: exchange_pb2.PushRequest) -> "_Push":
        """Step 2: the work that is left, or the error for what is no signal of this sender."""
        check_idempotency_key(request.idempotency_key)
        envelope = envelope_from_wire(request.envelope)
        check_offer(sender, envelope)
        current = await self._desk.directory.check_signature(sender, partial(verify, envelope))
        digest = _digest(envelope, strict=request.strict)
        return _Push(self._desk, self._watchers, sender, request, envelope, digest, current)


def check_offer(sender: Admitted, envelope: Envelope) -> None:
    """Step 2 without the signature: the sender's own, and whole.

    Raises NotPermitted `not-your-identity`, InvalidInput `malformed-request`.
    """
    if envelope.header.sender != sender.oin:
        raise NotPermitted("not-your-identity")
    if not all(isinstance(item, KeptField) for item in envelope.fields):
        raise InvalidInput("malformed-request", "only the broker withholds fields", where="fields")


@dataclass(frozen=True, slots=True)
class _Push:
    """Steps 3 to 8 for one signal, inside the transaction."""

    desk: Desk
    watchers: Watchers
    sender: Admitted
    message: exchange_pb2.PushRequest
    envelope: Envelope  # as in the message, well-formed
    digest: bytes
    current_key: bool  # else it was signed with a key that the sender has replaced

    @property
    def key(self) -> str:
        """The sender's idempotency key."""
        return self.message.idempotency_key

    def needs(self) -> Needs:
        header = self.envelope.header
        return Needs(
            parties=frozenset({header.sender, header.recipient}),
            answers=frozenset({(self.sender.oin, self.key)}),
            signals=frozenset({header.signal_id.bytes}),
            registers=self.desk.prover.needs(subject_of(header)) | self._watched(),
            previous=frozenset({header.previous.bytes} if header.previous else ()),
        )

    def _watched(self) -> frozenset[RegisterKey]:
        header = self.envelope.header
        return self.watchers.needs(header) if header.delivery is DeliveryMode.ON_MATCH else frozenset()

    def settle(self, step: Step) -> exchange_pb2.PushResponse:
        admit(step, self.sender)
        if (first := first_answer(step, self.sender.oin, self.key, self.digest)) is not None:
            answer = exchange_pb2.PushResponse.FromString(first.answer)
            answer.repeated_request = True
            return answer
        if step.signal_exists(self.envelope.header.signal_id.bytes):
            raise Conflict("signal-exists")
        # Not before: what was taken gets its first answer, however late it comes again.
        check_current(self.envelope.header, step, current_key=self.current_key)
        check_aliases(self.envelope.header, self.desk.bundle)
        origin = passed_on_from(step, self.envelope.header)

        ruling = rule_on(step, self._request(step), self.desk.bundle)
        return self._log_and_keep(step, ruling, self._withheld(ruling), origin)

    def _request(self, step: Step) -> Request:
        header = self.envelope.header
        return Request(
            operation=Operation.PUSH,
            sender=self.desk.directory.party_of(step, header.sender),
            recipient=self.desk.directory.party_of(step, header.recipient),
            agreement=header.agreement,
            kind=header.kind,
            purpose=header.purpose,
            delivery=header.delivery.value,
            fields=kept_fields(self.envelope),
            claims=header.claims,
            facts=self.desk.prover.prove(step, subject_of(header)),
            at=step.now,
            strict=self.message.strict,
        )

    def _withheld(self, ruling: Ruling) -> tuple[WithheldField, ...]:
        """Which fields do not pass, by index."""
        if not ruling.permitted or not ruling.decision.withheld:
            return ()
        reasons = {item.name: item for item in ruling.decision.withheld}
        released = set(ruling.decision.released)
        return tuple(
            WithheldField(index=index, reason=reasons[name].code, rule_id=reasons[name].rule_id)
            for index, item in enumerate(self.envelope.fields)
            if isinstance(item, KeptField) and (name := item.name) not in released
        )

    def _log_and_keep(
        self, step: Step, ruling: Ruling, withheld: tuple[WithheldField, ...], origin: UUID | None
    ) -> exchange_pb2.PushResponse:
        header = self.envelope.header
        logged = ruling.log(
            step,
            "signal.push",
            {
                "exchange": str(header.signal_id),
                "delivery": header.delivery.value,
                "outcome": header.delivery.value if ruling.permitted else "refused",
                **({"passed_on_from": str(origin)} if origin else {}),
            },
            bound=(header.pseudonym, self.envelope.root()),
            link=FOLLOWS if ruling.permitted else link_of(ruling.decision, step.now_ms, header.expires_at_ms),
        )
        answer = exchange_pb2.PushResponse(
            decision=decision_message(ruling.decision),
            receipt=self.desk.signer.receipt(logged.index, logged.leaf),
            entry=logged.entry,
        )
        if ruling.permitted:
            term = signal_term(ruling.decision, ruling.bundle, step.now_ms, header.expires_at_ms)
            self._keep(step, logged.index, withheld, origin, term)
            self._owe(step, logged.index, ruling.decision.obligations)
        step.remember(
            FirstAnswer(
                oin=self.sender.oin,
                key=self.key,
                content_digest=self.digest,
                answer=answer.SerializeToString(),
                log_index=logged.index,
            )
        )
        return answer

    def _keep(
        self,
        step: Step,
        index: int,
        withheld: tuple[WithheldField, ...],
        origin: UUID | None,
        term: Term,
    ) -> None:
        header = self.envelope.header
        signal = keep_signal(
            step,
            header,
            index,
            self._minimised(withheld),
            self.desk.signer.redaction(self.envelope, withheld),
            term,
            previous=origin,
        )
        if header.delivery is DeliveryMode.MAILBOX:
            step.deliver(
                Delivery(log_index=index, recipient=header.recipient, signal_id=header.signal_id.bytes)
            )
        else:
            self.watchers.tell(step, signal, header)

    def _minimised(self, withheld: tuple[WithheldField, ...]) -> envelope_pb2.Envelope:
        if withheld:
            return envelope_to_wire(withhold(self.envelope, [item.index for item in withheld]))
        whole = self.message.envelope
        whole.DiscardUnknownFields()  # what is no part of a signal is not kept
        return whole

    def _owe(self, step: Step, index: int, obligations: Mapping[str, str]) -> None:
        header = self.envelope.header
        if header.delivery is DeliveryMode.MAILBOX:
            owe_after_release(
                step,
                index,
                sender=header.sender,
                recipient=header.recipient,
                signal_id=header.signal_id.bytes,
                severity=severity_of(header.claims),
                obligations=obligations,
                bundle=self.desk.bundle,
            )


def check_current(header: Header, step: Step, *, current_key: bool) -> None:
    """Insist that a new signal is of this time, signed with the present key, and of an epoch that takes it.

    Raises NotAuthentic `signing-key-replaced`; InvalidInput `clock-skew`, `signal-expired`, `unknown-epoch`; Conflict
    `epoch-closed`, `epoch-not-begun`.
    """
    check_times(header, step, current_key=current_key)
    step.calendar.check_signal(header.epoch, header.created_at_ms, step.now_ms)


def check_times(header: Header, step: Step, *, current_key: bool) -> None:
    """The same but for the epoch: a correction stays in the epoch of what it corrects, which may be over."""
    if not current_key:
        raise NotAuthentic("signing-key-replaced")
    now_ms = step.now_ms
    if not now_ms - MAX_AGE_MS <= header.created_at_ms <= now_ms + MAX_AHEAD_MS:
        raise InvalidInput("clock-skew", where="created_at")
    if header.expires_at_ms <= now_ms:
        raise InvalidInput("signal-expired", where="expires_at")
    if header.expires_at_ms > now_ms + MAX_LIFE_MS:
        raise InvalidInput("clock-skew", "the expiry lies more than six years ahead", where="expires_at")


def passed_on_from(step: Step, header: Header) -> UUID | None:
    """The signal that its recipient now passes on, as far as this broker knows; it was in the needs.

    Raises Conflict `signal-withdrawn` for one that was taken back: a recall would not reach the new recipient.
    """
    if header.previous is None:
        return None
    origin = step.origin(header.previous.bytes)
    if origin is None or origin.recipient != header.sender:
        return None
    if origin.withdrawn:
        raise Conflict("signal-withdrawn")
    return header.previous


def kept_fields(envelope: Envelope) -> tuple[tuple[str, str], ...]:
    """Name and category of the fields that are still there."""
    return tuple((item.name, item.category) for item in envelope.fields if isinstance(item, KeptField))


def _digest(envelope: Envelope, *, strict: bool) -> bytes:
    """What an idempotency key stands for: the same key with another digest is a mistake of the sender."""
    parts = (envelope.header_bytes, envelope.root(), envelope.signature, bytes([strict]))
    return hashlib.sha256(lp("sluis/v1/push", *parts)).digest()


def first_answer(step: Step, oin: Oin, key: str, digest: bytes) -> FirstAnswer | None:
    """The first answer to this key. Raises Conflict `idempotency-conflict` when the content differs."""
    first = step.first_answer(oin, key)
    if first is not None and first.content_digest != digest:
        raise Conflict("idempotency-conflict")
    return first
