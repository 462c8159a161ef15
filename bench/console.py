# SPDX-License-Identifier: EUPL-1.2
"""Reading a million exchanges as the console does, beside a plain `SELECT count(*)` of the same rows.

    python -m bench.console [--entries 1000000] [--database sqlite:///FILE | postgresql://...] [--json]

Entries are made up (a year, 60 flows between 30 organisations, 12 sets of rules) and taken in by the projection
itself, so its pace is measured too. Without --database: a new SQLite file; one that was filled before is not filled
again. Each reading is timed once as the first of its sort, and then 20 times; wall clock. Then whole pages are asked
for (`bench.pages`).
"""

import argparse
import json
import os
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any

from bench.pages import ask_pages
from broker.audit.projection import project
from broker.storage.open import open_store
from broker.storage.port import LogRow, Store
from broker.storage.projected import EVERY, Days, Filter, Sight
from broker.storage.sql import SqlStore
from sluis.canonical import canonical_json

START = datetime(2025, 12, 1, tzinfo=UTC)
YEAR = Days(date(2025, 12, 1), date(2026, 11, 30))
MONTH = Days(date(2026, 11, 1), date(2026, 11, 30))
HUNDRED = Days(date(2026, 8, 23), date(2026, 11, 30))
ODD = Days(date(2025, 12, 17), date(2026, 11, 12))
PARTIES = [f"{number:020}" for number in range(30)]
BUSIEST = PARTIES[27]  # 37 of 100 exchanges are its own
SIZE, PORTION, TIMES = 1_000_000, 500, 20
ARTICLES = [f"Wet {letter} {number}(1)" for letter in "ABCDE" for number in range(1, 9)]
FIELDS = ("establishment_number", "law", "article", "count", "found_on", "bsn", "address")
REASONS = ("NO_RULE", "FACT_MISSING", "TERM_RUNNING", "PURPOSE_OTHER", "RULE_NOT_IN_FORCE")


def entries(size: int) -> Iterator[LogRow]:
    """Made-up entries, spread over a year."""
    choice = random.Random(11)
    flows = [
        (f"{choice.randrange(30):020}", f"{choice.randrange(30):020}", f"agreement-{number % 20}", number)
        for number in range(60)
    ]
    weights = [1 / (1 + number) for number in range(60)]
    waiting: list[tuple[int, dict[str, Any]]] = []
    for index in range(size):
        at = START + timedelta(seconds=index * 365 * 86_400 / size)
        if waiting and choice.random() < 0.35:
            previous, signal = waiting.pop(choice.randrange(len(waiting)))
            entry = {"operation": "signal.acknowledge", "recipient": signal["recipient"]}
            entry |= {"exchange": signal["exchange"], "previous": previous, "outcome": "delivered"}
        else:
            entry = exchange(choice, choice.choices(flows, weights)[0], at, index)
            if entry["outcome"] == "mailbox" and len(waiting) < 5_000:
                waiting.append((index, entry))
        entry["time"] = f"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1000:03}Z"
        yield LogRow(log_index=index, entry=canonical_json({"v": 1, **entry}), leaf_hash=b"")


def exchange(
    choice: random.Random, flow: tuple[str, str, str, int], at: datetime, index: int
) -> dict[str, Any]:
    """A push that passes, whole or in part, or is denied."""
    sender, recipient, agreement, number = flow
    rule = {"id": f"{agreement}.{number % 3}", "status": "in_force"}
    rule["basis"] = ARTICLES[number % 37 : number % 37 + 1 + number % 3]  # type: ignore[assignment]  # a list
    permitted, sort = choice.random() < 0.8, choice.random()
    withheld = [{"name": FIELDS[-1], "reason": "NOT_NEEDED", "rule": ""}] if sort < 0.2 else []
    on_match = number % 5 == 0
    return {
        "operation": "signal.push",
        "sender": sender,
        "recipient": recipient,
        "agreement": agreement,
        "kind": f"KIND_{number % 9}",
        "purpose": f"PURPOSE_{number % 7 if sort < 0.9 else 0}",
        "decision": "permit" if permitted else "deny",
        "rules": [rule] if permitted else [],
        "reasons": [] if permitted else [{"code": choice.choice(REASONS), "params": {}}],
        "released": list(FIELDS[: 3 + number % 4]) if permitted else [],
        "withheld": withheld,
        "policy": f"sha256:{at.month:064x}",
        "delivery": "on_match" if on_match else "mailbox",
        "outcome": ("on_match" if on_match else "mailbox") if permitted else "refused",
        "exchange": f"0193a000-0000-7000-8000-{index:012x}",
    }


def fill(store: Store, size: int) -> tuple[float, float]:
    """Let the projection take in the entries. Returns its seconds, and those of this process's processor."""
    index, rows, seconds, worked = store.exchange_index, entries(size), 0.0, 0.0
    while portion := list(islice(rows, PORTION)):
        started, working = time.perf_counter(), time.process_time()
        if not index.write(project(portion, index.rows_at, lambda policy, name: name)):
            raise SystemExit("another follower writes to this database")
        seconds += time.perf_counter() - started
        worked += time.process_time() - working
        if sys.stderr.isatty():
            print(f"\r{portion[-1].log_index + 1:,} entries", end="", file=sys.stderr)
    return seconds, worked


