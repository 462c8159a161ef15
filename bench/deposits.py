# SPDX-License-Identifier: EUPL-1.2
"""Many deposited signals, laid down by the broker's own store, and the peer in an environment of its own.

Of the millions nothing is ever released, so they are short: an envelope of a few bytes, random pseudonyms (to a broker
they are 16 bytes), and one log entry for each batch. They come in ascending order, which only spares the index some
work; rows, indexes and log are those that a push writes.
"""

import json
import secrets
import subprocess
import sys
import time
import venv
from collections.abc import Callable, Iterator
from pathlib import Path

from broker.storage.open import open_store
from broker.storage.port import StoredSignal
from sluis.canonical import canonical_json

BATCH = 10_000
PREFIXES = 1 << 10  # pseudonyms are drawn prefix by prefix, so that they come in order
LIFE_MS = 365 * 24 * 3600 * 1000
PEER = "openmined-psi==2.0.6"


def ascending_pseudonyms(count: int) -> Iterator[bytes]:
    """Random pseudonyms, in order."""
    for prefix in range(PREFIXES):
        share = count // PREFIXES + (prefix < count % PREFIXES)
        drawn = (secrets.randbits(118) | prefix << 118 for _ in range(share))
        yield from (number.to_bytes(16, "big") for number in sorted(drawn))


def lay_deposits(
    url: str, recipient: str, sender: str, terms: dict[str, str], count: int, say: Callable[[str], None]
) -> float:
    """Add so many deposits for a recipient; returns the seconds. `terms`: agreement, kind, purpose, epoch."""
    store = open_store(url)
    expires, started = int(time.time() * 1000) + LIFE_MS, time.perf_counter()
    pseudonyms = ascending_pseudonyms(count)
    try:
        for first in range(0, count, BATCH):
            with store.transaction() as tx:
                entry = {"operation": "bench.deposits", "first": first, "nonce": secrets.token_hex(16)}
                index = tx.append(canonical_json(entry), tx.head.last_time_ms)
                for number in range(first, min(first + BATCH, count)):
                    tx.add_signal(
                        StoredSignal(
                            signal_id=number.to_bytes(16, "big"),
                            pushed_index=index,
                            sender=sender,
                            recipient=recipient,
                            **terms,
                            delivery="on_match",
                            pseudonym=next(pseudonyms),
                            expires_at_ms=expires,
                            envelope=b"not read",
                            redaction=b"",
                        )
                    )
                tx.commit()
            if first % 1_000_000 == 0:
                say(f"{first:,} of {count:,} deposits")
    finally:
        store.close()
    return time.perf_counter() - started


def run_peer(folder: Path, clients: int, deposits: int, hits: int) -> dict[str, float]:
    """Make an environment with the peer alone, and run it on the same sets."""
    place = folder / "peer"
    venv.create(place, with_pip=True)
    python = place / "bin" / "python"
    subprocess.run(
        [python, "-m", "pip", "install", "--quiet", PEER], check=True, stdout=sys.stderr, timeout=600
    )
    script = Path(__file__).with_name("psi_peer.py")
    numbers = {"clients": clients, "deposits": deposits, "hits": hits, "rate": 1e-9}
    options = [text for name, value in numbers.items() for text in (f"--{name}", str(value))]
    done = subprocess.run(
        [python, script, *options], check=True, stdout=subprocess.PIPE, text=True, timeout=6 * 3600
    )
    figures: dict[str, float] = json.loads(done.stdout)
    return {**figures, "deposits": deposits}
