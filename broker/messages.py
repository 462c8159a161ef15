# SPDX-License-Identifier: EUPL-1.2
"""Decisions as protobuf messages."""

from broker.decide.model import Decision, Effect
from sluis.v1 import envelope_pb2

RULE_STOPPED = "RULE_STOPPED"

_EFFECT = {Effect.PERMIT: envelope_pb2.EFFECT_PERMIT, Effect.DENY: envelope_pb2.EFFECT_DENY}


def decision_message(decision: Decision) -> envelope_pb2.Decision:
    """Return the message for a decision."""
    return envelope_pb2.Decision(
        effect=_EFFECT[decision.effect],
        rule_ids=[rule.id for rule in decision.rules],
        reasons=[
            envelope_pb2.Reason(code=reason.code, params=dict(reason.params)) for reason in decision.reasons
        ],
        released=decision.released,
        withheld=[
            envelope_pb2.DecidedField(name=item.name, reason=item.code, rule_id=item.rule_id)
            for item in decision.withheld
        ],
        assumed=decision.assumed,
        policy_digest=decision.policy_digest,
    )
