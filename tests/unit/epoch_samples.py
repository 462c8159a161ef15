# SPDX-License-Identifier: EUPL-1.2
"""A kit beside a broker in one process: real trust, epochs, keys and pseudonymiser, calls without sockets.

Time is the world's clock, for both. The only thing left out is the tree: an entry is proven when it is what the
store holds at that index.
"""

import sqlite3
from collections.abc import Awaitable, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any, TypeVar

from broker.epochs import EpochOffice
from broker.wire.directory_service import DirectoryService
from broker.wire.exchange_service import ExchangeService
from evaluator.budget import Budget
from evaluator.domains import Domains
from evaluator.service import PseudonymService, to_wire
from evaluator.shares import EvaluatorShares
from sluis.checkpoint_signers import log_signers, new_secret, witness_signers
from sluis.client.epochs import EpochBook
from sluis.client.keyring import KeyRing
from sluis.client.pseudonymiser import Pseudonymiser
from sluis.client.receipt_book import ReceiptBook
from sluis.client.settings import KitSettings
from sluis.client.state import KitState
from sluis.client.trust import Trust
from sluis.errors import NotAuthentic
from sluis.identifiers import Identifier, IdentifierType
from sluis.keylog import KeyPublication
from sluis.pseudonym_cache import PseudonymCache
from sluis.pseudonyms import PseudonymisationDomain
from sluis.v1 import directory_pb2
from tests.actors import Actor, authority
from tests.world import AGREEMENT, ORIGIN, FakeContext, Refused, World, bundle

A = TypeVar("A")
MOMENTS = {"2026": datetime(2026, 1, 1, tzinfo=UTC), "2027": datetime(2027, 1, 1, tzinfo=UTC)}


class Calls:
    """A service as a stub: called by one party, its refusals are errors of ours."""

    def __init__(self, service: object, actor: Actor) -> None:
        self._service = service
        self._actor = actor
        self.made: list[tuple[str, Any]] = []

    def __getattr__(self, name: str) -> Callable[..., Awaitable[Any]]:
        async def call(request: Any, **_: object) -> Any:
            self.made.append((name, request))
            try:
                return await getattr(self._service, name)(request, FakeContext(self._actor))
            except Refused as refused:
                raise refused.error from None

        return call


@dataclass(slots=True)
class Evaluators:
    """Both evaluators, and how they publish their keys."""

    world: World
    shares: dict[Actor, EvaluatorShares]
    services: dict[Actor, PseudonymService]

    async def publish(self, epoch: str, recipient: Actor | None = None) -> None:
        """Enter the keys of an epoch in a recipient's domain, with a seed that is made for it."""
        oin = (recipient or self.world.cast.sna).oin
        domain = PseudonymisationDomain(agreement=AGREEMENT, recipient=oin, epoch=epoch)
        for actor, shares in self.shares.items():
            seed = actor.oin.encode() + epoch.encode()
            shares._seeds.setdefault(epoch, seed.ljust(32, b".")[-32:])
            message = to_wire(shares.publication(domain, actor.signing, self.world.clock.ms()))
            request = directory_pb2.PublishDomainKeyRequest(publication=message)
            await directory(self.world).PublishDomainKey(request, FakeContext(actor))


@dataclass(slots=True, kw_only=True)
class Desk:
    """A participant's kit, as much of it as meets the broker."""

    actor: Actor
    folder: Path
    directory: Calls
    connections: Any
    evaluators: list[Calls]
    trust: Trust
    epochs: EpochBook
    state: KitState
    cache: PseudonymCache
    pseudonymiser: Pseudonymiser
    ring: KeyRing
    progress: list[int] = field(default_factory=list)


class StoreTrust(Trust):
    """Proves an entry by looking."""

    world: World

    async def prove_inclusion(self, log_index: int, entry: bytes) -> Any:
        """Check that the store holds this entry at this index."""
        row = self.world.store.log_row(log_index)
        if row is None or row.entry != entry:
            raise NotAuthentic("log-inconsistent", "the entry is not in the log")


def firm(number: int) -> Identifier:
    """A firm by number."""
    return Identifier.parse(IdentifierType.VESTIGING, f"{number:012}")


