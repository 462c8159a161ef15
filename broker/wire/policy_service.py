# SPDX-License-Identifier: EUPL-1.2
"""PolicyService: a dry run of the decision; nothing is stored, sent or sealed."""

import asyncio
from collections.abc import Callable
from datetime import datetime

from broker.decide.engine import decide
from broker.decide.explain import explain
from broker.decide.model import Fact, FactState, Party, Request
from broker.exchange import Desk
from broker.messages import decision_message
from broker.storage.port import PartyStatus, Store
from sluis.errors import InvalidInput
from sluis.identifiers import Oin
from sluis.policy.rules import Operation
from sluis.rpc.caller import Caller
from sluis.rpc.server import unary
from sluis.v1 import policy_pb2, policy_pb2_grpc


class PolicyService(policy_pb2_grpc.PolicyServiceServicer):
    """Explains what would be decided."""

    def __init__(self, desk: Desk, store: Store, clock: Callable[[], datetime]) -> None:
        self._desk = desk
        self._store = store
        self.clock = clock

    @unary
    async def Explain(self, caller: Caller, request: policy_pb2.ExplainRequest) -> policy_pb2.ExplainResponse:
        """Decide under the rules in force now, with the caller as sender and the supposed facts."""
        sender = await self._desk.directory.admit(caller)
        try:
            operation = Operation(request.operation)
        except ValueError:
            known = ", ".join(Operation)
            raise InvalidInput("malformed-request", f"one of {known}", where="operation") from None
        recipient = sender.oin if operation is Operation.QUESTION else Oin.parse(request.recipient_oin)
        asked = Request(
            operation=operation,
            sender=await asyncio.to_thread(self._party, sender.oin),
            recipient=await asyncio.to_thread(self._party, recipient),
            agreement=request.agreement,
            kind=request.kind,
            purpose=request.purpose,
            delivery=request.delivery,
            fields=tuple((field.name, field.category) for field in request.fields),
            claims=dict(request.claims),
            facts={name: self._supposed(name) for name in request.suppose},
            at=self.clock(),
            strict=request.strict,
        )
        decision = decide(asked, self._desk.bundle)
        words = explain(decision, self._desk.bundle)
        return policy_pb2.ExplainResponse(
            decision=decision_message(decision), dutch=words.dutch, english=words.english
        )

    def _supposed(self, name: str) -> Fact:
        spec = self._desk.bundle.catalog.facts.get(name)
        if spec is None:
            raise InvalidInput(
                "malformed-request", "a supposed fact is not in the catalogue", where="suppose"
            )
        role = spec.owner_role
        owner = Party(oin="", role=role, sector=self._desk.bundle.sector_of(role))
        return Fact(state=FactState.PROVEN, source=spec.source, asserter=owner)

    def _party(self, oin: Oin) -> Party:
        row = self._store.party(oin)
        if row is None or row.status is not PartyStatus.ACTIVE:
            return Party(oin=oin, role="", sector="")
        return Party(oin=oin, role=row.role, sector=self._desk.bundle.sector_of(row.role))
