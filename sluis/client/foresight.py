# SPDX-License-Identifier: EUPL-1.2
"""Asking the broker beforehand what it would refuse, so that a sender hears it before it seals anything.

Drafts that the rules cannot tell apart (same recipient, kind, purpose, delivery, fields, claims) are asked about
once, with every fact that a register proves supposed proven: only the real exchange can look those up. What is
refused even so would be refused for certain.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sluis.client.connection import Connections
from sluis.client.sender import Draft
from sluis.policy.bundle import Bundle
from sluis.v1 import envelope_pb2, policy_pb2

MOST_QUESTIONS = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Foreseen:
    """What the broker would decide on a group of drafts, by their positions."""

    positions: tuple[int, ...]
    permitted: bool
    reason: str
    withheld: Mapping[str, str]
    dutch: str
    english: str
    missing: tuple[str, ...]  # what the nearest permit lacks, in English

    @property
    def count(self) -> int:
        """How many drafts the group holds."""
        return len(self.positions)


async def foresee(
    drafts: Sequence[Draft],
    agreement: str,
    connections: Connections,
    bundle: Bundle,
    suppose: Sequence[str] | None = None,
) -> tuple[Foreseen, ...]:
    """Ask about each sort of draft, the first `MOST_QUESTIONS` sorts; raises what the call raises.

    `suppose` are the facts to suppose proven; by default all that a register proves.
    """
    supposed = sorted(bundle.catalog.register_facts) if suppose is None else suppose
    groups: dict[tuple[object, ...], list[int]] = {}
    for position, draft in enumerate(drafts):
        groups.setdefault(_sort(draft), []).append(position)
    found = []
    for positions in list(groups.values())[:MOST_QUESTIONS]:
        request = _question(drafts[positions[0]], agreement, bundle, supposed)

        async def ask(request: policy_pb2.ExplainRequest = request) -> policy_pb2.ExplainResponse:
            return await connections.policy.Explain(request, timeout=10)

        found.append(_foreseen(await connections.patiently(ask), tuple(positions)))
    return tuple(found)


def _sort(draft: Draft) -> tuple[object, ...]:
    claims = tuple(sorted(draft.claims.items()))
    return (draft.recipient, draft.kind, draft.purpose, draft.delivery, tuple(draft.fields), claims)


def _question(
    draft: Draft, agreement: str, bundle: Bundle, suppose: Sequence[str]
) -> policy_pb2.ExplainRequest:
    return policy_pb2.ExplainRequest(
        operation="push",
        agreement=agreement,
        recipient_oin=draft.recipient,
        kind=draft.kind,
        purpose=draft.purpose,
        delivery=draft.delivery,
        fields=[
            policy_pb2.ExplainField(name=name, category=bundle.fields[name].category.value)
            for name in draft.fields
        ],
        claims=dict(draft.claims),
        suppose=suppose,
    )


def _foreseen(answer: policy_pb2.ExplainResponse, positions: tuple[int, ...]) -> Foreseen:
    decision = answer.decision
    return Foreseen(
        positions=positions,
        permitted=decision.effect == envelope_pb2.EFFECT_PERMIT,
        reason=decision.reasons[0].code if decision.reasons else "",
        withheld={item.name: item.reason for item in decision.withheld},
        dutch=answer.dutch,
        english=answer.english,
        missing=tuple(miss.english for miss in answer.near_misses[:1]),
    )
