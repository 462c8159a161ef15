# SPDX-License-Identifier: EUPL-1.2
"""Matching: which of my own subjects have a signal that I may know of?

    subjects ──▶ pseudonyms, list by list ──▶ ascending ──▶ frames, a few in flight on one stream ──▶ hits
                                                  └─ with a digest: only those found in it become frames

The question is asked for every live epoch, in frames whose order says nothing (pseudonyms are sorted). Hits are
opened, kept and acknowledged like any delivery; a subject without one is a miss. What breaks off goes on where it
was: a stream by itself, a kit that was ended when it is asked the same question again (`match_runs.py`).
"""

import asyncio
import hashlib
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Iterator
from contextlib import ExitStack, aclosing, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

import grpc

from sluis.client.client_base import ClientBase, Frame
from sluis.client.connection import Connections, Patience
from sluis.client.digests import DigestDomain, Digests
from sluis.client.match_runs import MatchRuns, Run
from sluis.client.pseudonymiser import Pseudonymiser
from sluis.client.receiver import Keep, ReceivedSignal, Receiver, ReceiveReport
from sluis.client.trust import Trust
from sluis.encoding import lp
from sluis.errors import NotAuthentic, NotPermitted, SluisError, Unavailable
from sluis.identifiers import Identifier, Oin
from sluis.persons import check_not_in_bulk
from sluis.rpc.status import from_rpc_error
from sluis.v1 import envelope_pb2, exchange_pb2

FRAME = 4096
IN_FLIGHT = 4
STREAM_SECONDS = 600.0
TAKE = 100  # hits that are kept and acknowledged at once

Progress: TypeAlias = Callable[[int], None]
Answered: TypeAlias = tuple[Frame, list[exchange_pb2.MatchAnswer]]


@dataclass(slots=True)
class MatchReport:
    """The answer to a question. `hits` are new; `earlier` are the hits of before the run was broken off, kept then.

    With a digest, `claimed` subjects were asked about, and `digest_bytes` were fetched.
    """

    asked: int = 0
    hits: dict[Identifier, list[ReceivedSignal]] = field(default_factory=dict)
    deliveries: ReceiveReport = field(default_factory=ReceiveReport)
    resumed: bool = False
    earlier: set[Identifier] = field(default_factory=set)
    claimed: int | None = None
    digest_bytes: int = 0

    @property
    def misses(self) -> int:
        """Subjects without a signal that may be known."""
        return self.asked - len(self.hits.keys() | self.earlier)


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is asked about the subjects."""

    kind: str
    purpose: str
    private: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class MatchMemory:
    """What is remembered between runs: how far a question came, and digests."""

    runs: MatchRuns
    digests: Digests

    @classmethod
    def open(cls, stack: ExitStack, folder: Path, connections: Connections, trust: Trust) -> "MatchMemory":
        """Open the files in a kit's state folder; the stack closes them."""
        return cls(
            runs=stack.enter_context(closing(MatchRuns(folder))),
            digests=stack.enter_context(closing(Digests(folder, connections, trust))),
        )


