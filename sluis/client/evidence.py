# SPDX-License-Identifier: EUPL-1.2
"""Gathers an evidence bundle over the wire: for a privacy officer, or for a party to the exchange."""

import json

from sluis.client.connection import Connections
from sluis.client.trust import Trust
from sluis.evidence import Evidence, ProvenEntry, make_evidence, verify_evidence, write_evidence
from sluis.v1 import audit_pb2, policy_pb2


async def gather_evidence(exchange: str, connections: Connections, trust: Trust) -> bytes:
    """The zip file of one exchange, checked under this kit's keys before it is handed over.

    Raises NotFound for an exchange that is not there or not the caller's; NotAuthentic for what does not hold.
    """
    data = write_evidence(await _evidence(exchange, connections, trust))
    verify_evidence(data, trust.policy)
    return data


async def _evidence(exchange: str, connections: Connections, trust: Trust) -> Evidence:
    request = audit_pb2.GetExchangeRequest(exchange=exchange)
    answer = await connections.patiently(lambda: connections.audit.GetExchange(request, timeout=30))
    checkpoint, text = await trust.checkpoint_text(1 + max(row.log_index for row in answer.entries))
    entries = [
        ProvenEntry(
            index=row.log_index,
            entry=row.entry,
            proof=tuple(await trust.inclusion(row.log_index, checkpoint.size)),
        )
        for row in answer.entries
    ]
    digests = {digest for row in answer.entries if (digest := json.loads(row.entry).get("policy"))}
    rules = {digest: await _archive(digest, connections) for digest in sorted(digests)}
    return make_evidence(entries, text, trust.policy.log_vkeys, trust.policy.witness_vkeys, rules)


async def _archive(digest: str, connections: Connections) -> bytes:
    request = policy_pb2.GetPolicyRequest(digest=digest)
    answer = await connections.patiently(lambda: connections.policy.GetPolicy(request, timeout=30))
    return answer.archive