def directory(world: World) -> DirectoryService:
    """The directory of the world's broker."""
    return DirectoryService(world.broker.desk, world.store, world.clock)


def office(world: World) -> EpochOffice:
    """The operator's office of epochs."""
    return EpochOffice(world.store, world.clock)


def sql(world: World, statement: str, *values: object) -> None:
    """Change the world's database behind its back."""
    with closing(sqlite3.connect(world.folder / "broker.db")) as database, database:
        database.execute(statement, values)


def forget_epochs(world: World) -> None:
    """Let no epoch be announced yet."""
    sql(world, "DELETE FROM epoch")


@contextmanager
def both_evaluators(world: World, folder: Path) -> Iterator[Evaluators]:
    """Two evaluators without seeds; `publish` gives them some."""
    roles = {one.oin: one.role for one in world.cast.registered}
    with ExitStack() as stack:
        shares, services = {}, {}
        for actor in world.cast.evaluators:
            mine = EvaluatorShares(oin=actor.oin, seeds={})
            budget = stack.enter_context(closing(Budget(folder / f"budget-{actor.oin}.sqlite", world.clock)))

            def publication(
                domain: PseudonymisationDomain, mine: EvaluatorShares = mine, actor: Actor = actor
            ) -> KeyPublication:
                return mine.publication(domain, actor.signing, 1)

            shares[actor] = mine
            services[actor] = PseudonymService(
                domains=Domains(bundle=bundle(), roles=roles),
                shares=mine,
                budget=budget,
                daily_budget=1000,
                publications=publication,
                executor=stack.enter_context(ThreadPoolExecutor(1)),
                clock=world.clock,
            )
        yield Evaluators(world, shares, services)


@contextmanager
def desk_of(
    world: World, evaluators: Evaluators, actor: Actor, folder: Path, ring: KeyRing | None = None
) -> Iterator[Desk]:
    """Open a participant's kit; its state stays in the folder, for a second opening."""
    folder.mkdir(exist_ok=True, mode=0o700)
    settings = KitSettings(
        oin=actor.oin,
        keys=folder,
        state=folder,
        agreement=AGREEMENT,
        broker="broker.example:1",
        receipt_key=world.receipt_key.public.raw.hex(),
        log_vkeys=[str(signer.vkey) for signer in log_signers(ORIGIN, new_secret())],
        witness_vkeys=[str(signer.vkey) for signer in witness_signers("w.example/1", new_secret())],
        quorum=1,
        evaluators=[],
        patience_seconds=0.2,
    )

    async def patiently(call: Callable[[], Awaitable[A]]) -> A:
        return await call()

    exchange = ExchangeService(
        world.broker.exchange,
        world.broker.matching,
        world.broker.mailbox,
        world.store,
        world.broker.desk.signer,
        world.clock,
    )
    calls = [Calls(service, actor) for service in evaluators.services.values()]
    connections: Any = SimpleNamespace(
        directory=Calls(directory(world), actor),
        exchange=Calls(exchange, actor),
        evaluators=dict(zip([one.oin for one in evaluators.services], calls, strict=True)),
        patiently=patiently,
        patience=0.2,
    )
    with ExitStack() as stack:
        state = stack.enter_context(closing(KitState(folder / "kit.sqlite")))
        book = stack.enter_context(closing(ReceiptBook(folder)))
        cache = stack.enter_context(closing(PseudonymCache(folder / "pseudonyms.sqlite", bytes(range(32)))))
        trust = StoreTrust(settings, connections, state, [authority().certificate], world.clock, book)
        trust.world = world
        epochs = EpochBook(connections, trust, state, cache, world.clock)
        keys: Any = SimpleNamespace(signing=actor.signing, sealing=actor.sealing)
        yield Desk(
            actor=actor,
            folder=folder,
            directory=connections.directory,
            connections=connections,
            evaluators=calls,
            trust=trust,
            epochs=epochs,
            state=state,
            cache=cache,
            pseudonymiser=Pseudonymiser(connections, trust, state, cache, epochs),
            ring=ring or KeyRing(keys),
        )


def asked_epochs(calls: Sequence[Calls]) -> list[list[str]]:
    """Which epochs each call to an evaluator named."""
    return [list(request.epochs) for one in calls for name, request in one.made if name == "Evaluate"]
