# SPDX-License-Identifier: EUPL-1.2
"""The log at size: appending, proving, verifying, memory and storage, beside the bare hashing of the same tree.

    python -m bench.log [--entries 1000000] [--bulk] [--database URL] [--json]

Decisions drawn from the installed rules (`bench.exchanges`) are appended to a real broker database in batches, each
with its salt and inputs, as the broker does. Then proofs are made from it, cold (no tile remembered) and warm, and
checked. Then a broker and a witness run on it, and `sluis audit verify` recomputes all of it over gRPC with mutual TLS,
once at a hundredth of the size and once whole. The floor is SHA-256 over the very same entries and nodes.

With --bulk a few such entries are written over and over, each with a new time and in transactions of 5,000, without
salts and inputs: the broker's own log and tiles at a size for which deciding takes too long.
"""

import argparse
import itertools
import json
import os
import random
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from hashlib import sha256

from sqlalchemy import create_engine, text

from bench.exchanges import exchanges as exchanges_of
from bench.stage import bench_stage
from broker.decide.engine import decide
from broker.ruling import Ruling
from broker.step import Step, rfc3339
from broker.storage.open import open_store
from broker.storage.port import Store
from broker.storage.sql import SqlStore
from broker.storage.tiles import TileCache
from demo.stage import ORIGIN, Service, Stage
from sluis.checkpoint import Checkpoint
from sluis.log_verifier import LogVerifier
from sluis.merkle import (
    Hash,
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    verify_consistency,
    verify_inclusion,
)
from sluis.policy.bundle import default_directory, load_bundle