def readings(store: Store, size: int) -> dict[str, Callable[[], object]]:
    """The console's questions, easy and hard ones."""
    index, everything = store.exchange_index, Sight.everything()
    one = Sight(BUSIEST)
    rare = Filter({"agreement": ["agreement-19"], "reason": ["TERM_RUNNING"]})
    old = Filter({"policy": [f"sha256:{12:064x}"]})
    common = Filter({"result": ["released"]})
    three = Filter({"result": ["denied"], "kind": ["KIND_3"], "purpose": ["PURPOSE_3"]})
    last = Filter({"sender": [BUSIEST]})
    return {
        "facets, a year": lambda: index.facets(everything, EVERY, YEAR),
        "facets, a year less some days": lambda: index.facets(everything, common, ODD),
        "facets, three chosen, rare": lambda: index.facets(everything, three, ODD),
        "facets, a month, one organisation": lambda: index.facets(one, common, MONTH),
        "facets, a year, one organisation": lambda: index.facets(one, EVERY, YEAR),
        "list, newest 50": lambda: index.exchanges(everything, EVERY, YEAR, None, 50),
        "list, 50 halfway": lambda: index.exchanges(everything, common, YEAR, size // 2, 50),
        "list, 50 of one organisation": lambda: index.exchanges(one, EVERY, YEAR, None, 50),
        "list, 50 that are rare": lambda: index.exchanges(everything, rare, YEAR, None, 50),
        "list, 50 under three facets": lambda: index.exchanges(everything, three, ODD, None, 50),
        "list, 50 of a year ago": lambda: index.exchanges(everything, old, None, None, 50),
        "list, the oldest 50": lambda: index.exchanges(one, last, YEAR, size // 1_000, 50),
        "list, 200 of an export": lambda: index.exchanges(everything, common, YEAR, size // 3, 200),
        "matrix, a month": lambda: index.matrix(everything, MONTH),
        "thirty days": lambda: index.days(everything, MONTH),
        "a hundred days, by shape": lambda: index.cells(everything, HUNDRED),
        "a year by month": lambda: index.days(everything, YEAR),
        "one exchange": lambda: index.exchange(everything, f"0193a000-0000-7000-8000-{size // 2:012x}"),
        "plain SELECT count(*)": lambda: count(store, "exchange_row"),
    }


def count(store: Store, table: str) -> int:
    """How many rows a table has, by counting them."""
    assert isinstance(store, SqlStore)
    with store._engines.reader.connect() as connection:
        return int(connection.exec_driver_sql(f"SELECT count(*) FROM {table}").scalar_one())


def size_of(store: Store, url: str) -> int:
    """Bytes of the database."""
    if url.startswith("sqlite"):
        return Path(url.removeprefix("sqlite:///")).stat().st_size
    assert isinstance(store, SqlStore)
    with store._engines.reader.connect() as connection:
        return int(connection.exec_driver_sql("SELECT pg_database_size(current_database())").scalar_one())


def measure(url: str, size: int) -> dict[str, Any]:
    """Fill a database, if it is empty, and time the readings and the pages."""
    found: dict[str, Any] = {"entries": size}
    store = open_store(url)
    try:
        if store.exchange_index.position() == 0:
            empty = size_of(store, url)
            seconds, worked = fill(store, size)
            found["microseconds_to_follow_an_entry"] = round(1e6 * seconds / size, 1)
            found["of_which_this_process_worked"] = round(1e6 * worked / size, 1)
            found["bytes_an_entry"] = round((size_of(store, url) - empty) / size)
    finally:
        store.close()
    store = open_store(url)  # as after a start: nothing is in memory
    try:
        found |= {name: count(store, f"exchange_{name}") for name in ("row", "shape", "cube")}
        found["load"] = round(os.getloadavg()[0], 1)
        first = timed(lambda: store.exchange_index.facets(Sight.everything(), EVERY, YEAR))
        found["milliseconds"] = {"the first reading after a start": (first,)}
        for name, ask in readings(store, size).items():
            found["milliseconds"][name] = spread(timed(ask), [timed(ask) for _ in range(TIMES)])
        for name, (once, *again) in ask_pages(store, PARTIES, BUSIEST, size).items():
            found["milliseconds"][f"page, {name}"] = spread(once, again)
        return found
    finally:
        store.close()


def spread(first: float, again: Sequence[float]) -> tuple[float, ...]:
    """Milliseconds: of the first, then the best, the median and the slowest of the others."""
    return tuple(round(number, 1) for number in (first, min(again), statistics.median(again), max(again)))


def timed(ask: Callable[[], object]) -> float:
    """Milliseconds of one reading."""
    started = time.perf_counter()
    ask()
    return 1_000 * (time.perf_counter() - started)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--entries", type=int, default=SIZE)
    parser.add_argument("--database", default="")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="sluis-bench-") as folder:
        found = measure(arguments.database or f"sqlite:///{folder}/broker.db", arguments.entries)
    if arguments.json:
        print(json.dumps(found, indent=1))
        return
    for name, value in found.items():
        if name != "milliseconds":
            print(f"{name.replace('_', ' '):48}{value:>12,}")
    print(f"{'milliseconds':50}{'first':>10}{'best':>10}{'median':>10}{'slowest':>10}")
    for name, times in found["milliseconds"].items():
        print(f"{name:50}" + "".join(f"{number:>10.1f}" for number in times))


if __name__ == "__main__":
    main()
