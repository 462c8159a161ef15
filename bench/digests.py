# SPDX-License-Identifier: EUPL-1.2
"""Ways to write down which pseudonyms are deposited: size, share found for nothing, time to make and to test.

    python -m bench.digests [--signals 1000000] [--clients 100000] [--json]

All find about one in 256 to 512 of those that are not in it. `buckets` is the product's (sluis/deposit_digest.py). The
others are here to compare: `elias-fano` and `golomb` write the same set of leading bits smaller, `fuse` is a binary
fuse filter (Graf and Lemire 2022) in C, when `pyfusefilter` and `xxhash<4` are installed.
"""

import argparse
import json
import secrets
import time
from array import array
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from itertools import accumulate
from typing import Any

from sluis.deposit_digest import DepositDigest, DigestBuilder, DigestHeader, bits_for, leading_words
from sluis.identifiers import Oin

SIZE = 16
PAGE = 8_192
GROUP = 64  # Elias-Fano: buckets for each number of the directory


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One way. Processor seconds."""

    name: str
    bits_each: float
    one_in: float
    make_seconds: float
    test_seconds: float


def buckets(signals: Sequence[bytes], bits: int) -> tuple[int, Callable[[Sequence[int]], int]]:
    """The product's."""
    builder = DigestBuilder(bits, len(signals))
    for start in range(0, len(signals), PAGE):
        builder.add(signals[start : start + PAGE])
    body = builder.body()
    header = DigestHeader(
        log_origin="bench.example/log",
        agreement="bench",
        recipient=Oin("00000099000000001000"),
        kind="BENCH",
        epoch="2026",
        since=0,
        until=0,
        made_at_ms=0,
        bits=bits,
        width=builder.width,
        count=builder.count,
        body_hash=sha256(body).digest(),
    )
    return len(body), lambda words: len(DepositDigest(header, body).positions(words))


def values_of(signals: Sequence[bytes], bits: int) -> Iterable[int]:
    """The leading bits, ascending, each once."""
    last = -1
    for word in leading_words(b"".join(signals)):
        value = word >> (64 - bits)
        if value > last:
            yield value
            last = value


def elias_fano(signals: Sequence[bytes], bits: int) -> tuple[int, Callable[[Sequence[int]], int]]:
    """Low bytes as they are, the rest in unary, and how many there are in each group of buckets."""
    lows, groups = bytearray(), array("H", bytes(2 * max(1, (1 << (bits - 8)) // GROUP)))
    unary = bytearray((len(signals) + (1 << (bits - 8)) + 7) // 8)
    for number, value in enumerate(values_of(signals, bits)):
        lows.append(value & 255)
        at = (value >> 8) + number
        unary[at >> 3] |= 1 << (at & 7)
        groups[value >> 8 + 6] += 1

    def test(words: Sequence[int]) -> int:
        found, starts = 0, array("Q", accumulate(groups, initial=0))
        for word in words:
            value = word >> (64 - bits)
            group = value >> 8 + 6
            first, end = starts[group], starts[group + 1]
            at = first + group * GROUP
            piece = int.from_bytes(unary[at >> 3 : (end + group * GROUP + GROUP + 7) >> 3], "little")
            runs = bin(piece >> (at & 7) | 1 << 1024)[:2:-1].split("0", (value >> 8 & 63) + 1)
            run = runs[value >> 8 & 63]
            start = first + sum(map(len, runs[: value >> 8 & 63]))
            found += value & 255 in lows[start : start + len(run)]
        return found

    return len(lows) + len(unary) + 2 * len(groups), test


def golomb(signals: Sequence[bytes], bits: int) -> tuple[int, Callable[[Sequence[int]], int]]:
    """Gaps: the low eight bits as they are, the rest in unary; decoded from the start for each test."""
    lows, unary, last = bytearray(), bytearray(), 0
    for value in values_of(signals, bits):
        gap, last = value - last, value
        lows.append(gap & 255)
        unary += b"1" * (gap >> 8) + b"0"
    packed = int(unary.decode() or "0", 2).to_bytes((len(unary) + 7) // 8, "big")

    def test(words: Sequence[int]) -> int:
        wanted = {word >> (64 - bits) for word in words}
        highs = map(len, f"{int.from_bytes(packed, 'big'):0{len(unary)}b}".split("0"))
        values = accumulate(low + 256 * high for low, high in zip(lows, highs, strict=False))
        present = wanted.intersection(values)
        return sum(word >> (64 - bits) in present for word in words)

    return len(lows) + len(packed), test


def fuse(signals: Sequence[bytes], _bits: int) -> tuple[int, Callable[[Sequence[int]], int]]:
    """A filter of eight bits."""
    from pyfusefilter import Fuse8  # type: ignore[import-not-found]  # only to compare

    made = Fuse8(list(leading_words(b"".join(signals))))
    return made.size_in_bytes(), lambda words: sum(made.contains(word) for word in words)


def measure(signals: int, clients: int) -> list[Row]:
    """Make and test each."""
    stored = sorted(secrets.token_bytes(SIZE) for _ in range(signals))
    asked = leading_words(b"".join(sorted(secrets.token_bytes(SIZE) for _ in range(clients))))
    bits, rows = bits_for(signals), []
    for name, make in {"buckets": buckets, "elias-fano": elias_fano, "golomb": golomb, "fuse": fuse}.items():
        before = time.process_time()
        try:
            size, test = make(stored, bits)
        except ImportError:
            continue
        between = time.process_time()
        found = test(asked)
        after = time.process_time()
        rows.append(
            Row(
                name=name,
                bits_each=8 * size / signals,
                one_in=clients / found if found else float("inf"),
                make_seconds=between - before,
                test_seconds=after - between,
            )
        )
    return rows


def main() -> None:
    """Print the table, or JSON."""
    parser = argparse.ArgumentParser(prog="python -m bench.digests", description=__doc__.splitlines()[0])
    parser.add_argument("--signals", type=int, default=1_000_000)
    parser.add_argument("--clients", type=int, default=100_000)
    parser.add_argument("--json", action="store_true", help="print JSON")
    given = parser.parse_args()
    rows = measure(given.signals, given.clients)
    if given.json:
        report: dict[str, Any] = {
            row.name: {name: getattr(row, name) for name in Row.__slots__ if name != "name"} for row in rows
        }
        print(json.dumps({"signals": given.signals, "clients": given.clients, "ways": report}))
        return
    print(f"{'':12}{'bits each':>11}{'found 1 in':>12}{'make s':>9}{'test s':>9}")
    for row in rows:
        print(
            f"{row.name:12}{row.bits_each:11.2f}{row.one_in:12.0f}{row.make_seconds:9.2f}{row.test_seconds:9.2f}"
        )


if __name__ == "__main__":
    main()
