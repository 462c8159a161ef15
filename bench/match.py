# SPDX-License-Identifier: EUPL-1.2
"""A client base matched through two evaluators and the broker, beside the bare scalar multiplications it takes.

    python -m bench.match [--sizes 10000,100000] [--json]

Cold: no pseudonym is known yet. Warm: the same question again, from the kit's encrypted cache. One in a
hundred asked is a hit: decided again, logged, fetched, opened, acknowledged. Broker, evaluators and witness are
processes of their own; all share this machine's cores. `floor` is 4 multiplications for each id on one core
(blind, two evaluations, unblind), timed in the same run: no proofs, no hashing to the group, no messages.
"""

import argparse
import asyncio
import json
import secrets
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta

from adapters.certification_body import ask
from adapters.foundation import REGISTER, REGISTER_KIND
from adapters.labour_inspectorate import PURPOSE
from bench.pseudonyms import bare_loop
from bench.sealed import fine_about
from bench.stage import bench_stage, cpu_seconds
from demo.stage import Stage
from sluis import oprf
from sluis.client import Kit
from sluis.client.receiver import ReceivedSignal
from sluis.client.registrar import RegisterRow
from sluis.errors import Defect
from sluis.header import Delivery
from sluis.identifiers import Identifier, IdentifierType

REGISTERED = 4_000
DEPOSITED = 3_000
ONE_HIT_IN = 100
MULTIPLICATIONS = 4
FLOOR_BATCH = 2_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One question. Processor seconds: of this process (the asker), of both evaluators, of the broker."""

    asked: int
    warm: bool
    hits: int
    seconds: float
    floor_seconds: float
    cpu: tuple[float, float, float]

    @property
    def per_second(self) -> float:
        """Identifiers per second."""
        return self.asked / self.seconds

    @property
    def ratio(self) -> float:
        """Time taken, in floors."""
        return self.seconds / self.floor_seconds


def floor_microseconds() -> float:
    """Time a bare scalar multiplication, best of five."""
    keys = oprf.derive_key_pair(secrets.token_bytes(32), b"bench")
    _, blinded = oprf.blind_batch([secrets.token_bytes(20) for _ in range(FLOOR_BATCH)])
    best = float("inf")
    for _ in range(5):
        before = time.perf_counter()
        bare_loop(keys.secret, blinded)
        best = min(best, time.perf_counter() - before)
    return best / FLOOR_BATCH * 1e6


async def measure(stage: Stage, sizes: Sequence[int], say: Callable[[str], None]) -> list[Run]:
    """Fill register and deposits, then ask about as many establishments as each size says, twice."""
    bases = client_bases(sizes)
    wanted = [subject for base in bases for subject in base[::ONE_HIT_IN]]
    others = client_bases([sum(sizes), REGISTERED])[1]
    say(f"register of {REGISTERED:,}, {DEPOSITED:,} deposits")
    await fill(stage, [*wanted, *others][: max(REGISTERED, len(wanted))], max(DEPOSITED, len(wanted)))
    runs = []
    async with Kit.open(stage.settings(stage.cast.bodies[0])) as kit:
        for base in bases:
            for warm in (False, True):
                say(f"{len(base):,} {'warm' if warm else 'cold'}")
                runs.append(await one_run(stage, kit, base, warm))
    return runs


async def one_run(stage: Stage, kit: Kit, base: Sequence[Identifier], warm: bool) -> Run:
    """Ask about a client base."""

    async def keep(signals: Sequence[ReceivedSignal]) -> None:
        """Nothing: what a participant does with a hit is its own affair."""

    floor = floor_microseconds()
    before, started = _cpu(stage), time.perf_counter()
    report = await ask(kit, base, keep)
    seconds, after = time.perf_counter() - started, _cpu(stage)
    if report.deliveries.refused:
        raise Defect("defect", f"a hit does not hold: {report.deliveries.refused[0].code}")
    return Run(
        asked=report.asked,
        warm=warm,
        hits=len(report.hits),
        seconds=seconds,
        floor_seconds=MULTIPLICATIONS * floor * report.asked / 1e6,
        cpu=(after[0] - before[0], after[1] - before[1], after[2] - before[2]),
    )


def _cpu(stage: Stage) -> tuple[float, float, float]:
    return time.process_time(), sum(map(cpu_seconds, stage.evaluators)), cpu_seconds(stage.broker)


def client_bases(sizes: Sequence[int]) -> list[list[Identifier]]:
    """Establishments, each in one base only."""
    numbers = iter(range(1, sum(sizes) + 1))
    return [
        [Identifier.parse(IdentifierType.VESTIGING, f"{next(numbers):012}") for _ in range(size)]
        for size in sizes
    ]


async def fill(stage: Stage, subjects: Sequence[Identifier], deposits: int) -> None:
    """Register all subjects in the asker's domain; deposit a signal about the first `deposits` of them."""
    body = stage.cast.bodies[0].oin
    since = date.today() - timedelta(days=100)  # noqa: DTZ011  any day in the past will do
    rows = [RegisterRow(subject=subject, valid_from=since, valid_until=None) for subject in subjects]
    drafts = [
        replace(fine_about(subject, body), delivery=Delivery.ON_MATCH) for subject in subjects[:deposits]
    ]
    async with Kit.open(stage.settings(stage.cast.foundation)) as kit:
        loads = await kit.registrar.load(REGISTER, body, rows, kind=REGISTER_KIND, purpose=PURPOSE)
        outcomes = await kit.sender.push(drafts)
    if not all(load.permitted for load in loads) or not all(push.permitted for push in outcomes):
        raise Defect("defect", "the rules deny what is to be measured")


