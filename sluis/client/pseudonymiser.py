# SPDX-License-Identifier: EUPL-1.2
"""From identifiers to pseudonyms, through two evaluators, with keys that stand in the log.

    blind once ──▶ both evaluators ──▶ check both proofs ──▶ add, unblind, hash ──▶ first 16 bytes

The key of an evaluator is used only when its publication is signed by the evaluator's card, proves possession,
is included in the log under a cosigned checkpoint, and is the one this kit saw before. What was computed is
kept encrypted, so that a second run costs no budget.
"""

import asyncio
import hashlib
import time
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from datetime import date
from itertools import islice

from sluis.canonical import parse_canonical
from sluis.client.connection import Connections
from sluis.client.state import KitState
from sluis.client.trust import Trust
from sluis.errors import InvalidInput, NotAuthentic
from sluis.identifiers import Identifier, Oin
from sluis.keylog import KeyPublication
from sluis.pseudonym_cache import PseudonymCache
from sluis.pseudonyms import (
    BlindedBatch,
    EvaluatorShare,
    Pseudonym,
    PseudonymisationDomain,
    blind_identifiers,
)
from sluis.ristretto255 import Element
from sluis.rpc.in_order import in_order
from sluis.v1 import directory_pb2, pseudonym_pb2

BATCH = 2048
AT_ONCE = 2
KEY_SECONDS = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class DomainKeys:
    """The evaluators' public shares of one domain."""

    domain: PseudonymisationDomain
    shares: tuple[tuple[Oin, Element], ...]


