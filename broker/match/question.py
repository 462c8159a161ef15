# SPDX-License-Identifier: EUPL-1.2
"""A question: which of these pseudonyms have a deposited signal that the asker may have?

A question is two disclosures, and both are decided (design: "a query is two flows"):
    1 the question itself: may this party ask about this kind, for this purpose?
    2 each release: under the rules and facts of this moment, as if the signal were pushed now
A release that is refused is logged, and answered as a miss: the asker does not learn that something lies there.
The log holds counts and hits, never the list of pseudonyms.
"""

import hashlib
from dataclasses import dataclass
from uuid import UUID

from broker.admission import Admitted, admit
from broker.decide.model import Decision, Request
from broker.exchange import Desk, first_answer, kept_fields
from broker.facts import Subject
from broker.messages import decision_message
from broker.ruling import Ruling, rule_on
from broker.step import Logged, Needs, Step
from broker.storage.port import Delivery, FirstAnswer, StoredSignal
from sluis.encoding import lp
from sluis.envelope import Envelope
from sluis.errors import InvalidInput
from sluis.policy.rules import Operation
from sluis.rpc.caller import Caller
from sluis.v1 import envelope_pb2, exchange_pb2
from sluis.wire import envelope_from_wire

MAX_PSEUDONYMS = 4096
PSEUDONYM_LENGTH = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """A deposited signal with the decision to release it now."""

    position: int
    signal: StoredSignal
    envelope: Envelope
    ruling: Ruling


class Matching:
    """Answers questions of recipients about their own subjects."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def ask(self, caller: Caller, request: exchange_pb2.MatchRequest) -> exchange_pb2.MatchAnswer:
        """Decide, log and answer one frame of a question.

        The hits of the answer hold positions and log indexes; the caller of this method adds the envelopes.
        Raises InvalidInput for a malformed frame, and what admission raises.
        """
        asker = await self._desk.directory.admit(caller)
        data = request.pseudonyms
        if len(data) % PSEUDONYM_LENGTH:
            raise InvalidInput("malformed-request", "pseudonyms are 16 bytes each", where="pseudonyms")
        if len(data) > MAX_PSEUDONYMS * PSEUDONYM_LENGTH:
            raise InvalidInput("batch-too-large", f"at most {MAX_PSEUDONYMS} pseudonyms in a frame")
        positions: dict[bytes, int] = {}
        for at in range(0, len(data), PSEUDONYM_LENGTH):
            positions.setdefault(data[at : at + PSEUDONYM_LENGTH], at // PSEUDONYM_LENGTH)
        question = _Question(self._desk, asker, request, positions)
        return await self._desk.committer.submit(question)


@dataclass(frozen=True, slots=True)
class _Question:
    desk: Desk
    asker: Admitted
    message: exchange_pb2.MatchRequest
    positions: dict[bytes, int]

    def needs(self) -> Needs:
        message = self.message
        return Needs(
            parties=frozenset({self.asker.oin}),
            answers=frozenset({(self.asker.oin, message.idempotency_key)}),
        )

    def settle(self, step: Step) -> exchange_pb2.MatchAnswer:
        admit(step, self.asker)
        first = first_answer(step, self.asker.oin, self.message.idempotency_key, self._digest())
        if first is not None:
            return exchange_pb2.MatchAnswer.FromString(first.answer)
        step.calendar.check_open(self.message.epoch)

        question = rule_on(step, self._question(step), self.desk.bundle)
        releases = self._releases(step) if question.permitted else []
        hits = [release for release in releases if release.ruling.permitted]
        logged = question.log(
            step,
            "match.question",
            {
                "asked": len(self.message.pseudonyms) // PSEUDONYM_LENGTH,
                "hits": len({hit.position for hit in hits}),
                "outcome": "answered" if question.permitted else "refused",
            },
        )
        return self._answer(step, question.decision, logged, releases)

    def _question(self, step: Step) -> Request:
        party = self.desk.directory.party_of(step, self.asker.oin)
        return Request(
            operation=Operation.QUESTION,
            sender=party,
            recipient=party,
            agreement=self.message.agreement,
            kind=self.message.kind,
            purpose=self.message.purpose,
            fields=(),
            subjects=len(self.positions),
            at=step.now,
        )

    def _releases(self, step: Step) -> list[Release]:
        message = self.message
        found = step.tx.deposits(
            self.asker.oin, message.agreement, message.kind, message.epoch, self.positions.keys(), step.now_ms
        )
        step.read_more(
            Needs(
                parties=frozenset(signal.sender for signal in found),
                registers=frozenset(
                    key for signal in found for key in self.desk.prover.needs(_subject(signal))
                ),
            )
        )
        return [self._decide_release(step, signal) for signal in found]

    def _decide_release(self, step: Step, signal: StoredSignal) -> Release:
        envelope = envelope_from_wire(envelope_pb2.Envelope.FromString(signal.envelope))
        header = envelope.header
        request = Request(
            operation=Operation.RELEASE,
            sender=self.desk.directory.party_of(step, header.sender),
            recipient=self.desk.directory.party_of(step, header.recipient),
            agreement=header.agreement,
            kind=header.kind,
            purpose=self.message.purpose,
            delivery=header.delivery.value,
            fields=kept_fields(envelope),
            claims=header.claims,
            facts=self.desk.prover.prove(step, _subject(signal)),
            at=step.now,
            strict=True,  # what was released to the deposit must still be releasable as a whole
        )
        return Release(
            position=self.positions[signal.pseudonym],
            signal=signal,
            envelope=envelope,
            ruling=rule_on(step, request, self.desk.bundle),
        )

    def _answer(
        self, step: Step, decision: Decision, logged: Logged, releases: list[Release]
    ) -> exchange_pb2.MatchAnswer:
        hits = []
        for release in releases:
            index = log_release(step, release)
            if release.ruling.permitted:
                step.deliver(
                    Delivery(
                        log_index=index,
                        recipient=release.signal.recipient,
                        signal_id=release.signal.signal_id,
                    )
                )
                delivery = exchange_pb2.Delivery(log_index=index)
                hits.append(exchange_pb2.MatchHit(position=release.position, delivery=delivery))
        answer = exchange_pb2.MatchAnswer(
            decision=decision_message(decision),
            asked=len(self.message.pseudonyms) // PSEUDONYM_LENGTH,
            hits=hits,
            receipt=self.desk.signer.receipt(logged.index, logged.leaf),
            entry=logged.entry,
            last=True,
        )
        step.remember(
            FirstAnswer(
                oin=self.asker.oin,
                key=self.message.idempotency_key,
                content_digest=self._digest(),
                answer=answer.SerializeToString(),
                log_index=logged.index,
            )
        )
        return answer

    def _digest(self) -> bytes:
        message = self.message
        parts = (message.agreement, message.purpose, message.kind, message.epoch, message.pseudonyms)
        return hashlib.sha256(lp("sluis/v1/match", *parts)).digest()


def _subject(signal: StoredSignal) -> Subject:
    return Subject(
        agreement=signal.agreement,
        recipient=signal.recipient,
        epoch=signal.epoch,
        pseudonym=signal.pseudonym,
    )


def log_release(step: Step, release: Release) -> int:
    """Log a release, or the refusal of one, behind the push that deposited the signal."""
    logged = release.ruling.log(
        step,
        "signal.release",
        {
            "exchange": str(UUID(bytes=release.signal.signal_id)),
            "previous": release.signal.pushed_index,
            "outcome": "released" if release.ruling.permitted else "refused",
        },
        bound=(release.signal.pseudonym, release.envelope.root()),
    )
    return logged.index
