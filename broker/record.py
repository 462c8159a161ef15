# SPDX-License-Identifier: EUPL-1.2
"""What the log says of an exchange (docs/log-format.md, "The entry").

Names, codes and counts; never a value, an identifier or a pseudonym. Words that the catalogue does not know are
written `?`: a sender could hide an identifier in them. What must bind a subject and a payload is
a commitment under a salt that is kept beside the log and can be destroyed:

    binding = SHA-256(lp("sluis/v1/binding", salt, pseudonym, root))
"""

import hashlib

from broker.decide.model import Decision, Request
from sluis.encoding import lp
from sluis.policy.bundle import Bundle


def bind_signal(salt: bytes, pseudonym: bytes, root: bytes) -> bytes:
    """Commit to a subject and a sealed payload."""
    return hashlib.sha256(lp("sluis/v1/binding", salt, pseudonym, root)).digest()


UNKNOWN = "?"


def exchange_record(
    operation: str, request: Request, decision: Decision, bundle: Bundle
) -> dict[str, object]:
    """The part of an entry that every decided exchange shares."""
    catalog = bundle.catalog
    return {
        "operation": operation,
        "sender": request.sender.oin,
        "recipient": request.recipient.oin if request.recipient.role else UNKNOWN,
        "agreement": request.agreement if request.agreement in bundle.agreements else UNKNOWN,
        "kind": request.kind if request.kind in catalog.kinds else UNKNOWN,
        "purpose": request.purpose if request.purpose in catalog.purposes else UNKNOWN,
        **decision_record(decision),
        "facts": [
            {"name": name, "state": fact.state.value, "source": fact.source}
            for name, fact in sorted(request.facts.items())
        ],
        **({"counters": dict(request.counters)} if request.counters else {}),
    }


def decision_record(decision: Decision) -> dict[str, object]:
    """The decision in an entry: effect, rules with articles, reasons, names of fields, duties, policy."""
    return {
        "decision": decision.effect.value,
        "rules": [
            {"id": rule.id, "status": rule.status, "basis": list(rule.basis)} for rule in decision.rules
        ],
        "reasons": [{"code": reason.code, "params": dict(reason.params)} for reason in decision.reasons],
        "released": list(decision.released),
        "withheld": [
            {"name": item.name, "reason": item.code, "rule": item.rule_id} for item in decision.withheld
        ],
        "obligations": dict(decision.obligations),
        "policy": decision.policy_digest,
    }
