# SPDX-License-Identifier: EUPL-1.2
"""A client base against millions of deposited signals, beside `openmined-psi` on the same sets in the same run.

    python -m bench.match [--clients 100000] [--deposits 10000000] [--database URL] [--peer-deposits N] [--json]

cold         no pseudonym is known yet: two evaluators compute them, every proof is checked
warm         the same question again, from the kit's encrypted cache
digest       warm, with a whole digest fetched first (--private), then only what was found in it claimed
next digest  the same a moment later: an addition, as on the next day

One in a thousand asked is a hit: decided again, logged, fetched, opened, acknowledged. Broker, evaluators, witness and
kit are processes of their own; all share this machine's cores. `floor` is 4 scalar multiplications for each client on
one core. The peer finds an intersection and no more; of its server's set it must have the numbers in the clear.
"""

import argparse
import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from adapters.foundation import REGISTER, REGISTER_KIND
from adapters.labour_inspectorate import KIND, PURPOSE
from bench.asker import establishments, peak_mb
from bench.deposits import lay_deposits, run_peer
from bench.pseudonyms import steps
from bench.sealed import fine_about
from bench.stage import bench_stage, cpu_seconds, epoch
from demo.stage import AGREEMENT, Service, Stage
from sluis.client import Kit
from sluis.client.registrar import RegisterRow
from sluis.errors import Defect
from sluis.header import Delivery
from sluis.identifiers import Identifier

ONE_HIT_IN = 1_000
MULTIPLICATIONS = 4
FLOOR_BATCH = 2_000

Say = Callable[[str], None]
Figures = dict[str, Any]


def floor_seconds(clients: int) -> float:
    """The time of the bare scalar multiplications that pseudonyms take on one core."""
    bare, best = steps(FLOOR_BATCH)["floor"], float("inf")
    for _ in range(5):
        before = time.perf_counter()
        bare()
        best = min(best, time.perf_counter() - before)
    return MULTIPLICATIONS * best / FLOOR_BATCH * clients


