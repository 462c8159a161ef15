# SPDX-License-Identifier: EUPL-1.2
"""Durable pushes per second over mTLS, beside a bare echo server of the same gRPC set-up in the same run.

    python -m bench.push [--database URL] [--seconds 3] [--json]

Broker, witness, echo and load are processes of their own and share this machine's cores; signals are real and
sealed beforehand. A push counts when its answer came, and that comes after the commit: signature verified,
certificate proven from the register, decided, minimised, logged, kept, receipt signed. A given database must
be empty. Latency is that of a call, or of a frame. "cpu" is the broker's processor time for one push.
"""

import argparse
import asyncio
import json
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context

from bench import load
from bench.load import Figures, Shape
from bench.sealed import Sealing, seal_many
from bench.stage import bench_stage, cpu_seconds, epoch, free_address, load_random_register
from demo.stage import Service, Stage

SUBJECTS = 3_000
WARM_UP = 300
# The most pushes per second for which signals are sealed beforehand; a quicker run only ends sooner.
SHAPES = {
    Shape(in_flight=1): 1_500,
    Shape(in_flight=16): 4_000,
    Shape(in_flight=64): 5_000,
    Shape(frame=1): 4_000,
    Shape(frame=20): 8_000,
    Shape(frame=50): 10_000,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One shape of load: the broker's figures and the floor's."""

    shape: Shape
    broker: Figures
    echo: Figures
    cpu_us: float

    @property
    def ratio(self) -> float:
        """The broker's rate as a part of the floor's."""
        return self.broker.per_second / self.echo.per_second

    @property
    def per_commit(self) -> float:
        """Entries per commit."""
        return self.broker.pushes / self.broker.commits


def measure(database: str, seconds: float, say: Callable[[str], None]) -> list[Row]:
    """Run every shape of load against broker and echo in turn."""
    with bench_stage(database=database) as stage:
        stage.witness.start()
        stage.broker.start()
        cast = stage.cast
        pseudonyms = asyncio.run(load_random_register(stage, cast.foundation, SUBJECTS))
        sealing = Sealing(
            sender=cast.inspectorate.oin,
            recipient=cast.foundation.oin,
            sender_keys=cast.inspectorate.keys,
            recipient_keys=cast.foundation.keys,
            epoch=epoch(),
        )
        counts = [round(most * seconds) for most in SHAPES.values()]
        say(f"sealing {sum(counts) + WARM_UP:,} signals")
        sealed = seal_many(sealing, pseudonyms, sum(counts) + WARM_UP)
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:

            def offer(service: Service, shape: Shape, requests: Sequence[bytes]) -> Figures:
                keys = cast.inspectorate.keys
                return pool.submit(load.run, service.address, keys, shape, requests, seconds).result()

            warm = offer(stage.broker, Shape(in_flight=8), sealed[:WARM_UP])
            echo = _echo(stage, warm.first_answer)
            echo.start()
            try:
                offer(echo, Shape(in_flight=8), sealed[:WARM_UP])
                at, rows = WARM_UP, []
                for shape, count in zip(SHAPES, counts, strict=True):
                    say(shape.name)
                    requests, at = sealed[at : at + count], at + count
                    before = cpu_seconds(stage.broker)
                    figures = offer(stage.broker, shape, requests)
                    cpu = cpu_seconds(stage.broker) - before
                    floor = offer(echo, shape, requests)
                    rows.append(
                        Row(shape=shape, broker=figures, echo=floor, cpu_us=cpu / figures.pushes * 1e6)
                    )
                return rows
            finally:
                echo.stop()


def _echo(stage: Stage, answer: bytes) -> Service:
    folder = stage.root / "echo"
    folder.mkdir()
    path, address = folder / "answer", free_address()
    path.write_bytes(answer)
    options = {"--keys": str(stage.cast.broker.keys), "--listen": address, "--answer": str(path)}
    words = [word for option in options.items() for word in option]
    return Service(
        name="echo", command=[sys.executable, "-m", "bench.echo", *words], folder=folder, address=address
    )


def report(rows: Sequence[Row]) -> dict[str, dict[str, float]]:
    """The rows as JSON."""
    return {
        row.shape.name: {
            "per_second": round(row.broker.per_second),
            "p50_ms": round(row.broker.p50, 2),
            "p99_ms": round(row.broker.p99, 2),
            "echo_per_second": round(row.echo.per_second),
            "echo_p50_ms": round(row.echo.p50, 2),
            "echo_p99_ms": round(row.echo.p99, 2),
            "ratio": round(row.ratio, 3),
            "broker_cpu_us": round(row.cpu_us),
            "load_cpu_us": round(row.broker.load_cpu_seconds / row.broker.pushes * 1e6),
            "per_commit": round(row.per_commit, 1),
        }
        for row in rows
    }


def main() -> None:
    """Print the table, or JSON."""
    parser = argparse.ArgumentParser(prog="python -m bench.push", description=__doc__.splitlines()[0])
    parser.add_argument("--database", default="", help="an empty database; else SQLite in a temporary folder")
    parser.add_argument("--seconds", type=float, default=3.0, help="how long each shape of load is offered")
    parser.add_argument("--json", action="store_true", help="print JSON")
    given = parser.parse_args()
    if given.seconds <= 0:
        parser.error("the time must be positive")
    rows = measure(given.database, given.seconds, lambda text: print(text, file=sys.stderr))
    engine = "SQLite" if given.database.startswith("sqlite") or not given.database else "PostgreSQL"
    if given.json:
        print(json.dumps({"database": engine, "loads": report(rows)}))
        return
    print(f"durable pushes on {engine}, everything on this machine", file=sys.stderr)
    print(f"{'':26}{'broker/s':>9}{'p50 ms':>8}{'p99':>7}{'echo/s':>9}{'p50':>7}{'p99':>7}", end="")
    print(f"{'ratio':>7}{'cpu us':>8}{'per commit':>12}")
    for row in rows:
        ours, floor = row.broker, row.echo
        print(f"{row.shape.name:26}{ours.per_second:9,.0f}{ours.p50:8.2f}{ours.p99:7.1f}", end="")
        print(f"{floor.per_second:9,.0f}{floor.p50:7.2f}{floor.p99:7.1f}{row.ratio:7.2f}", end="")
        print(f"{row.cpu_us:8.0f}{row.per_commit:12.1f}")


if __name__ == "__main__":
    main()
