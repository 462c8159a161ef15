# SPDX-License-Identifier: EUPL-1.2
"""The life of a signal at the broker. Read this file from top to bottom.

    1 admit      who calls (mTLS, OIN), registered, not stopped, certificate not revoked
    2 verify     the header is canonical and current, the sender's signature holds over header and fields
    3 answer     a repeated idempotency key gets the first answer
    4 prove      facts come from registers at this moment, never from the sender
    5 decide     a pure function of request, facts, rules and time; no rule, no exchange
    6 minimise   only the released fields stay in the envelope; of the others a hash remains
    7 log, keep  one transaction: log entry, mailbox or deposit, first answer; then the receipt

Steps 1 and 2 are repeated where they must hold at the moment of writing. Steps 3 to 7 run in `settle`, inside
the transaction. Nothing here sees an identifier or a value: a pseudonym, names of fields, and ciphertext.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from broker.admission import Admitted, Directory, admit
from broker.committer import Committer
from broker.decide.model import Request
from broker.facts import FactProver, Subject
from broker.messages import decision_message
from broker.policy.active import ActivePolicy
from broker.ruling import Ruling, rule_on
from broker.signer import ReceiptSigner
from broker.step import Needs, Step
from broker.storage.port import Delivery, FirstAnswer, StoredSignal
from sluis.encoding import lp
from sluis.envelope import Envelope, KeptField, withhold
from sluis.errors import Conflict, InvalidInput, NotAuthentic, NotPermitted
from sluis.header import Delivery as DeliveryMode
from sluis.header import Header
from sluis.identifiers import Oin
from sluis.policy.bundle import Bundle
from sluis.policy.rules import Operation
from sluis.receipt import WithheldField
from sluis.rpc.caller import Caller
from sluis.v1 import exchange_pb2
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


class Exchange:
    """Takes signals from senders."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def push(self, caller: Caller, request: exchange_pb2.PushRequest) -> exchange_pb2.PushResponse:
        """Carry one signal through the steps above; a denial is an answer.

        Raises InvalidInput, NotAuthentic or NotPermitted for what is no exchange, Conflict for a reused key or
        signal id, Unavailable when nothing was done.
        """
        sender = await self._desk.directory.admit(caller)
        envelope = envelope_from_wire(request.envelope)
        self._check(sender, envelope)
        current = await self._desk.directory.check_signature(sender, envelope)
        push = _Push(self._desk, sender, request.idempotency_key, envelope, request.strict, current)
        return await self._desk.committer.submit(push)

    def _check(self, sender: Admitted, envelope: Envelope) -> None:
        header = envelope.header
        if header.sender != sender.oin:
            raise NotPermitted("not-your-identity")
        if not all(isinstance(item, KeptField) for item in envelope.fields):
            raise InvalidInput("malformed-request", "only the broker withholds fields", where="fields")


