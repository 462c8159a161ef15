# SPDX-License-Identifier: EUPL-1.2
"""The keys under the pseudonyms change twice (docs/operations.md, "Epochs"), by the functions behind the commands.

2026      the epoch of the day; a fine waits in it that nobody has asked for
2026-2    begins in its place: the evaluators draw seeds and publish their keys, the operator announces it. A report
          to the cao supervisor is sealed in it, to live for seconds
2026-3    begins in an emergency, when somebody may have seen the seeds of 2026-2. The inspectorate's kit was not
          told: the broker refuses what it sealed, it asks, and seals anew. The foundation loads its registers. A
          certification body that was away meanwhile asks in 2026 and 2026-3 with one question

Later the day ends 2026-2: nothing is left in it, the broker says so in its log, and each evaluator, who has that
proven, destroys its seed.
"""

import asyncio
import sqlite3
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, closing, contextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from uuid import UUID

from adapters.certification_body import ask, watch_clients
from adapters.certified_register import CertifiedFirm
from adapters.foundation import certification_bodies, load_registers
from adapters.json_lines import JsonLines, keep_in
from adapters.labour_inspectorate import fine_draft
from broker.epochs import EpochOffice
from broker.storage.open import open_store
from broker.storage.port import Store
from demo.afterlife import choose
from demo.afterlife_told import Client
from demo.epochs_told import EpochsChanged
from demo.own_fines import OwnFines, take_in
from demo.refusals import REPORTED, Refusals
from demo.stage import Stage
from evaluator.ending import destroy
from evaluator.settings import EvaluatorSettings
from evaluator.shares import EvaluatorShares
from sluis.client import Kit
from sluis.errors import Conflict, Unavailable
from sluis.followup import Act

LIFE_SECONDS = 8  # of the report in the epoch that will end: enough to be received on a busy machine
PATIENCE_SECONDS = 45.0