class Pseudonymiser:
    """Computes pseudonyms in the domains of recipients."""

    def __init__(
        self,
        connections: Connections,
        trust: Trust,
        state: KitState,
        cache: PseudonymCache,
        today: Callable[[], date],
    ) -> None:
        self._connections = connections
        self._trust = trust
        self._state = state
        self._cache = cache
        self._today = today
        self._keys: dict[tuple[str, Oin, date], dict[str, DomainKeys]] = {}

    async def epochs(self, agreement: str, recipient: Oin) -> list[str]:
        """The live epochs of a recipient's domain, oldest first."""
        return sorted(await self._domain_keys(agreement, recipient))

    async def current_epoch(self, agreement: str, recipient: Oin) -> str:
        """The epoch for new signals: the newest that has begun. Raises InvalidInput `unknown-epoch`."""
        begun = [e for e in await self.epochs(agreement, recipient) if e <= str(self._today().year)]
        if not begun:
            raise InvalidInput("unknown-epoch", "no epoch of this domain has begun")
        return begun[-1]

    async def pseudonyms(
        self,
        identifiers: Sequence[Identifier],
        agreement: str,
        recipient: Oin,
        epoch: str,
        *,
        progress: Callable[[int], None] = lambda done: None,
    ) -> list[Pseudonym]:
        """Return a pseudonym for each identifier, from the cache or the evaluators.

        Raises NotAuthentic for a proof or key that does not hold, NotPermitted `budget-spent`,
        `not-your-domain`.
        """
        keys = await self._keys_of(agreement, recipient, epoch)
        known = dict(zip(identifiers, self._cache.get_many(keys.domain, identifiers), strict=True))
        missing = [identifier for identifier, pseudonym in known.items() if pseudonym is None]
        progress(len(identifiers) - len(missing))
        gate = asyncio.Semaphore(AT_ONCE)

        async def one(chunk: Sequence[Identifier]) -> None:
            async with gate:
                made = await self._evaluate(chunk, keys)
            found = dict(zip(chunk, made, strict=True))
            self._cache.put_many(keys.domain, found)
            known.update(found)
            progress(len(chunk))

        starts = range(0, len(missing), BATCH)
        await asyncio.gather(*(one(missing[start : start + BATCH]) for start in starts))
        return [pseudonym for one_id in identifiers if (pseudonym := known[one_id]) is not None]

    async def lists(
        self, identifiers: Iterable[Identifier], agreement: str, recipient: Oin, epoch: str
    ) -> AsyncIterator[tuple[Sequence[Identifier], bytes]]:
        """Yield identifiers, list by list, with their pseudonyms one after another; each list is kept as a whole.

        Takes no more of the identifiers than it is working on. Raises as `pseudonyms` does.
        """
        keys = await self._keys_of(agreement, recipient, epoch)

        async def lists() -> AsyncIterator[list[Identifier]]:
            remaining = iter(identifiers)
            while portion := list(islice(remaining, BATCH)):
                yield portion

        async def one(portion: list[Identifier]) -> tuple[Sequence[Identifier], bytes]:
            return portion, await self._list(portion, keys)

        async with aclosing(in_order(lists(), one, AT_ONCE)) as done:
            async for each in done:
                yield each

    async def _list(self, identifiers: Sequence[Identifier], keys: DomainKeys) -> bytes:
        kept = self._cache.get_list(keys.domain, identifiers)
        if kept is not None:
            return kept
        known = dict(zip(identifiers, self._cache.get_many(keys.domain, identifiers), strict=True))
        missing = [identifier for identifier, pseudonym in known.items() if pseudonym is None]
        if missing:
            found = dict(zip(missing, await self._evaluate(missing, keys), strict=True))
            self._cache.put_many(keys.domain, found)
            known.update(found)
        pseudonyms = b"".join([pseudonym for one in identifiers if (pseudonym := known[one]) is not None])
        self._cache.put_list(keys.domain, identifiers, pseudonyms)
        return pseudonyms

    async def _keys_of(self, agreement: str, recipient: Oin, epoch: str) -> DomainKeys:
        keys = (await self._domain_keys(agreement, recipient)).get(epoch)
        if keys is None:
            raise InvalidInput("unknown-epoch")
        return keys

    async def _evaluate(self, identifiers: Sequence[Identifier], keys: DomainKeys) -> list[Pseudonym]:
        batch = await asyncio.to_thread(blind_identifiers, identifiers, evaluators=len(keys.shares))
        answers = await asyncio.gather(
            *(self._ask(evaluator, keys.domain, batch) for evaluator, _ in keys.shares)
        )
        shares = [
            EvaluatorShare(public=public, evaluated=answer.evaluated_elements, proof=answer.proof)
            for (_, public), answer in zip(keys.shares, answers, strict=True)
        ]
        return await asyncio.to_thread(batch.finish, shares)

    async def _ask(
        self, evaluator: Oin, domain: PseudonymisationDomain, batch: BlindedBatch
    ) -> pseudonym_pb2.EpochEvaluation:
        request = pseudonym_pb2.EvaluateRequest(
            agreement=domain.agreement,
            recipient_oin=domain.recipient,
            epochs=[domain.epoch],
            blinded_elements=batch.elements,
        )
        stub = self._connections.evaluators[evaluator]
        answer = await self._connections.patiently(lambda: stub.Evaluate(request, timeout=60))
        if len(answer.evaluations) != 1 or answer.evaluations[0].epoch != domain.epoch:
            raise NotAuthentic("proof-wrong", "an evaluator answered for another epoch")
        return answer.evaluations[0]

    async def _domain_keys(self, agreement: str, recipient: Oin) -> dict[str, DomainKeys]:
        place = (agreement, recipient, self._today())  # a new day may bring a new epoch
        if place not in self._keys:
            request = directory_pb2.ListDomainKeysRequest(agreement=agreement, recipient_oin=recipient)
            answer = await self._list_keys(request)
            found: dict[str, dict[Oin, Element]] = {}
            for key in answer.keys:
                publication = await self._check_key(key, agreement, recipient)
                found.setdefault(publication.domain.epoch, {})[publication.evaluator] = publication.public
            self._keys[place] = {
                epoch: DomainKeys(
                    domain=PseudonymisationDomain(agreement=agreement, recipient=recipient, epoch=epoch),
                    shares=tuple((oin, publics[oin]) for oin in self._connections.evaluators),
                )
                for epoch, publics in found.items()
                if publics.keys() >= self._connections.evaluators.keys()
            }
        if not self._keys[place]:
            del self._keys[place]
            raise InvalidInput("unknown-epoch", "the evaluators have published no keys for this domain yet")
        return self._keys[place]

    async def _list_keys(
        self, request: directory_pb2.ListDomainKeysRequest
    ) -> directory_pb2.ListDomainKeysResponse:
        """The published keys of a domain; evaluators that have just started are given a moment to publish."""
        deadline = time.monotonic() + min(KEY_SECONDS, self._connections.patience)
        while True:
            answer = await self._connections.patiently(
                lambda: self._connections.directory.ListDomainKeys(request, timeout=10)
            )
            if len(answer.keys) >= len(self._connections.evaluators) or time.monotonic() > deadline:
                return answer
            await asyncio.sleep(0.2)

    async def _check_key(
        self, key: directory_pb2.DomainKey, agreement: str, recipient: Oin
    ) -> KeyPublication:
        message = key.publication
        publication = KeyPublication.from_bytes(
            message.statement, message.proof_of_possession, message.signature
        )
        domain = publication.domain
        if (domain.agreement, domain.recipient) != (agreement, recipient):
            raise NotAuthentic("key-not-logged", "the directory shows a key of another domain")
        if publication.evaluator not in self._connections.evaluators:
            return publication
        if self._state.pinned(publication.evaluator, domain) != publication.public:
            publication.verify((await self._trust.card(publication.evaluator)).signing_key)
            await self._check_logged(key, publication)
        self._state.pin(publication.evaluator, domain, publication.public)
        return publication

    async def _check_logged(self, key: directory_pb2.DomainKey, publication: KeyPublication) -> None:
        receipt = self._trust.check_receipt(key.receipt, key.entry)
        entry = parse_canonical(key.entry)
        digest = hashlib.sha256(publication.statement()).hexdigest()
        if entry.get("operation") != "key.publish" or entry.get("publication") != digest:
            raise NotAuthentic("key-not-logged", "the log entry shown is for another key")
        await self._trust.prove_inclusion(receipt.log_index, key.entry)