@dataclass(frozen=True, slots=True)
class _Push:
    """Steps 3 to 7 for one signal, inside the transaction."""

    desk: Desk
    sender: Admitted
    key: str
    envelope: Envelope
    strict: bool
    current_key: bool  # else it was signed with a key that the sender has replaced

    def needs(self) -> Needs:
        header = self.envelope.header
        return Needs(
            parties=frozenset({header.sender, header.recipient}),
            answers=frozenset({(self.sender.oin, self.key)}),
            signals=frozenset({header.signal_id.bytes}),
            registers=self.desk.prover.needs(subject_of(header)),
        )

    def settle(self, step: Step) -> exchange_pb2.PushResponse:
        admit(step, self.sender)
        if (first := first_answer(step, self.sender.oin, self.key, self._digest())) is not None:
            answer = exchange_pb2.PushResponse.FromString(first.answer)
            answer.repeated_request = True
            return answer
        if step.signal_exists(self.envelope.header.signal_id.bytes):
            raise Conflict("signal-exists")
        # Not before: what was taken gets its first answer, however late it comes again.
        if not self.current_key:
            raise NotAuthentic("signing-key-replaced")
        check_current(self.envelope.header, step)

        ruling = rule_on(step, self._request(step), self.desk.bundle)
        return self._log_and_keep(step, ruling, self._withheld(ruling))

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
            strict=self.strict,
        )

    def _withheld(self, ruling: Ruling) -> tuple[WithheldField, ...]:
        """Which fields do not pass, by index."""
        if not ruling.permitted:
            return ()
        reasons = {item.name: item for item in ruling.decision.withheld}
        released = set(ruling.decision.released)
        return tuple(
            WithheldField(index=index, reason=reasons[name].code, rule_id=reasons[name].rule_id)
            for index, item in enumerate(self.envelope.fields)
            if isinstance(item, KeptField) and (name := item.name) not in released
        )

    def _log_and_keep(
        self, step: Step, ruling: Ruling, withheld: tuple[WithheldField, ...]
    ) -> exchange_pb2.PushResponse:
        header = self.envelope.header
        logged = ruling.log(
            step,
            "signal.push",
            {
                "exchange": str(header.signal_id),
                "delivery": header.delivery.value,
                "outcome": header.delivery.value if ruling.permitted else "refused",
            },
            bound=(header.pseudonym, self.envelope.root()),
        )
        answer = exchange_pb2.PushResponse(
            decision=decision_message(ruling.decision),
            receipt=self.desk.signer.receipt(logged.index, logged.leaf),
            entry=logged.entry,
        )
        if ruling.permitted:
            self._keep(step, logged.index, withheld)
        step.remember(
            FirstAnswer(
                oin=self.sender.oin,
                key=self.key,
                content_digest=self._digest(),
                answer=answer.SerializeToString(),
                log_index=logged.index,
            )
        )
        return answer

    def _keep(self, step: Step, index: int, withheld: tuple[WithheldField, ...]) -> None:
        header = self.envelope.header
        minimised = withhold(self.envelope, [item.index for item in withheld])
        redaction = self.desk.signer.redaction(self.envelope, withheld)
        step.keep(
            StoredSignal(
                signal_id=header.signal_id.bytes,
                pushed_index=index,
                sender=header.sender,
                recipient=header.recipient,
                agreement=header.agreement,
                kind=header.kind,
                purpose=header.purpose,
                delivery=header.delivery.value,
                epoch=header.epoch,
                pseudonym=header.pseudonym,
                expires_at_ms=header.expires_at_ms,
                envelope=envelope_to_wire(minimised).SerializeToString(),
                redaction=redaction.SerializeToString(),
            )
        )
        if header.delivery is DeliveryMode.MAILBOX:
            step.deliver(
                Delivery(log_index=index, recipient=header.recipient, signal_id=header.signal_id.bytes)
            )

    def _digest(self) -> bytes:
        envelope = self.envelope
        parts = (envelope.header_bytes, envelope.root(), envelope.signature, bytes([self.strict]))
        return hashlib.sha256(lp("sluis/v1/push", *parts)).digest()


def check_current(header: Header, step: Step) -> None:
    """Insist that a new signal is of this time and of an epoch that takes it.

    Raises InvalidInput `clock-skew`, `signal-expired`, `unknown-epoch`; Conflict `epoch-closed`, `epoch-not-begun`.
    """
    now_ms = step.now_ms
    if not now_ms - MAX_AGE_MS <= header.created_at_ms <= now_ms + MAX_AHEAD_MS:
        raise InvalidInput("clock-skew", where="created_at")
    if header.expires_at_ms <= now_ms:
        raise InvalidInput("signal-expired", where="expires_at")
    if header.expires_at_ms > now_ms + MAX_LIFE_MS:
        raise InvalidInput("clock-skew", "the expiry lies more than six years ahead", where="expires_at")
    step.calendar.check_signal(header.epoch, header.created_at_ms, now_ms)


def subject_of(header: Header) -> Subject:
    """Whom a signal is about, as the broker knows it."""
    return Subject(
        agreement=header.agreement,
        recipient=header.recipient,
        epoch=header.epoch,
        pseudonym=header.pseudonym,
    )


def kept_fields(envelope: Envelope) -> tuple[tuple[str, str], ...]:
    """Name and category of the fields that are still there."""
    return tuple((item.name, item.category) for item in envelope.fields if isinstance(item, KeptField))


def first_answer(step: Step, oin: Oin, key: str, digest: bytes) -> FirstAnswer | None:
    """The first answer to this key. Raises Conflict `idempotency-conflict` when the content differs."""
    first = step.first_answer(oin, key)
    if first is not None and first.content_digest != digest:
        raise Conflict("idempotency-conflict")
    return first
