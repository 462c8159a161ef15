# SPDX-License-Identifier: EUPL-1.2
"""Persons without a number in the small world: the immigration service deposits for the inspectorate, which asks."""

import hashlib
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from typing import Any

from sluis.envelope import Envelope, Field, seal
from sluis.header import Delivery
from sluis.v1 import envelope_pb2, exchange_pb2
from tests.actors import START, Actor, authority, make_actor
from tests.world import EPOCH, World, bundle, pseudonym

AGREEMENT, KIND, PURPOSE = "wav-16", "WAV-PERSOON", "WAV-TOEZICHT"
FIELDS = {"worker_name": "Łukasz Kowalczyk", "birth_date": "1990-03-07", "observed_on": "2026-06-20"}
IND = make_actor(31, "immigration-service", "IND")


def keys(*names: str) -> tuple[bytes, ...]:
    """Pseudonyms of a person's keys, the strictest first."""
    return tuple(pseudonym(f"key {name}") for name in names)


def statements(actor: Actor, **changes: str) -> dict[str, str]:
    """What persons at the sender state."""
    at = f"{START:%Y-%m-%dT%H:%M}Z"
    return {
        "necessity": f"b-1@{actor.oin};case-officer;{at};NEEDED_FOR_CASE",
        "deposit_gate": f"fg-1@{actor.oin};privacy-officer;{at};NECESSARY_FOR_TASK",
        **changes,
    }


class Persons:
    """The parties' acts; everything else is the world's."""

    def __init__(self, world: World) -> None:
        self.world = world
        world.operator.admit(IND.card.encode(), IND.role, [authority().certificate])

    def deposit(
        self, own: Sequence[bytes], *, fields: dict[str, str] | None = None, **changes: Any
    ) -> Envelope:
        """Seal a signal about a person with these pseudonyms."""
        own_one, *others = own
        values = {
            "agreement": AGREEMENT,
            "sender": IND.oin,
            "recipient": self.world.cast.nla.oin,
            "kind": KIND,
            "purpose": PURPOSE,
            "delivery": Delivery.ON_MATCH,
            "claims": statements(IND),
            "aliases": tuple(sorted(others)),
        }
        header = self.world.header(own_one, **{**values, **changes})
        categories = bundle().fields
        sealed = [
            Field(name=name, category=categories[name].category.value, value=value.encode())
            for name, value in (fields or FIELDS).items()
        ]
        by_oin = {actor.oin: actor for actor in (*self.world.cast.registered, IND)}
        sealing, signing = by_oin[header.recipient].sealing.public, by_oin[header.sender].signing
        return seal(header, sealed, sealing, signing)

    async def push(self, envelope: Envelope, **changes: Any) -> exchange_pb2.PushResponse:
        """Push as the immigration service."""
        return await self.world.push(envelope, **{"by": IND, **changes})

    async def lay(self, own: Sequence[bytes], **changes: Any) -> Envelope:
        """Deposit; it is permitted."""
        envelope = self.deposit(own, **changes)
        answer = await self.push(envelope)
        assert answer.decision.effect == envelope_pb2.EFFECT_PERMIT, answer.decision.reasons
        return envelope

    async def ask(self, *asked: bytes, **changes: Any) -> exchange_pb2.MatchAnswer:
        """Ask as the inspectorate."""
        values = {"by": self.world.cast.nla, "agreement": AGREEMENT, "kind": KIND, "purpose": PURPOSE}
        return await self.world.ask(*asked, **{**values, **changes})

    async def hits(self, *asked: bytes, **changes: Any) -> list[int]:
        """The positions that hit."""
        return [hit.position for hit in (await self.ask(*asked, **changes)).hits]

    def aliases(self) -> list[bytes]:
        """Every alias that the broker keeps."""
        with closing(sqlite3.connect(self.world.folder / "broker.db")) as database:
            rows = database.execute("SELECT pseudonym FROM deposit_alias WHERE epoch = ?", (EPOCH,))
            return sorted(row[0] for row in rows)

    def named(self, answer: exchange_pb2.MatchAnswer) -> list[str]:
        """The signals of the hits, in the order of the answer."""
        entries = [self.world.entries(hit.delivery.log_index)[0] for hit in answer.hits]
        return [entry["exchange"] for entry in entries]


def many(count: int) -> list[bytes]:
    """Pseudonyms of nobody."""
    return [hashlib.sha256(f"nobody {number}".encode()).digest()[:16] for number in range(count)]
