# SPDX-License-Identifier: EUPL-1.2
"""Calls as a stranger would make them: any certificate, any message, and the code in what comes back."""

import sqlite3
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from broker.administration import Operator
from broker.storage.open import open_store
from demo.cast import CastMember
from demo.stage import Stage
from sluis.certificates import Authority, certificate_pem
from sluis.client import Kit
from sluis.client.sender import Draft
from sluis.envelope import Envelope, Field, seal
from sluis.errors import CODES
from sluis.header import Header, new_uuid7
from sluis.identifiers import Oin
from sluis.keys import ROOTS, TLS_CERTIFICATE, TLS_REQUEST, KeyFolder
from sluis.policy.bundle import default_directory, load_bundle
from sluis.rpc.channel import open_channel
from sluis.rpc.process import tls_of
from sluis.sealing_keys import SealingPublicKey
from sluis.v1 import exchange_pb2
from sluis.wire import envelope_to_wire


def code_of(error: grpc.aio.AioRpcError) -> str:
    """The stable code that an answer carries as ErrorInfo; its status must be the code's own."""
    try:
        status = rpc_status.from_call(error)
    except ValueError:
        status = None
    for detail in status.details if status else []:
        info = error_details_pb2.ErrorInfo()
        assert detail.Unpack(info)
        code = info.metadata["code"]
        assert info.domain == "sluis"
        assert info.reason == code.upper().replace("-", "_")
        assert error.code().name == CODES[code].grpc
        return str(code)
    return ""


async def refusal(call: Any) -> str:
    """Make a call that must fail; returns its stable code, empty when it has none."""
    answers = _read_out(call) if hasattr(call, "__aiter__") else call
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await answers
    return code_of(caught.value)


async def _read_out(stream: AsyncIterator[Any]) -> None:
    async for _ in stream:
        pass


@asynccontextmanager
async def channel_of(address: str, keys: Path) -> AsyncIterator[grpc.aio.Channel]:
    """A connection with the certificate in a key folder."""
    async with open_channel(address, tls_of(keys)) as channel:
        yield channel


def make_keys(
    folder: Path,
    oin: Oin,
    authority: Authority,
    *,
    roots: Authority | None = None,
    starts: float = -3600,
    ends: float = 3600,
) -> Path:
    """A key folder with a certificate for an OIN by an authority, valid for these seconds from now."""
    now = datetime.now(UTC)
    KeyFolder.create(folder, name="Iemand", oin=oin)
    certificate = authority.answer(
        (folder / TLS_REQUEST).read_bytes(),
        valid_from=now + timedelta(seconds=starts),
        valid_until=now + timedelta(seconds=ends),
    )
    (folder / TLS_CERTIFICATE).write_bytes(certificate_pem(certificate))
    (folder / ROOTS).write_bytes(certificate_pem((roots or authority).certificate))
    return folder


@contextmanager
def operator_of(stage: Stage) -> Iterator[Operator]:
    """The broker's operator at work on the store of a running broker."""
    store = open_store(stage.database)
    try:
        yield Operator(store, load_bundle(default_directory()), lambda: datetime.now(UTC))
    finally:
        store.close()


@dataclass(frozen=True, slots=True, kw_only=True)
class Sealed:
    """A signal that was sealed by hand, ready to be spoilt."""

    header: Header
    fields: tuple[Field, ...]
    recipient_key: SealingPublicKey
    envelope: Envelope

    def request(self, key: str = "") -> exchange_pb2.PushRequest:
        """The message; the idempotency key is the signal's id unless given."""
        return exchange_pb2.PushRequest(
            idempotency_key=key or f"push-{self.header.signal_id}", envelope=envelope_to_wire(self.envelope)
        )


async def seal_draft(kit: Kit, draft: Draft, **changes: Any) -> Sealed:
    """Seal a draft as the kit does, with changes to its header."""
    oin = draft.recipient
    epoch = await kit.pseudonymiser.current_epoch(kit.agreement, oin)
    (pseudonym,) = await kit.pseudonymiser.pseudonyms([draft.subject], kit.agreement, oin, epoch)
    now_ms = int(time.time() * 1000)
    header = Header(
        signal_id=new_uuid7(now_ms),
        agreement=kit.agreement,
        sender=kit.oin,
        recipient=oin,
        kind=draft.kind,
        purpose=draft.purpose,
        delivery=draft.delivery,
        epoch=epoch,
        pseudonym=pseudonym,
        created_at_ms=now_ms,
        expires_at_ms=draft.expires_at_ms,
        claims=draft.claims,
    )
    fields = tuple(
        Field(name=name, category=kit.bundle.fields[name].category.value, value=value.encode())
        for name, value in draft.fields.items()
    )
    card = await kit.trust.card(oin)
    return seal_again(kit, replace(header, **changes), fields, card.sealing_key)


def seal_again(
    kit: Kit, header: Header, fields: tuple[Field, ...], recipient_key: SealingPublicKey
) -> Sealed:
    """Seal and sign this header and these fields."""
    envelope = seal(header, fields, recipient_key, kit.keys.signing)
    return Sealed(header=header, fields=fields, recipient_key=recipient_key, envelope=envelope)


def log_size(stage: Stage) -> int:
    """How many entries the log of an SQLite broker has."""
    with sqlite3.connect(stage.database.removeprefix("sqlite:///")) as database:
        size = database.execute("SELECT size FROM log_head").fetchone()[0]
    database.close()
    return int(size)


def fingerprint(member: CastMember) -> str:
    """The SHA-256 of a participant's certificate, as a stop names it."""
    from cryptography.hazmat.primitives import hashes

    return KeyFolder(path=member.keys).tls_chain()[0].fingerprint(hashes.SHA256()).hex()
