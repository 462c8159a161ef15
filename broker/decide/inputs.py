# SPDX-License-Identifier: EUPL-1.2
"""What a decision was taken on, kept beside the log so that it can be taken again (a replay).

Canonical JSON of the whole request. It holds the claims, so it is kept with the salt of its entry and destroyed
with it; the entry has only a commitment:

    inputs = SHA-256(lp("sluis/v1/inputs", salt, canonical JSON of the request))
"""

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from broker.decide.model import Fact, FactState, Party, Request
from sluis.canonical import canonical_json
from sluis.encoding import lp
from sluis.errors import InvalidInput
from sluis.policy.rules import Operation


def commit_inputs(salt: bytes, inputs: bytes) -> str:
    """Commit to what was decided on; hexadecimal."""
    return hashlib.sha256(lp("sluis/v1/inputs", salt, inputs)).hexdigest()


def write_inputs(request: Request) -> bytes:
    """Write a request down."""
    return canonical_json(
        {
            "v": 1,
            "operation": request.operation.value,
            "sender": _party(request.sender),
            "recipient": _party(request.recipient),
            "agreement": request.agreement,
            "kind": request.kind,
            "purpose": request.purpose,
            "delivery": request.delivery,
            "fields": request.fields,
            "claims": dict(request.claims),
            "facts": {
                name: {
                    "state": fact.state.value,
                    "source": fact.source,
                    "asserter": _party(fact.asserter) if fact.asserter else [],
                }
                for name, fact in request.facts.items()
            },
            "counters": dict(request.counters),
            "subjects": request.subjects,
            "strict": request.strict,
            "at": request.at.astimezone(UTC).isoformat(timespec="microseconds"),
        }
    )


def read_inputs(data: bytes) -> Request:
    """Read a request that was written down. Raises InvalidInput `malformed-encoding` or `malformed-request`."""
    try:
        members = json.loads(data)
        if members["v"] != 1:
            raise InvalidInput("malformed-encoding", "not the inputs of a decision of this version")
        facts: Mapping[str, Any] = members["facts"]
        return Request(
            operation=Operation(members["operation"]),
            sender=_read_party(members["sender"]),
            recipient=_read_party(members["recipient"]),
            agreement=_text(members["agreement"]),
            kind=_text(members["kind"]),
            purpose=_text(members["purpose"]),
            delivery=_text(members["delivery"]),
            fields=tuple((_text(name), _text(category)) for name, category in members["fields"]),
            claims=_texts(members["claims"]),
            facts={
                name: Fact(
                    state=FactState(fact["state"]),
                    source=_text(fact["source"]),
                    asserter=_read_party(fact["asserter"]) if fact["asserter"] else None,
                )
                for name, fact in facts.items()
            },
            counters={name: _whole(count) for name, count in members["counters"].items()},
            subjects=_whole(members["subjects"]),
            strict=members["strict"] is True,
            at=datetime.fromisoformat(members["at"]),
        )
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError):
        raise InvalidInput("malformed-encoding", "not the inputs of a decision") from None


def _party(party: Party) -> list[str]:
    return [party.oin, party.role, party.sector]


def _read_party(value: Any) -> Party:
    oin, role, sector = value
    return Party(oin=_text(oin), role=_text(role), sector=_text(sector))


def _texts(value: Any) -> dict[str, str]:
    return {name: _text(text) for name, text in value.items()}


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _whole(value: object) -> int:
    if not isinstance(value, int):
        raise TypeError
    return value
