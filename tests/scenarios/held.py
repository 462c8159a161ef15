# SPDX-License-Identifier: EUPL-1.2
"""A signal that many parties hold, made without the hours of a day: the broker works here in this process.

The foundation received it and passed it on to every certification body, each of which asked for it. Pseudonyms are
bytes of no meaning, which nobody could tell. What the parties' kits would have on their disks is put there.
"""

import hashlib
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from uuid import UUID

from adapters.json_lines import keep_in
from broker.app import Broker, make_broker
from broker.keys import BrokerKeys
from broker.step import Step
from broker.storage.open import open_store
from broker.storage.port import Snapshot
from demo.cast import CastMember
from demo.stage import ORIGIN, Stage
from sluis.cards import PartyCard
from sluis.client.inbox import Inbox
from sluis.client.outbox import Outbox, Parcel
from sluis.client.receiver import ReceivedSignal, origin_of
from sluis.envelope import Field, Suite, seal
from sluis.header import Delivery, Header, new_uuid7
from sluis.keys import TLS_CERTIFICATE, KeyFolder
from sluis.policy.bundle import default_directory, load_bundle
from sluis.rpc.caller import Caller, caller_of
from sluis.rpc.server import utc_now
from sluis.v1 import envelope_pb2, exchange_pb2
from sluis.wire import envelope_to_wire
from tests.world import AGREEMENT, DAY_MS, EPOCH, KIND, PURPOSE, REGISTER, VALUES


def file_of(member: CastMember) -> Path:
    """Where a party keeps its signals."""
    return member.folder / "signals.jsonl"


async def held_by_all(stage: Stage) -> UUID:
    """Let the foundation and every body hold a fine, before the broker's process starts; its first id."""
    cast = stage.cast
    keys = BrokerKeys.load(cast.broker.keys, ORIGIN)
    store = open_store(stage.database)
    broker = make_broker(store, load_bundle(default_directory()), keys.receipt, ORIGIN, utc_now)
    broker.desk.committer.start()
    try:
        first = await _push(broker, cast.foundation, cast.inspectorate, cast.foundation)
        await _have(cast.foundation, first)
        for body in cast.bodies:
            onward = await _push(broker, cast.foundation, cast.foundation, body, first.signal_id)
            question = exchange_pb2.MatchRequest(
                idempotency_key="the-question",
                agreement=AGREEMENT,
                purpose=PURPOSE,
                kind=KIND,
                epoch=EPOCH,
                pseudonyms=onward.pseudonym,
            )
            assert len((await broker.matching.ask(_caller(body), question)).hits) == 1
            await _have(body, onward)
    finally:
        await broker.desk.committer.close()
        store.close()
    return first.signal_id


async def _push(
    broker: Broker,
    owner: CastMember,
    sender: CastMember,
    recipient: CastMember,
    previous: UUID | None = None,
) -> Header:
    """Certify the firm in the recipient's domain, and push a fine about it."""
    now_ms = int(utc_now().timestamp() * 1000)
    day = f"{utc_now() - timedelta(days=20):%Y-%m-%d}"
    header = Header(
        signal_id=new_uuid7(now_ms),
        suite=Suite.X25519,
        agreement=AGREEMENT,
        sender=sender.oin,
        recipient=recipient.oin,
        kind=KIND,
        purpose=PURPOSE,
        delivery=Delivery.ON_MATCH if previous else Delivery.MAILBOX,
        epoch=EPOCH,
        pseudonym=hashlib.sha256(recipient.oin.encode()).digest()[:16],
        created_at_ms=now_ms,
        expires_at_ms=now_ms + 365 * DAY_MS,
        previous=previous,
        claims={"provision": "WML 7", "decided_on": day},
    )
    _certify(broker, owner, header)
    fields = [
        Field(name=name, category=broker.desk.bundle.fields[name].category.value, value=value.encode())
        for name, value in {**VALUES, "found_on": day, "decided_on": day}.items()
    ]
    card = PartyCard.parse((recipient.folder / "card.json").read_bytes())
    envelope = seal(header, fields, card.sealing_key, KeyFolder(path=sender.keys).load().signing)
    request = exchange_pb2.PushRequest(
        idempotency_key=f"push-{header.signal_id}", envelope=envelope_to_wire(envelope)
    )
    answer = await broker.exchange.push(_caller(sender), request)
    assert answer.decision.effect == envelope_pb2.EFFECT_PERMIT, answer.decision
    _have_sent(sender, request, answer)
    return header


def _have_sent(
    member: CastMember, request: exchange_pb2.PushRequest, answer: exchange_pb2.PushResponse
) -> None:
    cache = KeyFolder(path=member.keys).load().cache
    with closing(Outbox(_state(member) / "outbox.sqlite", cache)) as outbox:
        identity = outbox.identity(request.idempotency_key.encode())
        key, data = request.idempotency_key, request.SerializeToString()
        outbox.put([Parcel(identity=identity, idempotency_key=key, request=data)])
        outbox.answered([(identity, answer.SerializeToString(), True)])


def _state(member: CastMember) -> Path:
    state = member.folder / "state"
    state.mkdir(mode=0o700, exist_ok=True)
    return state


def _caller(member: CastMember) -> Caller:
    return caller_of((member.keys / TLS_CERTIFICATE).read_bytes())


def _certify(broker: Broker, owner: CastMember, header: Header) -> None:
    """Put the owner's register, of this one firm, in force in the recipient's domain."""
    snapshot_id = hashlib.sha256(header.pseudonym).digest()[:16]
    broker.store.add_register_entries(snapshot_id, [(header.pseudonym, "2020-01-01", "2099-12-31")])
    with broker.store.transaction() as tx:
        logged = Step(tx, utc_now(), []).log({"operation": "register.load", "outcome": "in-force"})
        row = Snapshot(
            snapshot_id=snapshot_id,
            owner=owner.oin,
            agreement=AGREEMENT,
            register=REGISTER,
            recipient=header.recipient,
            epoch=EPOCH,
            created_at_ms=0,
            entry_count=1,
            header=b"",
            digest=bytes(32),
            signature=bytes(64),
        )
        tx.activate_snapshot(row, logged.index)
        tx.commit()


async def _have(member: CastMember, header: Header) -> None:
    signal = ReceivedSignal(log_index=0, header=header, fields=VALUES, withheld=0, root=bytes(32))
    await keep_in(file_of(member))([signal])
    with closing(Inbox(_state(member) / "inbox.sqlite")) as inbox:
        inbox.add([(header.signal_id.bytes, signal.root, 0, header.expires_at_ms, origin_of(signal))])
