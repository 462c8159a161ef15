# SPDX-License-Identifier: EUPL-1.2
"""DirectoryService: who takes part, and the evaluators' keys with the log entries that published them."""

import asyncio
from collections.abc import Callable
from datetime import datetime

from broker.administration import PublishDomainKey
from broker.exchange import Desk
from broker.storage.port import DomainKeyRow, PartyRow, PartyStatus, Store
from sluis.errors import InvalidInput, NotFound
from sluis.merkle import Hash
from sluis.rpc.caller import Caller
from sluis.rpc.server import unary
from sluis.v1 import directory_pb2, directory_pb2_grpc, pseudonym_pb2

PAGE = 100


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
        return directory_pb2.GetPartyResponse(party=_party(row))

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
        return directory_pb2.ListPartiesResponse(
            parties=[_party(row) for row in rows[:size]], next_page_token=more
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

    def _domain_key(self, row: DomainKeyRow) -> directory_pb2.DomainKey:
        logged = self._store.log_row(row.log_index)
        if logged is None:
            raise NotFound("not-found", "the log entry of a key is missing")
        return directory_pb2.DomainKey(
            publication=pseudonym_pb2.KeyPublication.FromString(row.publication),
            entry=logged.entry,
            receipt=self._desk.signer.receipt(row.log_index, Hash(logged.leaf_hash)),
        )


def _party(row: PartyRow) -> directory_pb2.Party:
    return directory_pb2.Party(
        oin=row.oin,
        name=row.name,
        role=row.role,
        active=row.status is PartyStatus.ACTIVE,
        card=row.card,
    )
