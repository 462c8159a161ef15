# SPDX-License-Identifier: EUPL-1.2
"""Signals sealed beforehand, each another, as a participant's kit seals them; in processes of their own."""

import os
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import date, timedelta
from multiprocessing import get_context
from pathlib import Path

from adapters.fines import Fine
from adapters.labour_inspectorate import fine_draft
from demo.stage import AGREEMENT
from sluis.client.sender import Draft, new_uuid7
from sluis.envelope import Field, seal
from sluis.header import Header
from sluis.identifiers import Identifier, IdentifierType, Oin
from sluis.keys import KeyFolder
from sluis.policy.bundle import default_directory, load_bundle
from sluis.v1 import exchange_pb2
from sluis.wire import envelope_to_wire

PORTION = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Sealing:
    """Who seals what for whom."""

    sender: Oin
    recipient: Oin
    sender_keys: Path
    recipient_keys: Path
    epoch: str


def seal_many(sealing: Sealing, pseudonyms: Sequence[bytes], count: int) -> list[bytes]:
    """Return `count` serialised PushRequests about these subjects in turn."""
    portions = [
        (sealing, [pseudonyms[at % len(pseudonyms)] for at in range(start, min(start + PORTION, count))])
        for start in range(0, count, PORTION)
    ]
    with ProcessPoolExecutor(os.cpu_count() or 1, mp_context=get_context("spawn")) as pool:
        return [request for part in pool.map(_seal_portion, portions) for request in part]


def fine_about(subject: Identifier, recipient: Oin) -> Draft:
    """A signal that the rules permit about any subject with a valid certificate."""
    day = date.today()  # noqa: DTZ011  a month more or less does not matter
    fine = Fine(
        line=1,
        establishment=subject,
        law="WML",
        article="18b(2)",
        count=3,
        found_on=day - timedelta(days=120),
        decided_on=day - timedelta(days=40),
    )
    return fine_draft(fine, recipient)


def _seal_portion(portion: tuple[Sealing, list[bytes]]) -> list[bytes]:
    sealing, pseudonyms = portion
    signing = KeyFolder(path=sealing.sender_keys).signing()
    sealing_key = KeyFolder(path=sealing.recipient_keys).sealing().public
    subject = Identifier.parse(IdentifierType.VESTIGING, "000012345678")
    draft = fine_about(subject, sealing.recipient)
    known = load_bundle(default_directory()).fields
    fields = [
        Field(name=name, category=known[name].category.value, value=value.encode())
        for name, value in draft.fields.items()
    ]
    requests = []
    for pseudonym in pseudonyms:
        now_ms = int(time.time() * 1000)
        header = Header(
            signal_id=new_uuid7(now_ms),
            agreement=AGREEMENT,
            sender=sealing.sender,
            recipient=sealing.recipient,
            kind=draft.kind,
            purpose=draft.purpose,
            delivery=draft.delivery,
            epoch=sealing.epoch,
            pseudonym=pseudonym,
            created_at_ms=now_ms,
            expires_at_ms=draft.expires_at_ms,
            claims=draft.claims,
        )
        envelope = envelope_to_wire(seal(header, fields, sealing_key, signing))
        request = exchange_pb2.PushRequest(idempotency_key=f"push-{header.signal_id}", envelope=envelope)
        requests.append(request.SerializeToString())
    return requests
