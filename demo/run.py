# SPDX-License-Identifier: EUPL-1.2
"""`sluis demo`: set the stage, play the day, check what was promised, and go on until Ctrl-C.

Everything is fake except the software: parties, keys, certificates, firms and fines are made up; processes,
mTLS, cryptography, rules, database and log are the real ones.
"""

import asyncio
import json
import shutil
import tempfile
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from adapters.certified_register import CertifiedFirm, read_certified
from adapters.fines import Fine, read_fines
from adapters.table import ParsedFile
from broker.console.people import SIGN_IN, Officer, People, Role
from broker.policy.officers import OfficerFunction
from broker.storage.open import open_store
from demo.canary import CanaryReport, search
from demo.cast import make_cast
from demo.data import write_demo_data
from demo.day import Day, Figures, report_of
from demo.narrator import Narrator
from demo.refusals import CANARIES
from demo.rule_change import enrol_for_console, write_proposal
from demo.rules import SHORT_SECONDS, write_rules
from demo.stage import Stage, set_stage
from demo.trickle import trickle
from sluis.errors import Conflict, InvalidInput

MAX_BODIES = 25
LOOK_SECONDS = 1.0  # how often the broker looks for what has ended


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoOptions:
    """What was asked on the command line."""

    once: bool
    folder: Path | None
    certified: Path | None
    fines: Path | None
    report: Path | None


def run(options: DemoOptions) -> int:
    """Run the demo; returns the exit code: 0 when every check held."""
    narrator = Narrator()
    root = _folder(options)
    try:
        return asyncio.run(_play(options, root, narrator))
    except KeyboardInterrupt:
        return 0
    finally:
        narrator.end_step()
        if options.folder is None and options.once:
            shutil.rmtree(root, ignore_errors=True)


async def _play(options: DemoOptions, root: Path, narrator: Narrator) -> int:
    today = datetime.now(ZoneInfo("Europe/Amsterdam")).date()
    narrator.title("Sluis demo: everyone and everything in it is invented; the software is real")
    certified, fines, canaries = _input(options, root, today)
    stage = _stage(root, certified, narrator)
    figures = Figures(register=certified, fines=fines)
    try:
        stage.start()
        _introduce(stage, narrator)
        day = Day(stage, figures, today, narrator.step)
        for part in day.parts:
            await part()
        narrator.end_step()
        _narrate(figures, narrator)
        _narrate_afterlife(figures, narrator, "" if options.once else stage.console)
        _narrate_epochs(figures, narrator, "" if options.once else stage.console)
        _narrate_law(figures, narrator)
        if not options.once:
            _invite(stage, narrator)
            await trickle(stage, figures, narrator, today)
    finally:
        narrator.end_step()
        stage.stop()
    canary = _search(stage, canaries)
    failures = check(figures, canary)
    _conclude(figures, canary, failures, root, narrator, keep=not options.once or options.folder is not None)
    if options.report:
        numbers = {"planted": canary.planted, "found": len(canary.found)}
        options.report.write_text(json.dumps(report_of(figures, numbers), indent=2) + "\n", "utf-8")
    return 1 if failures else 0


def _folder(options: DemoOptions) -> Path:
    if options.folder is None:
        return Path(tempfile.mkdtemp(prefix="sluis-demo-"))
    try:
        options.folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InvalidInput(
            "malformed-config", f"cannot make the folder: {error.strerror}", where="--dir"
        ) from None
    runs = [int(p.name[4:]) for p in options.folder.glob("run-*") if p.name[4:].isdigit()]
    root = options.folder.resolve() / f"run-{max(runs, default=0) + 1}"
    root.mkdir(mode=0o700)
    return root


def _input(
    options: DemoOptions, root: Path, today: date
) -> tuple[ParsedFile[CertifiedFirm], ParsedFile[Fine], tuple[str, ...]]:
    folder = root / "input"
    folder.mkdir(mode=0o700)
    made = write_demo_data(folder, today=today)
    certified = read_certified(options.certified or made.certified, today=today)
    fines = read_fines(options.fines or made.fines, today=today)
    canaries = list(made.canaries) if not (options.certified or options.fines) else []
    for firm in certified.accepted[:200] if options.certified else ():
        canaries += [firm.establishment.value, firm.name]
    canaries += [fine.establishment.value for fine in fines.accepted[:200]] if options.fines else []
    return certified, fines, (*canaries, *CANARIES)