BATCH, BULK = 100, 5_000
EXAMPLES = 2_000
PROOFS = 300
_TIME = re.compile(rb'"time":"[^"]*"')
TABLES = ("log_entry", "log_tile", "entry_salt")


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """Milliseconds of many like things."""

    p50: float
    p99: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """One run of `sluis audit verify`, with the highest resident memory of both sides."""

    entries: int
    seconds: float
    command_mb: float
    broker_mb: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What was measured."""

    entries: int
    entry_bytes: float
    load: float
    append_seconds: float
    read_seconds: float
    hash_seconds: float
    core_seconds: float
    inclusion_cold: Spread
    inclusion_warm: Spread
    consistency_cold: Spread
    consistency_warm: Spread
    check_ms: float
    small: Verified
    whole: Verified
    stored: dict[str, float]


def measure(entries: int, database: str, say: Callable[[str], None], *, bulk: bool = False) -> Figures:
    """Fill a database and measure everything on it."""
    with bench_stage(database=database) as stage:
        small, seconds = _append(stage, entries // 100, say)
        few = _verify(stage, small, say)
        size, more = (_lay_down if bulk else _append)(stage, entries - small, say)
        seconds += more
        store = open_store(stage.database)
        try:
            say("proving")
            inclusion, consistency, check = _prove(store)
            say("hashing and reading")
            floors = _recompute(store)
        finally:
            store.close()
        stored = _stored(stage.database, size)
        return Figures(
            entries=size,
            entry_bytes=floors["bytes"] / size,
            load=os.getloadavg()[0],
            append_seconds=seconds,
            read_seconds=floors["read"],
            hash_seconds=floors["hash"],
            core_seconds=floors["core"],
            inclusion_cold=inclusion[0],
            inclusion_warm=inclusion[1],
            consistency_cold=consistency[0],
            consistency_warm=consistency[1],
            check_ms=check,
            small=few,
            whole=_verify(stage, size, say),
            stored=stored,
        )


def _append(stage: Stage, count: int, say: Callable[[str], None]) -> tuple[int, float]:
    """Append so many decisions; returns the size of the log and the seconds it took."""
    say(f"appending {count:,} entries in batches of {BATCH}")
    bundle = load_bundle(default_directory())
    rulings = itertools.cycle(
        Ruling(request=request, decision=decide(request, bundle), bundle=bundle)
        for request in exchanges_of(bundle, EXAMPLES)
    )
    store = open_store(stage.database)
    try:
        list(itertools.islice(rulings, EXAMPLES))  # decided beforehand: deciding is measured elsewhere
        began = time.perf_counter()
        for start in range(0, count, BATCH):
            with store.transaction() as tx:
                step = Step(tx, datetime.now(UTC), [])
                for ruling in itertools.islice(rulings, min(BATCH, count - start)):
                    ruling.log(step, "signal.push", {"outcome": "mailbox"})
                tx.commit()
        return store.head().tree.size, time.perf_counter() - began
    finally:
        store.close()


def _lay_down(stage: Stage, count: int, say: Callable[[str], None]) -> tuple[int, float]:
    """Append so many entries that were made before, with the times of now; returns what `_append` does."""
    say(f"appending {count:,} ready-made entries in batches of {BULK:,}")
    store = open_store(stage.database)
    try:
        rows = store.entries(0, EXAMPLES)
        made = itertools.cycle([row.entry.split(_TIME.search(row.entry)[0], 1) for row in rows])  # type: ignore[index]  # each entry has a time
        began = time.perf_counter()
        for start in range(0, count, BULK):
            with store.transaction() as tx:
                now_ms = max(tx.head.last_time_ms, int(time.time() * 1000))
                now = b'"time":"' + rfc3339(now_ms).encode() + b'"'
                for before, after in itertools.islice(made, min(BULK, count - start)):
                    tx.append(before + now + after, now_ms)
                tx.commit()
        return store.head().tree.size, time.perf_counter() - began
    finally:
        store.close()


def _prove(store: Store) -> tuple[tuple[Spread, Spread], tuple[Spread, Spread], float]:
    assert isinstance(store, SqlStore)  # the only one; its cache is emptied here
    head = store.head().tree
    size, root, rng = head.size, head.root(), random.Random(1)
    indexes = [rng.randrange(size) for _ in range(PROOFS)]
    cold: list[float] = []
    warm: list[float] = []
    check: list[float] = []
    for index in indexes:
        store._tiles = TileCache(store._queries.log)
        for times in (cold, warm):
            began = time.perf_counter()
            proof = inclusion_proof(index, size, store.node)
            times.append(time.perf_counter() - began)
        [row] = store.entries(index, index + 1)
        began = time.perf_counter()
        verify_inclusion(leaf_hash(row.entry), index, size, proof, root)
        check.append(time.perf_counter() - began)
    older_cold: list[float] = []
    older_warm: list[float] = []
    for older in indexes[: PROOFS // 3]:
        old_root = _root_at(store, older + 1)
        store._tiles = TileCache(store._queries.log)
        for times in (older_cold, older_warm):
            began = time.perf_counter()
            proof = consistency_proof(older + 1, size, store.node)
            times.append(time.perf_counter() - began)
        verify_consistency(older + 1, size, proof, old_root, root)
    inclusion = _spread(cold), _spread(warm)
    return inclusion, (_spread(older_cold), _spread(older_warm)), statistics.median(check) * 1000


def _root_at(store: Store, size: int) -> Hash:
    """The root of an older tree, from its complete subtrees."""
    nodes: list[Hash] = []
    start = 0
    for level in reversed(range(size.bit_length())):
        if size >> level & 1:
            nodes.append(store.node(level, start >> level))
            start += 1 << level
    root = nodes.pop()
    while nodes:
        root = Hash(sha256(b"\x01" + nodes.pop() + root).digest())
    return root


def _recompute(store: Store) -> dict[str, float]:
    """Time reading, bare hashing and verifying the same entries, one after the other, page by page."""
    head = store.head().tree
    verifier = LogVerifier(Checkpoint(origin=ORIGIN, size=head.size, root=head.root()))
    stack: list[tuple[int, bytes]] = []
    spent = dict.fromkeys(("read", "hash", "core", "bytes"), 0.0)
    rows = store.entries(0, head.size)
    while True:
        began = time.perf_counter()
        page = list(itertools.islice(rows, 1_000))
        read = time.perf_counter()
        if not page:
            break
        for row in page:
            _fold(stack, sha256(b"\x00" + row.entry).digest())
        hashed = time.perf_counter()
        for row in page:
            verifier.add(row.log_index, row.entry, row.leaf_hash)
        spent["core"] += time.perf_counter() - hashed
        spent["read"] += read - began
        spent["hash"] += hashed - read
        spent["bytes"] += sum(len(row.entry) for row in page)
    verifier.finish()
    root = stack.pop()[1]
    while stack:
        root = sha256(b"\x01" + stack.pop()[1] + root).digest()
    if root != head.root():
        raise SystemExit("the bare hashing gives another root")
    return spent


def _fold(stack: list[tuple[int, bytes]], node: bytes) -> None:
    level = 0
    while stack and stack[-1][0] == level:
        node = sha256(b"\x01" + stack.pop()[1] + node).digest()
        level += 1
    stack.append((level, node))


def _verify(stage: Stage, size: int, say: Callable[[str], None]) -> Verified:
    """Run the officer's command against a broker and a witness as processes of their own."""
    say(f"verifying {size:,} entries over gRPC")
    stage.witness.start()
    stage.broker.start()
    try:
        config = stage.write_config(stage.cast.officer)
        command = [sys.executable, "-m", "sluis", "audit", "verify", "--from-start", "--json"]
        began = time.perf_counter()
        process = subprocess.Popen(
            [*command, "--config", str(config)], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        )
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != 0:
            raise SystemExit(process.stderr.read().decode() if process.stderr else "not verified")
        return Verified(
            entries=size, seconds=seconds, command_mb=usage.ru_maxrss / 1024, broker_mb=_peak_mb(stage.broker)
        )
    finally:
        stage.broker.stop()
        stage.witness.stop()


