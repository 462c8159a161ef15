# SPDX-License-Identifier: EUPL-1.2
"""A question: which of these pseudonyms have a deposited signal that the asker may have?

A question is two disclosures, and both are decided (design: "a query is two flows"):
    1 the question itself: may this party ask about this kind, for this purpose?
    2 each release: under the rules and facts of this moment, as if the signal were pushed now
A release that is refused is logged, and answered as a miss: the asker does not learn that something lies there.
The log holds counts and hits, never the list of pseudonyms.

Misses are found beside the writer, in what was committed when the question came; only the others are read again,
decided and released inside the transaction. So a long question does not hold up those who push.
A question may be the claim of what the asker found in a digest (`digest.py`): what was found there for nothing is
a miss like any other, and counted as one in the entry.
"""

import asyncio
import hashlib
from dataclasses import dataclass
from uuid import UUID

from broker.admission import Admitted, admit
from broker.decide.model import Decision, Request
from broker.exchange import Desk, first_answer, kept_fields
from broker.facts import subject_of
from broker.followup.duties import owe_after_release
from broker.match.digest import Digests
from broker.messages import decision_message
from broker.persons import is_person
from broker.retention.terms import signal_term
from broker.ruling import Ruling, rule_on
from broker.step import Logged, Needs, Step
from broker.storage.deposit_port import DepositDomain
from broker.storage.port import Delivery, FirstAnswer, Store, StoredSignal
from broker.storage.retention_port import Link
from sluis.encoding import lp, u64
from sluis.envelope import Envelope
from sluis.errors import InvalidInput
from sluis.policy.rules import Operation
from sluis.policy.schema import period_days
from sluis.rpc.caller import Caller
from sluis.v1 import envelope_pb2, exchange_pb2
from sluis.wire import envelope_from_wire

MAX_PSEUDONYMS = 4096
PSEUDONYM_LENGTH = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """A deposited signal that answers a pseudonym of the question."""

    position: int
    signal: StoredSignal
    verdict: "Verdict"


class Matching:
    """Answers questions of recipients about their own subjects."""

    def __init__(self, desk: Desk, store: Store) -> None:
        self._desk = desk
        self._store = store
        self.digests = Digests(desk, store)

    async def ask(self, caller: Caller, request: exchange_pb2.MatchRequest) -> exchange_pb2.MatchAnswer:
        """Decide, log and answer one frame of a question.

        The hits of the answer hold positions and log indexes; the caller of this method adds the envelopes.
        Raises InvalidInput for a malformed frame or `unknown-digest`, and what admission raises.
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
        if request.digest_index:
            await asyncio.to_thread(self.digests.check_claim, asker, request)
        present = await asyncio.to_thread(self._present, asker, request, positions)
        question = _Question(self._desk, asker, request, positions, present)
        return await self._desk.committer.submit(question)

    def _present(
        self, asker: Admitted, request: exchange_pb2.MatchRequest, positions: dict[bytes, int]
    ) -> frozenset[bytes]:
        domain = DepositDomain(
            recipient=asker.oin, agreement=request.agreement, kind=request.kind, epoch=request.epoch
        )
        now_ms = int(self._desk.clock().timestamp() * 1000)
        deposits, asked = self._store.deposits, sorted(positions)
        # In order, so that the database walks its index in one direction.
        present = deposits.present(domain, asked, now_ms)
        if is_person(request.kind, self._desk.bundle):
            present |= deposits.present_by_alias(domain, asked, now_ms)
        return present


@dataclass(frozen=True, slots=True)
class _Question:
    desk: Desk
    asker: Admitted
    message: exchange_pb2.MatchRequest
    positions: dict[bytes, int]
    present: frozenset[bytes]

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
        hits = [release for release in releases if release.verdict.ruling.permitted]
        asked, found = len(self.positions), len({hit.position for hit in hits})
        claim = {"digest": self.message.digest_index, "missed": asked - found}
        logged = question.log(
            step,
            "match.question",
            {
                "asked": len(self.message.pseudonyms) // PSEUDONYM_LENGTH,
                "hits": found,
                "outcome": "answered" if question.permitted else "refused",
                **(claim if self.message.digest_index else {}),
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
        found = self._found(step)
        step.read_more(
            Needs(
                parties=frozenset(signal.sender for _, signal in found),
                registers=frozenset(
                    key for _, signal in found for key in self.desk.prover.needs(subject_of(signal))
                ),
            )
        )
        return [
            Release(
                position=position,
                signal=signal,
                verdict=decide_release(self.desk, step, signal, self.message.purpose),
            )
            for position, signal in found
        ]

    def _found(self, step: Step) -> list[tuple[int, StoredSignal]]:
        """The deposits that answer, oldest first; one that several pseudonyms find comes once, at the first of them."""
        message = self.message
        domain = DepositDomain(
            recipient=self.asker.oin, agreement=message.agreement, kind=message.kind, epoch=message.epoch
        )
        signals = step.tx.deposits(
            domain.recipient, domain.agreement, domain.kind, domain.epoch, self.present, step.now_ms
        )
        found = [(self.positions[signal.pseudonym], signal) for signal in signals]
        if not is_person(message.kind, self.desk.bundle):
            return found
        for alias, signal in step.tx.deposits_by_alias(domain, self.present, step.now_ms):
            found.append((self.positions[alias], signal))
        first = {signal.signal_id: (at, signal) for at, signal in sorted(found, key=_position, reverse=True)}
        return sorted(first.values(), key=lambda item: (item[1].pushed_index, item[1].signal_id))

    def _answer(
        self, step: Step, decision: Decision, logged: Logged, releases: list[Release]
    ) -> exchange_pb2.MatchAnswer:
        hits = []
        for release in releases:
            index = hand_over(self.desk, step, release.signal, release.verdict)
            if release.verdict.ruling.permitted:
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
        claim = (u64(message.digest_index),) if message.digest_index else ()
        return hashlib.sha256(lp("sluis/v1/match", *parts, *claim)).digest()


def _position(found: tuple[int, StoredSignal]) -> int:
    return found[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The decision to release a deposited signal now."""

    envelope: Envelope
    ruling: Ruling