class Matcher:
    """Asks about the participant's own subjects."""

    def __init__(
        self,
        *,
        oin: Oin,
        agreement: str,
        connections: Connections,
        trust: Trust,
        pseudonymiser: Pseudonymiser,
        receiver: Receiver,
        memory: MatchMemory,
    ) -> None:
        self._oin = oin
        self._agreement = agreement
        self._connections = connections
        self._trust = trust
        self._pseudonymiser = pseudonymiser
        self._receiver = receiver
        self._runs = memory.runs
        self._digests = memory.digests

    async def match(
        self,
        subjects: Iterable[Identifier],
        *,
        kind: str,
        purpose: str,
        keep: Keep,
        private: bool = False,
        anew: bool = False,
        progress: Progress = lambda done: None,
    ) -> MatchReport:
        """Ask about each subject once per live epoch; returns hits, opened.

        `private` fetches a digest first and asks only about subjects found in it. `anew` forgets a run that was
        broken off. `progress` counts each subject twice per epoch: pseudonymised, and asked.
        Raises NotPermitted `not-your-role` when the question itself is denied, naming the reason;
        `persons-not-in-bulk` for a digest of persons without a number.
        """
        question = Question(kind=kind, purpose=purpose, private=private)
        # By their texts: hashing the objects themselves takes longer than all else with a warm cache.
        distinct = list({f"{one.type.value}:{one.value}": one for one in subjects}.values())
        if private:
            check_not_in_bulk(distinct)
        report = MatchReport(asked=len(distinct), claimed=0 if private else None)
        if not distinct:
            return report
        epochs = await self._pseudonymiser.epochs(self._agreement, self._oin)
        if len(epochs) > 1:
            await self._prepare(distinct, epochs)
        run = self._runs.begin(self._id_of(question), anew=anew)
        report.resumed = run.resumed
        for epoch in epochs:
            base = await self._base(distinct, epoch, progress)
            try:
                frames = await self._frames(base, question, run, report, progress)
                await self._ask(base, frames, question, run, keep, report, progress)
            except NotPermitted:
                # Under its key it would be denied again, whatever the rules say by then.
                self._runs.finish(run)
                raise
        self._runs.finish(run)
        return report

    def _id_of(self, question: Question) -> bytes:
        mode = "digest" if question.private else "plain"
        parts = (self._agreement, self._oin, question.kind, question.purpose, mode)
        return hashlib.sha256(lp("sluis/v1/match-run", *parts)).digest()

    async def _prepare(self, subjects: list[Identifier], epochs: list[str]) -> None:
        try:
            await self._pseudonymiser.prepare(subjects, self._agreement, self._oin, epochs)
        except NotPermitted as error:
            if error.code != "budget-spent":  # then epochs of which all is known are asked all the same
                raise

    async def _base(self, subjects: list[Identifier], epoch: str, progress: Progress) -> ClientBase:
        pseudonyms = bytearray()
        lists = self._pseudonymiser.lists(subjects, self._agreement, self._oin, epoch)
        async for portion, made in lists:
            pseudonyms += made
            progress(len(portion))
        return await asyncio.to_thread(ClientBase, epoch, subjects, bytes(pseudonyms))

    async def _frames(
        self, base: ClientBase, question: Question, run: Run, report: MatchReport, progress: Progress
    ) -> Iterator[Frame]:
        """What is to be asked, without what was answered before."""
        frames = base.frames(FRAME)
        if question.private:
            domain = DigestDomain(
                agreement=self._agreement, recipient=self._oin, kind=question.kind, epoch=base.epoch
            )
            # A run that goes on asks what it would have asked, so under the digest that it had.
            if (fetched := f"digest-{base.epoch}") not in run.answered:
                report.digest_bytes += (await self._digests.refresh(domain, question.purpose)).size
                self._runs.note(run, fetched)
            positions = await asyncio.to_thread(self._found, domain, base)
            report.claimed = (report.claimed or 0) + len(positions)
            progress(len(base) - len(positions))
            frames = base.chosen(positions, FRAME, self._digests.newest(domain))
        return self._unanswered(base, frames, run, report, progress)

    def _found(self, domain: DigestDomain, base: ClientBase) -> list[int]:
        words = base.words()
        found: set[int] = set()
        for digest in self._digests.each(domain):
            found.update(digest.positions(words))
        return sorted(found)

    def _unanswered(
        self, base: ClientBase, frames: Iterator[Frame], run: Run, report: MatchReport, progress: Progress
    ) -> Iterator[Frame]:
        for frame in frames:
            if (done := run.answered.get(run.key(frame))) is None:
                yield frame
                continue
            report.earlier.update(base.subject(frame.places[position]) for position in done)
            progress(len(frame))

    async def _ask(
        self,
        base: ClientBase,
        frames: Iterator[Frame],
        question: Question,
        run: Run,
        keep: Keep,
        report: MatchReport,
        progress: Progress,
    ) -> None:
        stream = _Stream(
            self._connections,
            frames,
            key_of=run.key,
            request_of=lambda frame: self._request(frame, question, run),
        )
        async with aclosing(stream.answers()) as answers:
            async for frame, parts in answers:
                self._check(parts[-1])
                hits = [hit for part in parts for hit in part.hits]
                positions = await self._take(base, frame, hits, keep, report)
                self._runs.note(run, run.key(frame), positions)
                progress(len(frame))

    def _request(self, frame: Frame, question: Question, run: Run) -> exchange_pb2.MatchRequest:
        return exchange_pb2.MatchRequest(
            idempotency_key=run.key(frame),
            agreement=self._agreement,
            purpose=question.purpose,
            kind=question.kind,
            epoch=frame.epoch,
            pseudonyms=frame.pseudonyms,
            digest_index=frame.digest_index,
        )

    async def _take(
        self,
        base: ClientBase,
        frame: Frame,
        hits: list[exchange_pb2.MatchHit],
        keep: Keep,
        report: MatchReport,
    ) -> list[int]:
        """Open, keep and acknowledge the hits of a frame; returns their positions."""
        if any(hit.position >= len(frame) for hit in hits):
            raise NotAuthentic("log-inconsistent", "a hit is for a subject that was not asked")
        position_of = {hit.delivery.log_index: hit.position for hit in hits}
        found = {hit.position for hit in hits}
        for start in range(0, len(hits), TAKE):
            deliveries = [hit.delivery for hit in hits[start : start + TAKE]]
            for signal in await self._receiver.take(deliveries, keep, report.deliveries):
                position = position_of[signal.log_index]
                if frame.pseudonym(position) not in signal.header.pseudonyms:
                    raise NotAuthentic("manifest-wrong", "a hit is about another subject")
                for own in self._positions(frame, position, signal):
                    report.hits.setdefault(base.subject(frame.places[own]), []).append(signal)
                    found.add(own)
        return sorted(found)

    def _positions(self, frame: Frame, position: int, signal: ReceivedSignal) -> Iterable[int]:
        """Where a hit is about: the broker names one position, but several keys may be of the signal's subject."""
        if not signal.header.aliases:
            return (position,)
        own = frozenset(signal.header.pseudonyms)
        return (at for at in range(len(frame)) if frame.pseudonym(at) in own)

    def _check(self, answer: exchange_pb2.MatchAnswer) -> None:
        self._trust.check_receipt(answer.receipt, answer.entry)
        self._trust.keep_receipts()
        if answer.decision.effect != envelope_pb2.EFFECT_PERMIT:
            reason = answer.decision.reasons[0].code if answer.decision.reasons else "NO_RULE"
            raise NotPermitted("not-your-role", f"the question was denied: {reason}")


