# SPDX-License-Identifier: EUPL-1.2
"""The day itself: five parties do their work, each with its own kit, and its figures are kept.

1 SNA keeps its register of certified firms
2 the Labour Inspectorate pushes fines
3 SNA receives, and passes each fact on to the firm's certifiers
4 each certification body asks about its own client base
5 the rest of a signal's life: found, asked about, taken back, destroyed
6 the keys under the pseudonyms change, on purpose and in an emergency
7 every refusal that the rules exist for is offered, and one exchange passes in part
8 two officers change the rules
9 an epoch ends: it is retired, and both evaluators destroy its seed
10 the privacy officer recomputes the log
"""

from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from adapters.certification_body import ask
from adapters.certified_register import CertifiedFirm
from adapters.fines import Fine
from adapters.foundation import certification_bodies, load_registers, pass_on
from adapters.json_lines import keep_in
from adapters.labour_inspectorate import PushReport, push_fines
from adapters.table import ParsedFile
from demo.afterlife import Play, see_late
from demo.afterlife_told import Afterlife
from demo.epochs import Rotation
from demo.epochs_told import EpochsChanged
from demo.own_fines import OwnFines
from demo.refusals import PartlyReleased, Refusals, Refused
from demo.rule_change import Office, RuleChange, write_edited
from demo.rules import rules_of
from demo.stage import Stage
from sluis.client import Kit
from sluis.client.auditor import AuditReport
from sluis.client.receiver import ReceivedSignal, ReceiveReport
from sluis.client.registrar import LoadOutcome
from sluis.client.sender import PushOutcome
from sluis.identifiers import Identifier

Step = Callable[[str, int], Callable[[int], None]]


@dataclass(slots=True)
class Figures:
    """What happened, as the participants saw it."""

    register: ParsedFile[CertifiedFirm]
    fines: ParsedFile[Fine]
    loads: list[LoadOutcome] = field(default_factory=list)
    push: PushReport | None = None
    receive: ReceiveReport = field(default_factory=ReceiveReport)
    received: list[ReceivedSignal] = field(default_factory=list)
    onward: list[PushOutcome] = field(default_factory=list)
    asked: int = 0
    hits: int = 0
    hit_signals: list[ReceivedSignal] = field(default_factory=list)
    afterlife: Afterlife | None = None
    epochs: EpochsChanged | None = None
    refused: list[Refused] = field(default_factory=list)
    in_part: PartlyReleased | None = None
    change: RuleChange | None = None
    audit: AuditReport | None = None

    @property
    def certified(self) -> Identifier:
        """A firm whose certificate holds on the day of the demo and long after."""
        return max(self.register.accepted, key=lambda firm: firm.valid_until).establishment

    @property
    def beside_the_file(self) -> Counter[str]:
        """Signals that were pushed besides those of fines.csv, by effect."""
        outcomes = [one.outcome for one in self.refused if one.outcome]
        outcomes += [self.in_part.outcome] if self.in_part else []
        outcomes += [self.change.before, self.change.after] if self.change else []
        outcomes += self.afterlife.pushes if self.afterlife else []
        outcomes += self.epochs.pushes if self.epochs else []
        return Counter("permit" if outcome.permitted else "deny" for outcome in outcomes)