class Rotation:
    """Plays it with kits of its own."""

    def __init__(self, stage: Stage, today: date, firms: Sequence[CertifiedFirm], own: OwnFines) -> None:
        self._stage = stage
        self._cast = stage.cast
        self._today = today
        self._firms = firms
        self._own = own

    async def rotate(self) -> EpochsChanged | None:
        """Begin two epochs; nothing when no firm has exactly one certifier today."""
        chosen = choose(self._firms, self._cast.bodies, self._today)
        if not chosen:
            return None
        with self._office() as (office, _):
            first = str(datetime.now(UTC).year)
            changed = EpochsChanged(client=chosen[-1], first=first, second=f"{first}-2", third=f"{first}-3")
            if len(chosen) == 1:  # its clients are watched already, and it is to ask
                await self._stop_watching(changed.client)
            await self._leave_waiting(changed)
            await self._begin(changed.second, lambda: office.announce(changed.second, None, "demo: gepland"))
            async with self._kit_of_the_inspectorate() as late:
                await self._current(late)  # it asks now which epochs there are, and not again for a minute
                await self._report(changed)
                await self._emergency(changed, office)
                await self._load_registers(changed)
                await self._seal_anew(changed, late)
            await self._ask_in_both(changed)
        return changed

    async def end(self, changed: EpochsChanged) -> None:
        """End the second epoch, once its only datum is gone."""
        with self._office() as (office, store):
            await self._until(lambda: self._is_destroyed(store, changed.report_id))
            await self._destroy_copy(changed)
            changed.retired_index = office.retire(changed.second).index
            try:
                office.retire(changed.first)
            except Conflict as error:
                changed.stays = error.code
        settings = [EvaluatorSettings.load(Path(one.command[-1])) for one in self._stage.evaluators]
        changed.destroyed_at = sorted(
            await asyncio.gather(*(destroy(one, changed.second) for one in settings))
        )
        changed.seeds = [EvaluatorShares.load(one.seeds).epochs for one in settings]
        async with self._kit_of_the_inspectorate() as kit:
            changed.kept_by_kit = (changed.kept_by_kit[0], await self._computed(kit, changed.second))

    # what the parties do

    async def _stop_watching(self, client: Client) -> None:
        async with Kit.open(self._stage.settings(client.body)) as kit:
            await watch_clients(kit, [], today=self._today, days=0)

    async def _leave_waiting(self, changed: EpochsChanged) -> None:
        """A fine is deposited for the body, which does not ask yet."""
        async with self._kit_of_the_inspectorate() as kit:
            changed.waiting_id = await self._push(changed, kit)
        await self._take_in(changed)

    async def _report(self, changed: EpochsChanged) -> None:
        """A report to the cao supervisor, who needs no register to be allowed to have it."""
        refusals = Refusals(self._stage, self._today, changed.client.firm.establishment)
        sent = await refusals.report(REPORTED, seconds=LIFE_SECONDS)
        changed.pushes.append(sent.outcome)
        changed.report_id = sent.outcome.signal_id
        changed.report_epochs = [signal.header.epoch for signal in sent.received]

    async def _emergency(self, changed: EpochsChanged, office: EpochOffice) -> None:
        """Both seeds of the second epoch may have been seen: the operator closes it and begins the third in one act."""

        def rotate() -> object:
            reason = "demo: een reservekopie met beide sleutels is zoek"
            return office.rotate(changed.third, changed.second, reason, stop_questions=True)

        await self._begin(changed.third, rotate)

    async def _load_registers(self, changed: EpochsChanged) -> None:
        """The foundation loads those that are needed here; those for the other bodies follow when the demo goes on."""
        needed = {self._cast.foundation.oin, changed.client.body.oin}
        async with Kit.open(self._stage.settings(self._cast.foundation)) as kit:
            bodies = await certification_bodies(kit)
            changed.loads = await load_registers(kit, self._firms, bodies, only=needed)

    async def _seal_anew(self, changed: EpochsChanged, late: Kit) -> None:
        """The inspectorate's kit seals in the epoch that it knows, is refused, and seals in the one that began."""
        changed.knew = await self._current(late)
        changed.pushed_id = await self._push(changed, late)
        changed.learnt = await self._current(late)
        changed.kept_by_kit = (await self._computed(late, changed.second), None)
        await self._take_in(changed)

    async def _ask_in_both(self, changed: EpochsChanged) -> None:
        """The body was away: it learns of two new epochs and one that was closed, and asks in those that live."""
        body, clients = changed.client.body, changed.client.clients
        async with Kit.open(self._stage.settings(body)) as kit:
            report = await ask(
                kit, [firm.establishment for firm in clients], keep_in(body.folder / "hits.jsonl")
            )
            changed.asked_in = await kit.pseudonymiser.epochs(kit.agreement, kit.oin)
        changed.asked = report.asked
        for hit in report.hits.get(changed.client.firm.establishment, []):
            changed.hits[hit.header.epoch] = hit.header.previous, hit.log_index

    async def _destroy_copy(self, changed: EpochsChanged) -> None:
        """The cao supervisor is asked to destroy its copy too, and does."""
        member = next(one for one in self._cast.others if one.role == "cao-supervisor")
        async with Kit.open(self._stage.settings(member)) as kit:
            await kit.follow_ups.read(JsonLines((member.folder / "received.jsonl",)))
            changed.copy = "".join(
                heard.done for heard in kit.follow_ups.book.history() if heard.statement.act is Act.DESTROY
            )

    # one step each

    @asynccontextmanager
    async def _kit_of_the_inspectorate(self) -> AsyncIterator[Kit]:
        async with Kit.open(self._stage.settings(self._cast.inspectorate)) as kit:
            yield kit

    async def _push(self, changed: EpochsChanged, kit: Kit) -> UUID | None:
        draft = fine_draft(self._own.about(changed.client.firm), self._cast.foundation.oin)
        (outcome,) = await kit.sender.push([draft])
        changed.pushes.append(outcome)
        return outcome.signal_id

    async def _take_in(self, changed: EpochsChanged) -> None:
        """The foundation receives what waits, and passes it on."""
        sna = self._cast.foundation
        async with Kit.open(self._stage.settings(sna)) as kit:
            received, passed = await take_in(kit, sna.folder / "received.jsonl", self._firms, self._today)
        changed.sealed_in |= {one.header.signal_id: one.header.epoch for one in received}
        changed.pushes += passed

    async def _current(self, kit: Kit) -> str:
        return await kit.pseudonymiser.current_epoch(kit.agreement, self._cast.foundation.oin)

    async def _computed(self, kit: Kit, epoch: str) -> int:
        """How many pseudonyms of an epoch the inspectorate's kit keeps, once it has asked which epochs there are."""
        await self._current(kit)
        path = self._cast.inspectorate.state / "pseudonyms.sqlite"
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as cache:
            (count,) = cache.execute("SELECT count(*) FROM pseudonyms WHERE epoch = ?", (epoch,)).fetchone()
        return int(count)

    # the operator and the evaluators

    @contextmanager
    def _office(self) -> Iterator[tuple[EpochOffice, Store]]:
        store = open_store(self._stage.database)
        try:
            yield EpochOffice(store, lambda: datetime.now(UTC)), store
        finally:
            store.close()

    async def _begin(self, epoch: str, announce: Callable[[], object]) -> None:
        """Both evaluators draw a seed; their running processes publish the keys, and until then the broker refuses."""
        for one in self._cast.evaluators:
            seeds = one.folder / "seeds.json"
            EvaluatorShares.load(seeds).add_epoch(seeds, epoch)

        def announced() -> bool:
            try:
                announce()
            except Conflict as error:
                if error.code != "wrong-state":
                    raise
                return False
            return True

        await self._until(announced)

    async def _until(self, true: Callable[[], bool]) -> None:
        """Wait for something that comes by itself. Raises Unavailable when it does not."""
        end = time.monotonic() + PATIENCE_SECONDS
        while not await asyncio.to_thread(true):
            if time.monotonic() > end:
                raise Unavailable("peer-unavailable", "what was to come by itself did not come")
            await asyncio.sleep(0.1)

    def _is_destroyed(self, store: Store, signal_id: UUID | None) -> bool:
        kept = store.retention.signal(signal_id.bytes) if signal_id else None
        return kept is None or kept.destroyed_index is not None
