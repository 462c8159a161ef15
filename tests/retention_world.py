# SPDX-License-Identifier: EUPL-1.2
"""What tests of retention share: a keeper on a world, what the database still holds, and officers who sign holds."""

import sqlite3
from contextlib import closing
from datetime import UTC
from typing import Any
from uuid import UUID

from broker.policy.officers import OfficerFunction, Officers
from broker.retention.asking import Asker
from broker.retention.clock import TrustedClock
from broker.retention.holds import Holds
from broker.retention.keeper import Alone, Keeper, Swept
from broker.storage.retention_port import LegalHold
from sluis.hold import HoldAct, HoldReason, HoldScope, HoldStatement, SubjectOpening, new_hold
from sluis.signing import SigningKey
from tests.actors import Actor
from tests.world import World


def asker(world: World) -> Asker:
    """Asks with the world's receipt key."""
    desk = world.broker.desk
    return Asker(signer=desk.signer, bundle=lambda: desk.bundle)


def keeper(world: World) -> Keeper:
    """A keeper that works straight on the world's database."""
    return Keeper(
        store=world.store,
        carrier=Alone(store=world.store, clock=world.clock),
        clock=world.clock,
        trusted=TrustedClock(world.store),
        prover=lambda: world.broker.desk.prover,
        asker=asker(world),
        zone=world.broker.desk.bundle.zone,
    )


async def sweep(world: World) -> Swept:
    """Sweep once, by a clock that is to be believed."""
    world.store.retention.set_swept(world.clock.ms())
    return await keeper(world).sweep()


def row(world: World, exchange: UUID) -> dict[str, Any]:
    """The row of a signal as it lies in the database."""
    with closing(sqlite3.connect(world.folder / "broker.db")) as database:
        database.row_factory = sqlite3.Row
        found = database.execute("SELECT * FROM signal WHERE signal_id = ?", (exchange.bytes,)).fetchone()
    return dict(found)


def kept(world: World, log_index: int) -> tuple[bool, bool]:
    """Whether an entry still has its salt, and its first answer."""
    with closing(sqlite3.connect(world.folder / "broker.db")) as database:
        counts = [
            database.execute(f"SELECT count(*) FROM {table} WHERE log_index = ?", (log_index,)).fetchone()[0]
            for table in ("entry_salt", "first_answer")
        ]
    return counts[0] == 1, counts[1] == 1


class Office:
    """Two officers of the inspectorate, one of the foundation, and what they sign."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.keys: dict[str, SigningKey] = {}
        nla, sna = world.cast.nla, world.cast.sna
        self._enrol("fg-1", nla, OfficerFunction.PRIVACY)
        self._enrol("jz-1", nla, OfficerFunction.LEGAL)
        self._enrol("jz-2", sna, OfficerFunction.LEGAL)

    def _enrol(self, name: str, actor: Actor, function: OfficerFunction) -> None:
        self.keys[name] = SigningKey.generate()
        Officers(self.world.store, self.world.clock).enrol(name, actor.oin, function, self.keys[name].public)

    def sign(self, act: HoldAct, officer: str, **about: Any) -> HoldStatement:
        """One officer's statement."""
        values = {"reason": HoldReason.LITIGATION, "scope": HoldScope.EXCHANGE, **about}
        at = self.world.clock().astimezone(UTC).replace(microsecond=0)
        return HoldStatement(act=act, officer=officer, at=at, **values).signed(self.keys[officer])

    def hold(
        self,
        target: str,
        scope: HoldScope = HoldScope.EXCHANGE,
        *,
        officers: tuple[str, str] = ("fg-1", "jz-1"),
        opening: SubjectOpening | None = None,
    ) -> LegalHold:
        """Set a hold that two officers signed."""
        about = {"hold": new_hold(), "target": target, "scope": scope}
        acts = (HoldAct.HOLD, HoldAct.APPROVE_HOLD)
        statements = [self.sign(act, name, **about) for act, name in zip(acts, officers, strict=True)]
        return Holds(self.world.store, self.world.clock).set(statements, opening)

    def lift(self, hold: LegalHold, officers: tuple[str, str] = ("fg-1", "jz-1")) -> LegalHold:
        """Lift it alike."""
        about = {"hold": hold.hold_id, "target": hold.target, "scope": HoldScope(hold.scope)}
        acts = (HoldAct.LIFT, HoldAct.APPROVE_LIFT)
        statements = [self.sign(act, name, **about) for act, name in zip(acts, officers, strict=True)]
        return Holds(self.world.store, self.world.clock).lift(statements)