def _stage(root: Path, certified: ParsedFile[CertifiedFirm], narrator: Narrator) -> Stage:
    names = sorted({firm.certified_by for firm in certified.accepted})
    if len(names) > MAX_BODIES:
        raise Conflict("wrong-state", f"the demo plays at most {MAX_BODIES} certification bodies")
    rules = write_rules(root / "rules")
    stage = set_stage(root, make_cast(root, names), retention_seconds=LOOK_SECONDS, rules=rules)
    for text in stage.moved:
        narrator.say(f"  {text}")
    return stage


def _introduce(stage: Stage, narrator: Narrator) -> None:
    narrator.say(f"  folder   {stage.root}")
    for service in stage.services:
        narrator.say(f"  {service.name:<12} listens on {service.address}")
    narrator.say("  fake: the parties, their OINs (test range 00000099), keys, certificates, firms and fines")
    narrator.say(
        f"  rules    those of Sluis; one term is shorter: a recall is answered within {SHORT_SECONDS} s, not 7 days"
    )
    narrator.title("The day")


def _invite(stage: Stage, narrator: Narrator) -> None:
    """Two officers of different organisations: some acts take both."""
    store = open_store(stage.database)
    try:
        people = People(store, lambda: datetime.now(UTC))
        narrator.title("The privacy officers' console: each address works once, within ten minutes")
        for reference, member, role, function in (
            ("fg-toezicht", stage.cast.officer, Role.AUTHORITY, OfficerFunction.LEGAL),
            ("fg-nla", stage.cast.inspectorate, Role.OFFICER, OfficerFunction.PRIVACY),
        ):
            officer = Officer(reference=reference, organisation=member.oin, role=role)
            narrator.say(f"  {reference}, {role.value} at {member.name}:")
            narrator.say(f"  http://{stage.console}{SIGN_IN}?link={people.create_link(officer)}")
            key = enrol_for_console(stage, reference, member, function)
            narrator.say(f"  signs changes of the rules as {function.value} officer with {key}")
        narrator.say(f"  rules to propose, two years again: {write_proposal(stage)}")
        narrator.say(
            f"  another: sluis console link REFERENCE --organisation OIN --config {stage.broker.folder}/broker.toml"
        )
    finally:
        store.close()


def _narrate(figures: Figures, narrator: Narrator) -> None:
    push = figures.push
    if push is None:
        return
    narrator.title("What happened, once for each kind of outcome")
    for file, name in ((figures.register, "certified.csv"), (figures.fines, "fines.csv")):
        by_code = Counter(problem.code for problem in file.rejected)
        narrator.say(
            f"  {name}: {file.rows} rows, {len(file.accepted)} good, {file.duplicates} repeated, wrong:"
        )
        for code in by_code:
            first = next(problem for problem in file.rejected if problem.code == code)
            narrator.say(
                f"    line {first.line}, {first.column or 'row'}: {first.message} [{code}] x{by_code[code]}"
            )
    permitted = next((outcome for outcome in push.outcomes if outcome.permitted), None)
    if permitted:
        note = " under a rule that awaits legal sign-off (`assumed`)" if permitted.assumed else ""
        narrator.say(f"  permitted: log index {permitted.log_index}{note} x{push.permitted}")
    for reason, number in sorted(push.denied.items()):
        first_denied = next(o for o in push.outcomes if o.reason == reason)
        narrator.say(
            f"  denied: {reason}, log index {first_denied.log_index}; nothing was forwarded x{number}"
        )
    narrator.say(f"  received, verified, opened, acknowledged by SNA: {figures.receive.delivered}")
    passed = sum(outcome.permitted for outcome in figures.onward)
    narrator.say(f"  passed on to certifiers, deposited until they ask: {passed}")
    misses = figures.asked - figures.hits
    narrator.say(
        f"  asked by certification bodies: {figures.asked} firms, {figures.hits} hits, {misses} misses"
    )


def _narrate_afterlife(figures: Figures, narrator: Narrator, console: str) -> None:
    narrator.title("What followed (docs/follow-up.md)")
    if figures.afterlife is None:
        narrator.say("  nothing: no firm has exactly one certifier today")
        return
    for line in figures.afterlife.lines(console):
        narrator.say(f"  {line}")


def _narrate_epochs(figures: Figures, narrator: Narrator, console: str) -> None:
    narrator.title('The keys under the pseudonyms changed (docs/operations.md, "Epochs")')
    if figures.epochs is None:
        narrator.say("  not: no firm has exactly one certifier today")
        return
    for line in figures.epochs.lines(console):
        narrator.say(f"  {line}")


