# SPDX-License-Identifier: EUPL-1.2
"""The life of a follow-up at the broker. Read this file from top to bottom; `broker/exchange.py` comes before it.

    1 admit     who calls; for what it owes about earlier signals a participant that was stopped is heard too
    2 verify    the statement is canonical, of words of the catalogue, and signed by the caller
    3 answer    a repeated idempotency key gets the first answer; a repeated statement under another key is refused
    4 anchor    the signal was exchanged, and the author is its sender, or a holder
    5 decide    `ask` and `answer` have rules of their own; all others follow from the first exchange, so no
                expired agreement, limit or stop of new exchanges can block them (docs/adr/0013)
    6 log       one entry for the statement, and one for each copy that it reaches elsewhere
    7 effect    in the same transaction: mailboxes, duties, and what the broker itself may no longer hand out

Steps 3 to 7 run in `settle`, alone in their transaction. Nothing here sees a value: ids and codes only.
"""

import hashlib
from dataclasses import dataclass
from functools import partial

from broker.admission import Admitted, admit
from broker.decide.model import Request
from broker.exchange import MAX_AGE_MS, MAX_AHEAD_MS, Desk, check_offer, first_answer
from broker.facts import subject_of
from broker.followup.binding import bind, check_against_earlier
from broker.followup.duties import Owed, demand_duty, do_duty
from broker.followup.holders import held_signal, sent_signal
from broker.followup.record import deliver, row_of, statement_record
from broker.followup.replacement import Replacement, check_replacement, put_in_place
from broker.messages import decision_message
from broker.ruling import rule_on
from broker.step import Logged, Needs, Step
from broker.storage.follow_up_port import Duty, KnownSignal
from broker.storage.port import FirstAnswer
from sluis.encoding import lp
from sluis.envelope import verify
from sluis.errors import Conflict, InvalidInput, NotAuthentic, NotFound, NotPermitted
from sluis.followup import Act, SignedFollowUp
from sluis.identifiers import Oin
from sluis.policy.rules import Operation
from sluis.rpc.caller import Caller
from sluis.v1 import followup_pb2
from sluis.wire import envelope_from_wire, follow_up_from_wire

DECIDED = {Act.ASK: Operation.ASK, Act.ANSWER: Operation.ANSWER}
OF_THE_SENDER = frozenset({Act.ANSWER, Act.CORRECT, Act.RECTIFY, Act.RECALL})


