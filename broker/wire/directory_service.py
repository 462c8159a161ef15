# SPDX-License-Identifier: EUPL-1.2
"""DirectoryService: who takes part, and the evaluators' keys with the log entries that published them."""

import asyncio
from collections.abc import Callable, Collection, Sequence
from datetime import datetime

from broker.administration import PublishDomainKey
from broker.admission import is_revoked
from broker.destruction import PublishDestruction
from broker.exchange import Desk
from broker.storage.epoch_port import CardRow, EpochRow
from broker.storage.port import DomainKeyRow, PartyRow, PartyStatus, Stop, Store
from sluis.errors import InvalidInput, NotFound
from sluis.merkle import Hash
from sluis.rpc.caller import Caller
from sluis.rpc.server import unary
from sluis.v1 import directory_pb2, directory_pb2_grpc, pseudonym_pb2

PAGE = 100
MAX_INDEX = (1 << 62) - 1


class DirectoryService(directory_pb2_grpc.DirectoryServiceServicer):
    """Cards of participants and keys of evaluators."""

    def __init__(self, desk: Desk, store: Store, clock: Callable[[], datetime]) -> None:
        self._desk = desk
        self._store = store
        self.clock = clock

    @unary
    async def GetParty(
        self, caller: Caller, request: directory_pb2.GetPartyRequest
    ) -> directory_pb2.GetPartyResponse:
        """One participant by OIN."""
        await self._desk.directory.admit(caller)
        row = await asyncio.to_thread(self._store.party, request.oin)
        if row is None:
            raise NotFound("not-found", "no participant has this OIN", where="oin")
        stops = await asyncio.to_thread(self._store.stops)
        return directory_pb2.GetPartyResponse(party=_party(row, stops))

    @unary
    async def ListParties(
        self, caller: Caller, request: directory_pb2.ListPartiesRequest
    ) -> directory_pb2.ListPartiesResponse:
        """Participants by OIN, a page at a time; the page token is the last OIN of the page before."""
        await self._desk.directory.admit(caller)
        if not 0 <= request.page_size <= PAGE:
            raise InvalidInput("malformed-request", f"0 to {PAGE}", where="page_size")
        size = request.page_size or PAGE
        rows = await asyncio.to_thread(self._store.party_page, request.page_token, size + 1, request.role)
        more = rows[size - 1].oin if len(rows) > size else ""
        stops = await asyncio.to_thread(self._store.stops)
        return directory_pb2.ListPartiesResponse(
            parties=[_party(row, stops) for row in rows[:size]], next_page_token=more
        )

    @unary
    async def PublishDomainKey(
        self, caller: Caller, request: directory_pb2.PublishDomainKeyRequest
    ) -> directory_pb2.PublishDomainKeyResponse:
        """Enter an evaluator's public share into the log."""
        evaluator = await self._desk.directory.require_role(caller, "evaluator")
        work = PublishDomainKey.checked(evaluator, request.publication, self._desk.signer)
        return await self._desk.committer.submit(work)

    @unary
    async def ListDomainKeys(
        self, caller: Caller, request: directory_pb2.ListDomainKeysRequest
    ) -> directory_pb2.ListDomainKeysResponse:
        """The public shares of a domain, each with the log entry that published it."""
        await self._desk.directory.admit(caller)
        rows = await asyncio.to_thread(self._store.domain_keys, request.agreement, request.recipient_oin)
        keys = [
            await asyncio.to_thread(self._domain_key, row) for row in rows if request.epoch in ("", row.epoch)
        ]
        return directory_pb2.ListDomainKeysResponse(keys=keys)

    @unary
    async def ListEpochs(
        self, caller: Caller, request: directory_pb2.ListEpochsRequest
    ) -> directory_pb2.ListEpochsResponse:
        """Every epoch, with the entries of the log from which its state follows."""
        await self._desk.directory.admit(caller)
        return await asyncio.to_thread(self._epochs)

    @unary
    async def PublishKeyDestruction(
        self, caller: Caller, request: directory_pb2.PublishKeyDestructionRequest
    ) -> directory_pb2.PublishKeyDestructionResponse:
        """Enter an evaluator's statement that a seed is gone."""
        evaluator = await self._desk.directory.require_role(caller, "evaluator")
        work = PublishDestruction.checked(evaluator, request, self._desk.signer, self._store)
        return await self._desk.committer.submit(work)

    @unary
    async def ListCards(
        self, caller: Caller, request: directory_pb2.ListCardsRequest
    ) -> directory_pb2.ListCardsResponse:
        """Every card of a participant, with the entries that admitted and revoked it."""
        await self._desk.directory.admit(caller)
        rows = await asyncio.to_thread(self._store.epochs.cards, request.oin)
        cards = [await asyncio.to_thread(self._card, row) for row in rows]
        return directory_pb2.ListCardsResponse(cards=cards)

    @unary
    async def CheckOldKeys(
        self, caller: Caller, request: directory_pb2.CheckOldKeysRequest
    ) -> directory_pb2.CheckOldKeysResponse:
        """Whether the caller may still get what was sealed for it before an entry; not how much, or what."""
        recipient = (await self._desk.directory.admit(caller)).oin
        index = min(request.before_log_index, MAX_INDEX)
        now_ms = int(self.clock().timestamp() * 1000)
        needed = await asyncio.to_thread(self._store.epochs.sealed_before, recipient, index, now_ms)
        return directory_pb2.CheckOldKeysResponse(needed=needed)

    def _epochs(self) -> directory_pb2.ListEpochsResponse:
        destroyed: dict[str, list[int]] = {}
        for row in self._store.epochs.destructions():
            destroyed.setdefault(row.epoch, []).append(row.log_index)
        return directory_pb2.ListEpochsResponse(
            epochs=[self._epoch(row, destroyed.get(row.name, [])) for row in self._store.epochs.all()]
        )

    def _epoch(self, row: EpochRow, destroyed: Sequence[int]) -> directory_pb2.EpochRecord:
        return directory_pb2.EpochRecord(
            name=row.name,
            announced=self._logged(row.announced_index),
            compromised=None if row.changed_index is None else self._logged(row.changed_index),
            retired=None if row.retired_index is None else self._logged(row.retired_index),
            destroyed=[self._logged(index) for index in destroyed],
        )

    def _card(self, row: CardRow) -> directory_pb2.CardRecord:
        return directory_pb2.CardRecord(
            card=row.card,
            admitted=self._logged(row.log_index),
            revoked=None if row.revoked_index is None else self._logged(row.revoked_index),
        )

    def _logged(self, log_index: int) -> directory_pb2.LoggedEntry:
        row = self._store.log_row(log_index)
        if row is None:
            raise NotFound("not-found", "a log entry is missing")
        receipt = self._desk.signer.receipt(log_index, Hash(row.leaf_hash))
        return directory_pb2.LoggedEntry(entry=row.entry, receipt=receipt)

    def _domain_key(self, row: DomainKeyRow) -> directory_pb2.DomainKey:
        logged = self._store.log_row(row.log_index)
        if logged is None:
            raise NotFound("not-found", "the log entry of a key is missing")
        return directory_pb2.DomainKey(
            publication=pseudonym_pb2.KeyPublication.FromString(row.publication),
            entry=logged.entry,
            receipt=self._desk.signer.receipt(row.log_index, Hash(logged.leaf_hash)),
        )


def _party(row: PartyRow, stops: Collection[Stop]) -> directory_pb2.Party:
    return directory_pb2.Party(
        oin=row.oin,
        name=row.name,
        role=row.role,
        active=row.status is PartyStatus.ACTIVE and not is_revoked(row, stops),
        card=row.card,
    )
