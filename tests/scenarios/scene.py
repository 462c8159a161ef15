# SPDX-License-Identifier: EUPL-1.2
"""A stage in play: real processes, a small invented world, and the acts that every scenario needs.

The firms are alternately certified by one of two bodies, and every fine may be sent. Ports lie below those
that the system hands out by itself: a client that knocks on a closed one of those may end up connected to
itself, and a broker that restarts could not have it back. Every process is ended by its own id.
"""

import os
import random
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from itertools import islice
from pathlib import Path
from zoneinfo import ZoneInfo

from adapters.certified_register import CertifiedFirm, read_certified
from adapters.fines import Fine, read_fines
from adapters.foundation import certification_bodies, load_registers
from adapters.labour_inspectorate import fine_draft
from demo.cast import CastMember, make_cast
from demo.stage import Service, Stage, set_stage, toml_text
from sluis.client import Kit
from sluis.client.auditor import AuditReport
from sluis.client.receiver import ReceivedSignal
from sluis.client.sender import Draft, PushOutcome
from tests.warm import launch

BODIES = ("Waarmerk Noord", "Waarmerk Zuid")
PROVISIONS = ("WML;7", "WML;7a", "WML;13", "WML;15", "WML;18b(2)")  # on the list before and after July 2026
CERTIFIED_HEADER = (
    "naam;adres;postcode;plaats;kvk;vestigingsnr;certificaat_van;certificaat_tot;certificerende_instelling"
)
FINES_HEADER = "vestigingsnr;wet;artikel;aantal;datum_constatering;datum_boetebeschikking"
PATIENCE = 20.0
# Signing often keeps the waits for a checkpoint short.
BROKER_OPTIONS = {"checkpoint_seconds": 0.1, "grace_seconds": 3.0}
LOWEST, HIGHEST = 10_000, 30_000  # ports


def today_here() -> date:
    """The day that counts in the rules."""
    return datetime.now(ZoneInfo("Europe/Amsterdam")).date()


def establishment(number: int) -> str:
    """An invented establishment number."""
    return f"0999{number:08}"


def certified_csv(firms: int, today: date, bodies: Sequence[str] = BODIES) -> str:
    """A list of firms whose certificates are valid today."""
    start, end = today - timedelta(days=400), today + timedelta(days=400)
    rows = [
        f"Flexwerk {n:05} B.V.;Proefkade {n};3011 AB;Rotterdam;{n:08};{establishment(n)};"
        f"{start};{end};{bodies[n % len(bodies)]}"
        for n in range(firms)
    ]
    return "\n".join([CERTIFIED_HEADER, *rows]) + "\n"


def fine_rows(firms: int, today: date) -> Iterator[str]:
    """Fines that may be sent, all different: a day, then a provision, then a firm further on."""
    for days in range(700):
        for provision in PROVISIONS:
            for n in range(firms):
                decided = today - timedelta(days=days)
                yield f"{establishment(n)};{provision};{1 + n % 3};{decided};{decided}"


@dataclass(slots=True)
class Scene:
    """A stage whose processes run, and the world on it."""

    stage: Stage
    firms: tuple[CertifiedFirm, ...]
    today: date
    _fines: Iterator[str] = field(default_factory=lambda: iter(()))

    @asynccontextmanager
    async def kit(self, member: CastMember, **changes: object) -> AsyncIterator[Kit]:
        """Open a participant's kit, not too patient."""
        settings = self.stage.settings(member).model_copy(update={"patience_seconds": PATIENCE, **changes})
        async with Kit.open(settings) as kit:
            yield kit

    def fines(self, count: int) -> tuple[Fine, ...]:
        """Fines that were not given out before."""
        text = "\n".join([FINES_HEADER, *islice(self._fines, count)])
        fines = read_fines(text.encode(), today=self.today).accepted
        assert len(fines) == count
        return fines

    def drafts(self, count: int) -> list[Draft]:
        """Signals for the foundation that were not given out before."""
        return [fine_draft(fine, self.stage.cast.foundation.oin) for fine in self.fines(count)]

    async def push(self, count: int) -> list[PushOutcome]:
        """Push so many fines; all are permitted."""
        async with self.kit(self.stage.cast.inspectorate) as kit:
            outcomes = await kit.sender.push(self.drafts(count))
        assert [outcome for outcome in outcomes if not outcome.permitted] == []
        return outcomes

    async def receive(self, member: CastMember | None = None) -> list[ReceivedSignal]:
        """Receive everything that waits, by default for the foundation."""
        received: list[ReceivedSignal] = []

        async def keep(signals: Sequence[ReceivedSignal]) -> None:
            received.extend(signals)

        async with self.kit(member or self.stage.cast.foundation) as kit:
            report = await kit.receiver.receive(keep)
        assert report.refused == []
        return received

    async def audit(self) -> AuditReport:
        """Recompute the whole log as the privacy officer."""
        async with self.kit(self.stage.cast.officer) as kit:
            report = await kit.auditor.verify()
        assert report.log is not None
        return report

    async def keep_registers(self) -> None:
        """Load the foundation's register, once the evaluators have published their keys."""
        async with self.kit(self.stage.cast.foundation) as kit:
            bodies = await certification_bodies(kit)
            outcomes = await load_registers(kit, self.firms, bodies)
        assert all(outcome.permitted for outcome in outcomes)


def _own_ports() -> range:
    """The ports of this worker alone: between the search for a free one and its use, no other may take it."""
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    place = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % workers
    share = (HIGHEST - LOWEST) // workers
    return range(LOWEST + place * share, LOWEST + (place + 1) * share - 100)


def set_option(service: Service, **values: object) -> None:
    """Change a service's settings before it starts; its file has them before any table."""
    path = Path(service.command[-1])
    lines = path.read_text("utf-8").splitlines(keepends=True)
    kept = [line for line in lines if line.split(" = ")[0] not in values]
    path.write_text(toml_text(values) + "".join(kept), encoding="utf-8")


@contextmanager
def set_scene(
    root: Path,
    *,
    database: str = "",
    firms: int = 20,
    tap: bool = False,
    broker: Mapping[str, object] | None = None,
    evaluators: Mapping[str, object] | None = None,
    bodies: Sequence[str] = BODIES,
) -> Iterator[Scene]:
    """Make a stage of its own below a folder; nothing runs yet, and whatever was started is killed."""
    first = random.SystemRandom().choice(_own_ports())
    cast = make_cast(root, bodies)
    wanted = (first, first + 1, first + 2, first + 3)
    stage = set_stage(root, cast, database=database, tap=tap, wanted=wanted)
    for service in stage.services:
        service.launch = launch
    set_option(stage.broker, **{**BROKER_OPTIONS, **(broker or {})})
    for service in stage.evaluators:
        set_option(service, **(evaluators or {}))
    today = today_here()
    world = read_certified(certified_csv(firms, today).encode(), today=today).accepted
    with ExitStack() as ending:
        for service in stage.services:
            ending.callback(service.kill)
        yield Scene(stage=stage, firms=world, today=today, _fines=fine_rows(firms, today))


@contextmanager
def running_scene(root: Path, **options: object) -> Iterator[Scene]:
    """As `set_scene`, with everything running."""
    with set_scene(root, **options) as scene:  # type: ignore[arg-type]  # the options are its own
        scene.stage.start()
        yield scene