def decide_release(desk: Desk, step: Step, signal: StoredSignal, purpose: str) -> Verdict:
    """Decide a release as if the signal were pushed now; its sender and registers must have been read."""
    envelope = envelope_from_wire(envelope_pb2.Envelope.FromString(signal.envelope))
    header = envelope.header
    request = Request(
        operation=Operation.RELEASE,
        sender=desk.directory.party_of(step, header.sender),
        recipient=desk.directory.party_of(step, header.recipient),
        agreement=header.agreement,
        kind=header.kind,
        purpose=purpose,
        delivery=header.delivery.value,
        fields=kept_fields(envelope),
        claims=header.claims,
        facts=desk.prover.prove(step, subject_of(signal)),
        at=step.now,
        strict=True,  # what was released to the deposit must still be releasable as a whole
    )
    return Verdict(envelope=envelope, ruling=rule_on(step, request, desk.bundle))


def hand_over(desk: Desk, step: Step, signal: StoredSignal, verdict: Verdict) -> int:
    """Log a release behind the push that deposited the signal, and put it into the mailbox; or log its refusal.

    Returns the log index of either.
    """
    logged = verdict.ruling.log(
        step,
        "signal.release",
        {
            "exchange": str(UUID(bytes=signal.signal_id)),
            "previous": signal.pushed_index,
            "outcome": "released" if verdict.ruling.permitted else "refused",
        },
        bound=(signal.pseudonym, verdict.envelope.root()),
        link=Link(signal_id=signal.signal_id),
    )
    if verdict.ruling.permitted:
        _shorten(step, signal, verdict.ruling)
        step.deliver(Delivery(log_index=logged.index, recipient=signal.recipient, signal_id=signal.signal_id))
        owe_after_release(
            step,
            logged.index,
            sender=signal.sender,
            recipient=signal.recipient,
            signal_id=signal.signal_id,
            severity=signal.severity,
            obligations=verdict.ruling.decision.obligations,
            bundle=desk.bundle,
        )
    return logged.index


def _shorten(step: Step, signal: StoredSignal, ruling: Ruling) -> None:
    """The strictest term holds: that of the push, or that of this release."""
    term = signal_term(ruling.decision, ruling.bundle, step.now_ms, signal.expires_at_ms)
    losses = [period for period in (signal.after_loss, term.after_loss) if period]
    step.tx.retention.limit_signal(
        signal.signal_id, term.until_ms, term.text, min(losses, key=period_days, default="")
    )
