# SPDX-License-Identifier: EUPL-1.2
"""Matching: which of my own subjects have a signal that I may know of?

The question is asked for every live epoch, in frames whose order says nothing (pseudonyms are sorted). Hits are
opened, kept and acknowledged like any delivery; a subject without one is a miss.
"""

import secrets
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from dataclasses import dataclass, field

import grpc

from sluis.client.connection import Connections, Patience
from sluis.client.pseudonymiser import Pseudonymiser
from sluis.client.receiver import Keep, ReceivedSignal, Receiver, ReceiveReport
from sluis.client.trust import Trust
from sluis.errors import NotAuthentic, NotPermitted
from sluis.identifiers import Identifier, Oin
from sluis.pseudonyms import Pseudonym
from sluis.rpc.status import from_rpc_error
from sluis.v1 import envelope_pb2, exchange_pb2

FRAME = 2048
TAKE = 100  # hits that are kept and acknowledged at once


@dataclass(slots=True)
class MatchReport:
    """The answer to a question."""

    asked: int
    hits: dict[Identifier, list[ReceivedSignal]] = field(default_factory=dict)
    deliveries: ReceiveReport = field(default_factory=ReceiveReport)

    @property
    def misses(self) -> int:
        """Subjects without a signal that may be known."""
        return self.asked - len(self.hits)


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
    ) -> None:
        self._oin = oin
        self._agreement = agreement
        self._connections = connections
        self._trust = trust
        self._pseudonymiser = pseudonymiser
        self._receiver = receiver

    async def match(
        self,
        subjects: Iterable[Identifier],
        *,
        kind: str,
        purpose: str,
        keep: Keep,
        progress: Callable[[int], None] = lambda done: None,
    ) -> MatchReport:
        """Ask about each subject once per live epoch; returns hits, opened.

        Raises NotPermitted `not-your-role` when the question itself is denied, naming the reason.
        """
        distinct = list(dict.fromkeys(subjects))
        report = MatchReport(asked=len(distinct))
        if not distinct:
            return report
        epochs = await self._pseudonymiser.epochs(self._agreement, self._oin)
        await self._pseudonymiser.compute(distinct, self._agreement, self._oin, epochs, progress=progress)
        for epoch in epochs:
            pseudonyms = await self._pseudonymiser.pseudonyms(distinct, self._agreement, self._oin, epoch)
            order = sorted(zip(pseudonyms, distinct, strict=True), key=lambda pair: pair[0])
            for start in range(0, len(order), FRAME):
                await self._ask(order[start : start + FRAME], epoch, kind, purpose, keep, report)
        return report

    async def _ask(
        self,
        pairs: Sequence[tuple[Pseudonym, Identifier]],
        epoch: str,
        kind: str,
        purpose: str,
        keep: Keep,
        report: MatchReport,
    ) -> None:
        request = exchange_pb2.MatchRequest(
            idempotency_key=f"match-{secrets.token_hex(16)}",
            agreement=self._agreement,
            purpose=purpose,
            kind=kind,
            epoch=epoch,
            pseudonyms=b"".join(pseudonym for pseudonym, _ in pairs),
        )
        hits = await self._answers(request)
        if any(hit.position >= len(pairs) for hit in hits):
            raise NotAuthentic("log-inconsistent", "a hit is for a subject that was not asked")
        asked = {hit.delivery.log_index: pairs[hit.position] for hit in hits}
        for start in range(0, len(hits), TAKE):
            deliveries = [hit.delivery for hit in hits[start : start + TAKE]]
            for signal in await self._receiver.take(deliveries, keep, report.deliveries):
                pseudonym, subject = asked[signal.log_index]
                if signal.header.pseudonym != pseudonym:
                    raise NotAuthentic("manifest-wrong", "a hit is about another subject")
                report.hits.setdefault(subject, []).append(signal)

    async def _answers(self, request: exchange_pb2.MatchRequest) -> list[exchange_pb2.MatchHit]:
        """Ask one frame; a broken stream is asked again under the same key, for the same answer."""
        patience = Patience(self._connections.patience)
        while True:
            hits: list[exchange_pb2.MatchHit] = []
            try:
                async for response in self._connections.exchange.Match(_one(request), timeout=120):
                    if response.WhichOneof("outcome") == "error":
                        raise NotPermitted(response.error.code, response.error.message)
                    hits += response.answer.hits
                    if response.answer.last:
                        self._check(response.answer)
                        return hits
            except grpc.aio.AioRpcError as error:
                await patience.again(from_rpc_error(error))

    def _check(self, answer: exchange_pb2.MatchAnswer) -> None:
        self._trust.check_receipt(answer.receipt, answer.entry)
        self._trust.keep_receipts()
        if answer.decision.effect != envelope_pb2.EFFECT_PERMIT:
            reason = answer.decision.reasons[0].code if answer.decision.reasons else "NO_RULE"
            raise NotPermitted("not-your-role", f"the question was denied: {reason}")


async def _one(request: exchange_pb2.MatchRequest) -> AsyncIterator[exchange_pb2.MatchRequest]:
    yield request