def _narrate_law(figures: Figures, narrator: Narrator) -> None:
    narrator.title("What the law does not let through (policies/cases/weigeringen.yaml)")
    for one in figures.refused:
        index = f"log index {one.outcome.log_index}" if one.outcome else "no key for such an exchange"
        narrator.say(f"  {one.case.name}: {one.foreseen}, {index}")
    if figures.in_part:
        withheld = ", ".join(figures.in_part.outcome.withheld)
        narrator.say(f"  released in part: a fine to the cao supervisor, without {withheld}")
    if change := figures.change:
        narrator.title("Two officers changed the rules while the broker ran")
        for line in change.compared.lines:
            narrator.say(f"  {line.rule or line.agreement}: {line.text.dutch}")
        narrator.say(f"  verdict: {change.compared.verdict}; one officer alone: {change.alone}")
        narrator.say(
            f"  the day replayed under them: {change.foreseen.changed} would have come out otherwise"
        )
        narrator.say(
            f"  in force from log index {change.done.log_index}; the same fine: {change.after.reason}"
        )
        narrator.say(
            f"  {change.record.replayed} decisions taken again under the rules of then: "
            f"{change.record.changed} differ from the record"
        )


def _search(stage: Stage, canaries: tuple[str, ...]) -> CanaryReport:
    folders = [stage.broker.folder, stage.witness.folder, *(one.folder for one in stage.evaluators)]
    return search(canaries, folders)


def check(figures: Figures, canary: CanaryReport) -> list[str]:
    """What was promised and did not hold; empty when all is well."""
    push, audit = figures.push, figures.audit
    failures = []

    def must(held: bool, text: str) -> None:
        if not held:
            failures.append(text)

    must(all(load.permitted for load in figures.loads), "a register was refused")
    must(push is not None and not push.errors, "a push failed")
    permitted = push.permitted if push else 0
    denied = sum(push.denied.values()) if push else 0
    must(permitted + denied == len(figures.fines.accepted), "a fine was neither permitted nor denied")
    must(figures.receive.delivered == permitted, "what was permitted is not what was delivered")
    must(not figures.receive.refused, "a delivery did not hold")
    must(all(o.permitted for o in figures.onward), "a fact could not be passed on")
    fined = {s.fields["establishment_number"] for s in figures.received}
    must(
        {s.fields["establishment_number"] for s in figures.hit_signals} <= fined,
        "a hit is about an unfined firm",
    )
    must(figures.hits <= figures.asked, "more hits than questions")
    must(audit is not None and audit.log is not None, "the log was not verified")
    must(audit is not None and len(audit.cosigners) >= 1, "no witness cosigned")
    logged = audit.decisions if audit else Counter[str]()
    onward = len(figures.onward)
    beside = figures.beside_the_file
    must(
        logged["signal.push permit"] == permitted + onward + beside["permit"],
        "permitted pushes differ from the log",
    )
    must(logged["signal.push deny"] == denied + beside["deny"], "denied pushes differ from the log")
    failures += figures.afterlife.failures() if figures.afterlife else []
    failures += figures.epochs.failures() if figures.epochs else []
    must(bool(figures.refused), "no refusal was played")
    for one in figures.refused:
        must(one.holds, f"{one.case.name[:3]} was not refused for its own reason")
    must(figures.in_part is not None and figures.in_part.holds, "the release in part did not hold")
    must(figures.change is not None and figures.change.holds, "the change of rules did not hold")
    must(canary.planted > 0 and not canary.found, "a planted value was found: " + ", ".join(canary.found[:5]))
    return failures


def _conclude(
    figures: Figures, canary: CanaryReport, failures: list[str], root: Path, narrator: Narrator, *, keep: bool
) -> None:
    audit = figures.audit
    narrator.title("What was proven")
    if audit and audit.log and audit.checkpoint:
        narrator.say(f"  log: {audit.log.size} entries recomputed, root {audit.checkpoint.root.hex()[:16]}…,")
        narrator.say(f"       signed by the log, cosigned by {', '.join(audit.cosigners)}")
    narrator.say(
        f"  canary: {canary.planted} planted identifiers and names, {canary.searched:,} bytes at the broker, "
        f"evaluators and witness searched, {len(canary.found)} found"
    )
    for text in failures:
        narrator.say(f"  FAILED: {text}")
    narrator.say("  every check held" if not failures else f"  {len(failures)} checks failed")
    if keep:
        narrator.say(f"  everything is kept in {root}; each party's commands work with its sluis.toml")
