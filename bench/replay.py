# SPDX-License-Identifier: EUPL-1.2
"""Past exchanges decided again, under the rules of then and under others, beside reading them alone in the same run.

    python -m bench.replay [--exchanges 1000000] [--json]

The exchanges are drawn from the installed rules (`bench.exchanges`) and written to a real SQLite broker database as
the broker writes them: an entry in the log, its salt and inputs beside it. Then each is read, its commitment
checked, and decided again. The floor is reading the same rows and parsing the same two pieces of JSON without deciding.
"""

import argparse
import itertools
import json
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.exchanges import exchanges as exchanges_of
from broker.decide.engine import decide
from broker.policy.replay import Replay, replay
from broker.ruling import Ruling
from broker.step import Step
from broker.storage.log_port import Decided
from broker.storage.open import open_store
from broker.storage.port import Store
from sluis.policy.bundle import Bundle, default_directory, read_bundle, read_files

BATCH = 2_000
EXAMPLES = 2_000
EDIT = (b"not_older_than_years: 2", b"not_older_than_years: 1")


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One way of going through the exchanges."""

    name: str
    seconds: float
    exchanges: int
    changed: int

    @property
    def per_second(self) -> float:
        """Exchanges a second."""
        return self.exchanges / self.seconds


def measure(exchanges: int, say: Callable[[str], None]) -> list[Row]:
    """Fill a database, then read it and replay it under two bundles."""
    files = read_files(default_directory())
    then = read_bundle(files)
    name = "agreements/waadi-14b.yaml"
    other = read_bundle({**files, name: files[name].replace(*EDIT)})
    with TemporaryDirectory() as folder:
        store = open_store(f"sqlite:///{Path(folder)}/broker.sqlite")
        try:
            say(f"writing {exchanges:,} exchanges")
            _fill(store, then, exchanges)
            return [
                _timed("read and parse only", store, exchanges, _read),
                _timed("under the rules of then", store, exchanges, lambda rows: _replay(rows, then)),
                _timed("under others", store, exchanges, lambda rows: _replay(rows, other)),
            ]
        finally:
            store.close()


def _fill(store: Store, bundle: Bundle, exchanges: int) -> None:
    requests = itertools.cycle(exchanges_of(bundle, EXAMPLES))
    left = exchanges
    while left:
        with store.transaction() as tx:
            step = Step(tx, datetime.now(UTC), [])
            for request in itertools.islice(requests, min(BATCH, left)):
                ruling = Ruling(request=request, decision=decide(request, bundle), bundle=bundle)
                ruling.log(step, "signal.push", {"outcome": "mailbox"})
            tx.commit()
        left -= min(BATCH, left)


def _timed(name: str, store: Store, exchanges: int, work: Callable[[Iterator[Decided]], int]) -> Row:
    began = time.perf_counter()
    changed = work(store.decided(0, store.head().tree.size))
    return Row(name=name, seconds=time.perf_counter() - began, exchanges=exchanges, changed=changed)


def _read(rows: Iterator[Decided]) -> int:
    for row in rows:
        json.loads(row.entry)
        json.loads(row.inputs or b"{}")
    return 0


def _replay(rows: Iterator[Decided], bundle: Bundle) -> int:
    result: Replay = replay(rows, lambda digest: bundle)
    return result.changed


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--exchanges", type=int, default=1_000_000)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    rows = measure(options.exchanges, lambda text: print(text, file=sys.stderr))
    floor = rows[0].seconds
    if options.json:
        print(json.dumps([{**_data(row), "times_floor": round(row.seconds / floor, 2)} for row in rows]))
        return
    for row in rows:
        print(
            f"{row.name:<26} {row.seconds:8.1f} s {row.per_second:10,.0f}/s"
            f" {row.seconds / floor:6.2f} x reading   {row.changed:,} otherwise"
        )


def _data(row: Row) -> dict[str, object]:
    return {
        "name": row.name,
        "seconds": round(row.seconds, 2),
        "per_second": round(row.per_second),
        "changed": row.changed,
    }


if __name__ == "__main__":
    main()
