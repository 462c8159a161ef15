# SPDX-License-Identifier: EUPL-1.2
"""Vectors of what is signed beside a signal: a digest of deposits, and follow-ups."""

import hashlib
from typing import Any

from sluis.deposit_digest import DigestBuilder, DigestHeader
from sluis.followup import SignedFollowUp
from tests.vectors.vector_inputs import (
    CREATED_MS,
    DOMAIN,
    ORIGIN,
    RECIPIENT,
    SENDER,
    follow_ups,
    secret,
    signing,
)


def digest_vectors() -> dict[str, Any]:
    """Sign a digest of five deposits: four values, since two share their leading bits."""
    deposits = sorted(secret(f"deposit {number}", 16) for number in range(4))
    deposits.append(deposits[-1][:8] + secret("deposit with the same beginning", 8))
    deposits.sort()
    builder = DigestBuilder(bits=12, signals=300)
    builder.add(deposits)
    body = builder.body()
    head = DigestHeader(
        log_origin=ORIGIN,
        agreement=DOMAIN.agreement,
        recipient=RECIPIENT,
        kind="FINE_IMPOSED",
        epoch=DOMAIN.epoch,
        since=0,
        until=11,
        made_at_ms=CREATED_MS,
        bits=builder.bits,
        width=builder.width,
        count=builder.count,
        body_hash=hashlib.sha256(body).digest(),
    )
    names = ("log_origin", "agreement", "recipient", "kind", "epoch", "since", "until", "made_at_ms")
    return {
        **{name: getattr(head, name) for name in (*names, "bits", "width", "count")},
        "deposits": [item.hex() for item in deposits],
        "values": sorted({int.from_bytes(item[:8], "big") >> (64 - head.bits) for item in deposits}),
        "absent": secret("somebody else", 16).hex(),
        "body": body.hex(),
        "header": head.encode().hex(),
        "signature": signing("broker receipt").sign(head.encode()).hex(),
    }


def follow_up_vectors() -> list[dict[str, Any]]:
    """Sign a correction, its fulfilment by the holder, and the broker's own order to destroy."""
    key_of = {SENDER: "sender", RECIPIENT: "register owner", None: "broker receipt"}
    return [
        {
            "act": one.act.value,
            "author": one.author or "",
            "follow_up_id": one.follow_up_id.hex,
            "signal_id": one.signal_id.hex,
            "refers_to": one.refers_to.hex if one.refers_to else "",
            "replacement": one.replacement.hex if one.replacement else "",
            "created_at_ms": one.created_at_ms,
            "codes": dict(one.codes),
            "key": key_of[one.author],
            "statement": one.encode().hex(),
            "signature": SignedFollowUp.sign(signing(key_of[one.author]), one).signature.hex(),
        }
        for one in follow_ups()
    ]
