# SPDX-License-Identifier: EUPL-1.2
"""The decision as an entry of the log holds it (`broker.record.decision_record`), read back.

Pure: what comes out was decided then, and nothing is decided again. With the rules of then, by the entry's
`policy`, `broker.decide.explain` puts it into the same sentences.
"""

from collections.abc import Mapping
from typing import Any

from broker.decide.model import Decision, Effect, Reason, RuleRef, Withheld
from sluis.errors import InvalidInput
from sluis.policy.rules import Status


def recorded_decision(entry: Mapping[str, Any]) -> Decision:
    """Read the decision in an entry. Raises InvalidInput `malformed-encoding` when there is none."""
    try:
        rules = tuple(
            RuleRef(id=rule["id"], status=rule["status"], basis=tuple(rule["basis"]))
            for rule in entry["rules"]
        )
        return Decision(
            effect=Effect(entry["decision"]),
            policy_digest=entry["policy"],
            rules=rules,
            reasons=tuple(Reason(item["code"], dict(item["params"])) for item in entry["reasons"]),
            released=tuple(entry["released"]),
            withheld=tuple(
                Withheld(item["name"], item["reason"], item["rule"]) for item in entry["withheld"]
            ),
            obligations=dict(entry["obligations"]),
            assumed=any(rule.status == Status.ASSUMED for rule in rules),
        )
    except (KeyError, TypeError, ValueError):
        raise InvalidInput("malformed-encoding", "the entry holds no decision", where="entry") from None