def report(runs: Sequence[Run]) -> list[dict[str, object]]:
    """The runs as JSON."""
    return [
        {
            "asked": run.asked,
            "cache": "warm" if run.warm else "cold",
            "hits": run.hits,
            "seconds": round(run.seconds, 2),
            "per_second": round(run.per_second),
            "floor_seconds": round(run.floor_seconds, 2),
            "ratio": round(run.ratio, 3),
            "cpu_seconds": dict(
                zip(("asker", "evaluators", "broker"), (round(s, 2) for s in run.cpu), strict=True)
            ),
        }
        for run in runs
    ]


def main() -> None:
    """Print the table, or JSON."""
    parser = argparse.ArgumentParser(prog="python -m bench.match", description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", default="10000,100000", help="how many are asked, e.g. 10000,100000")
    parser.add_argument("--json", action="store_true", help="print JSON")
    given = parser.parse_args()
    sizes = [int(size) if size.isdigit() else 0 for size in given.sizes.split(",")]
    if min(sizes) < 1:
        parser.error("sizes are whole numbers from 1, separated by commas")
    with bench_stage(daily_budget=2 * sum(sizes) + 2 * REGISTERED) as stage:
        stage.start()
        runs = asyncio.run(measure(stage, sizes, lambda text: print(text, file=sys.stderr)))
    if given.json:
        print(json.dumps({"at": datetime.now(UTC).date().isoformat(), "runs": report(runs)}))
        return
    print(f"{'asked':>8}{'':>6}{'hits':>7}{'seconds':>9}{'ids/s':>9}{'floor s':>9}{'x floor':>9}", end="")
    print(f"{'cpu s: asker':>14}{'evaluators':>12}{'broker':>8}")
    for run in runs:
        name, cpu = "warm" if run.warm else "cold", run.cpu
        print(f"{run.asked:8}{name:>6}{run.hits:7}{run.seconds:9.2f}{run.per_second:9,.0f}", end="")
        print(f"{run.floor_seconds:9.2f}{run.ratio:9.2f}{cpu[0]:14.1f}{cpu[1]:12.1f}{cpu[2]:8.1f}")


if __name__ == "__main__":
    main()