class FollowUps:
    """Takes follow-ups from senders and holders."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def send(
        self, caller: Caller, request: followup_pb2.SendFollowUpRequest
    ) -> followup_pb2.SendFollowUpResponse:
        """Carry one follow-up through the steps above; a denial is an answer.

        Raises InvalidInput, NotAuthentic, NotPermitted, NotFound or Conflict for what has no effect, Unavailable when
        nothing was done.
        """
        signed = follow_up_from_wire(request.follow_up)
        act = signed.statement.act
        author = await self._desk.directory.admit(caller, even_stopped=act not in DECIDED)
        self._check(author, signed)
        current_key = await self._desk.directory.check_signature(author, signed.verify)
        replacement = await self._replacement(author, signed, request)
        send = _Send(self._desk, author, request.idempotency_key, signed, replacement, current_key)
        return await self._desk.committer.submit(send)

    def _check(self, author: Admitted, signed: SignedFollowUp) -> None:
        statement = signed.statement
        if statement.author != author.oin:
            raise NotPermitted("not-your-identity")
        catalog = self._desk.bundle.catalog
        catalog.follow_ups.check(statement, catalog.functions)

    async def _replacement(
        self, author: Admitted, signed: SignedFollowUp, request: followup_pb2.SendFollowUpRequest
    ) -> Replacement | None:
        if request.HasField("replacement") != (signed.statement.act is Act.CORRECT):
            raise InvalidInput("malformed-request", "`correct`, and nothing else, comes with a signal")
        if not request.HasField("replacement"):
            return None
        envelope = envelope_from_wire(request.replacement)
        check_offer(author, envelope)
        current_key = await self._desk.directory.check_signature(author, partial(verify, envelope))
        return Replacement(envelope=envelope, current_key=current_key)


@dataclass(frozen=True, slots=True)
class _Send:
    """Steps 3 to 7 for one follow-up, inside the transaction."""

    desk: Desk
    author: Admitted
    key: str
    signed: SignedFollowUp
    replacement: Replacement | None
    current_key: bool  # else it was signed with a key that the author has replaced

    def needs(self) -> Needs:
        return Needs(
            parties=frozenset({self.author.oin}),
            answers=frozenset({(self.author.oin, self.key)}),
            signals=frozenset({self.replacement.signal_id} if self.replacement else ()),
            alone=True,
        )

    def settle(self, step: Step) -> followup_pb2.SendFollowUpResponse:
        statement = self.signed.statement
        admit(step, self.author, even_stopped=statement.act not in DECIDED)
        if (first := first_answer(step, self.author.oin, self.key, self._digest())) is not None:
            answer = followup_pb2.SendFollowUpResponse.FromString(first.answer)
            answer.repeated_request = True
            return answer
        if step.tx.follow_ups([statement.follow_up_id.bytes]):
            raise Conflict("follow-up-exists")
        self._check_current(step)

        anchored = sent_signal if statement.act in OF_THE_SENDER else held_signal
        signal = anchored(step.tx, statement)
        match statement.act:
            case Act.ASK | Act.ANSWER:
                answer = self._decided(step, signal)
            case Act.CORRECT | Act.RECTIFY | Act.RECALL:
                answer = self._binding(step, signal)
            case Act.FULFIL:
                answer = self._fulfilled(step, signal)
            case Act.FEEDBACK | Act.ATTEND:
                answer = self._told(step, signal)
            case Act.DESTROY:
                raise InvalidInput("malformed-request", "only the broker asks to destroy")
        return self._remember(step, answer)

    def _check_current(self, step: Step) -> None:
        """Not before the first answer: what was taken gets that, however late it comes again."""
        if not self.current_key:
            raise NotAuthentic("signing-key-replaced")
        if not step.now_ms - MAX_AGE_MS <= self.signed.statement.created_at_ms <= step.now_ms + MAX_AHEAD_MS:
            raise InvalidInput("clock-skew", where="created_at")

    def _decided(self, step: Step, signal: KnownSignal) -> followup_pb2.SendFollowUpResponse:
        """A question to the sender or its answer: decided under a rule of its own, at this moment."""
        statement = self.signed.statement
        asked = self._asked(step, signal) if statement.act is Act.ANSWER else None
        addressee = signal.sender if statement.act is Act.ASK else signal.recipient
        ruling = rule_on(step, self._request(step, signal, addressee), self.desk.bundle)
        outcome = "sent" if ruling.permitted else "refused"
        logged = ruling.log(
            step,
            f"followup.{statement.act}",
            {**statement_record(self.signed, signal), "outcome": outcome},
        )
        if ruling.permitted:
            self._keep(step, logged)
            deliver(step, logged.index, addressee, self.signed, signal.signal_id)
            if asked:
                step.done(asked, logged.index)
            else:
                self._owe_answer(step, signal, logged)
        answer = self._answer(logged)
        answer.decision.CopyFrom(decision_message(ruling.decision))
        return answer

    def _request(self, step: Step, signal: KnownSignal, addressee: str) -> Request:
        subject = subject_of(signal)
        step.read_more(Needs(parties=frozenset({addressee}), registers=self.desk.prover.needs(subject)))
        return Request(
            operation=DECIDED[self.signed.statement.act],
            sender=self.desk.directory.party_of(step, self.author.oin),
            recipient=self.desk.directory.party_of(step, Oin(addressee)),
            agreement=signal.agreement,
            kind=signal.kind,
            purpose=signal.purpose,
            fields=(),
            facts=self.desk.prover.prove(step, subject),
            at=step.now,
        )

    def _asked(self, step: Step, signal: KnownSignal) -> Duty:
        """The duty to answer. Raises NotFound `not-asked`, Conflict `already-done`."""
        refers_to = self.signed.statement.refers_to
        question = step.tx.follow_ups([refers_to.bytes]).get(refers_to.bytes) if refers_to else None
        if question is None or question.act != Act.ASK or question.signal_id != signal.signal_id:
            raise NotFound("not-asked")
        for duty in step.tx.open_duties(signal.signal_id):
            if duty.act == Owed.ANSWER and duty.follow_up_id == question.follow_up_id:
                return duty
        raise Conflict("already-done")

    def _owe_answer(self, step: Step, signal: KnownSignal, logged: Logged) -> None:
        step.owe(
            Duty(
                log_index=logged.index,
                act=Owed.ANSWER,
                debtor=signal.sender,
                creditor=signal.recipient,
                signal_id=signal.signal_id,
                follow_up_id=self.signed.statement.follow_up_id.bytes,
                due_at_ms=self.desk.bundle.catalog.follow_ups.terms.due_at_ms(Owed.ANSWER, step.now_ms),
            )
        )

    def _told(self, step: Step, signal: KnownSignal) -> followup_pb2.SendFollowUpResponse:
        """Feedback to the sender, or that a person has looked at the signal; late is better than never."""
        statement = self.signed.statement
        if statement.act is Act.ATTEND:
            demand_duty(step, Owed.ATTEND, self.author.oin, signal.signal_id, None)
        logged = self._log(step, signal, recipient=signal.sender)
        self._keep(step, logged)
        deliver(step, logged.index, signal.sender, self.signed, signal.signal_id)
        if statement.act is Act.ATTEND or self.desk.bundle.catalog.follow_ups.is_final(statement):
            do_duty(step, Owed(statement.act), self.author.oin, signal.signal_id, logged.index)
        return self._answer(logged)

    def _fulfilled(self, step: Step, signal: KnownSignal) -> followup_pb2.SendFollowUpResponse:
        """A holder did with its copy what was asked; `signal` is that copy."""
        refers_to = self.signed.statement.refers_to
        asked = step.tx.follow_ups([refers_to.bytes]).get(refers_to.bytes) if refers_to else None
        if asked is None:
            raise NotFound("not-demanded")
        if not any(
            row.refers_to == asked.follow_up_id and row.author == self.author.oin
            for row in step.tx.follow_ups_about(signal.signal_id)
        ):
            demand_duty(step, Owed.FULFIL, self.author.oin, signal.signal_id, asked.follow_up_id)
        else:
            raise Conflict("already-done")
        logged = self._log(step, signal, recipient=asked.author)
        self._keep(step, logged)
        if asked.author:
            deliver(step, logged.index, asked.author, self.signed, asked.signal_id)
        do_duty(
            step,
            Owed.FULFIL,
            self.author.oin,
            signal.signal_id,
            logged.index,
            follow_up_id=asked.follow_up_id,
        )
        return self._answer(logged)

    def _binding(self, step: Step, signal: KnownSignal) -> followup_pb2.SendFollowUpResponse:
        """The sender corrects, rectifies or recalls: every holder is told, the broker hands out no more of it."""
        check_against_earlier(step, self.signed.statement)
        if self.replacement is None:
            logged, holders = bind(step, self.desk.bundle, self.signed, signal)
            return self._answer(logged, holders=holders)
        check_replacement(step, self.desk.bundle, self.replacement, signal, self.signed.statement)
        logged, holders = bind(step, self.desk.bundle, self.signed, signal)
        placed = put_in_place(step, self.desk, self.replacement, signal)
        answer = self._answer(logged, holders=holders)
        answer.replacement_entry = placed.entry
        answer.replacement_receipt.CopyFrom(self.desk.signer.receipt(placed.index, placed.leaf))
        return answer

    def _log(self, step: Step, signal: KnownSignal, *, recipient: str) -> Logged:
        return step.log({**statement_record(self.signed, signal), "recipient": recipient, "outcome": "sent"})

    def _keep(self, step: Step, logged: Logged) -> None:
        step.follow_up(row_of(self.signed, logged.index))

    def _answer(self, logged: Logged, *, holders: int = 0) -> followup_pb2.SendFollowUpResponse:
        return followup_pb2.SendFollowUpResponse(
            receipt=self.desk.signer.receipt(logged.index, logged.leaf), entry=logged.entry, holders=holders
        )

    def _remember(
        self, step: Step, answer: followup_pb2.SendFollowUpResponse
    ) -> followup_pb2.SendFollowUpResponse:
        step.remember(
            FirstAnswer(
                oin=self.author.oin,
                key=self.key,
                content_digest=self._digest(),
                answer=answer.SerializeToString(),
                log_index=answer.receipt.log_index,
            )
        )
        return answer

    def _digest(self) -> bytes:
        parts = (self.signed.statement.encode(), self.signed.signature)
        replacement = self.replacement.digest() if self.replacement else b""
        return hashlib.sha256(lp("sluis/v1/send-follow-up", *parts, replacement)).digest()