class Day:
    """Plays the day on a stage."""

    def __init__(self, stage: Stage, figures: Figures, today: date, step: Step) -> None:
        self._stage = stage
        self._cast = stage.cast
        self.figures = figures
        self._today = today
        self._step = step
        self._own = OwnFines(today, figures.fines.accepted)
        self._rotation = Rotation(stage, today, figures.register.accepted, self._own)

    @property
    def parts(self) -> tuple[Callable[[], Awaitable[None]], ...]:
        """The day, part by part."""
        return (
            self.keep_register,
            self.push,
            self.receive_and_pass_on,
            self.match,
            self.live_on,
            self.rotate,
            self.refuse,
            self.change_rules,
            self.end_epoch,
            self.look_who_is_late,
            self.audit,
        )

    async def keep_register(self) -> None:
        """SNA loads its register."""
        firms = self.figures.register.accepted
        async with Kit.open(self._stage.settings(self._cast.foundation)) as kit:
            bodies = await certification_bodies(kit)
            progress = self._step("SNA: register of certified firms", 2 * len(firms))
            self.figures.loads = await load_registers(kit, firms, bodies, progress=progress)

    async def push(self) -> None:
        """The Labour Inspectorate pushes fines."""
        async with Kit.open(self._stage.settings(self._cast.inspectorate)) as kit:
            progress = self._step("NLA: push fines", len(self.figures.fines.accepted))
            self.figures.push = await push_fines(
                kit, self.figures.fines, self._cast.foundation.oin, progress=progress
            )

    async def receive_and_pass_on(self) -> None:
        """SNA receives, keeps, acknowledges, and deposits each fact for the firm's certifiers."""
        member = self._cast.foundation
        keep = keep_in(member.folder / "received.jsonl")

        async def keep_and_note(signals: Sequence[ReceivedSignal]) -> None:
            await keep(signals)
            self.figures.received.extend(signals)

        async with Kit.open(self._stage.settings(member)) as kit:
            expected = self.figures.push.permitted if self.figures.push else 0
            progress = self._step("SNA: receive", expected)
            self.figures.receive = await kit.receiver.receive(keep_and_note, progress=progress)
            bodies = await certification_bodies(kit)
            progress = self._step("SNA: pass on to certifiers", len(self.figures.received))
            self.figures.onward = await pass_on(
                kit,
                self.figures.received,
                self.figures.register.accepted,
                bodies,
                self._today,
                progress=progress,
            )

    async def match(self) -> None:
        """Every certification body asks about the firms that it certifies."""
        clients: dict[str, dict[Identifier, None]] = defaultdict(dict)
        for firm in self.figures.register.accepted:
            clients[firm.certified_by][firm.establishment] = None
        for body in self._cast.bodies:
            subjects = list(clients[body.name])
            async with Kit.open(self._stage.settings(body)) as kit:
                progress = self._step(f"{body.name}: match", len(subjects))
                keep = keep_in(body.folder / "hits.jsonl")
                report = await ask(kit, subjects, keep, progress=progress)
            self.figures.asked += report.asked
            self.figures.hits += len(report.hits)
            self.figures.hit_signals += [s for signals in report.hits.values() for s in signals]

    async def live_on(self) -> None:
        """What follows an exchange: other ways to a hit, questions, feedback, taking back, and an end."""
        self._step("what follows: found, asked about, taken back, destroyed", 0)
        firms = self.figures.register.accepted
        self.figures.afterlife = await Play(self._stage, self._today, firms, self._own).play()

    async def rotate(self) -> None:
        """The keys under the pseudonyms change twice: on purpose, and in an emergency."""
        self._step("a new epoch, and one in an emergency", 0)
        self.figures.epochs = await self._rotation.rotate()

    async def end_epoch(self) -> None:
        """The epoch of which nothing is left ends, and its seeds are destroyed."""
        self._step("an epoch ends, and its seeds are destroyed", 0)
        if self.figures.epochs:
            await self._rotation.end(self.figures.epochs)

    async def look_who_is_late(self) -> None:
        """Whoever has not answered a recall in time is overdue."""
        self._step("who is late with a receipt", 0)
        if self.figures.afterlife:
            await see_late(self._stage, self.figures.afterlife.recalled)

    async def refuse(self) -> None:
        """Whoever tries what the law forbids is refused, each for its own reason."""
        refusals = Refusals(self._stage, self._today, self.figures.certified)
        self._step("the refusals X01 to X19, and a release in part", 0)
        self.figures.refused = await refusals.play()
        self.figures.in_part = await refusals.release_in_part()

    async def change_rules(self) -> None:
        """Two officers put narrower rules in force."""
        self._step("two officers change the rules", 0)
        write_edited(self._stage.root / "proposed-rules", rules_of(self._stage))
        office = Office(self._stage, self._today, self.figures.certified)
        self.figures.change = await office.change_rules()

    async def audit(self) -> None:
        """The privacy officer recomputes everything."""
        async with Kit.open(self._stage.settings(self._cast.officer)) as kit:
            size = (await kit.trust.checkpoint()).size
            progress = self._step("FG: verify the log", size)
            done_before = [0]

            def advance(done: int, _size: int) -> None:
                progress(done - done_before[0])
                done_before[0] = done

            self.figures.audit = await kit.auditor.verify(progress=advance)


def report_of(figures: Figures, canary: dict[str, int]) -> dict[str, object]:
    """The figures as the report file holds them."""
    push, audit = figures.push, figures.audit
    log = audit.log if audit else None
    return {
        "register": _file(figures.register),
        "push": {
            **_file(figures.fines),
            "permitted": push.permitted if push else 0,
            "denied": push.denied if push else {},
        },
        "match": {
            "asked": figures.asked,
            "hits": figures.hits,
            "misses": figures.asked - figures.hits,
        },
        "delivered": figures.receive.delivered,
        "log": {
            "size": log.size if log else 0,
            "root": audit.checkpoint.root.hex() if audit and audit.checkpoint else "",
            "verified": log is not None,
            "cosignatures": len(audit.cosigners) if audit else 0,
        },
        "afterlife": figures.afterlife.report() if figures.afterlife else {},
        "epochs": figures.epochs.report() if figures.epochs else {},
        "refusals": {one.case.name[:3]: one.foreseen for one in figures.refused},
        "rules": _rules(figures),
        "canary": canary,
    }


def _rules(figures: Figures) -> dict[str, object]:
    change = figures.change
    if change is None:
        return {}
    return {
        "verdict": change.compared.verdict.value,
        "activated_at": change.done.log_index,
        "replayed": change.record.replayed,
        "changed": change.record.changed,
    }


def _file(file: ParsedFile[CertifiedFirm] | ParsedFile[Fine]) -> dict[str, object]:
    return {
        "rows": file.rows,
        "accepted": len(file.accepted),
        "duplicates": file.duplicates,
        "rejected": [{"line": p.line, "column": p.column, "code": p.code} for p in file.rejected],
    }


def files_below(root: Path) -> list[Path]:
    """Every file below a folder."""
    return sorted(path for path in root.rglob("*") if path.is_file())