def _peak_mb(service: Service) -> float:
    """The highest resident memory of a running process (proc(5), VmHWM)."""
    pid = service.process.pid if service.process else 0
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        line = next(line for line in status if line.startswith("VmHWM:"))
    return int(line.split()[1]) / 1024


def _stored(database: str, size: int) -> dict[str, float]:
    """Bytes on disk for each entry, by table with its indexes."""
    engine = create_engine(database)
    query = (
        "SELECT sum(pgsize) FROM dbstat WHERE name IN (SELECT name FROM sqlite_schema WHERE tbl_name = :name)"
        if engine.dialect.name == "sqlite"
        else "SELECT pg_total_relation_size(CAST(:name AS regclass))"
    )
    try:
        with engine.connect() as connection:
            return {
                name: float(connection.execute(text(query), {"name": name}).scalar_one()) / size
                for name in TABLES
            }
    finally:
        engine.dispose()


def _spread(seconds: Sequence[float]) -> Spread:
    ranks = statistics.quantiles(seconds, n=100)
    return Spread(p50=ranks[49] * 1000, p99=ranks[98] * 1000)


def lines_of(figures: Figures) -> Iterator[str]:
    """Write the figures for people."""
    one, floor = figures.entries, figures.hash_seconds
    yield f"{one:,} entries of {figures.entry_bytes:,.0f} bytes; load average {figures.load:.1f}"
    for name, seconds in (
        ("append", figures.append_seconds),
        ("SHA-256 of the same tree", floor),
        ("read from the database", figures.read_seconds),
        ("verify, without reading", figures.core_seconds),
        ("sluis audit verify, whole", figures.whole.seconds),
    ):
        yield f"{name:<32} {seconds:8.1f} s {one / seconds:11,.0f}/s {seconds / floor:8.1f} x SHA-256"
    for name, cold, warm in (
        ("inclusion proof", figures.inclusion_cold, figures.inclusion_warm),
        ("consistency proof", figures.consistency_cold, figures.consistency_warm),
    ):
        yield (
            f"{name:<32} cold p50 {cold.p50:.2f} p99 {cold.p99:.2f} ms, "
            f"warm p50 {warm.p50:.2f} p99 {warm.p99:.2f} ms"
        )
    yield f"{'check an inclusion proof':<32} p50 {figures.check_ms:.3f} ms"
    for run in (figures.small, figures.whole):
        yield (
            f"peak memory at {run.entries:>11,} entries    "
            f"command {run.command_mb:.0f} MB, broker {run.broker_mb:.0f} MB"
        )
    stored = ", ".join(f"{name} {size:.0f}" for name, size in figures.stored.items())
    yield f"{'bytes on disk for each entry':<32} {stored}"


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.log", description=__doc__.splitlines()[0])
    parser.add_argument("--entries", type=int, default=1_000_000)
    parser.add_argument("--bulk", action="store_true", help="write ready-made entries, without deciding")
    parser.add_argument("--database", default="", help="an empty database; else SQLite in a temporary folder")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    figures = measure(
        given.entries, given.database, lambda line: print(line, file=sys.stderr), bulk=given.bulk
    )
    print(json.dumps(asdict(figures)) if given.json else "\n".join(lines_of(figures)))


if __name__ == "__main__":
    main()