def measure(stage: Stage, clients: int, deposits: int, say: Say) -> Figures:
    """Lay the deposits down, start everything, and ask in each way."""
    body, foundation = stage.cast.bodies[0], stage.cast.foundation
    terms = {"agreement": AGREEMENT, "kind": KIND, "purpose": PURPOSE, "epoch": epoch()}
    hits = max(1, clients // ONE_HIT_IN)
    laid = lay_deposits(stage.database, body.oin, foundation.oin, terms, deposits - hits, say)
    stage.start()
    say(f"{hits} hits, with their register")
    subjects = establishments(clients)[:: clients // hits][:hits]
    asyncio.run(fill(stage, subjects))
    config = stage.write_config(body)
    runs = []
    for name, private in (("cold", False), ("warm", False), ("digest", True), ("next digest", True)):
        say(name)
        runs.append({"run": name, **ask_once(stage, config, clients, private)})
        if runs[-1]["hits"] != hits:
            raise Defect("defect", f"{name}: {runs[-1]['hits']} hits where {hits} are due")
    return {
        "clients": clients,
        "deposits": deposits,
        "lay_seconds": laid,
        "floor_seconds": floor_seconds(clients),
        "load": os.getloadavg()[0],
        "runs": runs,
    }


def ask_once(stage: Stage, config: Path, clients: int, private: bool) -> Figures:
    """Ask in a process of its own; adds what the broker and the evaluators took."""
    broker, evaluators = stage.broker, stage.evaluators
    before = cpu_seconds(broker), sum(map(cpu_seconds, evaluators))
    _forget_peak(broker)
    command = [sys.executable, "-m", "bench.asker", str(config), "--clients", str(clients)]
    done = subprocess.run(
        [*command, *(["--private"] if private else [])], check=True, stdout=subprocess.PIPE, text=True
    )
    figures: Figures = json.loads(done.stdout)
    return {
        **figures,
        "broker_mb": peak_mb(_pid(broker)),
        "broker_cpu_seconds": cpu_seconds(broker) - before[0],
        "evaluators_cpu_seconds": sum(map(cpu_seconds, evaluators)) - before[1],
    }


def _pid(service: Service) -> int:
    if service.process is None:
        raise Defect("defect", f"{service.name} does not run")
    return service.process.pid


def _forget_peak(service: Service) -> None:
    """Let VmHWM begin anew (proc(5), clear_refs)."""
    Path(f"/proc/{_pid(service)}/clear_refs").write_text("5", encoding="ascii")


async def fill(stage: Stage, subjects: Sequence[Identifier]) -> None:
    """Register the subjects in the asker's domain, and deposit a signal about each."""
    body = stage.cast.bodies[0].oin
    since = date.today() - timedelta(days=100)  # noqa: DTZ011  any day in the past will do
    rows = [RegisterRow(subject=subject, valid_from=since, valid_until=None) for subject in subjects]
    drafts = [replace(fine_about(subject, body), delivery=Delivery.ON_MATCH) for subject in subjects]
    async with Kit.open(stage.settings(stage.cast.foundation)) as kit:
        loads = await kit.registrar.load(REGISTER, body, rows, kind=REGISTER_KIND, purpose=PURPOSE)
        outcomes = await kit.sender.push(drafts)
    if not all(load.permitted for load in loads) or not all(push.permitted for push in outcomes):
        raise Defect("defect", "the rules deny what is to be measured")


def summary(figures: Figures) -> list[str]:
    """The table, and the ratios."""
    titles = ("seconds", "cpu s", "kit MB", "broker MB", "MB sent", "MB got", "broker saw")
    lines = [f"{'':12}" + "".join(f"{title:>11}" for title in titles)]
    runs = {run["run"]: run for run in figures["runs"]}
    for name, run in runs.items():
        sent, got = (
            sum(size for way, size in run["bytes"].items() if way.startswith(side)) / 1e6
            for side in ("to", "from")
        )
        saw = run["asked"] if run["claimed"] is None else run["claimed"]
        row = (run["seconds"], _cpu(run), run["peak_mb"], run["broker_mb"], sent, got)
        lines.append(f"{name:12}" + "".join(f"{value:11.2f}" for value in row) + f"{saw:11,}")
    digest, addition = runs["digest"], runs["next digest"]
    found = digest["claimed"] - digest["hits"]
    lines.append(
        f"digest: {8 * digest['digest_bytes'] / figures['deposits']:.2f} bits a signal, "
        f"{found} of {digest['asked'] - digest['hits']} misses found for nothing; "
        f"addition: {addition['digest_bytes']} bytes"
    )
    lines.append(f"cold: {runs['cold']['seconds'] / figures['floor_seconds']:.2f} x floor")
    return lines + (_beside(figures["peer"], runs) if "peer" in figures else [])


def _cpu(run: Figures) -> float:
    return float(run["cpu_seconds"] + run["broker_cpu_seconds"] + run["evaluators_cpu_seconds"])


def _beside(peer: Figures, runs: Figures) -> list[str]:
    """The peer's row, and how many times as long it takes: by the clock, and in processor time of both sides."""
    query = peer["request_seconds"] + peer["answer_seconds"] + peer["intersection_seconds"]
    query_cpu = peer["client_cpu_seconds"] + peer["server_cpu_seconds"]
    got = (peer["setup_bytes"] + peer["response_bytes"]) / 1e6
    row = (query, query_cpu, peer["client_mb"], peer["server_mb"], peer["request_bytes"] / 1e6, got)
    lines = [f"{'peer':12}" + "".join(f"{value:11.2f}" for value in row)]
    lines.append(
        f"peer's set-up for {peer['deposits']:,}: {peer['setup_seconds']:.0f} s, cpu {peer['setup_cpu_seconds']:.0f} s"
    )
    for name, run in runs.items():
        lines.append(
            f"{name}: {query / run['seconds']:.1f} times as fast as the peer's query "
            f"({query_cpu / _cpu(run):.1f} in cpu), "
            f"{(query + peer['setup_seconds']) / run['seconds']:.1f} with its set-up"
        )
    return lines


def main() -> None:
    """Print the table, or JSON."""
    parser = argparse.ArgumentParser(prog="python -m bench.match", description=__doc__.splitlines()[0])
    parser.add_argument("--clients", type=int, default=100_000, help="how many are asked about")
    parser.add_argument("--deposits", type=int, default=10_000_000, help="how many signals lie for the asker")
    parser.add_argument("--database", default="", help="an empty database; SQLite in a folder by itself")
    parser.add_argument(
        "--peer-deposits",
        type=int,
        default=-1,
        help="of how many deposits the peer is given; 0 leaves it out",
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    given = parser.parse_args()
    if not 1 <= given.clients <= given.deposits:
        parser.error("there are clients, and no more of them than deposits")

    def say(text: str) -> None:
        print(text, file=sys.stderr, flush=True)

    with bench_stage(database=given.database, daily_budget=2 * given.clients + 10_000) as stage:
        figures = measure(stage, given.clients, given.deposits, say)
        if peers := given.deposits if given.peer_deposits < 0 else given.peer_deposits:
            stage.stop()
            say("\n".join(summary(figures)))
            say("peer")
            hits = max(1, given.clients // ONE_HIT_IN)
            figures["peer"] = run_peer(stage.root, given.clients, peers, hits)
    figures["at"] = datetime.now(UTC).date().isoformat()
    print(json.dumps(figures) if given.json else "\n".join(summary(figures)))


if __name__ == "__main__":
    main()
