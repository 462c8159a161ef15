# SPDX-License-Identifier: EUPL-1.2
"""PolicyService: a dry run of the decision, and the rules themselves; nothing is stored, sent or sealed."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime

from broker.decide.engine import decide
from broker.decide.explain import explain, explain_near_miss
from broker.decide.model import Fact, FactState, Party, Request
from broker.decide.near import NearMiss, near_misses
from broker.exchange import Desk
from broker.messages import decision_message, reason_messages
from broker.storage.port import PartyStatus, Store
from sluis.errors import InvalidInput, NotFound
from sluis.identifiers import Oin
from sluis.policy.bundle import Bundle
from sluis.policy.facts import CounterFact, RegisterFact, StatedFact, Statement
from sluis.policy.rules import Operation
from sluis.rpc.caller import Caller
from sluis.rpc.server import unary
from sluis.v1 import policy_pb2, policy_pb2_grpc

# What a party does in its own pseudonymisation domain.
_OWN_DOMAIN = frozenset({Operation.QUESTION, Operation.WATCH})


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
        recipient = sender.oin if operation in _OWN_DOMAIN else Oin.parse(request.recipient_oin)
        asked = Request(
            operation=operation,
            sender=await asyncio.to_thread(self._party, sender.oin),
            recipient=await asyncio.to_thread(self._party, recipient),
            agreement=request.agreement,
            kind=request.kind,
            purpose=request.purpose,
            delivery=request.delivery,
            fields=tuple((field.name, field.category) for field in request.fields),
            claims={**self._supposed_statements(request.suppose, sender.oin), **request.claims},
            facts=self._supposed_facts(request.suppose),
            counters=dict.fromkeys(self._counters(), 0),
            subjects=request.subjects or 1,
            at=self.clock(),
            strict=request.strict,
        )
        bundle = self._desk.bundle
        decision = decide(asked, bundle)
        words = explain(decision, bundle)
        return policy_pb2.ExplainResponse(
            decision=decision_message(decision),
            dutch=words.dutch,
            english=words.english,
            near_misses=[_near_miss(miss, bundle) for miss in near_misses(asked, bundle)],
        )

    @unary
    async def GetPolicy(
        self, caller: Caller, request: policy_pb2.GetPolicyRequest
    ) -> policy_pb2.GetPolicyResponse:
        """Show the rules that decide now, or those of a digest, as they were activated."""
        await self._desk.directory.admit(caller)
        return await asyncio.to_thread(self._policy, request.digest)

    def _policy(self, digest: str) -> policy_pb2.GetPolicyResponse:
        activations = [row for row in self._store.activations() if digest in ("", row.digest)]
        archive = self._store.policy_bundle(activations[-1].digest) if activations else None
        if archive is None:
            raise NotFound("not-found", "no rules with this digest were activated", where="digest")
        return policy_pb2.GetPolicyResponse(
            digest=activations[-1].digest,
            archive=archive,
            log_index=activations[-1].log_index,
            activated_at_ms=activations[-1].at_ms,
        )

    def _supposed_facts(self, names: Sequence[str]) -> dict[str, Fact]:
        facts = self._desk.bundle.catalog.facts
        for name in names:
            if not isinstance(facts.get(name), RegisterFact | StatedFact):
                raise InvalidInput(
                    "malformed-request", "a supposed fact is not in the catalogue", where="suppose"
                )
        return {
            name: Fact(state=FactState.PROVEN, source=spec.source, asserter=self._owner(spec.owner_role))
            for name in names
            if isinstance(spec := facts[name], RegisterFact)
        }

    def _supposed_statements(self, names: Sequence[str], sender: Oin) -> dict[str, str]:
        """Statements that the sender's persons could make now."""
        facts = self._desk.bundle.catalog.facts
        return {
            name: ",".join(
                str(
                    Statement(
                        person=f"supposed-{number}",
                        organisation=sender,
                        function=min(spec.functions),
                        at=self.clock(),
                        reason=min(spec.reasons),
                    )
                )
                for number in range(1, spec.persons + 1)
            )
            for name in names
            if isinstance(spec := facts.get(name), StatedFact)
        }

    def _counters(self) -> list[str]:
        facts = self._desk.bundle.catalog.facts
        return [name for name, fact in facts.items() if isinstance(fact, CounterFact)]

    def _owner(self, role: str) -> Party:
        return Party(oin="", role=role, sector=self._desk.bundle.sector_of(role))

    def _party(self, oin: Oin) -> Party:
        row = self._store.party(oin)
        if row is None or row.status is not PartyStatus.ACTIVE:
            return Party(oin=oin, role="", sector="")
        return Party(oin=oin, role=row.role, sector=self._desk.bundle.sector_of(row.role))


def _near_miss(miss: NearMiss, bundle: Bundle) -> policy_pb2.NearMiss:
    words = explain_near_miss(miss, bundle)
    return policy_pb2.NearMiss(
        rule_id=miss.rule.id,
        missing=reason_messages(miss.missing),
        dutch=words.dutch,
        english=words.english,
    )