class _Stream:
    """Frames on one stream, a few in flight; a stream that breaks is opened again for what was not answered."""

    def __init__(
        self,
        connections: Connections,
        frames: Iterator[Frame],
        *,
        key_of: Callable[[Frame], str],
        request_of: Callable[[Frame], exchange_pb2.MatchRequest],
    ) -> None:
        self._connections = connections
        self._frames = frames
        self._key_of = key_of
        self._request_of = request_of
        self._unanswered: dict[str, Frame] = {}

    async def answers(self) -> AsyncGenerator[Answered, None]:
        """Yield each frame with the parts of its answer."""
        patience = Patience(self._connections.patience)
        while True:
            try:
                async with aclosing(self._once()) as answered:
                    async for frame, parts in answered:
                        yield frame, parts
                        patience.reset()
                if not self._unanswered:
                    return
                error: SluisError = Unavailable("peer-unavailable", "the broker ended the stream")
            except grpc.aio.AioRpcError as failed:
                error = from_rpc_error(failed)
            await patience.again(error)

    async def _once(self) -> AsyncGenerator[Answered, None]:
        room = asyncio.Semaphore(IN_FLIGHT)
        parts: dict[str, list[exchange_pb2.MatchAnswer]] = {}
        call = self._connections.exchange.Match(self._requests(room), timeout=STREAM_SECONDS)
        async for response in call:
            key = response.idempotency_key
            if key not in self._unanswered:
                raise NotAuthentic("log-inconsistent", "an answer is for a frame that was not asked")
            if response.WhichOneof("outcome") == "error":
                raise NotPermitted(response.error.code, response.error.message)
            parts.setdefault(key, []).append(response.answer)
            if response.answer.last:
                room.release()
                yield self._unanswered.pop(key), parts.pop(key)

    async def _requests(self, room: asyncio.Semaphore) -> AsyncIterator[exchange_pb2.MatchRequest]:
        for frame in list(self._unanswered.values()):
            await room.acquire()
            yield self._request_of(frame)
        for frame in self._frames:
            self._unanswered[self._key_of(frame)] = frame
            await room.acquire()
            yield self._request_of(frame)
