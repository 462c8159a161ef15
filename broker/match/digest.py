# SPDX-License-Identifier: EUPL-1.2
"""A digest of deposits: the recipient tests its subjects by itself, and asks about those alone that it finds in it.

A digest is a question about everyone in it at once, so it is decided as a question about so many subjects, and
logged as `match.digest` before it is made. The log index of that entry is where the digest ends. It tells the
recipient how many signals lie for it, and of its own subjects which probably have one, also where the release would
be refused; what is released is decided when the recipient claims it (`question.py`).
"""

import asyncio
import hashlib
from dataclasses import dataclass

from broker.admission import Admitted, admit
from broker.decide.model import Request
from broker.exchange import Desk
from broker.messages import decision_message
from broker.persons import check_not_in_bulk
from broker.ruling import Ruling, rule_on
from broker.step import Logged, Needs, Step
from broker.storage.deposit_port import DepositDomain
from broker.storage.port import Store
from sluis.canonical import parse_canonical
from sluis.deposit_digest import DigestBuilder, DigestHeader, bits_for
from sluis.errors import InvalidInput
from sluis.policy.rules import Operation
from sluis.rpc.caller import Caller
from sluis.v1 import exchange_pb2

OPERATION = "match.digest"
BITS_APART = 1  # an addition keeps the bits of what it is added to, as long as those are about right


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """What a digest will cover: from which log index on, with how many bits, at most so many signals."""

    since: int
    bits: int
    signals: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """The first message of an answer, and the body."""

    start: exchange_pb2.DigestStart
    body: bytes


class Digests:
    """Makes digests, one at a time."""

    def __init__(self, desk: Desk, store: Store) -> None:
        self._desk = desk
        self._store = store
        self._room = asyncio.Semaphore(1)

    async def make(self, caller: Caller, request: exchange_pb2.FetchDigestRequest) -> Made:
        """Decide, log, and make a digest; a denial is an answer without one.

        Raises InvalidInput `unknown-epoch`, `malformed-request`, NotPermitted `persons-not-in-bulk`, Conflict
        `epoch-closed`, and what admission raises.
        """
        asker = await self._desk.directory.admit(caller)
        check_not_in_bulk(request.kind, self._desk.bundle)
        domain = DepositDomain(
            recipient=asker.oin, agreement=request.agreement, kind=request.kind, epoch=request.epoch
        )
        async with self._room:
            scope = await asyncio.to_thread(self._scope, domain, request)
            read = await self._desk.committer.submit(_Reading(self._desk, asker, domain, request, scope))
            start = exchange_pb2.DigestStart(
                decision=decision_message(read.ruling.decision),
                receipt=self._desk.signer.receipt(read.logged.index, read.logged.leaf),
                entry=read.logged.entry,
            )
            if not read.ruling.permitted:
                return Made(start=start, body=b"")
            return await asyncio.to_thread(self._build, asker, domain, scope, read, start)

    def check_claim(self, asker: Admitted, request: exchange_pb2.MatchRequest) -> None:
        """Insist that a claim names a digest that this caller was given of this domain.

        Raises InvalidInput `unknown-digest`.
        """
        row = self._store.log_row(request.digest_index)
        entry = parse_canonical(row.entry) if row else {}
        named = {"agreement": request.agreement, "kind": request.kind, "epoch": request.epoch}
        given = {"operation": OPERATION, "outcome": "given", "sender": asker.oin}
        if any(entry.get(name) != value for name, value in {**named, **given}.items()):
            raise InvalidInput("unknown-digest", where="digest_index")

    def _scope(self, domain: DepositDomain, request: exchange_pb2.FetchDigestRequest) -> Scope:
        """An addition where that saves something, else all."""
        keys = self._store.domain_keys(domain.agreement, domain.recipient)
        if domain.epoch not in {key.epoch for key in keys}:
            raise InvalidInput("unknown-epoch", where="epoch")
        since = request.since_index
        if since > self._store.head().tree.size:
            raise InvalidInput("malformed-request", "the log is not that long", where="since_index")
        now_ms = int(self._desk.clock().timestamp() * 1000)
        total = self._store.deposits.count(domain, now_ms)
        bits = bits_for(total)
        if since and abs(request.bits - bits) <= BITS_APART:
            added = self._store.deposits.count(domain, now_ms, since)
            if 2 * added <= total:
                return Scope(since=since, bits=request.bits, signals=added)
        return Scope(since=0, bits=bits, signals=total)

    def _build(
        self,
        asker: Admitted,
        domain: DepositDomain,
        scope: Scope,
        read: "_Read",
        start: exchange_pb2.DigestStart,
    ) -> Made:
        until, now_ms = read.logged.index, read.at_ms
        deposits = self._store.deposits
        builder = DigestBuilder(scope.bits, scope.signals)
        if scope.since:
            builder.add(deposits.added(domain, scope.since, until, now_ms))
        else:
            for page in deposits.ascending(domain, until, now_ms):
                builder.add(page)
        body = builder.body()
        header = DigestHeader(
            log_origin=self._desk.signer.log_origin,
            agreement=domain.agreement,
            recipient=asker.oin,
            kind=domain.kind,
            epoch=domain.epoch,
            since=scope.since,
            until=until,
            made_at_ms=now_ms,
            bits=builder.bits,
            width=builder.width,
            count=builder.count,
            body_hash=hashlib.sha256(body).digest(),
        )
        start.header = header.encode()
        start.signature = self._desk.signer.sign_digest(header)
        return Made(start=start, body=body)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Read:
    ruling: Ruling
    logged: Logged
    at_ms: int


@dataclass(frozen=True, slots=True)
class _Reading:
    """Decide and log that a digest is read."""

    desk: Desk
    asker: Admitted
    domain: DepositDomain
    message: exchange_pb2.FetchDigestRequest
    scope: Scope

    def needs(self) -> Needs:
        return Needs(parties=frozenset({self.asker.oin}))

    def settle(self, step: Step) -> _Read:
        admit(step, self.asker)
        step.calendar.check_open(self.domain.epoch)
        ruling = rule_on(step, self._request(step), self.desk.bundle)
        logged = ruling.log(
            step,
            OPERATION,
            {
                "epoch": self.domain.epoch,  # one of those with a published key, so no word of the caller's own
                "since": self.scope.since,
                "signals": self.scope.signals,
                "outcome": "given" if ruling.permitted else "refused",
            },
        )
        return _Read(ruling=ruling, logged=logged, at_ms=step.now_ms)

    def _request(self, step: Step) -> Request:
        party = self.desk.directory.party_of(step, self.asker.oin)
        return Request(
            operation=Operation.QUESTION,
            sender=party,
            recipient=party,
            agreement=self.domain.agreement,
            kind=self.domain.kind,
            purpose=self.message.purpose,
            fields=(),
            subjects=self.scope.signals,
            at=step.now,
        )
