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
from datetime import UTC, datetime
from itertools import islice

from sluis.canonical import parse_canonical
from sluis.client.connection import Connections
from sluis.client.epochs import EpochBook
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
KEPT_SECONDS = 60.0
AT_ONCE_EPOCHS = 8  # what an evaluator takes in one call


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
        epochs: EpochBook,
    ) -> None:
        self._connections = connections
        self._trust = trust
        self._state = state
        self._cache = cache
        self._epochs = epochs
        self._keys: dict[tuple[str, Oin], tuple[float, dict[str, DomainKeys]]] = {}

    async def epochs(self, agreement: str, recipient: Oin, *, to_load: bool = False) -> list[str]:
        """The epochs in which something may be found, oldest first; `to_load`: also those that are announced.

        Only those of which both evaluators have published their keys in the recipient's domain. Raises InvalidInput
        `unknown-epoch` when there is none: that is no answer "nothing found".
        """
        calendar = await self._epochs.calendar()
        keys = await self._domain_keys(agreement, recipient)
        epochs = calendar.to_load() if to_load else calendar.to_ask(self._epochs.now_ms())
        names = [epoch.name for epoch in epochs if epoch.name in keys]
        if not names:
            raise InvalidInput("unknown-epoch", "there is no epoch in which something could be found")
        return names

    async def current_epoch(self, agreement: str, recipient: Oin) -> str:
        """The epoch for new signals. Raises InvalidInput `unknown-epoch` when none takes any."""
        current = (await self._epochs.calendar()).current(self._epochs.now_ms())
        if current is None:
            raise InvalidInput("unknown-epoch", "no epoch takes new signals now: one is to be announced")
        if current.name not in await self._domain_keys(agreement, recipient):
            raise InvalidInput("unknown-epoch", "the evaluators have published no keys of this epoch here")
        return current.name

    def forget_epochs(self) -> None:
        """Ask the broker again which epochs and keys there are: it refused what fitted those known here."""
        self._epochs.forget()
        self._keys.clear()

    async def compute(
        self,
        identifiers: Sequence[Identifier],
        agreement: str,
        recipient: Oin,
        epochs: Sequence[str],
        *,
        progress: Callable[[int], None] = lambda done: None,
    ) -> None:
        """Compute and keep what is missing of several epochs: each identifier is blinded once for all of them.

        Raises as `pseudonyms`.
        """
        known = await self._domain_keys(agreement, recipient)
        lacking: dict[tuple[str, ...], list[Identifier]] = {}
        if any(epoch not in known for epoch in epochs):
            raise InvalidInput("unknown-epoch")
        rows = [self._cache.get_many(known[epoch].domain, identifiers) for epoch in epochs]
        for place, identifier in enumerate(identifiers):
            missing = tuple(e for e, row in zip(epochs, rows, strict=True) if row[place] is None)
            if missing:
                lacking.setdefault(missing, []).append(identifier)
        progress(len(identifiers) - sum(map(len, lacking.values())))
        gate = asyncio.Semaphore(AT_ONCE)

        async def one(names: Sequence[str], chunk: Sequence[Identifier]) -> None:
            async with gate:
                for start in range(0, len(names), AT_ONCE_EPOCHS):
                    keys = [known[name] for name in names[start : start + AT_ONCE_EPOCHS]]
                    for of_epoch, made in zip(keys, await self._evaluate(chunk, keys), strict=True):
                        self._cache.put_many(of_epoch.domain, dict(zip(chunk, made, strict=True)))
            progress(len(chunk))

        await asyncio.gather(
            *(
                one(names, group[start : start + BATCH])
                for names, group in lacking.items()
                for start in range(0, len(group), BATCH)
            )
        )

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
        distinct = list(dict.fromkeys(identifiers))
        await self.compute(distinct, agreement, recipient, [epoch], progress=progress)
        domain = PseudonymisationDomain(agreement=agreement, recipient=recipient, epoch=epoch)
        made = dict(zip(distinct, self._cache.get_many(domain, distinct), strict=True))
        return [pseudonym for one in identifiers if (pseudonym := made[one]) is not None]

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

    async def prepare(
        self, identifiers: Sequence[Identifier], agreement: str, recipient: Oin, epochs: Sequence[str]
    ) -> None:
        """Before `lists` of several epochs: compute what they lack, each identifier blinded once for all of them."""
        keys = [await self._keys_of(agreement, recipient, epoch) for epoch in epochs]
        lacking: list[Identifier] = []
        for start in range(0, len(identifiers), BATCH):
            portion = identifiers[start : start + BATCH]
            if any(self._cache.get_list(each.domain, portion) is None for each in keys):
                lacking += portion
        await self.compute(lacking, agreement, recipient, epochs)

    async def _list(self, identifiers: Sequence[Identifier], keys: DomainKeys) -> bytes:
        kept = self._cache.get_list(keys.domain, identifiers)
        if kept is not None:
            return kept
        known = dict(zip(identifiers, self._cache.get_many(keys.domain, identifiers), strict=True))
        missing = [identifier for identifier, pseudonym in known.items() if pseudonym is None]
        if missing:
            found = dict(zip(missing, (await self._evaluate(missing, [keys]))[0], strict=True))
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

    async def _evaluate(
        self, identifiers: Sequence[Identifier], keys: Sequence[DomainKeys]
    ) -> list[list[Pseudonym]]:
        """The pseudonyms in the domains of several epochs, from one blinding."""
        evaluators = list(self._connections.evaluators)
        batch = await asyncio.to_thread(blind_identifiers, identifiers, evaluators=len(evaluators))
        domains = [of_epoch.domain for of_epoch in keys]
        answers = await asyncio.gather(*(self._ask(oin, domains, batch) for oin in evaluators))
        made = []
        for of_epoch, *evaluations in zip(keys, *answers, strict=True):
            shares = [
                EvaluatorShare(public=public, evaluated=answer.evaluated_elements, proof=answer.proof)
                for (_, public), answer in zip(of_epoch.shares, evaluations, strict=True)
            ]
            made.append(await asyncio.to_thread(batch.finish, shares))
        return made

    async def _ask(
        self, evaluator: Oin, domains: Sequence[PseudonymisationDomain], batch: BlindedBatch
    ) -> list[pseudonym_pb2.EpochEvaluation]:
        epochs = [domain.epoch for domain in domains]
        request = pseudonym_pb2.EvaluateRequest(
            agreement=domains[0].agreement,
            recipient_oin=domains[0].recipient,
            epochs=epochs,
            blinded_elements=batch.elements,
        )
        stub = self._connections.evaluators[evaluator]
        answer = await self._connections.patiently(lambda: stub.Evaluate(request, timeout=60))
        if [evaluation.epoch for evaluation in answer.evaluations] != epochs:
            raise NotAuthentic("proof-wrong", "an evaluator answered for another epoch")
        return list(answer.evaluations)

    async def _domain_keys(self, agreement: str, recipient: Oin) -> dict[str, DomainKeys]:
        place = (agreement, recipient)
        kept = self._keys.get(place)
        if kept is None or kept[0] < time.monotonic():
            request = directory_pb2.ListDomainKeysRequest(agreement=agreement, recipient_oin=recipient)
            answer = await self._list_keys(request)
            live = {epoch.name for epoch in (await self._epochs.calendar()).to_load()}
            found: dict[str, dict[Oin, Element]] = {}
            for key in answer.keys:
                publication = _parsed(key)
                if publication.domain.epoch in live:
                    await self._check_key(key, publication, agreement, recipient)
                    of_epoch = found.setdefault(publication.domain.epoch, {})
                    of_epoch[publication.evaluator] = publication.public
            keys = {
                epoch: DomainKeys(
                    domain=PseudonymisationDomain(agreement=agreement, recipient=recipient, epoch=epoch),
                    shares=tuple((oin, publics[oin]) for oin in self._connections.evaluators),
                )
                for epoch, publics in found.items()
                if publics.keys() >= self._connections.evaluators.keys()
            }
            if not keys:
                raise InvalidInput(
                    "unknown-epoch", "the evaluators have published no keys for this domain yet"
                )
            self._keys[place] = kept = (time.monotonic() + KEPT_SECONDS, keys)
        return kept[1]

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
        self, key: directory_pb2.DomainKey, publication: KeyPublication, agreement: str, recipient: Oin
    ) -> None:
        domain = publication.domain
        if (domain.agreement, domain.recipient) != (agreement, recipient):
            raise NotAuthentic("key-not-logged", "the directory shows a key of another domain")
        if publication.evaluator not in self._connections.evaluators:
            return
        if self._state.pinned(publication.evaluator, domain) != publication.public:
            # Signed with the key that the evaluator had then: it may have another by now.
            made_at = datetime.fromtimestamp(publication.created_at_ms / 1000, UTC)
            evaluator = publication.evaluator
            card = await self._trust.card_at(evaluator, key.receipt.log_index, made_at)
            publication.verify(card.signing_key)
            await self._check_logged(key, publication)
        self._state.pin(publication.evaluator, domain, publication.public)

    async def _check_logged(self, key: directory_pb2.DomainKey, publication: KeyPublication) -> None:
        receipt = self._trust.check_receipt(key.receipt, key.entry)
        entry = parse_canonical(key.entry)
        digest = hashlib.sha256(publication.statement()).hexdigest()
        if entry.get("operation") != "key.publish" or entry.get("publication") != digest:
            raise NotAuthentic("key-not-logged", "the log entry shown is for another key")
        await self._trust.prove_inclusion(receipt.log_index, key.entry)


def _parsed(key: directory_pb2.DomainKey) -> KeyPublication:
    message = key.publication
    return KeyPublication.from_bytes(message.statement, message.proof_of_possession, message.signature)
