# SPDX-License-Identifier: EUPL-1.2
"""Decisions as protobuf messages, and the form of idempotency keys."""

import re
from collections.abc import Iterable

from broker.decide.model import Decision, Effect, Reason
from sluis.errors import InvalidInput
from sluis.v1 import envelope_pb2

RULE_STOPPED = "RULE_STOPPED"
WATCH_TOO_LARGE = "WATCH_TOO_LARGE"
WATCH_TOO_LONG = "WATCH_TOO_LONG"
# Why the broker denies what the rules would permit; a replay takes these over from the log.
BESIDE_THE_RULES = frozenset({RULE_STOPPED, WATCH_TOO_LARGE, WATCH_TOO_LONG})

_KEY = re.compile(r"[A-Za-z0-9._:-]{8,64}")
_EFFECT = {Effect.PERMIT: envelope_pb2.EFFECT_PERMIT, Effect.DENY: envelope_pb2.EFFECT_DENY}


def check_idempotency_key(key: str) -> None:
    """Raise InvalidInput `malformed-request` unless the key has the form of the .proto files."""
    if not _KEY.fullmatch(key):
        raise InvalidInput("malformed-request", "8 to 64 of A-Z a-z 0-9 . _ : -", where="idempotency_key")


def decision_message(decision: Decision) -> envelope_pb2.Decision:
    """Return the message for a decision."""
    return envelope_pb2.Decision(
        effect=_EFFECT[decision.effect],
        rule_ids=[rule.id for rule in decision.rules],
        reasons=reason_messages(decision.reasons),
        released=decision.released,
        withheld=[
            envelope_pb2.DecidedField(name=item.name, reason=item.code, rule_id=item.rule_id)
            for item in decision.withheld
        ],
        assumed=decision.assumed,
        policy_digest=decision.policy_digest,
    )


def reason_messages(reasons: Iterable[Reason]) -> list[envelope_pb2.Reason]:
    """Return the messages for reasons."""
    return [envelope_pb2.Reason(code=reason.code, params=dict(reason.params)) for reason in reasons]
